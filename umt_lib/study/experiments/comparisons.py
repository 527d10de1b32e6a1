"""Compare results: differences paired over seeds, families of them, laziness, rising curves."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from scipy import stats
from scipy.stats import false_discovery_control

from umt_lib.evaluation.corrections import holm
from umt_lib.evaluation.intervals import Interval, p_value, t_interval
from umt_lib.study.experiments.results import Result, SeedRecord
from umt_lib.training import Training

LEVEL = 0.05  # of a family: the probability that at least one of its clear differences is false
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
    if a is None or b is None or a is b:
        return None
    if column not in a.frame or column not in b.frame:
        return None
    gaps = (a.frame[column] - b.frame[column]).dropna()  # pandas aligns the seeds
    return t_interval(gaps.tolist()) if len(gaps) else None


def clear(gains: Iterable[Interval]) -> list[bool]:
    """Which differences of a family are clear: p < 0.05 after Holm's correction over all of them.

    The p-values are those of the t-test whose interval is given, paired over seeds.
    """
    return (holm([p_value(gain) for gain in gains]) < LEVEL).tolist()


def discovered(gains: Iterable[Interval]) -> list[bool]:
    """Which differences to count if at most 5% of those counted may be false on average.

    Benjamini and Hochberg's control of the false discovery rate, for the question in how many of
    many cells or comparisons there is a difference; :func:`clear` is for claims about single ones.
    """
    p_values = [p_value(gain) for gain in gains]
    return (false_discovery_control(p_values) < LEVEL).tolist() if p_values else []


def widened(n: int, count: int) -> float:
    """How many half-widths of its 95% interval a difference over ``n`` seeds needs to be clear.

    Holm's correction over ``count`` comparisons begins at a p-value of 5% divided by ``count``.

    >>> round(widened(5, 1), 6), round(widened(5, 100), 1)
    (1.0, 3.7)
    """
    needed, half = (stats.t.ppf(1 - LEVEL / 2 / k, n - 1) for k in (count, 1))
    return float(needed / half)


class Family:
    """Differences that are stated together, so that they are corrected together.

    Attributes:
        gains: {key: difference with its 95% interval, which is not corrected}; a comparison
            without a result is left out.
    """

    def __init__(self, gains: Mapping[Any, Interval | None]):
        self.gains: dict[Hashable, Interval] = {k: gain for k, gain in gains.items() if gain}
        self._clear = dict(zip(self.gains, clear(self.gains.values()), strict=True))

    def __len__(self) -> int:
        return len(self.gains)

    def get(self, key: Hashable) -> Interval | None:
        """The difference, or None if it was not measured."""
        return self.gains.get(key)

    def is_clear(self, key: Hashable) -> bool:
        """Whether the difference survives Holm's correction over the family."""
        return self._clear.get(key, False)

    def is_better(self, key: Hashable) -> bool:
        """Whether the difference is clear and positive."""
        return self.is_clear(key) and self.gains[key].mean > 0

    def is_worse(self, key: Hashable) -> bool:
        """Whether the difference is clear and negative."""
        return self.is_clear(key) and self.gains[key].mean < 0


def same_models(a: Result, b: Result) -> bool:
    """Whether two results have the same chosen epoch and the same test scores for every seed.

    True for longer joint training where validation chose epochs of the part of the
    schedule that both have: the longer training is then no control of the budget.
    """
    runs = [[(r.seed, r.epoch, r.test) for r in result.measured.seeds] for result in (a, b)]
    return runs[0] == runs[1]


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
