"""UCF101: 101 actions, seen as pictures and as motion (Soomro et al. 2012).

Frames and flow of a sample are cut at one place and mirrored together. The mirror image of a motion
to the right is one to the left, so mirrored flow has its horizontal channels turned: u to 255 - u.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from umt_lib.data.clips import SHARE
from umt_lib.data.memory_mapped import room
from umt_lib.data.prepare import prepared
from umt_lib.data.splits import Rows, Splits


def load(folder: str = "ucf101") -> Splits:
    """Modalities ``rgb``, uint8 (n, frames, 3, S, S), and ``flow``, (n, stacks, 20, S, S).

    Made by ``umt prepare ucf101``. S is seven eighths of the stored side; flow
    channels are horizontal, vertical, horizontal ... over 10 successive pairs of frames. Groups are
    the videos that clips were cut from.

    Args:
        folder: the prepared folder; a relative one is looked for under ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, not whole, or of another data set.
    """
    return prepared.splits("ucf101", folder, view, augment)


def view(x: dict[str, Tensor]) -> dict[str, Tensor]:
    """The middle of stored rows: (B, n, s, s, C) to (B, n, C, S, S)."""
    stored = x["rgb"].shape[2]
    side = int(stored * SHARE)
    middle = slice((stored - side) // 2, (stored - side) // 2 + side)
    return {m: rows[:, :, middle, middle].movedim(-1, 2) for m, rows in x.items()}


def augment(x: Rows, generator: torch.Generator) -> dict[str, Tensor]:
    """As :func:`view`, of a place drawn for each sample, every other mirrored.

    Of a file only that place is read, once, to where the batch is.
    """
    b, stored = len(x["rgb"]), x["rgb"].shape[2]
    side = int(stored * SHARE)
    corners = torch.randint(stored - side + 1, (b, 2), generator=generator).tolist()
    mirrored = torch.randint(2, (b,), generator=generator).bool()
    cut = {}
    for m, rows in x.items():
        _, n, _, _, channels = rows.shape
        cut[m] = room(b, n, side, side, channels, dtype=rows.dtype)
        for i, (top, left) in enumerate(corners):
            part = rows[i][:, top : top + side, left : left + side]
            cut[m][i] = part.flip(2) if mirrored[i] else part
    horizontal = cut["flow"][..., ::2]
    horizontal[mirrored] = 255 - horizontal[mirrored]
    return {m: rows.movedim(-1, 2) for m, rows in cut.items()}


def picture(splits: Splits, samples: int = 4) -> Figure:
    """Training samples of different classes: frames in a row; the middle of each stack beneath."""
    y = splits.train.y.numpy()
    shown = np.unique(y, return_index=True)[1][:samples]
    x = splits.train.rows(torch.from_numpy(shown))
    middle = x["flow"].shape[2] // 4 * 2
    figure, axes = plt.subplots(
        2, len(shown), figsize=(3.2 * len(shown), 2.8), squeeze=False, layout="constrained"
    )
    for column, row in enumerate(shown):
        axes[0, column].set_title(splits.classes[y[row]], fontsize=8)
        axes[0, column].imshow(x["rgb"][column].permute(2, 0, 3, 1).flatten(1, 2).numpy())
        u = x["flow"][column, :, middle].permute(1, 0, 2).flatten(1)  # horizontal, stacks in a row
        axes[1, column].imshow(u.numpy(), cmap="PuOr", vmin=0, vmax=255)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], frame_on=False)
    return figure
