"""Results: one JSON file per experiment, and one table of all of them (:func:`frame`).

``measured`` contains the measurements, which are bit-identical when the experiment runs again on a
CPU. ``provenance`` contains how the result was made: seconds, machine, and digests of parameters,
code and data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import pandas as pd
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from umt_lib.errors import StudyError
from umt_lib.files import write_atomically
from umt_lib.paths import PARAMS, PUBLISHED
from umt_lib.study.experiments.params import Name, read
from umt_lib.study.experiments.provenance import code_key, params_key, source, training_key
from umt_lib.training import Share, Training

MISSING, DAMAGED = "missing", "damaged"
OTHER_PARAMS, OTHER_CODE = "made with other params", "made by other code"


class Record(BaseModel):
    """Part of a results file; unknown keys and other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


R = TypeVar("R", bound=Record)


class Score(Record):
    """Top-1 accuracy in [0, 1], cross-entropy in nats, at most infinity, and number of samples."""

    accuracy: Share
    nll: float
    samples: PositiveInt


class SeedRecord(Record):
    """The measurements of one seed: the epoch that validation chose, and its test scores."""

    seed: NonNegativeInt
    epoch: NonNegativeInt  # 0 if nothing was trained
    validation: Score
    test: Score
    unimodal: dict[Name, Share]  # test accuracy of the unimodal logits of each modality
    probes: dict[Name, Share]  # test accuracy of a linear probe of each encoder
    curves: dict[str, list[Any]]  # one entry per epoch; "probe": [{"epoch", modality: accuracy}]


class Trial(Record):
    """One value of a sweep, with means over the first seeds on validation.

    Attributes:
        field: "learning_rate" or an option of the method.
        value: of that field.
        validation: accuracy in [0, 1]; 0 if training diverged, with one of these or a later seed.
        nll: cross-entropy in nats; None if training diverged.
    """

    field: Name
    value: Any
    validation: Share
    nll: float | None = None


class Measured(Record):
    """The measurements, which are bit-identical when the experiment runs again on a CPU."""

    sweep: list[Trial]
    chosen: dict[Name, Any]
    seeds: Annotated[list[SeedRecord], Field(min_length=1)]

    @property
    def sweeps(self) -> dict[str, list[Trial]]:
        """The trials of each swept field, in order; fields are keys of ``chosen``."""
        found: dict[str, list[Trial]] = {}
        for trial in self.sweep:
            found.setdefault(trial.field, []).append(trial)
        return found


class Cost(Record):
    """Cost of one seed: training seconds and samples of the chosen value, and values swept."""

    seconds: float
    samples: int
    trainings: int


class Provenance(Record):
    """How a result was made; ``keys`` {seed: :func:`.provenance.training_key`}."""

    params: str
    code: str
    source: str
    keys: dict[Annotated[str, Field(pattern=r"^\d{1,18}$")], str]
    environment: dict[str, Any]
    cost: Cost
    seconds: float  # of the whole experiment: all seeds, the whole sweep, probes and tests


def _described(params: dict[str, Any]) -> dict[str, Any]:
    """The params of a result, which must have what tables show."""
    for key in ("dataset", "method", "head"):
        if not isinstance(params.get(key), dict) or not isinstance(params[key].get("name"), str):
            raise ValueError(f"{key} has no name")
    if not isinstance(params.get("training"), dict):
        raise ValueError("training is missing")
    return params


