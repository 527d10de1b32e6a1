"""Compare results: differences paired over seeds, laziness, and whether a curve still rises."""

from __future__ import annotations

import math

from umt_lib.evaluation.intervals import Interval, t_interval
from umt_lib.study.experiments.results import Result, SeedRecord
from umt_lib.training import Training

FLAT = 0.005  # a baseline that gains more accuracy than this late in its schedule is still rising


def difference(
    a: Result | None, b: Result | None, column: str = "test_accuracy"
) -> Interval | None:
    """Mean of ``a`` minus ``b`` over the seeds both have, with its 95% t-interval.

    Args:
        column: the quantity to compare, of :func:`umt_lib.study.experiments.results.frame`.

    Returns:
        None if there is nothing to compare: a result or the column is missing, both are the same
        result, or they have no seed in common.
    """
    if a is None or b is None or a is b or column not in a.frame or column not in b.frame:
        return None
    gaps = (a.frame[column] - b.frame[column]).dropna()  # pandas aligns the seeds
    return t_interval(gaps.tolist()) if len(gaps) else None


def laziness(result: Result, unimodal: Result, modality: str) -> Interval | None:
    """Probe accuracy of an encoder after a method minus after uni-modal training, by seed."""
    return difference(result, unimodal, f"probe.{modality}")


def rising(record: SeedRecord, decay: float) -> float:
    """Validation accuracy gained late in the part of the schedule with a constant learning rate.

    Mean of its last quarter minus mean of the quarter before: about 0 for a converged run, NaN for
    a run of fewer than 2 epochs.
    """
    curve = record.curves.get("validation_accuracy", [])
    if len(curve) < 2:
        return math.nan
    constant = curve[: max(4, round(len(curve) * (1 - decay)))]
    quarter = max(1, len(constant) // 4)
    last, before = constant[-quarter:], constant[-2 * quarter : -quarter]
    return float(sum(last) / len(last) - sum(before) / len(before))


def late_gain(result: Result) -> Interval:
    """:func:`rising` of every seed, with its 95% t-interval."""
    decay = Training(**result.params["training"]).decay
    return t_interval([rising(record, decay) for record in result.measured.seeds])
