"""Cells where joint training is lazy: both modalities know much, one is quieter than the other.

Eight uni-modal features per modality, all of reliability ``uni``; the second modality is scaled by
``1 - asymmetry``, noise included. Its information stays and its gradients shrink, so joint training
leaves it for later, fits its few samples without it and stops learning. The maps of
``grid.py`` hold no such place: there joint training with an MLP head is seldom beaten,
and a rule that always says "joint" could not be told from one that looks.
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
