"""The probability that one method is better than another, over tasks and seeds.

Source: Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice,
NeurIPS 2021, section 4.3. Their runs are independent, so that they compare every run of one method
with every run of the other. Here equal seeds share the split and the teachers, so that the runs are
paired, and each is compared with the run of the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from umt_lib.evaluation.intervals import Interval

RESAMPLES = 2000


def probability_of_improvement(
    a: Sequence[ArrayLike], b: Sequence[ArrayLike], seed: int = 0
) -> Interval:
    """P(A > B) on the same task and seed, averaged over tasks, with a 95% bootstrap interval.

    Equal scores count one half. The bootstrap is stratified: it draws seeds within each task and
    keeps the tasks, so that the interval is for these tasks. If one method is better in every run,
    the interval has no width.

    Args:
        a, b: the scores of the two methods, one array (seeds,) per task, in the same order.

    >>> found = probability_of_improvement([[0.8, 0.9], [0.7, 0.6]], [[0.7, 0.8], [0.7, 0.5]])
    >>> found.mean, found.high, found.n
    (0.875, 1.0, 4)
    """
    wins = [_wins(np.asarray(x, float), np.asarray(y, float)) for x, y in zip(a, b, strict=True)]
    rng = np.random.default_rng(seed)
    drawn = [task[rng.integers(len(task), size=(RESAMPLES, len(task)))] for task in wins]
    means = np.mean([task.mean(axis=1) for task in drawn], axis=0)
    low, high = np.quantile(means, [0.025, 0.975])
    mean = float(np.mean([task.mean() for task in wins]))
    return Interval(mean, float(low), float(high), sum(map(len, wins)))


def _wins(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """For each seed 1 if ``a`` is greater, 1/2 if both are equal, 0 otherwise."""
    if a.shape != b.shape:
        raise ValueError(f"the methods have {len(a)} and {len(b)} seeds; give the same seeds")
    return (a > b) + 0.5 * (a == b)
