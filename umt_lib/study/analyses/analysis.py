"""Run one analysis: a measurement over many small trainings, or on finished experiments.

    umt analyse params/analyses/map-synthetic.yaml

An experiment trains one method on one data set. An analysis answers one question with many
trainings: which strategy is best where (the map), what the model of feature learning predicts
(theory), whether the guide is right. Its params file names a function of umt_lib with its options,
and the results that it needs. Its measurements are written to runs/results/analyses/NAME.json, with
their provenance. They are current as long as parameters, code and needed results do not change.

The run of a changed copy in another folder of a file of params/analyses/ is a trial: its result is
written to runs/trials, so the result of the params file is kept.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, Field

from umt_lib import models, paths
from umt_lib.errors import StudyError, exit_status
from umt_lib.files import check_writable, write_atomically
from umt_lib.models import ENCODERS, HEADS
from umt_lib.study.analyses.diagnosis import diagnosis
from umt_lib.study.analyses.distillation_cost.measure import distillation_cost
from umt_lib.study.analyses.guide_check.on_data import on_data
from umt_lib.study.analyses.guide_check.on_features import on_features
from umt_lib.study.analyses.guide_check.on_map import on_map
from umt_lib.study.analyses.kinds import kinds
from umt_lib.study.analyses.regime_map.encoded import map_features
from umt_lib.study.analyses.regime_map.measure import regime_map
from umt_lib.study.analyses.released_encoders import ave_features
from umt_lib.study.analyses.theory.simulation import theory
from umt_lib.study.analyses.two_stream.measure import two_stream
from umt_lib.study.experiments import params as params_files
from umt_lib.study.experiments import provenance, trials
from umt_lib.study.experiments.progress import tally
from umt_lib.study.experiments.results import (
    DAMAGED,
    MISSING,
    OTHER_CODE,
    OTHER_PARAMS,
    Record,
    measured_digest,
    parse,
)

ANALYSES: dict[str, Callable[..., dict[str, Any]]] = {
    "diagnosis": diagnosis,
    "ave-features": ave_features,
    "theory": theory,
    "map": regime_map,
    "map-features": map_features,
    "trade-off": distillation_cost,
    "guide-on-data": on_data,
    "guide-on-map": on_map,
    "guide-on-features": on_features,
    "two-stream": two_stream,
    "kinds": kinds,
}


GIVEN = ("workers",)  # arguments that are not in params files: no number depends on them


class Params(BaseModel):
    """The top level of an analysis' params file."""

    model_config = params_files.STRICT
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    analysis: dict[str, Any]
    needs: list[str] = []  # results it reads: names of experiments, or analyses/<name>


class Made(Record):
    """How the result of an analysis was made; ``needs`` {name: digest of its measurements}."""

    params: str
    code: str
    needs: dict[str, str]
    environment: dict[str, Any]
    seconds: float


class Analysed(Record):
    """A finished analysis; ``measured`` is bit-identical when one machine measures it again."""

    format: Literal[1] = 1
    name: str
    params: dict[str, Any]
    measured: Annotated[dict[str, Any], Field(min_length=1)]
    provenance: Made


def read(path: str | Path) -> dict[str, Any]:
    """The contents of the params file of an analysis, checked.

    Raises:
        StudyError: the file is missing or not a YAML mapping, a key is unknown at any depth, a type
            is wrong, or the name is not that of the file.
    """
    path = Path(path)
    params = params_files.mapping(path)
    if "method" in params:
        raise StudyError(f"{path}: is the params file of an experiment; run umt run {path}")
    params_files.validate(Params, params, str(path), "")
    params_files.named(ANALYSES, params["analysis"], str(path), "analysis", given=GIVEN)
    params_files.check_name(params, path)
    return params


def run(params: dict[str, Any], workers: int = 1) -> Analysed:
    """Run the analysis and write its result.

    Args:
        workers: processes, for an analysis that can use several.

    Raises:
        StudyError: a needed result is missing, the result cannot be written, or what the function
            of the analysis raises, after the name of the analysis.
    """
    began = time.perf_counter()
    needs = {name: measured_digest(paths.results_dir(), name) for name in params.get("needs", [])}
    for name, found in needs.items():
        if not found:
            raise StudyError(
                f"{params['name']}: needs the result of {name!r}, which is missing; run its params "
                f"file, params/{name}.yaml, first (umt run, or umt analyse for an analysis)"
            )
    to = destination(params)
    check_writable(to.parent)
    spec = params["analysis"]
    function = ANALYSES[spec["name"]]
    given = {"workers": workers} if "workers" in inspect.signature(function).parameters else {}
    try:
        measured = function(**params_files.options(spec), **given)
    except StudyError as error:
        raise StudyError(f"{params['name']}: {error}") from None
    measured = json.loads(json.dumps(measured))  # as it is read from the file
    made = Made(
        params=provenance.digest(params),
        code=code_key(params),
        needs=needs,
        environment=provenance.environment(torch.device("cpu")),
        seconds=time.perf_counter() - began,
    )
    result = Analysed(name=to.stem, params=params, measured=measured, provenance=made)
    content = json.dumps(result.model_dump(), separators=(",", ":")) + "\n"
    write_atomically(to, content.encode())
    return result


def destination(params: dict[str, Any]) -> Path:
    """The file for the result of these params; for a changed copy of a params file, its own."""
    name = params["name"]
    file = paths.params_dir() / "analyses" / f"{name}.yaml"
    digest = provenance.digest
    if file.exists() and digest(params_files.mapping(file)) != digest(params):
        return trials.file_of(params)
    return paths.results_dir() / "analyses" / f"{name}.json"


def load(path: Path) -> Analysed:
    """The result of an analysis, read from a file.

    Raises:
        StudyError: the file is missing, truncated, or not the result of an analysis.
    """
    return parse(path, Analysed, "analysis")


def stale(name: str, results: Path, params_dir: Path = paths.PARAMS) -> str:
    """Why the result ``results/<name>.json`` is stale, or "" if it is current.

    A result is stale if its parameters, code or needed results differ from those of today, or if
    its file is missing or damaged.

    Args:
        name: of the params file and of the result, such as ``analyses/theory``.
    """
    path = results / f"{name}.json"
    if not path.exists():
        return MISSING
    try:
        result = load(path)
    except StudyError:
        return DAMAGED
    if result.name != path.stem:
        return DAMAGED
    made = result.provenance
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
    small = ENCODERS["mlp"]  # all encoders that analyses use are in the file of this one
    built = [inspect.getmodule(make) for make in (models.build, small, *HEADS.values())]
    starts = [inspect.getmodule(function), *built, inspect.getmodule(models.LateFusion)]
    return provenance.import_closure([provenance.file_of(module) for module in starts])


def available_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status (2 for a StudyError, 130 for Ctrl-C)."""
    parser = argparse.ArgumentParser(
        prog="umt analyse",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("params", type=Path, help="a file of params/analyses/")
    parser.add_argument(
        "--workers", type=int, default=available_cores(), help="processes (default: all cores)"
    )
    given = parser.parse_args(arguments)
    if given.workers < 1:
        parser.error(f"--workers is {given.workers}; give 1 or more")
    torch.set_num_threads(1)

    def measured() -> int:
        params = read(given.params)
        result = run(params, workers=given.workers)
        print(f"{tally()}{result.name}, {result.provenance.seconds:.0f} s", flush=True)
        if result.name != params["name"]:
            print(trials.where(destination(params), params["name"]))
        return 0

    return exit_status(measured, f"{given.params}: interrupted; run the same command again")
