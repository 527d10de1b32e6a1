"""Find rows that repeat, exactly or nearly, such as two crops of one clip.

A copy in the training part of a fold gives away the label of its twin in the test part. Copies are
therefore taken as one group before anything is fitted. Two rows are near copies if in *every*
modality they are closer than a share ``t`` of the median distance within a class, where

* twice as far away lie hardly more pairs: real copies stand apart from all other pairs, whereas in
  continuous data the number of pairs grows at least as fast as the distance;
* chance does not explain them: fewer than a tenth as many pairs are found after the rows of each
  modality have been shuffled within the classes.

Equal rows are copies if chance does not explain them in this sense, or if there are ten times as
many as after every column has been shuffled, not all values are whole numbers, and nine in ten
pairs have the same label. So rows of codes or signs that repeat because there are few different
values are no copies, nor are samples that are composed of the same few pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from umt_lib.evaluation.bootstrap import within_classes
from umt_lib.guide import wide

NEAR = (0.3, 0.2, 0.1, 0.05)  # values of t, the widest first
GAP = 1.7  # at most so many times the pairs within twice the distance
FEWEST = 5  # pairs; fewer near copies change no verdict, and may be there by chance
CHANCE = 10.0  # at least so many times the pairs of shuffled rows
AGREE = 0.9  # of the pairs of equal rows
PROJECTED = 64  # random directions in which distances are measured
SAMPLED = 20_000  # pairs of a class that the median distance is taken of
BLOCK = 2**22  # distances computed at once


class Copies(NamedTuple):
    """Rows that repeat in different groups.

    Attributes:
        groups: (n,), the groups after copies have been joined.
        rows: number of rows with a copy.
        pair: positions of two such rows, with different labels if there are such.
        exact: whether all copies are exact.
    """

    groups: np.ndarray
    rows: int
    pair: tuple[int, int]
    exact: bool


def find(features: Sequence[np.ndarray], y: np.ndarray, groups: np.ndarray | None) -> Copies | None:
    """The rows that repeat in different groups (each row is a group if none are given), or None.

    Args:
        features: (n, d) of every modality, as they were given.
        y: labels (n,).

    >>> x = np.random.default_rng(0).normal(size=(2, 30, 4))
    >>> x[:, 3] = x[:, 11]
    >>> found = find(x, np.zeros(30, dtype=int), None)
    >>> found.pair, found.rows, len(set(found.groups.tolist()))
    ((3, 11), 2, 29)
    """
    codes = [row_codes(x) for x in features]
    code = _joint(codes)
    first = np.unique(code, return_index=True)[1]
    edges = np.empty((0, 2), dtype=int)
    if _are_copies(_equal_pairs(code), codes, features, y):
        repeated = np.setdiff1d(np.arange(len(y)), first)
        edges = np.column_stack([first[code[repeated]], repeated])
    near = first[_near([_projected(x)[first] for x in features], y[first])]
    apart = np.arange(len(y)) if groups is None else groups
    exact = edges[apart[edges[:, 0]] != apart[edges[:, 1]]]
    near = near[apart[near[:, 0]] != apart[near[:, 1]]]
    across = np.concatenate([exact, near])
    if not len(across):
        return None
    disagreeing = across[y[across[:, 0]] != y[across[:, 1]]]
    one, other = (disagreeing if len(disagreeing) else across)[0]
    return Copies(
        _joined(apart, across),
        len(np.unique(across)),
        (int(min(one, other)), int(max(one, other))),
        len(near) == 0,
    )


def row_codes(x: np.ndarray) -> np.ndarray:
    """Numbers (n,) that are equal where rows are equal.

    >>> row_codes(np.array([[1, 2], [3, 4], [1, 2]])).tolist()
    [0, 1, 0]
    """
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(row.tobytes(), len(seen)) for row in x])


def _are_copies(
    pairs: int, codes: Sequence[np.ndarray], features: Sequence[np.ndarray], y: np.ndarray
) -> bool:
    """Whether so many pairs of equal rows are more than chance explains."""
    if pairs > CHANCE * _equal_pairs(_joint(_shuffled(codes, y))):
        return True
    some = [x[:, :: max(1, x.shape[1] // PROJECTED)] for x in features]
    if all((x == x.round()).all() for x in some):
        return False
    joint = _joint(codes)
    if _equal_pairs(_joint([joint, y])) < AGREE * pairs:
        return False
    columns = [column for x in some for column in x.T]
    rows = np.column_stack(_shuffled(columns, y))
    return pairs > CHANCE * _equal_pairs(row_codes(rows))


def _joint(codes: Sequence[np.ndarray]) -> np.ndarray:
    return np.unique(np.stack(list(codes), axis=1), axis=0, return_inverse=True)[1].ravel()


def _equal_pairs(code: np.ndarray) -> int:
    counts = np.bincount(code)
    return int((counts * (counts - 1) // 2).sum())


def _shuffled(arrays: Sequence[np.ndarray], y: np.ndarray) -> list[np.ndarray]:
    """The rows of each array in another order, which keeps their classes."""
    rng = np.random.default_rng(0)
    return [x[within_classes(y, rng)] for x in arrays]


def _near(points: Sequence[np.ndarray], y: np.ndarray) -> np.ndarray:
    """Pairs (p, 2) of rows, no two of them equal, that are near copies."""
    points = [_in_units_of_a_class(x, y) for x in points]
    counts, chance = _counts(points), _counts(_shuffled(points, y))
    for t in NEAR:
        enough = max(FEWEST, CHANCE * chance[t] + 1)
        if counts[t] >= enough and counts[2 * t] <= GAP * counts[t]:
            found = []
            for start, squared in _distances(points):
                one, other = np.nonzero(squared < t**2)
                found.append(np.column_stack([one + start, other]))
            return np.concatenate(found)
    return np.empty((0, 2), dtype=int)


def _projected(x: np.ndarray) -> np.ndarray:
    """The standardised rows in at most PROJECTED random directions."""
    if x.shape[1] <= PROJECTED:
        return wide.standardised(x.astype(np.float64))
    rng = np.random.default_rng(0)
    points = np.zeros((len(x), PROJECTED))
    for _, block in wide.blocks(x):
        points += wide.standardised(block) @ rng.normal(size=(block.shape[1], PROJECTED))
    return points


def _in_units_of_a_class(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The rows in units of the median distance of two rows of one class."""
    rng = np.random.default_rng(0)
    one = rng.integers(len(y), size=SAMPLED)
    order = np.argsort(y, kind="stable")
    counts = np.bincount(y)
    starts = np.cumsum(counts) - counts
    other = order[starts[y[one]] + (rng.random(SAMPLED) * counts[y[one]]).astype(int)]
    distances = np.sqrt(((x[one] - x[other])[one != other] ** 2).sum(axis=1))
    scale = 0.0
    if len(distances):
        scale = float(np.median(distances)) or float(distances.mean())
    return (x / (scale or 1.0)).astype(np.float32)


