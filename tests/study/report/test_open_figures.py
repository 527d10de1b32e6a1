"""Confusion and samples are drawn for inputs of every shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from umt_lib.data import Split
from umt_lib.study.experiments.predictions import Predicted
from umt_lib.study.report import open_figures
from umt_lib.style import Figure

SHAPES = [(5,), (3, 20), (60, 20), (1, 8, 4), (3, 8, 8), (2, 8, 8), (3, 5, 8, 8)]


def predicted(classes: int, *shapes: tuple[int, ...]) -> Predicted:
    """Two samples per class; the second of each is predicted as the next class."""
    y = torch.arange(classes).repeat(2)
    x = {f"m{i}": torch.rand(len(y), *shape) for i, shape in enumerate(shapes)}
    first = torch.cat([y[:classes], (y[classes:] + 1) % classes])
    probabilities = 0.9 * torch.nn.functional.one_hot(first, classes) + 0.1 / classes
    return Predicted(Split(x, y), tuple(f"class {k}" for k in range(classes)), probabilities)


@pytest.mark.parametrize("classes", [2, 20, 50])
def test_each_row_of_the_confusion_has_its_shares(classes):
    figure = open_figures.confusion(predicted(classes))
    ax = figure.axes[0]
    shares = ax.images[0].get_array()
    assert np.allclose(shares.sum(axis=1), 100)
    assert np.allclose(np.diag(shares), 50)
    assert len(ax.texts) == (2 * classes if classes <= open_figures.NUMBERS else 0)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert ("class 1" in names) == (classes <= open_figures.NAMES)


def test_samples_of_every_shape_have_their_class_and_the_prediction():
    found = predicted(3, *SHAPES)
    figure = open_figures.samples(found, found.most_wrong(2))
    assert len(figure.axes) == 2 * len(SHAPES)
    assert figure.axes[0].get_ylabel() == "sample 3\nis class 0 (3%)\npredicted class 1 (93%)"
    assert all(ax.images or ax.lines for ax in figure.axes)


def test_a_clip_shows_its_middle_frame_and_colours_stay_in_range():
    clip = np.zeros((3, 5, 4, 4), dtype=np.float32)
    clip[0, 2] = -2.0
    ax = Figure().subplots()
    open_figures.draw(ax, clip)
    shown = ax.images[0].get_array()
    assert shown.shape == (4, 4, 3)
    assert (shown[..., 0] == 0).all()
    assert (shown[..., 1:] == 1).all()
