"""UCF101: frames and optical flow of 101 actions (Soomro et al. 2012).

Frames and flow of a sample have the same crop and are flipped together. The mirror image of a
motion to the right is a motion to the left, so flipping negates horizontal flow: u becomes 255 - u.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from umt_lib.data.clips import CROP
from umt_lib.data.memory_mapped import empty_pinned
from umt_lib.data.prepare import prepared
from umt_lib.data.splits import Rows, Splits
from umt_lib.style import Figure


def load(folder: str = "ucf101") -> Splits:
    """Load ``rgb``, uint8 (n, frames, 3, S, S), and ``flow``, uint8 (n, stacks, 20, S, S).

    ``umt prepare ucf101`` makes the folder. S is seven eighths of the stored side. The channels of
    flow are horizontal, vertical, horizontal ... displacements between 10 successive pairs of
    frames. Groups are the videos that the clips were cut from.

    Args:
        folder: the prepared folder; a relative path is looked for in ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, is incomplete, or holds another data set.
    """
    return prepared.load_splits("ucf101", folder, transform, augment)


def transform(x: dict[str, Tensor]) -> dict[str, Tensor]:
    """Crop the centre: (B, n, s, s, C) to (B, n, C, S, S)."""
    stored = x["rgb"].shape[2]
    side = int(stored * CROP)
    middle = slice((stored - side) // 2, (stored - side) // 2 + side)
    return {m: rows[:, :, middle, middle].movedim(-1, 2) for m, rows in x.items()}


def augment(x: Rows, generator: torch.Generator) -> dict[str, Tensor]:
    """Crop at random, and flip half of the samples horizontally; shapes as in :func:`transform`.

    Only the crop is read from a memory-mapped file.
    """
    b, stored = len(x["rgb"]), x["rgb"].shape[2]
    side = int(stored * CROP)
    corners = torch.randint(stored - side + 1, (b, 2), generator=generator).tolist()
    flipped = torch.randint(2, (b,), generator=generator).bool()
    cut = {}
    for m, rows in x.items():
        _, n, _, _, channels = rows.shape
        cut[m] = empty_pinned(b, n, side, side, channels, dtype=rows.dtype)
        for i, (top, left) in enumerate(corners):
            part = rows[i][:, top : top + side, left : left + side]
            cut[m][i] = part.flip(2) if flipped[i] else part
    horizontal = cut["flow"][..., ::2]
    horizontal[flipped] = 255 - horizontal[flipped]
    return {m: rows.movedim(-1, 2) for m, rows in cut.items()}


def picture(splits: Splits, samples: int = 4) -> Figure:
    """Plot training samples of different classes: frames above the middle of each flow stack."""
    y = splits.train.y.numpy()
    shown = np.unique(y, return_index=True)[1][:samples]
    x = splits.train.inputs(torch.from_numpy(shown))
    middle = x["flow"].shape[2] // 4 * 2
    figure = Figure(figsize=(3.2 * len(shown), 2.8), layout="constrained")
    axes = figure.subplots(2, len(shown), squeeze=False)
    for column, row in enumerate(shown):
        axes[0, column].set_title(splits.classes[y[row]], fontsize=8)
        axes[0, column].imshow(x["rgb"][column].permute(2, 0, 3, 1).flatten(1, 2).numpy())
        u = x["flow"][column, :, middle].permute(1, 0, 2).flatten(1)  # horizontal, stacks in a row
        axes[1, column].imshow(u.numpy(), cmap="PuOr", vmin=0, vmax=255)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], frame_on=False)
    return figure
