"""Figures of the cost of UMT: accuracy and EMAP gap over the weight, and the remedies."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from umt_lib.evaluation.intervals import t_interval
from umt_lib.study.analyses.distillation_cost import summary
from umt_lib.study.analyses.distillation_cost.summary import Measured
from umt_lib.study.report.distillation_cost_text import REMEDIES
from umt_lib.style import COLORS, OTHER, VARIANTS, WIDTH, Figure, styled

SHADES = ("#777777", "#56B4E9", "#0072B2", "#000000")  # by paired strength
STYLES = {  # variant: color, marker
    "umt": (COLORS["umt"], "o"),
    "projected": (VARIANTS["wider"], "s"),
    "fading-half": (VARIANTS["faded by half the epochs"], "v"),
    "fading": (VARIANTS["faded"], "^"),
    "subspace": (VARIANTS["sub-space"], "D"),
}
MARKS = "osD^"


@styled
def tradeoff(measured: Measured) -> Figure:
    """Accuracy of UMT over that of UME by the product (top) and EMAP gap (bottom), by weight.

    A curve per paired strength, with 95% intervals over seeds; weight 0 is joint training.
    """
    panels = [
        (name, uni, cells) for name, m in measured.items() for uni, cells in summary.by_uni(m)
    ]
    figure = Figure(figsize=(max(WIDTH, 2.6 * len(panels)), 5))
    axes = figure.subplots(2, len(panels), sharex="col", sharey="row", squeeze=False)
    for (name, uni, cells), (top, low) in zip(panels, axes.T, strict=True):
        for cell, color, mark in zip(cells, SHADES, MARKS, strict=False):
            runs = cell["variants"]["umt"]
            label = f"paired {cell['paired']:g}"
            over = [summary.tested(run) - cell["ume"]["test"] for run in runs]
            _curve(top, over, color, mark, label)
            _curve(low, [np.array(run["emap_gap"]) for run in runs], color, mark, label)
        top.set_title(f"{name}\nuni-modal {uni:g}")
        low.set_xlabel("weight of UMT")
        for ax in (top, low):
            ax.axhline(0, color=OTHER, linewidth=0.8)
            ax.set_xticks(range(len(runs)), ["joint", *(f"{r['weight']:g}" for r in runs[1:])])
            ax.tick_params(axis="x", labelsize=7.5)
    axes[0, 0].set_ylabel("accuracy over UME\n(product), points")
    axes[1, 0].set_ylabel("EMAP gap\n(points)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


@styled
def remedies(measured: Measured) -> Figure:
    """The accuracy of UMT and its remedies over the weight, for the strongest paired features."""
    panels = [(n, u, cells[-1]) for n, m in measured.items() for u, cells in summary.by_uni(m)]
    figure = Figure(figsize=(max(WIDTH, 2.6 * len(panels)), 3.6))
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, (name, uni, cell) in zip(axes, panels, strict=True):
        few = [0.0, *summary.few(cell)]
        for i, (variant, (color, mark)) in enumerate(STYLES.items()):
            label = REMEDIES.get(variant, "UMT")
            over = [
                summary.tested(summary.run_at(cell, variant, w)) - cell["ume"]["test"] for w in few
            ]
            mean, low, high = _intervals(over)
            places = np.arange(len(few)) + 0.09 * (i - len(REMEDIES) / 2)  # side by side
            if np.isfinite(low).all():
                ax.vlines(places, low, high, color=color, linewidth=1.4)
            ax.plot(places, mean, color=color, marker=mark, markersize=4, linewidth=1, label=label)
        ax.axhline(0, color=OTHER, linewidth=0.8)
        ax.set_title(f"{name}\nuni-modal {uni:g}, paired {cell['paired']:g}", fontsize=10)
        ax.set_xticks(range(len(few)), ["joint", *(f"{w:g}" for w in few[1:])])
        ax.set_xlabel("weight")
    axes[0].set_ylabel("accuracy over UME\n(product), points")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _curve(ax: Axes, values: list[np.ndarray], color: str, mark: str, label: str) -> None:
    """Draw the mean and 95% interval at each weight, in points."""
    mean, low, high = _intervals(values)
    if np.isfinite(low).all():
        ax.fill_between(range(len(mean)), low, high, color=color, alpha=0.18, linewidth=0)
    ax.plot(mean, color=color, marker=mark, markersize=4, label=label)


def _intervals(values: list[np.ndarray]) -> np.ndarray:
    """Means, lower and upper bounds over seeds, in points: (3, len(values))."""
    return (100 * np.array([t_interval(v)[:3] for v in values])).T