def _counts(points: Sequence[np.ndarray]) -> dict[float, int]:
    """{share: number of pairs that are closer in every modality}."""
    shares = sorted({share for t in NEAR for share in (t, 2 * t)})
    counts = dict.fromkeys(shares, 0)
    for _, squared in _distances(points):
        close = squared[squared < shares[-1] ** 2]
        for share in shares:
            counts[share] += int((close < share**2).sum())
    return counts


def _distances(points: Sequence[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of rows: (first row, squared distances (b, n), the largest of all modalities).

    Each pair is counted once; the other entries are infinite.
    """
    n = len(points[0])
    block = max(1, BLOCK // n)
    norms = [(x**2).sum(axis=1) for x in points]
    for start in range(0, n, block):
        rows = slice(start, start + block)
        largest = np.zeros((len(points[0][rows]), n), dtype=np.float32)
        for x, norm in zip(points, norms, strict=True):
            squared = norm[rows, None] + norm - 2 * (x[rows] @ x.T)
            np.maximum(largest, squared, out=largest)
        later = np.arange(n) > np.arange(start, start + len(largest))[:, None]
        largest[~later] = np.inf
        yield start, largest


def _joined(groups: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Groups (n,) in 0..G-1 after those of the two ends of every edge have become one."""
    number = int(groups.max()) + 1
    ends = groups[edges]
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(number, number))
    return np.unique(connected_components(graph, directed=False)[1][groups], return_inverse=True)[1]
