"""Furniture at 224 pixels: the pictures ModelNet40's experiments have, of models at hand.

The same models, labels, splits and azimuths as :mod:`umt_lib.data.furniture`, for the networks and
the schedule of the ModelNet40 experiments: what a GPU can be tried on without ModelNet40.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from umt_lib.data.modelnet40 import SHIFT, picture, view
from umt_lib.data.prepare import prepared
from umt_lib.data.splits import Split, Splits


def load(folder: str = "furniture224") -> Splits:
    """Modalities ``front`` and ``rear``, uint8 (n, 1, S, S); a sample is one model at one azimuth.

    Made by ``umt prepare furniture224``; held in memory, so that a GPU holds
    them too. A training picture is shifted by up to a sixteenth of its side each way, its border
    repeated, each view on its own. Groups are design names.

    Args:
        folder: the prepared folder; a relative one is looked for under ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, not whole, or of another data set.
    """
    stored = prepared.splits("furniture224", folder, view, augment)

    def part(split: Split) -> Split:
        x = {m: rows[:] for m, rows in split.x.items()}  # (models, views, S, S)
        views = len(next(iter(x.values()))[0])
        flat = {m: pictures.flatten(0, 1) for m, pictures in x.items()}
        return Split(flat, split.y.repeat_interleave(views), np.repeat(split.groups, views), view)

    parts = [part(split) for split in (stored.train, stored.validation, stored.test)]
    return Splits(*parts, stored.classes, stored.source, augment)


def augment(x: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Pictures (B, S, S) on any device to (B, 1, S, S), each moved by an offset of its own."""
    return view({m: _shifted(pictures, generator) for m, pictures in x.items()})


def _shifted(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """(B, S, S) in one gather: on a GPU, where picture by picture would be B launches."""
    b, size, _ = pictures.shape
    reach = int(SHIFT * size)
    offsets = torch.randint(-reach, reach + 1, (2, b, 1), generator=generator)
    at = torch.arange(size, device=pictures.device)
    rows, columns = (at - offsets.to(pictures.device)).clamp(0, size - 1)  # (B, S) each
    batch = torch.arange(b, device=pictures.device)[:, None, None]
    return pictures[batch, rows[:, :, None], columns[:, None, :]]


__all__ = ["load", "picture"]
