"""What an experiment costs in all: passes through encoders, with those of its teachers."""

from __future__ import annotations

from umt_lib.methods import METHODS
from umt_lib.study.experiments.params import options
from umt_lib.study.pipeline.collection import Entry, Study

BUDGET = 0.1  # two budgets are equal if neither is larger by more than this share


def encoder_passes(entry: Entry) -> int:
    """Training samples times the encoders that each passes through, for one seed, no sweep."""
    spec = entry.params["method"]
    method = METHODS[entry.method](**options(spec))
    encoders = 1 if "modality" in spec else len(entry.params["encoders"])
    return entry.result.provenance.cost.samples * encoders * getattr(method, "size", 1)


def with_teachers(study: Study, entry: Entry) -> list[Entry] | None:
    """The entry and the uni-modal trainings that it needs; None if one of these has no result."""
    teachers = [study.named.get(name) for name in entry.params.get("teachers", {}).values()]
    found = [teacher for teacher in teachers if teacher and teacher.result]
    return [entry, *found] if len(found) == len(teachers) else None


def total_passes(study: Study, entry: Entry) -> int | None:
    """:func:`encoder_passes` with those of the teachers; None if a teacher has no result."""
    needed = with_teachers(study, entry)
    return None if needed is None else sum(map(encoder_passes, needed))


def equal_budget(study: Study, a: Entry, b: Entry) -> bool | None:
    """Whether two entries have about the same :func:`total_passes`; None if one is unknown."""
    mine, other = total_passes(study, a), total_passes(study, b)
    if mine is None or other is None:
        return None
    return max(mine, other) <= (1 + BUDGET) * min(mine, other)
