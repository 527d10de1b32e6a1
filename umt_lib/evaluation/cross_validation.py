r"""Intervals of accuracies from repeated cross-validation, whose folds are not independent.

With k folds and r repeats there are J = rk accuracies. Each repeat uses the same samples, and the
training parts overlap, so that the variance of their mean is larger than :math:`s^2 / J`. Nadeau
and Bengio estimate it by

.. math:: \left(\frac1J + \frac{1}{k - 1}\right) s^2,

where 1 / (k - 1) is the size of the test part over that of the training part, and use the t
distribution with J - 1 degrees of freedom. More repeats reduce only the first term.

Sources: Nadeau & Bengio, Machine Learning 52, 2003; for repeated cross-validation Bouckaert &
Frank, PAKDD 2004.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from umt_lib.errors import StudyError
from umt_lib.evaluation.intervals import Interval


def resampled_interval(values: ArrayLike, folds: int) -> Interval:
    """Mean and corrected 95% interval of ``values``, one per fold of every repeat.

    The values are accuracies, or differences of two accuracies on the same folds. Their
    :func:`umt_lib.evaluation.intervals.p_value` is that of the corrected resampled t-test.

    Raises:
        StudyError: the number of values is no multiple of ``folds``, or ``folds`` is below 2.

    >>> mean, low, high, n = resampled_interval([0.50, 0.54, 0.52, 0.48], folds=2)
    >>> f"{mean:.2f} [{low:.2f}, {high:.2f}], n = {n}"
    '0.51 [0.42, 0.60], n = 4'
    """
    values = np.asarray(values, dtype=float)
    n = len(values)
    if folds < 2 or n == 0 or n % folds:
        raise StudyError(
            f"{n} values of cross-validation with {folds} folds; give one value for each of 2 or "
            f"more folds of every repeat"
        )
    mean = float(values.mean())
    error = math.sqrt((1 / n + 1 / (folds - 1)) * values.var(ddof=1))
    half = float(stats.t.ppf(0.975, n - 1)) * error
    return Interval(mean, mean - half, mean + half, n)
