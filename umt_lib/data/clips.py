"""Prepared clips as a data set: frames and log-spectrograms, cut and mirrored when they are read.

Seven eighths of each stored side, and of the stored time of the sound, are looked at: the middle
when it is looked at, anywhere when it is trained on. Pictures stay uint8, three bytes a pixel
beside each other, until the encoder has them on its device.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from umt_lib.data.memory_mapped import room
from umt_lib.data.prepare import prepared
from umt_lib.data.splits import Rows, Splits

SHARE = 7 / 8  # of 256 pixels: 224


def load(dataset: str, folder: str) -> Splits:
    """The splits of a prepared folder: ``video`` (n, 3, S, S) uint8, ``audio`` (1, F, T) float16.

    Raises:
        StudyError: the folder is not prepared, not whole, or of another data set.
    """
    return prepared.splits(dataset, folder, view, augment)


def view(x: dict[str, Tensor]) -> dict[str, Tensor]:
    """The middle of stored rows: (B, n, s, s, 3) and (B, F, t) to (B, n, 3, S, S), (B, 1, F, T)."""
    side, time = _kept(x["video"].shape[2]), _kept(x["audio"].shape[2])
    at, start = (x["video"].shape[2] - side) // 2, (x["audio"].shape[2] - time) // 2
    video = x["video"][:, :, at : at + side, at : at + side]
    audio = x["audio"][:, None, :, start : start + time]
    return {"video": video.permute(0, 1, 4, 2, 3), "audio": audio}


def augment(x: Rows, generator: torch.Generator) -> dict[str, Tensor]:
    """As :func:`view`, of a place drawn for each sample (one for its frames), every other mirrored.

    Of a file only that place is read, once, to where the batch is.
    """
    b, n, size, _, channels = x["video"].shape
    bands, length = x["audio"].shape[1:]
    side, time = _kept(size), _kept(length)

    def drawn(high: int) -> list[int]:
        return torch.randint(high, (b,), generator=generator).tolist()

    places = zip(
        drawn(size - side + 1),
        drawn(size - side + 1),
        drawn(2),
        drawn(length - time + 1),
        strict=True,
    )
    video = room(b, n, side, side, channels, dtype=x["video"].dtype)
    audio = room(b, 1, bands, time, dtype=x["audio"].dtype)
    for i, (top, left, mirrored, start) in enumerate(places):
        part = x["video"][i][:, top : top + side, left : left + side]
        video[i] = part.flip(2) if mirrored else part
        audio[i, 0] = x["audio"][i][:, start : start + time]
    return {"video": video.permute(0, 1, 4, 2, 3), "audio": audio}


def picture(splits: Splits, samples: int = 4) -> Figure:
    """Training samples of different classes: their frames in a row, their sound beneath."""
    y = splits.train.y.numpy()
    shown = np.unique(y, return_index=True)[1][:samples]
    x = splits.train.rows(torch.from_numpy(shown))
    figure, axes = plt.subplots(
        2, len(shown), figsize=(3.2 * len(shown), 2.6), squeeze=False, layout="constrained"
    )
    for column, row in enumerate(shown):
        frames = x["video"][column].permute(2, 0, 3, 1).flatten(1, 2)  # (S, n * S, 3)
        axes[0, column].imshow(frames.numpy())
        axes[0, column].set_title(splits.classes[y[row]], fontsize=8)
        axes[1, column].imshow(x["audio"][column, 0].float().numpy(), origin="lower", aspect="auto")
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], frame_on=False)
    return figure


def _kept(length: int) -> int:
    return int(length * SHARE)
