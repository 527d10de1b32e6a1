"""Cells in which joint training is lazy: one modality has a smaller scale than the other.

Each modality has eight uni-modal features of reliability ``uni``; the second modality is scaled by
``1 - asymmetry``, noise included. This keeps its information and makes its gradients smaller, so
joint training fits the few samples with the first modality and then stops learning. The maps of
``grid.py`` have no such cells: on them joint training with an MLP head is seldom beaten, and a rule
that uses the data could not be distinguished from one that always predicts "joint".
"""

from __future__ import annotations

from typing import Any

from umt_lib.data import synthetic
from umt_lib.study.analyses.regime_map.grid import Cell, Grid

FEATURES = 8


def _options(cell: Cell) -> dict[str, Any]:
    uni = (cell.uni,) * FEATURES
    quiet = {"scale_b": 1 - cell.asymmetry, "noise": 1.0}
    return {"uni_a": uni, "uni_b": uni, "paired": (cell.paired,), **quiet}


GRID = Grid(
    "synthetic",
    synthetic.load,
    _options,
    {
        "uni": (0.2, 0.3, 0.4, 0.5),
        "paired": (0.0, 0.5, 1.0),
        "asymmetry": (0.0, 0.5, 0.7, 0.85),
        "n_train": (512,),
    },
    updates=400,
)
