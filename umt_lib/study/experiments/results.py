"""Results: one JSON file per experiment; :func:`frame` is the table of many.

``measured`` holds what is bit-identical when a CPU measures again; ``provenance`` holds how the
result was made (seconds, machine, digests of parameters, code and data).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from umt_lib.errors import StudyError
from umt_lib.files import write_atomically
from umt_lib.paths import PARAMS, PUBLISHED, results_dir
from umt_lib.study.experiments.params import read
from umt_lib.study.experiments.provenance import code_key, params_key, source, training_key

MISSING, DAMAGED = "missing", "damaged"
OTHER_PARAMS, OTHER_CODE = "made with other params", "made by other code"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Score(_Record):
    """Top-1 accuracy in [0, 1], cross-entropy in nats, number of samples scored."""

    accuracy: float
    nll: float
    samples: int


class SeedRecord(_Record):
    """One seed: what validation chose, and what was then read off the test split, once."""

    seed: int
    epoch: int
    validation: Score
    test: Score
    unimodal: dict[str, float]  # test accuracy of each modality's share of an additive head
    probes: dict[str, float]  # test accuracy of a linear probe of each encoder
    curves: dict[str, list[Any]]  # one entry per epoch; "probe": [{"epoch", modality: accuracy}]


class Trial(_Record):
    """One value of a sweep: its validation accuracy, a mean over the seeds that decided."""

    value: Any
    validation: float


class Measured(_Record):
    """Everything that is the same, bit for bit, when the experiment runs again on a CPU."""

    sweep: list[Trial]
    chosen: dict[str, Any]
    seeds: list[SeedRecord]


class Cost(_Record):
    """Of one seed: training seconds and samples of the chosen value; values of the sweep tried."""

    seconds: float
    samples: int
    trainings: int


class Provenance(_Record):
    """How a result came about; ``keys`` {seed: digest of all that decided its training}."""

    params: str
    code: str
    source: str
    keys: dict[str, str]
    environment: dict[str, Any]
    cost: Cost
    seconds: float  # of the whole experiment: all seeds, the whole sweep, probes and tests


class Result(_Record):
    """A finished experiment."""

    format: int = 1
    name: str
    params: dict[str, Any]
    measured: Measured
    provenance: Provenance

    @property
    def accuracy(self) -> list[float]:
        """Test accuracy per seed, in the order of the seeds."""
        return self.frame["test_accuracy"].tolist()

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per seed, with the seed as index; see :func:`frame` for the columns."""
        rows = [_row(record) for record in self.measured.seeds]
        seeds = [record.seed for record in self.measured.seeds]
        return pd.DataFrame(rows, index=pd.Index(seeds, name="seed"))

    def measured_bytes(self) -> bytes:
        """The measurements alone, as they stand in the file."""
        return json.dumps(self.measured.model_dump(), indent=1, sort_keys=True).encode()

    def save(self, path: Path) -> None:
        """Write atomically; raises StudyError when the disk is full."""
        write_atomically(path, (json.dumps(self.model_dump(), indent=1) + "\n").encode())


def _row(record: SeedRecord) -> dict[str, float]:
    scores = {"validation": record.validation, "test": record.test}
    named = {f"{part}_{k}": v for part, score in scores.items() for k, v in score}
    named.pop("validation_samples")
    by_modality = {"unimodal": record.unimodal, "probe": record.probes}
    more = {f"{kind}.{m}": v for kind, values in by_modality.items() for m, v in values.items()}
    return {"epoch": record.epoch, **named, **more}


def frame(folder: Path = PUBLISHED) -> pd.DataFrame:
    """All experiments in a folder of results as one table: a row per experiment and seed.

    Columns: ``experiment``, ``dataset``, ``method``, ``head``, ``options`` (of the method and the
    value that its sweep chose, as JSON), ``seed``, ``epoch`` (chosen on validation),
    ``validation_accuracy`` and ``test_accuracy`` in [0, 1], ``validation_nll`` and ``test_nll`` in
    nats, ``test_samples``, ``seconds`` (of training one seed), ``device``, and for each modality m
    ``unimodal.m`` (test accuracy of its unimodal logits) and ``probe.m`` (of a linear probe), empty
    for experiments without it.

    Raises:
        StudyError: a file is not a whole results file.
    """
    return table(load(path) for path in sorted(folder.glob("*.json"), key=lambda p: p.stem))


def table(results: Iterable[Result]) -> pd.DataFrame:
    """:func:`frame` of these results."""
    parts = []
    for result in results:
        method = dict(result.params["method"])
        about = {
            "experiment": result.name,
            "dataset": result.params["dataset"]["name"],
            "method": method.pop("name"),
            "head": result.params["head"]["name"],
            "options": json.dumps(method | result.measured.chosen),
        }
        part = result.frame.reset_index().assign(
            seconds=result.provenance.cost.seconds,
            device=result.provenance.environment.get("device", ""),
        )
        parts.append(part.assign(**about)[[*about, *part.columns]])
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    by_modality = sorted(c for c in whole.columns if c.startswith(("unimodal.", "probe.")))
    return whole[[c for c in whole.columns if c not in by_modality] + by_modality]


def load(path: str | Path) -> Result:
    """Read a results file.

    Raises:
        StudyError: the file is missing, truncated, or not a results file.
    """
    try:
        return Result.model_validate_json(Path(path).read_bytes())
    except FileNotFoundError:
        raise StudyError(f"{path}: no such results file; run its experiment first") from None
    except ValidationError as failure:
        error = failure.errors()[0]
        at = ".".join(str(part) for part in error["loc"])
        raise StudyError(
            f"{path}: not a whole results file ({at + ': ' if at else ''}{error['msg']}); "
            f"delete it and run its experiment again"
        ) from None


def measured_digest(folder: Path, name: str) -> str:
    """Digest of what ``folder/<name>.json`` measured, "" where there is no whole result.

    Of an experiment or, with ``analyses/<name>``, of an analysis.
    """
    try:
        measured = json.loads((folder / f"{name}.json").read_bytes())["measured"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return hashlib.sha256(json.dumps(measured, sort_keys=True).encode()).hexdigest()


def stale(name: str, folder: Path, params_dir: Path = PARAMS) -> str:
    """Why ``folder/<name>.json`` does not show what the code of today would measure, or "".

    By content alone: parameters, code, data and, through the teachers, theirs. A broken file is
    stale too. Data that is not on this machine counts as unchanged.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        return MISSING
    try:
        result = load(path)
    except StudyError:
        return DAMAGED
    params = read(params_dir / f"{name}.yaml")
    made = result.provenance
    if made.params != params_key(params):
        return OTHER_PARAMS
    if made.code != code_key(params):
        return OTHER_CODE
    data = source(params, elsewhere=made.source)
    if made.source != data:
        return "made from other data"
    teachers = {m: read(params_dir / f"{t}.yaml") for m, t in params.get("teachers", {}).items()}
    for seed, key in made.keys.items():
        keys = {m: training_key(t, int(seed), {}, {}, data) for m, t in teachers.items()}
        if key != training_key(params, int(seed), result.measured.chosen, keys, data):
            return "made with other teachers"
    return ""


def tally() -> str:
    """How many of the experiments the run graph found stale have a result by now: "12/44 "."""
    todo = os.environ.get("UMT_TODO", "").split()
    done = sum((results_dir() / f"{name}.json").exists() for name in todo)
    return f"{done}/{len(todo)} " if todo else ""
