"""Figures of what one model predicts: the confusion of classes, and single samples."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from umt_lib.study.experiments.predictions import Predicted
from umt_lib.style import WIDTH, Figure, styled

NUMBERS, NAMES = 15, 45  # of more classes the cells have no numbers, the axes no names
LINES = 6  # a series of more channels is drawn as an image


@styled
def confusion(found: Predicted) -> Figure:
    """Draw the confusion matrix: percentages of each class (row) by predicted class (column)."""
    k = len(found.classes)
    counts = found.confusion.numpy()
    shares = 100 * counts / counts.sum(axis=1, keepdims=True)
    size = WIDTH + 0.1 * max(0, k - NUMBERS)
    figure = Figure(figsize=(size, 0.9 * size))
    ax = figure.subplots()
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    if k <= NUMBERS:
        for row, column in zip(*np.nonzero(counts), strict=True):
            share = shares[row, column]
            color = "white" if share > 50 else "black"
            ax.text(column, row, f"{share:.0f}", ha="center", va="center", color=color, fontsize=8)
    if k <= NAMES:
        size = 8 if k <= NUMBERS else 6
        ax.set_xticks(range(k), found.classes, rotation=90, fontsize=size)
        ax.set_yticks(range(k), found.classes, fontsize=size)
    ax.set(xlabel="predicted class", ylabel="class")
    ax.grid(visible=False)
    figure.colorbar(image, ax=ax, label="% of the samples of the class", shrink=0.7)
    return figure


@styled
def samples(found: Predicted, positions: Tensor) -> Figure:
    """Test samples, a row each, with their class and the class that was predicted."""
    inputs = found.test.inputs(positions)
    figure = Figure(figsize=(WIDTH, 1.25 * len(positions) + 0.3))
    axes = figure.subplots(len(positions), len(inputs), squeeze=False)
    for line, position, sample in zip(axes, positions.tolist(), range(len(positions)), strict=True):
        for ax, (modality, x) in zip(line, inputs.items(), strict=True):
            draw(ax, x[sample].float().numpy())
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
            if sample == 0:
                ax.set_title(modality)
        line[0].set_ylabel(_label(found, position), rotation=0, ha="right", va="center", fontsize=8)
    return figure


def draw(ax: Axes, x: np.ndarray) -> None:
    """Draw the input of one modality, whatever its shape: a clip shows its middle frame.

    Args:
        x: (d,) features, (C, T) a series, (C, H, W) an image, (C, T, H, W) a clip.
    """
    if x.ndim == 4:
        x = x[:, x.shape[1] // 2]
    if x.ndim == 3 and len(x) == 3:  # colours were standardised
        ax.imshow((x - x.min()).transpose(1, 2, 0) / max(float(np.ptp(x)), 1e-12))
    elif x.ndim == 3:
        ax.imshow(x[0], cmap="gray", aspect="equal" if x.shape[1] >= x.shape[2] else "auto")
    elif x.ndim == 2 and len(x) > LINES:
        ax.imshow(x, cmap="gray", aspect="auto")
    elif x.ndim == 2:
        ax.plot(x.T, linewidth=1)
    else:
        ax.plot(x.ravel(), linewidth=0.8)


def _label(found: Predicted, position: int) -> str:
    probabilities = found.probabilities[position]
    own, first = int(found.test.y[position]), int(probabilities.argmax())
    return (
        f"sample {position}\nis {found.classes[own]} ({probabilities[own]:.0%})\n"
        f"predicted {found.classes[first]} ({probabilities[first]:.0%})"
    )
