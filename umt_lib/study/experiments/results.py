"""Results: one JSON file per experiment, its measurements bit-identical from run to run on a CPU.

``measured`` holds what one seed gives twice in the same bytes; ``provenance`` how it came about
(seconds, machine, digests of parameters, code and data).
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from umt_lib.errors import StudyError
from umt_lib.files import write_atomically
from umt_lib.paths import PARAMS, results_dir
from umt_lib.study.experiments.params import read
from umt_lib.study.experiments.provenance import code_key, digest, source, training_key

OTHER_CODE, OTHER_TEACHERS = "made by other code", "made with other teachers"


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
        return [record.test.accuracy for record in self.measured.seeds]

    def measured_bytes(self) -> bytes:
        """The measurements alone, as they stand in the file."""
        return json.dumps(self.measured.model_dump(), indent=1, sort_keys=True).encode()

    def save(self, path: Path) -> None:
        """Write atomically; raises StudyError when the disk is full."""
        write_atomically(path, (json.dumps(self.model_dump(), indent=1) + "\n").encode())


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
        return "missing"
    try:
        result = load(path)
    except StudyError:
        return "damaged"
    params = read(params_dir / f"{name}.yaml")
    made = result.provenance
    if made.params != digest(params):
        return "made with other params"
    if made.code != code_key(params):
        return OTHER_CODE
    data = source(params, elsewhere=made.source)
    if made.source != data:
        return "made from other data"
    teachers = {m: read(params_dir / f"{t}.yaml") for m, t in params.get("teachers", {}).items()}
    for seed, key in made.keys.items():
        keys = {m: training_key(t, int(seed), {}, {}, data) for m, t in teachers.items()}
        if key != training_key(params, int(seed), result.measured.chosen, keys, data):
            return OTHER_TEACHERS
    return ""


def tally() -> str:
    """How many of the experiments the run graph found stale have a result by now: "12/44 "."""
    todo = os.environ.get("UMT_TODO", "").split()
    done = sum((results_dir() / f"{name}.json").exists() for name in todo)
    return f"{done}/{len(todo)} " if todo else ""
