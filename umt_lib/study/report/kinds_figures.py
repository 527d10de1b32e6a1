"""The figures of the kinds of paired features: accuracies over the values of a dial."""

from __future__ import annotations

from typing import Any

import numpy as np

from umt_lib.study.report.kinds_text import LIMITS, findings
from umt_lib.style import COLORS, OTHER, WIDTH, Figure, styled

LINES = {  # strategy: colour, line style, marker
    "UME": (COLORS["ume"], "-", "s"),
    "joint (linear)": (COLORS["joint"], "--", "o"),
    "joint (MLP)": (COLORS["joint"], "-", "o"),
    "frozen (linear)": (COLORS["frozen"], "--", "^"),
    "frozen (MLP)": (COLORS["frozen"], "-", "^"),
    "untrained (MLP)": (COLORS["unimodal"], ":", "v"),
}
AXES = {
    "paired": "reliability of the paired feature (paired)",
    "rho": "standard deviation of the nuisance (rho)",
    "gamma": "size of the interactions (gamma)",
    "leak": "what each half shows alone (leak)",
}
BEST = {"product of posteriors": ":", "linear head": "--", "both modalities": "-"}


@styled
def kind(measured: dict[str, Any], name: str) -> Figure:
    """Measured accuracies of one kind, and in black the best possible ones.

    Args:
        measured: the value of :func:`umt_lib.study.analyses.kinds.kinds`.
        name: a key of its ``kinds``.
    """
    found = measured["kinds"][name]
    frame = findings(measured).query("kind == @name")
    figure = Figure(figsize=(WIDTH, 3.6))
    ax = figure.subplots()
    values = [point["value"] for point in found["points"]]
    for label, style in BEST.items():
        limit = np.array([point["bayes"][LIMITS[label]] for point in found["points"]])
        ax.plot(values, 100 * limit, style, color=OTHER, linewidth=1, label=f"best: {label}")
    for strategy, rows in frame.groupby("strategy", sort=False):
        color, style, marker = LINES[str(strategy)]
        mean = rows["accuracy"]
        error = 100 * np.stack([mean - rows["low"], rows["high"] - mean])
        ax.errorbar(
            rows["value"],
            100 * mean,
            error,
            color=color,
            linestyle=style,
            marker=marker,
            markersize=4,
            elinewidth=1,
            label=strategy,
        )
    ax.set(xlabel=AXES[found["dial"]], ylabel="test accuracy (%)", xticks=values)
    figure.legend(loc="outside right center", fontsize="small")
    return figure
