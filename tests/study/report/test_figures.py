"""Figures are drawn from results, the same every time, with a sentence if there is no curve."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tiny_study

from umt_lib import style
from umt_lib.errors import StudyError
from umt_lib.evaluation.intervals import Interval
from umt_lib.methods import METHODS
from umt_lib.study.report import (
    explore_figures,
    figures,
    gains,
    kinds_figures,
    regime_map_figures,
    theory_figures,
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return tiny_study.make(tmp_path_factory.mktemp("study")).study()


def test_curves_show_the_mean_over_seeds(study):
    joint = study.result("synthetic", "joint")
    _, accuracy, _ = figures.history(joint).axes
    thick = [line for line in accuracy.lines if line.get_label() == "validation"]
    expected = np.mean([r.curves["validation_accuracy"] for r in joint.measured.seeds], axis=0)
    np.testing.assert_allclose(thick[0].get_ydata(), 100 * expected)


def test_saturation_shows_the_probes_and_the_training_accuracy(study):
    unimodal = study.unimodal("synthetic")
    figure = figures.saturation(study.result("synthetic", "joint"), unimodal)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["a", "b"]
    labels = [line.get_label() for line in figure.axes[0].lines]
    assert sum(not label.startswith("_") for label in labels) == 3
    probes = [r.curves["probe"] for r in unimodal["b"].measured.seeds]
    reference = next(line for line in figure.axes[1].lines if "uni-modal" in line.get_label())
    expected = 100 * np.mean([[point["b"] for point in points] for points in probes], axis=0)
    np.testing.assert_allclose(reference.get_ydata(), expected)


def test_saturation_works_without_a_reference(study):
    figure = figures.saturation(study.result("synthetic", "joint"))
    assert len(figure.axes) == 2


def test_the_legend_of_the_curves_covers_no_name_of_an_axis(study):
    figure = figures.history(study.result("synthetic", "joint"))
    figure.canvas.draw()
    (legend,) = figure.legends
    for ax in figure.axes:
        assert not legend.get_window_extent().overlaps(ax.xaxis.label.get_window_extent())


def test_of_a_long_curve_few_epochs_are_drawn_and_always_the_last(study, monkeypatch):
    result = study.result("synthetic", "joint")  # six epochs
    monkeypatch.setattr(figures, "POINTS", 2)
    line = figures.history(result).axes[0].lines[0]
    assert line.get_xdata().tolist() == [3, 6]
    losses = [record.curves["train_loss"] for record in result.measured.seeds]
    assert line.get_ydata() == pytest.approx(np.mean(losses, axis=0)[[2, 5]])


@pytest.mark.parametrize("draw", [figures.history, figures.saturation])
def test_a_method_that_trains_nothing_has_a_sentence_for_a_figure(study, draw):
    figure = draw(study.result("synthetic", "ume", rule="mean"))
    assert not figure.axes
    assert "no curve" in figure.texts[0].get_text()


def test_dots_draw_means_with_their_intervals():
    rows = [
        ("x", "umt", True, Interval(0.8, 0.7, 0.9, 3)),
        ("y", "new", False, Interval(0.5, -np.inf, np.inf, 1)),
    ]
    (ax,) = figures.dots({"panel": rows}, "accuracy").axes
    spans = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2]
    np.testing.assert_allclose(spans, [[70, 90]])  # one seed has no interval to draw
    dots = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    np.testing.assert_allclose(dots, [80, 50])


def test_a_figure_saved_twice_gives_the_same_bytes(study, tmp_path):
    for name in ("once.svg", "twice.svg"):
        style.save(figures.convergence(study.unimodal("synthetic")), tmp_path / name)
    assert (tmp_path / "once.svg").read_bytes() == (tmp_path / "twice.svg").read_bytes()


def test_a_figure_that_cannot_be_written_leaves_the_old_file(study, tmp_path, monkeypatch):
    def full(_) -> None:
        raise OSError(28, "No space left on device")

    drawn, file = figures.convergence(study.unimodal("synthetic")), tmp_path / "figure.svg"
    style.save(drawn, file)
    before = file.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    drawn.suptitle("Something else")
    with pytest.raises(StudyError, match=r"figure\.svg: cannot be written \(No space left"):
        style.save(drawn, file)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


def test_every_strategy_has_one_colour_in_all_figures():
    named = {  # what figures call it: the method
        "uni-modal": "unimodal",
        "alone": "unimodal",
        "UME": "ume",
        "joint": "joint",
        "UMT": "umt",
        "umt": "umt",
        "frozen": "frozen",
        "head on frozen encoders": "frozen",
        "joint + uni-modal CE": "joint-auxiliary",
        "uni-modal init": "unimodal-init",
    }
    drawn = [
        *((name, color) for name, (_, color) in gains.STRATEGIES.items()),
        *regime_map_figures.FAMILY_COLORS.items(),
        *((n, c) for n, c in regime_map_figures.KEPT.items() if not n.startswith("UMT, ")),
        *((n, c) for n, (c, _, _) in kinds_figures.LINES.items() if "untrained" not in n),
        *((name, color) for name, (_, color) in explore_figures.ROWS.items()),
        *explore_figures.GAINS.items(),
        *((name, color) for name, (_, color, _, _) in theory_figures.LINES.items()),
    ]
    for name, color in drawn:
        assert color == style.COLORS[named[name.partition(" (")[0]]], name
    assert {name for name, _ in drawn} >= {"UME", "frozen", "uni-modal init"}


def test_colours_are_those_of_methods_and_differ():
    assert {*style.COLORS} <= {*METHODS}
    assert len({*style.COLORS.values(), style.OTHER}) == len(style.COLORS) + 1
    assert len({*style.VARIANTS.values(), style.COLORS["umt"], style.COLORS["joint"]}) == 6
