"""Digit-halves: the left and the right half of images of handwritten digits, ten classes.

The images are scikit-learn's copy of the UCI optical digits test set: 1,797 digits of 8 x 8 pixels.
A sample is one image; its modalities are the columns 0 to 3 and the columns 4 to 7. So the pairing
is natural, and both what one half shows and what only the two together show is decided by
handwriting, not by us.

In the file the labels repeat one sequence of about 130 digits fourteen times, each time with few of
them missing: these are the forms that the writers filled in. A form is one group, so no writer is
in two splits, unless one filled in two forms (the publishers count 13 writers).
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from sklearn.datasets import load_digits

from umt_lib.data.splits import Split, Splits, five_folds
from umt_lib.style import Figure

COLUMNS = {"left": slice(0, 4), "right": slice(4, 8)}  # of the image
FORMS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667)  # first rows
MAX_GREY = 16  # the brightest grey level


def load(fold: int = 0) -> Splits:
    """Load "left" and "right", float32 (n, 1, 8, 4) in 0..1; ``groups`` are forms.

    Args:
        fold: 0 to 4, see :func:`umt_lib.data.splits.five_folds`.

    Raises:
        StudyError: ``fold`` is out of range.
    """
    digits = load_digits()
    images = torch.from_numpy((digits.images / MAX_GREY).astype(np.float32)).unsqueeze(1)
    form = np.searchsorted(FORMS, np.arange(len(images)), side="right") - 1
    halves = {m: images[..., columns].contiguous() for m, columns in COLUMNS.items()}
    everything = Split(halves, torch.from_numpy(digits.target.astype(np.int64)), form)
    train, validation, test = (
        everything.take(rows) for rows in five_folds(digits.target, form, fold)
    )
    raw = digits.images.tobytes() + digits.target.tobytes()
    names = tuple(map(str, digits.target_names))
    return Splits(train, validation, test, names, hashlib.sha256(raw).hexdigest())


def picture(splits: Splits, per_class: int = 4) -> Figure:
    """Plot ``per_class`` training samples of each class: the left half beside the right half."""
    train, columns = splits.train, len(splits.classes)
    figure = Figure(figsize=(1.05 * columns, 1.15 * per_class + 0.4), layout="constrained")
    axes = figure.subplots(per_class, columns, squeeze=False)
    for k, name in enumerate(splits.classes):
        rows = (train.y == k).nonzero()[:per_class, 0]
        for ax, i in zip(axes[:, k], rows, strict=True):
            halves = [train.x[m][i, 0].numpy() for m in COLUMNS]
            gap = np.full((len(halves[0]), 1), np.nan)
            ax.imshow(np.hstack([halves[0], gap, halves[1]]), cmap="gray_r", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
        axes[0, k].set_title(name)
    return figure
