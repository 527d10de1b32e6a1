"""Comparisons of results, paired over seeds."""

from __future__ import annotations

import math

from umt_lib.errors import StudyError
from umt_lib.evaluation.intervals import Interval, t_interval
from umt_lib.study.experiments.results import Result, SeedRecord

FLAT = 0.005  # a baseline that gained more than this late in its schedule is still rising


def difference(a: Result | None, b: Result | None) -> Interval | None:
    """Test accuracy of ``a`` minus ``b``, paired over seeds; None where one is missing."""
    try:
        return paired_difference(a, b) if a and b and a is not b else None
    except StudyError:  # no seed in common: nothing to pair
        return None


def laziness(result: Result, alone: Result, modality: str) -> Interval | None:
    """Probe of ``modality``'s encoder after a method minus after uni-modal training, paired."""
    before = {r.seed: r.probes[modality] for r in alone.measured.seeds}
    shared = [r for r in result.measured.seeds if r.seed in before and modality in r.probes]
    pairs = [r.probes[modality] - before[r.seed] for r in shared]
    return t_interval(pairs) if pairs else None


def rising(record: SeedRecord, decay: float) -> float:
    """Accuracy the validation curve still gained late in the constant-rate part of the schedule.

    Mean of its last quarter minus mean of the quarter before; about 0 for a converged run, NaN
    for one of fewer than 2 epochs.
    """
    curve = record.curves.get("validation_accuracy", [])
    if len(curve) < 2:
        return math.nan
    constant = curve[: max(4, round(len(curve) * (1 - decay)))]
    quarter = max(1, len(constant) // 4)
    last, before = constant[-quarter:], constant[-2 * quarter : -quarter]
    return float(sum(last) / len(last) - sum(before) / len(before))


def paired_difference(a: Result, b: Result) -> Interval:
    """Test accuracy of ``a`` minus ``b`` over the seeds both have, with its 95% t-interval."""
    left = {r.seed: r.test.accuracy for r in a.measured.seeds}
    right = {r.seed: r.test.accuracy for r in b.measured.seeds}
    shared = sorted(left.keys() & right.keys())
    if not shared:
        raise StudyError(f"{a.name} and {b.name} share no seed; run both with the same seeds")
    return t_interval([left[seed] - right[seed] for seed in shared])


def _validation_difference(a: Result, b: Result) -> Interval | None:
    left = {r.seed: r.validation.accuracy for r in a.measured.seeds}
    right = {r.seed: r.validation.accuracy for r in b.measured.seeds}
    shared = sorted(left.keys() & right.keys())
    return t_interval([left[s] - right[s] for s in shared]) if shared else None
