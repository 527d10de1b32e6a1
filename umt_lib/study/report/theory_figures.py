"""The figure of the features that networks learn and that the model predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from umt_lib.study.report.theory_text import SOURCES, counts
from umt_lib.style import COLORS, OTHER, WIDTH, Figure, styled

LINES = {  # training: its name, colour, marker and horizontal shift
    "alone": ("uni-modal", COLORS["unimodal"], "s", -0.2),
    "joint": ("joint", COLORS["joint"], "o", 0.0),
    "umt": ("UMT", COLORS["umt"], "^", 0.2),
}
ROWS = {"a": "learned in a", "b": "learned in b", "paired": "learned, paired"}
TITLES = {"number": "Number", "presence": "Presence", "asymmetry": "Asymmetry"}
LABELS = {
    "number": "uni-modal features\nper modality",
    "presence": "share of samples with\na uni-modal feature",
    "asymmetry": "weakness of the\nfeatures of b",
}


@styled
def theory(measured: dict[str, Any]) -> Figure:
    """The number of learned features along every axis: in networks and in the model.

    Markers are means over seeds of the networks, with bars from the smallest to the largest value.

    Args:
        measured: the value of :func:`umt_lib.study.analyses.theory.simulation.theory`.
    """
    axes = measured["axes"]
    figure = Figure(figsize=(WIDTH, 6.6))
    panels = figure.subplots(len(ROWS), len(axes), sharex="col", sharey="row", squeeze=False)
    for column, (axis, points) in zip(panels.T, axes.items(), strict=True):
        for ax, kind in zip(column, ROWS, strict=True):
            places = np.arange(len(points))
            for line, (_, color, marker, shift) in LINES.items():
                training = f"alone-{kind}" if line == "alone" else line
                if (
                    training not in points[0]["measured"]
                ):  # uni-modal training learns no paired features
                    continue
                learned, model = (counts(points, s, training, kind) for s in SOURCES)
                mean, x = learned.mean(axis=1), places + shift
                spread = np.abs(np.stack([learned.min(axis=1), learned.max(axis=1)]) - mean)
                ax.plot(x, model.mean(axis=1), "--", color=color, linewidth=1.3)
                ax.errorbar(x, mean, spread, fmt=marker, color=color, markersize=5, elinewidth=1)
            top = max(point["there"][kind] for at in axes.values() for point in at)
            ax.set_ylim(-0.25, top + 0.3)
            ax.set_yticks(range(top + 1))
            ax.grid(axis="x", visible=False)
        column[0].set_title(TITLES[axis])
        column[-1].set_xticks(places, [f"{point['value']:g}" for point in points])
        column[-1].set_xlabel(LABELS[axis])
    for row, label in zip(panels[:, 0], ROWS.values(), strict=True):
        row.set_ylabel(label)
    marks = [
        Line2D([], [], color=c, marker=k, linestyle="", label=n) for n, c, k, _ in LINES.values()
    ]
    marks += [
        Line2D([], [], color=OTHER, marker="|", markersize=11, linestyle="", label="over seeds"),
        Line2D([], [], color=OTHER, linestyle="--", label="model"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=5, columnspacing=1.2)
    return figure
