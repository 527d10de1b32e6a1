"""ModelNet40: what is it, seen from the front and from the rear? 40 classes (Wu et al. 2015)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from umt_lib.data.memory_mapped import Stored, room
from umt_lib.data.prepare import prepared
from umt_lib.data.splits import Rows, Splits

SHIFT = 1 / 16  # of a side: 14 of 224 pixels


def load(folder: str = "modelnet40") -> Splits:
    """Modalities ``front`` and ``rear``, uint8 (n, 1, S, S): whole pictures, no groups.

    Made by ``umt prepare modelnet40``. A training picture is shifted by up to a
    sixteenth of its side each way, its border repeated, each view on its own.

    Args:
        folder: the prepared folder; a relative one is looked for under ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, not whole, or of another data set.
    """
    return prepared.splits("modelnet40", folder, view, augment)


def view(x: dict[str, Tensor]) -> dict[str, Tensor]:
    """Stored rows (B, S, S) to (B, 1, S, S)."""
    return {m: pictures.unsqueeze(1) for m, pictures in x.items()}


def augment(x: Rows, generator: torch.Generator) -> dict[str, Tensor]:
    """As :func:`view`, each picture moved by an offset of its own."""
    return {m: _shifted(pictures, generator).unsqueeze(1) for m, pictures in x.items()}


def _shifted(pictures: Tensor | Stored, generator: torch.Generator) -> Tensor:
    """(B, S, S), picture by picture: copying whole rows is faster than gathering pixels."""
    b, size, _ = pictures.shape
    reach, at = int(SHIFT * size), torch.arange(size)
    offsets = torch.randint(-reach, reach + 1, (b, 2), generator=generator).tolist()
    moved = room(b, size, size, dtype=pictures.dtype)
    for i, (down, right) in enumerate(offsets):
        rows, columns = ((at - offset).clamp(0, size - 1) for offset in (down, right))
        moved[i] = pictures[i].index_select(0, rows).index_select(1, columns)
    return moved


def picture(splits: Splits, samples: int = 8) -> Figure:
    """Training samples of different classes, the front above the rear."""
    y = splits.train.y.numpy()
    shown = np.unique(y, return_index=True)[1][:samples]
    x = splits.train.rows(torch.from_numpy(shown))
    size = (1.2 * len(shown), 1.2 * len(x) + 0.3)
    figure, axes = plt.subplots(
        len(x), len(shown), figsize=size, squeeze=False, layout="constrained"
    )
    for line, (m, pictures) in zip(axes, x.items(), strict=True):
        line[0].set_ylabel(m, fontsize=8)
        for axis, image, row in zip(line, pictures, shown, strict=True):
            axis.imshow(image[0].numpy(), cmap="gray", vmin=0, vmax=255)
            axis.set(xticks=[], yticks=[], frame_on=False)
            if axis in axes[0]:
                axis.set_title(splits.classes[y[row]], fontsize=8)
    return figure
