"""95% intervals: of a mean over seeds, and of the difference of two means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Interval(NamedTuple):
    """A mean with its 95% t-interval over seeds."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def is_tie(self) -> bool:
        """For a difference: whether the interval holds 0."""
        return self.low <= 0 <= self.high


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Mean and t-interval of ``values``, one per seed; the interval of one value is infinite."""
    values = np.asarray(values, dtype=float)
    n, mean = len(values), float(values.mean())
    if n < 2:
        return Interval(mean, -math.inf, math.inf, n)
    half = stats.t.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def welch_interval(a: Sequence[float], b: Sequence[float]) -> Interval:
    """Mean of ``a`` - mean of ``b`` for independent sets of seeds, 95% Welch interval.

    Numbers without spread on both sides give an interval of no width.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    difference, n = float(a.mean() - b.mean()), min(len(a), len(b))
    if n < 2:
        return Interval(difference, -math.inf, math.inf, n)
    of_a, of_b = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)  # squared standard errors
    if of_a + of_b == 0:
        return Interval(difference, difference, difference, n)
    freedom = (of_a + of_b) ** 2 / (of_a**2 / (len(a) - 1) + of_b**2 / (len(b) - 1))
    half = float(stats.t.ppf(0.975, freedom) * math.sqrt(of_a + of_b))
    return Interval(difference, difference - half, difference + half, n)
