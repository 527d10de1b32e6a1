"""One analysis: what is measured over many small trainings at once, or of finished experiments.

    umt analyse params/analyses/map-synthetic-2048.yaml

An experiment trains one method on one data set; an analysis asks a question of many: who wins
where (the map), what the feature-learning account predicts (theory), whether the guide is right.
Its params file names a function of :data:`ANALYSES` with its options, and the results it
``needs``. What it measures is written to ``runs/results/analyses/<name>.json``, with its
provenance, and is current as long as parameters, code and needs are what they were.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from umt_lib import models, paths
from umt_lib.errors import StudyError, exit_status
from umt_lib.files import write_atomically
from umt_lib.models import ENCODERS, HEADS
from umt_lib.study.analyses.diagnosis import diagnosis
from umt_lib.study.analyses.distillation_cost.measure import distillation_cost
from umt_lib.study.analyses.guide_check.on_data import on_data
from umt_lib.study.analyses.guide_check.on_map import on_map
from umt_lib.study.analyses.regime_map.measure import regime_map
from umt_lib.study.analyses.theory.simulation import theory
from umt_lib.study.experiments import params as params_files
from umt_lib.study.experiments import provenance
from umt_lib.study.experiments.results import (
    DAMAGED,
    MISSING,
    OTHER_CODE,
    OTHER_PARAMS,
    measured_digest,
    tally,
)

ANALYSES: dict[str, Callable[..., dict[str, Any]]] = {
    "diagnosis": diagnosis,
    "theory": theory,
    "map": regime_map,
    "trade-off": distillation_cost,
    "guide-on-data": on_data,
    "guide-on-map": on_map,
}


class Params(BaseModel):
    """The top level of an analysis' params file."""

    model_config = params_files.STRICT
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    analysis: dict[str, Any]
    needs: list[str] = []  # results it reads: names of experiments, or analyses/<name>


class Made(BaseModel):
    """How an analysis came about; ``needs`` {name: digest of what it measured}."""

    model_config = ConfigDict(extra="forbid")
    params: str
    code: str
    needs: dict[str, str]
    environment: dict[str, Any]
    seconds: float


class Analysed(BaseModel):
    """A finished analysis; ``measured`` is the same bytes when one machine measures twice."""

    model_config = ConfigDict(extra="forbid")
    format: int = 1
    name: str
    params: dict[str, Any]
    measured: dict[str, Any]
    provenance: Made


def read(path: str | Path) -> dict[str, Any]:
    """The checked contents of an analysis' params file.

    Raises:
        StudyError: the file is missing or no YAML mapping, a key is unknown at any depth, a type is
            wrong, or the name is not the file's.
    """
    path = Path(path)
    params = params_files.mapping(path)
    params_files.validate(Params, params, str(path), "")
    params_files.named(ANALYSES, params["analysis"], str(path), "analysis", given=("progress",))
    if params["name"] != path.stem:
        raise StudyError(
            f"{path}: name is {params['name']!r}; make it {path.stem!r}, as the file's"
        )
    return params


def run(params: dict[str, Any], progress: bool = True) -> Analysed:
    """Measure and write the result.

    Raises:
        StudyError: a needed result is missing, or what the analysis itself raises.
    """
    began = time.perf_counter()
    needs = {name: measured_digest(paths.results_dir(), name) for name in params.get("needs", [])}
    for name, found in needs.items():
        if not found:
            raise StudyError(
                f"{params['name']}: needs the result of {name!r}, which is missing; run its params "
                f"file, params/{name}.yaml, first (umt run, or umt analyse for an analysis)"
            )
    spec = params["analysis"]
    measured = ANALYSES[spec["name"]](**params_files.options(spec), progress=progress)
    measured = json.loads(json.dumps(measured))  # what a reader of the file will find
    made = Made(
        params=provenance.digest(params),
        code=code_key(params),
        needs=needs,
        environment=provenance.environment(torch.device("cpu")),
        seconds=time.perf_counter() - began,
    )
    result = Analysed(name=params["name"], params=params, measured=measured, provenance=made)
    content = json.dumps(result.model_dump(), separators=(",", ":")) + "\n"
    write_atomically(paths.results_dir() / f"analyses/{result.name}.json", content.encode())
    return result


def load(path: Path) -> Analysed:
    """Read the file of an analysis.

    Raises:
        StudyError: the file is missing, truncated, or not one of ours.
    """
    try:
        return Analysed.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise StudyError(f"{path}: no such results file; run its analysis first") from None
    except ValidationError as failure:
        said = failure.errors()[0]["msg"]
        raise StudyError(
            f"{path}: not a whole results file ({said}); delete it and run its analysis again"
        ) from None


def stale(name: str, results: Path, params_dir: Path = paths.PARAMS) -> str:
    """Why a result in ``results`` is not what today's parameters, code and needs give, or "".

    Args:
        name: as ``analyses/theory``, of the params file and of the result.
    """
    path = results / f"{name}.json"
    if not path.exists():
        return MISSING
    try:
        made = load(path).provenance
    except StudyError:
        return DAMAGED
    params = read(params_dir / f"{name}.yaml")
    if made.params != provenance.digest(params):
        return OTHER_PARAMS
    if made.code != code_key(params):
        return OTHER_CODE
    if made.needs != {need: measured_digest(results, need) for need in params.get("needs", [])}:
        return "made from other results"
    return ""


def code_key(params: dict[str, Any]) -> str:
    """Digest of every umt_lib module that affects the numbers of the analysis."""
    return provenance.code_digest(code_files(params))


def code_files(params: dict[str, Any]) -> set[Path]:
    """The modules that :func:`code_key` is computed from."""
    function = ANALYSES[params["analysis"]["name"]]
    small = ENCODERS["mlp"]  # with it, in one file, the other encoders that analyses run on
    built = [inspect.getmodule(make) for make in (models.build, small, *HEADS.values())]
    starts = [inspect.getmodule(function), *built, inspect.getmodule(models.LateFusion)]
    return provenance.import_closure([provenance.file_of(module) for module in starts])


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status (2 for a StudyError, 130 for Ctrl-C)."""
    parser = argparse.ArgumentParser(prog="umt analyse", description=__doc__)
    parser.add_argument("params", type=Path, help="a file of params/analyses/")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)

    def measured() -> int:
        result = run(read(given.params), progress=sys.stderr.isatty())
        print(f"{tally()}{result.name}, {result.provenance.seconds:.0f} s", flush=True)
        return 0

    return exit_status(measured, f"{given.params}: interrupted; the same command starts it again")
