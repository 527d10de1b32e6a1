"""Furniture at 224 pixels: front and rear views at the resolution of ModelNet40.

Models, labels, splits and azimuths are those of :mod:`umt_lib.data.furniture`; networks and
training schedule are those of the ModelNet40 experiments. So these can be run on a GPU without
downloading ModelNet40.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from umt_lib.data.modelnet40 import SHIFT, picture, transform
from umt_lib.data.prepare import prepared
from umt_lib.data.splits import Split, Splits


def load(folder: str = "furniture224") -> Splits:
    """Load ``front`` and ``rear``, uint8 (n, 1, S, S); a sample is one model at one azimuth.

    ``umt prepare furniture224`` makes the folder. The images are read into memory, so that they can
    be moved to a GPU. In training each image is shifted at random by up to a sixteenth of its side
    in both directions, with its border repeated. Groups are design names.

    Args:
        folder: the prepared folder; a relative path is looked for in ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, is incomplete, or holds another data set.
    """
    stored = prepared.load_splits("furniture224", folder, transform, augment)

    def part(split: Split) -> Split:
        x = {m: rows[:] for m, rows in split.x.items()}  # (models, views, S, S)
        views = len(next(iter(x.values()))[0])
        flat = {m: pictures.flatten(0, 1) for m, pictures in x.items()}
        groups = None if split.groups is None else np.repeat(split.groups, views)
        return Split(flat, split.y.repeat_interleave(views), groups, transform)

    train, validation, test = map(part, (stored.train, stored.validation, stored.test))
    return Splits(train, validation, test, stored.classes, stored.source, augment)


def augment(x: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Shift each image by its own random offset: (B, S, S) on any device to (B, 1, S, S)."""
    return transform({m: _shifted(pictures, generator) for m, pictures in x.items()})


def _shifted(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Shift images (B, S, S) in one gather: on a GPU, one by one would be B kernel launches."""
    b, size, _ = pictures.shape
    reach = int(SHIFT * size)
    offsets = torch.randint(-reach, reach + 1, (2, b, 1), generator=generator)
    at = torch.arange(size, device=pictures.device)
    rows, columns = (at - offsets.to(pictures.device)).clamp(0, size - 1)  # (B, S) each
    batch = torch.arange(b, device=pictures.device)[:, None, None]
    return pictures[batch, rows[:, :, None], columns[:, None, :]]


__all__ = ["load", "picture"]
