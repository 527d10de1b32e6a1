"""Load prepared video clips: frames and log-spectrograms, cropped and flipped when they are read.

A crop has seven eighths of the stored height and width, and of the stored time of the spectrogram:
a random crop in training, the centre crop otherwise. Frames stay uint8, channels last, until the
encoder has them on its device.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from umt_lib.data.memory_mapped import empty_pinned
from umt_lib.data.prepare import prepared
from umt_lib.data.splits import Rows, Splits
from umt_lib.style import Figure

CROP = 7 / 8  # of a stored side: 224 of 256 pixels


def load(dataset: str, folder: str) -> Splits:
    """Load a prepared folder: ``video`` uint8 (n, frames, 3, S, S), ``audio`` float16 (n, 1, F, T).

    Args:
        dataset: the name in the folder's manifest, e.g. "vggsound".
        folder: the prepared folder; a relative path is looked for in ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, is incomplete, or holds another data set.
    """
    return prepared.load_splits(dataset, folder, transform, augment)


def transform(x: dict[str, Tensor]) -> dict[str, Tensor]:
    """Crop the centre: (B, n, s, s, 3) and (B, F, t) to (B, n, 3, S, S) and (B, 1, F, T)."""
    side, time = _cropped(x["video"].shape[2]), _cropped(x["audio"].shape[2])
    at, start = (x["video"].shape[2] - side) // 2, (x["audio"].shape[2] - time) // 2
    video = x["video"][:, :, at : at + side, at : at + side]
    audio = x["audio"][:, None, :, start : start + time]
    return {"video": video.permute(0, 1, 4, 2, 3), "audio": audio}


def augment(x: Rows, generator: torch.Generator) -> dict[str, Tensor]:
    """Crop at random, and flip half of the samples horizontally; shapes as in :func:`transform`.

    All frames of a sample have the same crop. Only the crop is read from a memory-mapped file.
    """
    b, n, size, _, channels = x["video"].shape
    bands, length = x["audio"].shape[1:]
    side, time = _cropped(size), _cropped(length)

    def draw(high: int) -> list[int]:
        return torch.randint(high, (b,), generator=generator).tolist()

    places = zip(
        draw(size - side + 1),
        draw(size - side + 1),
        draw(2),
        draw(length - time + 1),
        strict=True,
    )
    video = empty_pinned(b, n, side, side, channels, dtype=x["video"].dtype)
    audio = empty_pinned(b, 1, bands, time, dtype=x["audio"].dtype)
    for i, (top, left, flipped, start) in enumerate(places):
        part = x["video"][i][:, top : top + side, left : left + side]
        video[i] = part.flip(2) if flipped else part
        audio[i, 0] = x["audio"][i][:, start : start + time]
    return {"video": video.permute(0, 1, 4, 2, 3), "audio": audio}


def picture(splits: Splits, samples: int = 4) -> Figure:
    """Plot training samples of different classes: frames in a row, the spectrogram below."""
    y = splits.train.y.numpy()
    shown = np.unique(y, return_index=True)[1][:samples]
    x = splits.train.inputs(torch.from_numpy(shown))
    figure = Figure(figsize=(3.2 * len(shown), 2.6), layout="constrained")
    axes = figure.subplots(2, len(shown), squeeze=False)
    for column, row in enumerate(shown):
        frames = x["video"][column].permute(2, 0, 3, 1).flatten(1, 2)  # (S, n * S, 3)
        axes[0, column].imshow(frames.numpy())
        axes[0, column].set_title(splits.classes[y[row]], fontsize=8)
        axes[1, column].imshow(x["audio"][column, 0].float().numpy(), origin="lower", aspect="auto")
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], frame_on=False)
    return figure


def _cropped(length: int) -> int:
    return int(length * CROP)
