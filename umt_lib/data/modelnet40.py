"""ModelNet40: front and rear views of 3-D models of 40 classes (Wu et al. 2015)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from umt_lib.data.memory_mapped import MemoryMapped, empty_pinned
from umt_lib.data.prepare import prepared
from umt_lib.data.splits import Rows, Splits
from umt_lib.style import Figure

SHIFT = 1 / 16  # largest shift as a fraction of the side: 14 of 224 pixels


def load(folder: str = "modelnet40") -> Splits:
    """Load ``front`` and ``rear``, uint8 (n, 1, S, S), without groups.

    ``umt prepare modelnet40`` makes the folder. In training each image is shifted at random by up
    to a sixteenth of its side in both directions, with its border repeated.

    Args:
        folder: the prepared folder; a relative path is looked for in ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, is incomplete, or holds another data set.
    """
    return prepared.load_splits("modelnet40", folder, transform, augment)


def transform(x: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the channel dimension: (B, S, S) to (B, 1, S, S)."""
    return {m: pictures.unsqueeze(1) for m, pictures in x.items()}


def augment(x: Rows, generator: torch.Generator) -> dict[str, Tensor]:
    """Shift each image by its own random offset; shapes as in :func:`transform`."""
    return {m: _shifted(pictures, generator).unsqueeze(1) for m, pictures in x.items()}


def _shifted(pictures: Tensor | MemoryMapped, generator: torch.Generator) -> Tensor:
    """Shift images (B, S, S) one by one: copying whole rows is faster than gathering pixels."""
    b, size, _ = pictures.shape
    reach, at = int(SHIFT * size), torch.arange(size)
    offsets = torch.randint(-reach, reach + 1, (b, 2), generator=generator).tolist()
    moved = empty_pinned(b, size, size, dtype=pictures.dtype)
    for i, (down, right) in enumerate(offsets):
        rows, columns = ((at - offset).clamp(0, size - 1) for offset in (down, right))
        moved[i] = pictures[i].index_select(0, rows).index_select(1, columns)
    return moved


def picture(splits: Splits, samples: int = 8) -> Figure:
    """Plot training samples of different classes, the front view above the rear view."""
    y = splits.train.y.numpy()
    shown = np.unique(y, return_index=True)[1][:samples]
    x = splits.train.inputs(torch.from_numpy(shown))
    size = (1.2 * len(shown), 1.2 * len(x) + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(x), len(shown), squeeze=False)
    for line, (m, pictures) in zip(axes, x.items(), strict=True):
        line[0].set_ylabel(m, fontsize=8)
        for axis, image, row in zip(line, pictures, shown, strict=True):
            axis.imshow(image[0].numpy(), cmap="gray", vmin=0, vmax=255)
            axis.set(xticks=[], yticks=[], frame_on=False)
            if axis in axes[0]:
                axis.set_title(splits.classes[y[row]], fontsize=8)
    return figure
