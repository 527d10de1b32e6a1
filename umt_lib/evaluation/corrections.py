"""Correct p-values for the number of comparisons that are made together (a *family*).

Sources: Holm, Scandinavian Journal of Statistics 6, 1979. For the false discovery rate (Benjamini
and Hochberg, 1995) SciPy has ``scipy.stats.false_discovery_control``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def holm(p_values: ArrayLike) -> np.ndarray:
    """The p-values of a family, adjusted by Holm's method, in the given order.

    If all that are below 0.05 afterwards are called clear, the probability of one false claim or
    more is at most 5%, however the comparisons depend on each other.

    >>> holm([0.01, 0.04, 0.02]).tolist()  # 3 x 0.01, then 2 x 0.02, then 1 x 0.04
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    stepped = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(stepped))
    return adjusted
