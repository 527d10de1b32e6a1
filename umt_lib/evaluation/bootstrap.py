"""Bootstrap intervals of statistics of predictions, resampling samples or whole groups.

These are percentile intervals, widened to the level of a t-interval (Hesterberg, 2015, section
5.3): without that they are too narrow when there are few samples or, more often, few groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import stats

from umt_lib.errors import StudyError
from umt_lib.evaluation.intervals import Interval

RESAMPLES = 2000
CHUNK = 2**22  # numbers in one block of resampling counts: 32 MB


def difference(means: np.ndarray) -> np.ndarray:
    """The mean of the first column minus that of the second: (..., 2) -> (...).

    >>> float(difference(np.array([0.75, 0.5])))
    0.25
    """
    return means[..., 0] - means[..., 1]


def bootstrap(
    scores: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray] = difference,
    groups: np.ndarray | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """A statistic of column means with its interval; all columns are resampled together (paired).

    Args:
        scores: (n, c), one row per sample, e.g. whether each of c models is correct.
        statistic: column means (..., c) -> (...).
        groups: (n,), group of each sample; if given, whole groups are drawn instead of samples.

    Returns:
        The statistic of all samples, its interval, and the number of samples or groups.

    Raises:
        StudyError: fewer than 2 samples or groups.

    >>> correct = np.array([[1, 1], [1, 0], [0, 0], [1, 0]] * 25)  # of two models
    >>> gain = bootstrap(correct)
    >>> f"{gain.mean:.2f} [{gain.low:.2f}, {gain.high:.2f}]"
    '0.50 [0.40, 0.60]'
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

    >>> correct = np.array([[1, 1], [1, 0], [0, 0], [1, 0]] * 25)
    >>> [interval.mean for interval in bootstrap_means(correct)]
    [0.75, 0.25]
    """
    means, number = _resampled(scores, groups, seed)
    ends = np.quantile(means, _ends(number, level), axis=0)
    columns = zip(scores.mean(axis=0), *ends, strict=True)
    return [Interval(float(mean), float(low), float(high), number) for mean, low, high in columns]


def within_classes(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a random order (n,) of samples in which every position keeps its class.

    A modality in this order has only the class in common with modalities in the given order.

    Args:
        y: class of each sample, (n,).

    >>> y = np.array([0, 1, 0, 1, 1])
    >>> y[within_classes(y, np.random.default_rng(0))].tolist()
    [0, 1, 0, 1, 1]
    """
    order = np.arange(len(y))
    for k in np.unique(y):
        order[y == k] = rng.permutation(order[y == k])
    return order


def _resampled(scores: np.ndarray, groups: np.ndarray | None, seed: int) -> tuple[np.ndarray, int]:
    """Column means (resamples, c), and the number of units that are resampled."""
    units = np.arange(len(scores)) if groups is None else np.unique(groups, return_inverse=True)[1]
    number = int(units.max(initial=-1)) + 1
    if number < 2:
        raise StudyError(f"a bootstrap interval needs 2 or more samples or groups; {number} given")
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
    """The two quantiles that make the interval as wide as a t-interval of ``number`` units."""
    wide = stats.t.ppf((1 + level) / 2, number - 1) * math.sqrt(number / (number - 1))
    return [stats.norm.cdf(-wide), stats.norm.cdf(wide)]
