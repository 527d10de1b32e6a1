"""Bootstrap intervals of statistics of one sample of predictions, over samples or whole groups.

Percentile intervals, widened to the level of a t-interval (Hesterberg, 2015, section 5.3): without
it they are too narrow when there are few samples or, more often, few groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import stats

from umt_lib.errors import StudyError
from umt_lib.evaluation.intervals import Interval

RESAMPLES = 2000
CHUNK = 2**22  # numbers of one block of resampling counts: 32 MB


def difference(means: np.ndarray) -> np.ndarray:
    """The first column's mean less the second's: (..., 2) -> (...).

    >>> difference(np.array([[0.75, 0.5], [0.5, 0.5]])).tolist()
    [0.25, 0.0]
    """
    return means[..., 0] - means[..., 1]


def bootstrap(
    scores: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray] = difference,
    groups: np.ndarray | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """A statistic of column means and its interval; all columns are resampled together (paired).

    Args:
        scores: (n, c), one row per sample, e.g. whether each of c models was right.
        statistic: column means (..., c) -> (...).
        groups: (n,); with it whole groups are drawn, not samples.

    Returns:
        The statistic of all samples, its interval, and the number of samples or groups drawn from.

    Raises:
        StudyError: fewer than 2 samples or groups.

    >>> right = np.array([[1, 0], [1, 1], [1, 0], [0, 0]])  # of two models on four samples
    >>> bootstrap(right)
    Interval(mean=0.5, low=0.0, high=1.0, n=4)
    """
    means, number = _resampled(scores, groups, seed)
    low, high = np.quantile(statistic(means), _ends(number, level))
    whole = float(statistic(np.asarray(scores, dtype=float).mean(axis=0)))
    return Interval(whole, float(low), float(high), number)


def bootstrap_means(
    scores: np.ndarray, groups: np.ndarray | None = None, seed: int = 0, level: float = 0.95
) -> list[Interval]:
    """The mean of every column of ``scores`` (n, c) with its interval, from one set of draws.

    Raises:
        StudyError: fewer than 2 samples or groups.
    """
    means, number = _resampled(scores, groups, seed)
    ends = np.quantile(means, _ends(number, level), axis=0)
    columns = zip(scores.mean(axis=0), *ends, strict=True)
    return [Interval(float(mean), float(low), float(high), number) for mean, low, high in columns]


def _resampled(scores: np.ndarray, groups: np.ndarray | None, seed: int) -> tuple[np.ndarray, int]:
    """Column means (resamples, c), and the number of units that were drawn from."""
    units = np.arange(len(scores)) if groups is None else np.unique(groups, return_inverse=True)[1]
    number = int(units.max(initial=-1)) + 1
    if number < 2:
        raise StudyError(f"an interval was asked of {number} sample or group; give 2 or more")
    sums = np.zeros((number, scores.shape[1] + 1))  # the last column counts the unit's samples
    np.add.at(sums, units, np.column_stack([scores, np.ones(len(scores))]))
    rng = np.random.default_rng(seed)
    drawn, block = [], max(1, CHUNK // number)
    for start in range(0, RESAMPLES, block):
        size = min(block, RESAMPLES - start)
        drawn.append(rng.multinomial(number, np.full(number, 1 / number), size=size) @ sums)
    totals = np.concatenate(drawn)
    return totals[:, :-1] / totals[:, -1:], number


def _ends(number: int, level: float) -> list[float]:
    """The two quantiles that are as wide apart as a t-interval of so many units."""
    wide = stats.t.ppf((1 + level) / 2, number - 1) * math.sqrt(number / (number - 1))
    return [stats.norm.cdf(-wide), stats.norm.cdf(wide)]
