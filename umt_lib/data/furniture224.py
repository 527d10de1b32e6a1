"""Furniture at 224 pixels: front and rear views at the resolution of ModelNet40.

Models, labels, folds and azimuths are those of :mod:`umt_lib.data.furniture`; the networks and the
precision are those of the ModelNet40 experiments, the schedule is its own. So these networks can be
run on a GPU without downloading ModelNet40.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from umt_lib.data import furniture
from umt_lib.data.modelnet40 import picture, transform
from umt_lib.data.prepare import prepared
from umt_lib.data.psb import shifted
from umt_lib.data.splits import Split, Splits, five_folds


def load(folder: str = "furniture224", fold: int = 0) -> Splits:
    """Load ``front`` and ``rear``, uint8 (n, 1, S, S); a sample is one model at one azimuth.

    ``umt prepare furniture224`` makes the folder. The images are read into memory, so that they can
    be moved to a GPU. In training each image is shifted at random by up to a sixteenth of its side
    in both directions, with its border repeated. Groups are design names.

    Args:
        folder: the prepared folder; a relative path is looked for in ``$UMT_DATA`` first.
        fold: 0 to 4, that of :func:`umt_lib.data.furniture.load`, whichever meshes are missing; the
            split that the folder stores is not used.

    Raises:
        StudyError: the folder is not prepared, is incomplete, or holds another data set.
    """
    stored = prepared.load_splits("furniture224", folder, transform, augment)

    together = (stored.train, stored.validation, stored.test)
    y = torch.cat([split.y for split in together])
    samples = prepared.Prepared.open(folder).manifest["samples"]
    parts = ("train", "validation", "test")
    names = [s["id"] for name in parts for s in samples if s["split"] == name]
    x = {m: torch.cat([split.x[m][:] for split in together]) for m in stored.modalities}
    views = next(iter(x.values())).shape[1]  # of (models, views, S, S)

    arrays, _ = furniture.read(furniture.ARCHIVE)
    row_of = {name: row for row, name in enumerate(names)}

    def part(models: np.ndarray) -> Split:
        models = np.array([i for i in models if arrays["model"][i] in row_of])  # not the missing
        of = [row_of[name] for name in arrays["model"][models]]
        flat = {m: pictures[of].flatten(0, 1) for m, pictures in x.items()}
        groups = np.repeat(arrays["group"][models], views)
        return Split(flat, y[of].repeat_interleave(views), groups, transform)

    train, validation, test = map(part, five_folds(arrays["label"], arrays["group"], fold))
    return Splits(train, validation, test, stored.classes, stored.source, augment)


def augment(x: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Shift each image by its own random offset: (B, S, S) on any device to (B, 1, S, S)."""
    return transform(shifted(x, generator))


__all__ = ["load", "picture"]
