"""95% intervals of a mean over seeds, of the difference of two means, and of a proportion."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


class Interval(NamedTuple):
    """A mean, its 95% interval, and the number of values or units it is made of."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def contains_zero(self) -> bool:
        """Whether 0 lies in the interval: for a difference, no clear difference.

        >>> Interval(0.1, -0.1, 0.3, 5).contains_zero
        True
        """
        return self.low <= 0 <= self.high


def t_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Mean and t-interval of ``values``, one per seed; the interval of one value is infinite.

    >>> mean, low, high, n = t_interval([0.71, 0.74, 0.69])
    >>> f"{mean:.3f} [{low:.3f}, {high:.3f}], n = {n}"
    '0.713 [0.651, 0.776], n = 3'
    """
    values = np.asarray(values, dtype=float)
    n, mean = len(values), float(values.mean())
    if n < 2:
        return Interval(mean, -math.inf, math.inf, n)
    half = stats.t.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def welch_interval(a: ArrayLike, b: ArrayLike) -> Interval:
    """Mean of ``a`` minus mean of ``b``, two independent sets of seeds, with its Welch interval.

    Where neither side has any spread the interval has no width; where a side has one value it is
    infinite.

    >>> mean, low, high, _ = welch_interval([0.80, 0.82, 0.85], [0.70, 0.74, 0.69])
    >>> f"{mean:.3f} [{low:.3f}, {high:.3f}]"
    '0.113 [0.055, 0.172]'
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    difference, n = float(a.mean() - b.mean()), min(len(a), len(b))
    if n < 2:
        return Interval(difference, -math.inf, math.inf, n)
    if np.ptp(a) == np.ptp(b) == 0:  # a t-test is not defined
        return Interval(difference, difference, difference, n)
    with warnings.catch_warnings():  # one side without spread is fine: the other one has some
        warnings.filterwarnings("ignore", "Precision loss occurred", RuntimeWarning)
        low, high = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    return Interval(difference, float(low), float(high), n)


def proportion_interval(successes: int, n: int) -> Interval:
    """The share of ``successes`` among ``n`` trials, with its exact (Clopper-Pearson) interval.

    >>> share, low, high, _ = proportion_interval(10, 10)
    >>> f"{share:.2f} [{low:.2f}, {high:.2f}]"
    '1.00 [0.69, 1.00]'
    """
    low, high = stats.binomtest(successes, n).proportion_ci(0.95, method="exact")
    return Interval(successes / n, float(low), float(high), n)