class Result(Record):
    """A finished experiment, with the measurements of every seed of its params.

    ``format`` is 2 since each seed of a small data set has a split of its own. Results of format 1
    have other test samples and are refused.
    """

    format: Literal[2] = 2
    name: str
    params: Annotated[dict[str, Any], AfterValidator(_described)]
    measured: Measured
    provenance: Provenance

    @model_validator(mode="after")
    def _of_its_seeds(self) -> Self:
        measured = [record.seed for record in self.measured.seeds]
        if measured != self.params.get("seeds"):
            raise ValueError(f"measured are seeds {measured}, params have others")
        if list(self.provenance.keys) != [str(seed) for seed in measured]:
            raise ValueError("provenance.keys are not those of the seeds")
        return self

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
        """The measurements as canonical JSON, to compare two results byte by byte."""
        return json.dumps(self.measured.model_dump(), indent=1, sort_keys=True).encode()

    def save(self, path: Path) -> None:
        """Write the file atomically; raises StudyError if it cannot be written."""
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

    Columns: ``experiment``, ``dataset``, ``method``, ``head``, ``options`` (of the method, with the
    value that its sweep chose, as JSON), ``seed``, ``epoch`` (chosen on validation),
    ``validation_accuracy`` and ``test_accuracy`` in [0, 1], ``validation_nll`` and ``test_nll`` in
    nats, ``test_samples``, ``seconds`` (of training one seed), ``device``, and for each modality m
    ``unimodal.m`` (test accuracy of its unimodal logits) and ``probe.m`` (of a linear probe), empty
    for experiments without it.

    Raises:
        StudyError: a file is not a complete results file.
    """
    return table(load(path) for path in sorted(folder.glob("*.json"), key=lambda p: p.stem))


def table(results: Iterable[Result]) -> pd.DataFrame:
    """The table of :func:`frame` for these results."""
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
            device=str(result.provenance.environment.get("device", "")),
        )
        parts.append(part.assign(**about)[[*about, *part.columns]])
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    by_modality = sorted(c for c in whole.columns if c.startswith(("unimodal.", "probe.")))
    return whole[[c for c in whole.columns if c not in by_modality] + by_modality]


def load(path: str | Path) -> Result:
    """The result of an experiment, read from a file.

    Raises:
        StudyError: the file is missing, truncated, or not a results file.
    """
    return parse(Path(path), Result, "experiment")


def parse(path: Path, kind: type[R], made_by: str) -> R:
    """A results file as an object of ``kind``; ``made_by`` is "experiment" or "analysis".

    Raises:
        StudyError: the file is missing, truncated, or not a results file.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise StudyError(f"{path}: no such results file; run its {made_by} first") from None
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror}); remove it") from None
    except ValidationError as failure:
        error = failure.errors()[0]
        at = ".".join(str(part) for part in error["loc"])
        raise StudyError(
            f"{path}: not a complete results file ({at + ': ' if at else ''}{error['msg']}); "
            f"delete it and run its {made_by} again"
        ) from None


def learning_rate(result: Result) -> float:
    """The learning rate that an experiment was trained with."""
    given = result.params["training"].get("learning_rate", Training.learning_rate)
    return result.measured.chosen.get("learning_rate", given)


def measured_digest(folder: Path, name: str) -> str:
    """Digest of the measurements in ``folder/<name>.json``; "" if there is no complete result.

    ``name`` is that of an experiment or ``analyses/<name>``.
    """
    try:
        measured = json.loads((folder / f"{name}.json").read_bytes())["measured"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return hashlib.sha256(json.dumps(measured, sort_keys=True).encode()).hexdigest()


def stale(name: str, folder: Path, params_dir: Path = PARAMS) -> str:
    """Why the result ``folder/<name>.json`` is stale, or "" if it is current.

    A result is stale if its parameters, code, data or teachers differ from those of today, or if
    its file is missing or damaged. Data that is not on this machine counts as unchanged.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        return MISSING
    try:
        result = load(path)
    except StudyError:
        return DAMAGED
    if result.name != name:
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
    try:
        teachers = {m: load(folder / f"{t}.json") for m, t in params.get("teachers", {}).items()}
        rate = params.get("learning_rate_of")
        if rate and learning_rate(load(folder / f"{rate}.json")) != learning_rate(result):
            return f"made with another learning rate than {rate}"
    except StudyError:
        return "made from results that are missing or damaged"
    for seed, key in made.keys.items():
        keys = {m: teacher_key(t, seed, data, params_dir) for m, t in teachers.items()}
        if key != training_key(params, int(seed), result.measured.chosen, keys, data):
            return "made with other teachers"
    return ""


def teacher_key(teacher: Result, seed: str, data: str, params_dir: Path) -> str:
    """The key that the training of a teacher has with the params and code of today."""
    params = read(params_dir / f"{teacher.name}.yaml")
    return training_key(params, int(seed), teacher.measured.chosen, {}, data)
