"""McNemar's test of two models on the same samples, where samples come in groups.

McNemar's own test takes samples as independent. For groups of dependent samples we use the test of
Yang, Sun and Hardin, A note on the tests for clustered matched-pair binary data, Biometrical
Journal 52, 2010: with d_g, in group g of G, the number of samples that only the first model gets
right minus the number that only the second does,

    chi^2 = (G - 1) / G (sum_g d_g)^2 / sum_g d_g^2,    one degree of freedom.

With one sample per group it is McNemar's test, up to the factor (G - 1) / G.
"""

from __future__ import annotations

import numpy as np
from scipy import stats


def mcnemar(first: np.ndarray, second: np.ndarray, groups: np.ndarray) -> float:
    """The two-sided p-value of equal accuracies.

    Args:
        first, second: (n,), whether each model is right on a sample.
        groups: (n,), the group of each sample.

    >>> first = np.array([1, 1, 1, 1, 1, 1, 0, 1])
    >>> second = np.array([0, 0, 0, 1, 0, 0, 1, 1])
    >>> round(mcnemar(first, second, np.arange(8)), 3)  # 8 independent samples
    0.127
    >>> round(mcnemar(first, second, np.arange(8) // 2), 3)  # 4 groups
    0.273
    """
    number = np.unique(groups, return_inverse=True)[1]
    d = np.bincount(number, first.astype(float) - second.astype(float))
    if not d.any():
        return 1.0
    statistic = (len(d) - 1) / len(d) * d.sum() ** 2 / (d**2).sum()
    return float(stats.chi2.sf(statistic, 1))
