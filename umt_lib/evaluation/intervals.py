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


def t_interval(values: ArrayLike) -> Interval:
    """Mean and 95% t-interval of ``values``, one per seed; the interval of one value is infinite.

    >>> mean, low, high, n = t_interval([0.71, 0.74, 0.69])
    >>> f"{mean:.3f} [{low:.3f}, {high:.3f}], n = {n}"
    '0.713 [0.651, 0.776], n = 3'
    """
    values = np.asarray(values, dtype=float)
    n, mean = len(values), float(values.mean())
    if n < 2:
        return Interval(mean, -math.inf, math.inf, n)
    half = _critical(n) * values.std(ddof=1) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def accuracy_interval(values: ArrayLike) -> Interval:
    """Mean and 95% t-interval of accuracies in [0, 1], one per seed, cut at 0 and 1.

    The true mean lies in [0, 1], so that what is cut off never contains it and the coverage stays
    95%. The logit scale is not used because a seed may have an accuracy of exactly 1, and because
    the mean would no longer be the one whose differences are compared.

    >>> mean, low, high, _ = accuracy_interval([1.0, 0.99, 0.96])
    >>> f"{mean:.3f} [{low:.3f}, {high:.3f}]"
    '0.983 [0.932, 1.000]'
    """
    found = t_interval(values)
    if found.n < 2:
        return found
    return found._replace(low=max(found.low, 0.0), high=min(found.high, 1.0))


def p_value(interval: Interval) -> float:
    """The two-sided p-value of the t-test of a mean of 0, from its :func:`t_interval`.

    The test and the interval contain the same information: p is below 0.05 exactly if the interval
    excludes 0. For differences paired over seeds it is the paired t-test. One seed gives p = 1.

    >>> round(p_value(t_interval([0.02, 0.03, 0.01])), 3)
    0.074
    """
    mean, low, high, n = interval
    if n < 2:
        return 1.0
    if high == low:  # no spread
        return float(mean == 0)
    error = (high - low) / 2 / _critical(n)
    return float(2 * stats.t.sf(abs(mean) / error, n - 1))


def _critical(n: int) -> float:
    """Half the width of a 95% t-interval of ``n`` values, in standard errors."""
    return float(stats.t.ppf(0.975, n - 1))


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
