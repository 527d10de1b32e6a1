"""Read the measured cost of UMT: accuracies by cell, variant and weight, and differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from umt_lib.evaluation.intervals import Interval, t_interval

Measured = Mapping[str, Mapping[str, Any]]  # {data set: value of `measure.distillation_cost`}
Cell = Mapping[str, Any]
Run = Mapping[str, Any]


def all_cells(measured: Measured) -> Iterator[tuple[str, Cell]]:
    """(data set, cell) of all cells of all data sets."""
    return ((name, cell) for name, m in measured.items() for cell in m["cells"])


def by_uni(found: Mapping[str, Any]) -> list[tuple[float, list[Cell]]]:
    """The cells of each uni-modal strength, in the order of their paired strengths."""
    cells = sorted(found["cells"], key=lambda cell: cell["paired"])
    strengths = sorted({cell["uni"] for cell in cells})
    return [(u, [cell for cell in cells if cell["uni"] == u]) for u in strengths]


def few(cell: Cell) -> list[float]:
    """The weights with which all variants were trained, without 0."""
    return [run["weight"] for run in cell["variants"]["fading"][1:]]


def run_at(cell: Cell, variant: str, weight: float) -> Run:
    """The run of a variant with this weight."""
    return next(run for run in cell["variants"][variant] if run["weight"] == weight)


def tested(run: Run) -> np.ndarray:
    """Test accuracy per seed (0..1)."""
    return np.array(run["test"])


def joint(cell: Cell, variant: str) -> np.ndarray:
    """Test accuracy of a variant at weight 0, which is joint training."""
    return tested(run_at(cell, variant, 0))


def over_joint(cell: Cell, weight: float, variant: str = "umt") -> Interval:
    """Test accuracy of a variant minus that of joint training of the same model, paired by seed."""
    return t_interval(tested(run_at(cell, variant, weight)) - joint(cell, variant))


def differences(cell: Cell, remedy: str, weight: float) -> np.ndarray:
    """Test accuracy of a remedy minus that of plain UMT of the same weight, per seed."""
    return tested(run_at(cell, remedy, weight)) - tested(run_at(cell, "umt", weight))


def over_umt(cell: Cell, remedy: str, weight: float) -> Interval:
    """Mean and interval of :func:`differences`."""
    return t_interval(differences(cell, remedy, weight))


def chosen(cell: Cell, variant: str) -> np.ndarray:
    """Test accuracy per seed, each at the weight of :func:`few` with the best validation."""
    runs = [run_at(cell, variant, weight) for weight in few(cell)]
    best = np.array([run["validation"] for run in runs]).argmax(0)  # the smallest of equals
    return np.array([run["test"] for run in runs])[best, np.arange(len(best))]
