"""Reading what UMT's price was measured by: one cell, variant and weight at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from umt_lib.evaluation.intervals import Interval, t_interval

Measured = Mapping[str, Mapping[str, Any]]  # {data set: what `measure.distillation_cost` gave}
Cell = Mapping[str, Any]
Run = Mapping[str, Any]


def all_cells(measured: Measured) -> Iterator[tuple[str, Cell]]:
    return ((name, cell) for name, m in measured.items() for cell in m["cells"])


def by_uni(found: Mapping[str, Any]) -> list[tuple[float, list[Cell]]]:
    """Cells by uni-modal strength, paired strength rising."""
    cells = sorted(found["cells"], key=lambda cell: cell["paired"])
    strengths = sorted({cell["uni"] for cell in cells})
    return [(u, [cell for cell in cells if cell["uni"] == u]) for u in strengths]


def few(cell: Cell) -> list[float]:
    """The weights that every variant was trained with, without 0."""
    return [run["weight"] for run in cell["variants"]["fading"][1:]]


def all_few(measured: Measured) -> list[float]:
    """:func:`few` of all cells, rising."""
    return sorted({weight for _, cell in all_cells(measured) for weight in few(cell)})


def run_at(cell: Cell, variant: str, weight: float) -> Run:
    return next(run for run in cell["variants"][variant] if run["weight"] == weight)


def tested(run: Run) -> np.ndarray:
    """Test accuracy per seed, 0..1."""
    return np.array(run["test"])


def joint(cell: Cell, variant: str) -> np.ndarray:
    """Test accuracy of a variant at weight 0: joint training."""
    return tested(run_at(cell, variant, 0))


def over_joint(cell: Cell, weight: float, variant: str = "umt") -> Interval:
    """UMT, or a remedy, less joint training of the same model, paired over seeds."""
    return t_interval(tested(run_at(cell, variant, weight)) - joint(cell, variant))


def differences(cell: Cell, remedy: str, weight: float) -> np.ndarray:
    """A remedy less plain UMT of the same weight, per seed."""
    return tested(run_at(cell, remedy, weight)) - tested(run_at(cell, "umt", weight))


def over_umt(cell: Cell, remedy: str, weight: float) -> Interval:
    """:func:`differences` with their interval."""
    return t_interval(differences(cell, remedy, weight))


def chosen(cell: Cell, variant: str) -> np.ndarray:
    """Test accuracy, for each seed at the shared weight its validation split likes best."""
    runs = [run_at(cell, variant, weight) for weight in few(cell)]
    best = np.array([run["validation"] for run in runs]).argmax(0)  # the lightest where they tie
    return np.array([run["test"] for run in runs])[best, np.arange(len(best))]
