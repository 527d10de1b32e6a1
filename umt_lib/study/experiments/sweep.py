"""Choose a hyper-parameter on validation: try the values of a grid, and extend the grid if needed.

A grid whose best value lies at an edge has not shown an optimum. It is extended beyond that edge by
the ratio of its last two values, until the best value is inside or ``MOST`` values have been tried.
The rule is the same for every method, so no method has a larger grid by choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MOST = 5  # values of one grid
FAILED = (0.0, float("-inf"))  # the score of a value with which training diverges
Scored = tuple[float, float]  # mean validation accuracy, and mean cross-entropy times -1
Tried = tuple[Any, Scored]  # a value and its score


def search(
    grid: list[Any], score: Callable[[Any], Scored], valid: Callable[[Any], bool]
) -> list[Tried]:
    """Every value that was tried with its score, in the order of the trials.

    A grid of other things than positive numbers is not extended.

    Args:
        grid: the values to start with.
        score: trains and validates with a value; larger is better.
        valid: whether a method accepts a value; the grid is not extended to others.

    >>> best(search([0.1, 0.3, 1.0], lambda rate: (-abs(rate - 3.0), 0.0), lambda value: True))
    3.3
    >>> [value for value, _ in search([1, 2], lambda rank: (rank, 0.0), lambda rank: rank < 9)]
    [1, 2, 4, 8]
    """
    tried = [(value, score(value)) for value in grid]
    while True:
        value = beyond([value for value, _ in tried], best(tried))
        if len(tried) >= MOST or value is None or not valid(value):
            return tried
        tried.append((value, score(value)))


def best(tried: list[Tried]) -> Any:
    """The value with the best score; of equal scores the first that was tried."""
    return max(tried, key=lambda trial: trial[1])[0]


def failed(tried: list[Tried], value: Any) -> list[Tried]:
    """The same trials if training with ``value`` diverges after all."""
    return [(other, FAILED if other == value else scored) for other, scored in tried]


def beyond(values: list[Any], chosen: Any) -> Any:
    """The next value after the edge where ``chosen`` lies, or None if it lies inside.

    None too if the values are not positive numbers. Whole numbers stay whole; others are rounded to
    two digits.
    """
    numbers = all(type(v) in (int, float) for v in values)
    if not numbers or len(values) < 2 or chosen not in (min(values), max(values)):
        return None
    ordered = sorted(values, reverse=chosen == min(values))
    before, edge = ordered[-2:]
    if before <= 0 or edge <= 0:
        return None
    further = edge * edge / before
    if all(isinstance(v, int) for v in values):
        further = round(further)
        return further if further not in (0, edge) else None
    return float(f"{further:.2g}")
