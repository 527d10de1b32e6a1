"""Princeton Shape Benchmark at 224 pixels: front and rear views at the resolution of ModelNet40.

Models, classes, folds and azimuths are those of :mod:`umt_lib.data.psb`; the networks and
the precision are those of the ModelNet40 experiments, the schedule is its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from umt_lib.data.modelnet40 import transform
from umt_lib.data.psb import picture, shifted, views
from umt_lib.data.splits import Splits


def load(folder: str = "psb224", fold: int = 0) -> Splits:
    """Load "front" and "rear", uint8 (n, 1, 224, 224); see :func:`umt_lib.data.psb.views`.

    Args:
        folder: a folder that ``umt prepare psb --size 224`` made; a relative path is looked for in
            ``$UMT_DATA`` first.
        fold: 0 to 4, see :func:`umt_lib.data.splits.five_folds`.

    Raises:
        StudyError: the folder is not prepared, is incomplete, or holds another data set or images
            of another size.
    """
    return views(folder, 224, fold, transform, augment)


def augment(x: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Shift each image by its own random offset: uint8 (B, S, S) to (B, 1, S, S)."""
    return transform(shifted(x, generator))


__all__ = ["load", "picture"]
