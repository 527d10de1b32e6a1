"""Figures of the book and of the notebooks, one function each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from umt_lib.evaluation.intervals import Interval
from umt_lib.study.experiments.results import Result, SeedRecord
from umt_lib.style import COLORS, OTHER, WIDTH, Figure, styled

POINTS = 40  # epochs of a curve in a small figure


@styled
def history(result: Result) -> Figure:
    """Loss, accuracy and probes over epochs, side by side: mean and range of the seeds.

    Of long curves, every second epoch, or fewer, is drawn: there are hundreds of these figures.
    """
    seeds = result.measured.seeds
    if not seeds[0].curves:
        return _sentence("This method trains nothing, so there is no curve.")
    probes = seeds[0].curves.get("probe")
    # places are given: a layout engine would draw each of these hundreds of figures twice
    figure = Figure(figsize=(WIDTH, 2.2), layout="none")  # type: ignore[arg-type]
    places = {"left": 0.07, "right": 0.99, "top": 0.88, "bottom": 0.32, "wspace": 0.25}
    axes = figure.subplots(1, 3 if probes else 2, gridspec_kw=places)
    count = len(seeds[0].curves["train_loss"])
    every = np.arange(count - 1, -1, -max(1, -(-count // POINTS)))[::-1]  # with the last epoch

    def line(ax: Axes, values: np.ndarray, color: str, label: str, style: str = "-") -> None:
        _lines(ax, values[:, every], color, label, style, every + 1)

    line(axes[0], _curve(seeds, "train_loss"), COLORS["ume"], "train")
    axes[0].set(title="Loss", xlabel="epoch", ylim=(0, None))
    line(axes[1], 100 * _curve(seeds, "train_accuracy"), COLORS["ume"], "train", "--")
    line(axes[1], 100 * _curve(seeds, "validation_accuracy"), COLORS["joint"], "validation")
    axes[1].set(title="Accuracy (%)", xlabel="epoch")
    if probes:
        epochs = [point["epoch"] for point in probes]
        for modality, color in zip(seeds[0].probes, MODALITIES, strict=False):
            runs = [[100 * p[modality] for p in run.curves["probe"]] for run in seeds]
            _lines(axes[2], np.array(runs), color, f"probe of {modality}", "-", epochs)
        axes[2].set(title="Probes (%)", xlabel="epoch")
    handles = [line for ax in axes[1:] for line in ax.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="lower center", ncols=4, fontsize=8, columnspacing=1)
    return figure


@styled
def convergence(unimodal: Mapping[str, Result]) -> Figure:
    """Validation and training accuracy of the uni-modal baselines, {modality: result}."""
    figure = Figure(figsize=(WIDTH, 2.9))
    axes = figure.subplots(1, len(unimodal), sharey=True, squeeze=False)[0]
    for ax, (modality, result) in zip(axes, unimodal.items(), strict=True):
        seeds = result.measured.seeds
        _lines(ax, 100 * _curve(seeds, "train_accuracy"), COLORS["ume"], "train", "--")
        _lines(ax, 100 * _curve(seeds, "validation_accuracy"), COLORS["joint"], "validation")
        ax.set(title=f"uni-modal ({modality})", xlabel="epoch")
    axes[0].set_ylabel("accuracy (%)")
    _legend(figure, axes[0])
    return figure


@styled
def saturation(result: Result, unimodal: Mapping[str, Result] | None = None) -> Figure:
    """Training accuracy of the whole model and probe accuracy of each encoder, over epochs.

    Args:
        result: a result with probes during training (``training.probe_every``).
        unimodal: {modality: uni-modal result}, whose probes are drawn for comparison.
    """
    seeds = result.measured.seeds
    if not seeds[0].curves.get("probe"):
        return _sentence("No probes were taken during training, so there is no curve.")
    modalities = list(seeds[0].probes)
    figure = Figure(figsize=(WIDTH, 3.1))
    axes = figure.subplots(1, len(modalities), sharey=True, squeeze=False)[0]
    whole = 100 * _curve(seeds, "train_accuracy")
    for ax, modality in zip(axes, modalities, strict=True):
        _lines(ax, whole, OTHER, "train accuracy, whole model", "--")
        known = unimodal and unimodal.get(modality)
        reference = known.measured.seeds if known else []
        for name, runs, color in (
            ("probe of this encoder", seeds, COLORS["joint"]),
            ("probe, uni-modal encoder", reference, COLORS["unimodal"]),
        ):
            if runs and runs[0].curves.get("probe"):
                epochs = [point["epoch"] for point in runs[0].curves["probe"]]
                probes = [[100 * p[modality] for p in run.curves["probe"]] for run in runs]
                _lines(ax, np.array(probes), color, name, "-", epochs)
        ax.set(title=modality, xlabel="epoch")
    axes[0].set_ylabel("accuracy (%)")
    _legend(figure, axes[0])
    return figure


MODALITIES = ("#009E73", "#CC79A7", "#E69F00")  # colours of modalities, in the order of the data
Rows = Sequence[tuple[str, str, bool, Interval]]  # label, method, filled, what is drawn


@styled
def dots(panels: Mapping[str, Rows], xlabel: str, zero: bool = False) -> Figure:
    """Dots with intervals, in percent: one panel per title, one row per label.

    Args:
        zero: draw a line at 0, for differences; the panels then share their axis.
    """
    heights = [len(rows) for rows in panels.values()]
    figure = Figure(figsize=(WIDTH, 0.9 * len(panels) + 0.24 * sum(heights) + 0.4))
    axes = figure.subplots(
        len(panels), 1, height_ratios=[h + 1 for h in heights], squeeze=False, sharex=zero
    )[:, 0]
    for ax, (title, rows) in zip(axes, panels.items(), strict=True):
        for place, (_, method, filled, interval) in enumerate(rows):
            draw_interval(ax, place, interval, COLORS.get(method, OTHER), filled)
        ax.set(title=title, ylim=(len(rows) - 0.4, -0.6))
        ax.set_yticks(range(len(rows)), [row[0] for row in rows])
        ax.grid(axis="y", visible=False)
        if zero:
            ax.axvline(0, color=OTHER, linewidth=0.8)
    axes[-1].set_xlabel(xlabel)
    return figure


def draw_interval(
    ax: Axes,
    place: float,
    interval: Interval,
    color: str,
    filled: bool = True,
    scale: float = 100,
    label: str | None = None,
) -> None:
    """Draw a mean as a dot at height ``place``, with its interval as a line if it is finite."""
    mean, low, high = (scale * value for value in interval[:3])
    if np.isfinite(high - low):
        ax.plot([low, high], [place, place], color=color, linewidth=2)
    face = color if filled else "white"
    ax.plot(mean, place, "o", color=color, markerfacecolor=face, markersize=7, label=label)


@styled
def feature_kinds() -> Figure:
    """A drawing of a uni-modal feature, which determines the class, and of a paired feature."""
    figure = Figure(figsize=(WIDTH, 2.6))
    left, right = figure.subplots(1, 2)
    corners = [(a, b) for a in (0, 1) for b in (0, 1)]
    for ax, title, label in (
        (left, "Uni-modal: class = a", lambda a, b: a),
        (right, "Paired: class = (a + b) mod 2", lambda a, b: (a + b) % 2),
    ):
        for a, b in corners:
            y = label(a, b)
            marker, color = ("os"[y], (COLORS["ume"], COLORS["joint"])[y])
            ax.plot(a, b, marker, color=color, markersize=20)
        ax.set(title=title, xlim=(-0.5, 1.5), ylim=(-0.5, 1.5), xticks=[0, 1], yticks=[0, 1])
        ax.set(xlabel="feature a, in modality 1", ylabel="feature b, in modality 2")
        ax.grid(visible=False)
    marks = [
        Line2D([], [], marker=m, color=c, linestyle="", markersize=9, label=f"class {k}")
        for k, (m, c) in enumerate([("o", COLORS["ume"]), ("s", COLORS["joint"])])
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2)
    return figure


def _curve(seeds: Sequence[SeedRecord], name: str) -> np.ndarray:
    """A curve of every seed, (seeds, epochs)."""
    return np.array([record.curves[name] for record in seeds])


def _lines(
    ax: Axes, runs: np.ndarray, color: str, label: str, style: str = "-", epochs=None
) -> None:
    """Draw the mean of ``runs`` (seeds, points) as a line and their range as a band."""
    epochs = np.arange(1, runs.shape[1] + 1) if epochs is None else epochs
    if len(runs) > 1:
        ax.fill_between(epochs, runs.min(axis=0), runs.max(axis=0), color=color, alpha=0.2, lw=0)
    ax.plot(epochs, runs.mean(axis=0), color=color, linewidth=2, linestyle=style, label=label)


def _legend(figure: Figure, ax: Axes) -> None:
    """Put the legend below the axes, where it covers no curve."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)


def _sentence(text: str) -> Figure:
    figure = Figure(figsize=(WIDTH, 0.7))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure
