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
from umt_lib.metrics import Interval

RESAMPLES = 2000
CHUNK = 2**22  # numbers of one block of resampling counts: 32 MB


def difference(means: np.ndarray) -> np.ndarray:
    """The first column's mean less the second's: (..., 2) -> (...)."""
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
    """
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
    values = statistic(totals[:, :-1] / totals[:, -1:])
    wide = stats.t.ppf((1 + level) / 2, number - 1) * math.sqrt(number / (number - 1))
    low, high = np.quantile(values, [stats.norm.cdf(-wide), stats.norm.cdf(wide)])
    whole = float(statistic(np.asarray(scores, dtype=float).mean(axis=0)))
    return Interval(whole, float(low), float(high), number)
