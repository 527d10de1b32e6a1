"""Arrays with more columns than rows: n x n algebra instead of d x d.

The standardised rows of such an array span at most n - 1 dimensions. Their coordinates there have
the same distances and scalar products as the rows, so a linear classifier with an L2 penalty gives
the same predictions; it takes n x n numbers instead of n x d. The array is read in blocks of
columns, so no copy of it in float64 is ever made.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 2**21  # numbers converted to float64 at once: 16 MB
TINY = 1e-10  # eigenvalues below this share of the largest are rounding errors


def blocks(x: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of columns in float64, each with the number of its first column.

    >>> [(start, block.shape) for start, block in blocks(np.ones((3, 2)))]
    [(0, (3, 2))]
    """
    width = max(1, BLOCK // max(1, len(x)))
    for start in range(0, x.shape[1], width):
        yield start, x[:, start : start + width].astype(np.float64)


def standardised(x: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and variance 1; a constant column becomes 0.

    >>> standardised(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    centred = x - x.mean(axis=0)
    spread = x.std(axis=0)
    return centred / np.where(spread > 1e-12 * np.abs(x).max(axis=0), spread, np.inf)


def coordinates(x: np.ndarray) -> np.ndarray:
    """Coordinates (n, r), r < n, of the standardised rows of ``x`` (n, d), the longest axis first.

    They are divided by one factor, so that their mean variance is 1.

    >>> x = np.random.default_rng(0).normal(size=(4, 50))
    >>> z, whole = coordinates(x), standardised(x)
    >>> z.shape, np.allclose(z @ z.T * 50 / 3, whole @ whole.T)
    ((4, 3), True)
    """
    gram = np.zeros((len(x), len(x)))
    for _, block in blocks(x):
        part = standardised(block)
        gram += part @ part.T
    values, vectors = np.linalg.eigh(gram)
    kept = values > TINY * values[-1]
    found = (vectors[:, kept] * np.sqrt(values[kept]))[:, ::-1]
    return found / np.sqrt((found**2).mean())
