"""Figures of the notebook that trains one cell of a map when a slider moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.lines import Line2D

from umt_lib.evaluation.intervals import t_interval
from umt_lib.study.analyses.regime_map.one_cell import Answer
from umt_lib.study.report.choices import HEADS
from umt_lib.study.report.figures import draw_interval
from umt_lib.style import COLORS, OTHER, WIDTH, Figure, styled

ROWS = {  # kind of strategy: what the figure calls it, colour
    "UME": ("UME: one model\nper modality", COLORS["ume"]),
    "joint": ("joint training", COLORS["joint"]),
    "UMT": ("UMT: joint training\nwith uni-modal teachers", COLORS["umt"]),
    "frozen": ("head on frozen\nuni-modal encoders", COLORS["frozen"]),
}
STRATEGIES = ("UME", *(f"{kind} ({head})" for kind in list(ROWS)[1:] for head in HEADS))
GAINS = {  # lines of the second figure: strategy, colour
    "joint (MLP)": COLORS["joint"],
    "UMT (MLP)": COLORS["umt"],
    "frozen (linear)": COLORS["frozen"],
}
DIALS = {
    "uni": "uni-modal strength",
    "paired": "paired strength",
    "asymmetry": "asymmetry",
    "n_train": "training samples",
}
# best possible accuracies and their lines
BEST: dict[str, Literal[":", "--"]] = {"additive": ":", "all": "--"}


@styled
def cell(answer: Answer, best: Mapping[str, float]) -> Figure:
    """Test accuracy of every strategy that is trained, and the best possible accuracies.

    Args:
        best: {"additive": of uni-modal features alone, "all": of all features}, 0..1.
    """
    figure = Figure(figsize=(WIDTH, 3.6))
    ax = figure.subplots()
    for place, (kind, (_, color)) in enumerate(ROWS.items()):
        for head, shift in zip(HEADS, (-0.15, 0.15), strict=True):
            values = answer.test.get(f"{kind} ({head})")
            if values:
                draw_interval(ax, place + shift, t_interval(values), color, head == "linear")
    if values := answer.test.get("UME"):
        draw_interval(ax, 0, t_interval(values), ROWS["UME"][1])
    for name, line in BEST.items():
        ax.axvline(100 * best[name], color=OTHER, linestyle=line, linewidth=1)
    shown = len(next(iter(answer.test.values()), ()))
    ax.set_yticks(range(len(ROWS)), [label for label, _ in ROWS.values()])
    ax.set(ylim=(len(ROWS) - 0.4, -0.6), xlabel=f"test accuracy (%), {seeds_of(shown)}")
    figure.suptitle(_dials(answer), x=0.02, ha="left", fontsize=9)
    ax.grid(axis="y", visible=False)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=2, fontsize=9)
    return figure


@styled
def line(answers: Sequence[Answer], dial: str) -> Figure:
    """Accuracy of strategies minus that of UME over a dial: mean and 95% interval."""
    figure = Figure(figsize=(WIDTH, 3.0))
    ax = figure.subplots()
    places = [answer.cell[dial] for answer in answers]
    for name, color in GAINS.items():
        differences = [np.subtract(a.test[name], a.test["UME"]) for a in answers]
        found = [t_interval(list(100 * values)) for values in differences]
        ax.plot(places, [f.mean for f in found], "o-", color=color, label=name)
        if all(np.isfinite(f.high) for f in found):
            bounds = ([f.low for f in found], [f.high for f in found])
            ax.fill_between(places, *bounds, color=color, alpha=0.15, linewidth=0)
    ax.axhline(0, color=OTHER, linewidth=0.8)
    ax.set(xlabel=DIALS[dial], ylabel="points above UME")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def seeds_of(number: int) -> str:
    """How many seeds a number is made of, in words."""
    return "1 seed" if number == 1 else f"mean and 95% interval of {number} seeds"


def _dials(answer: Answer) -> str:
    """The values of the dials, in words."""
    return ", ".join(f"{DIALS[dial]} {value:g}" for dial, value in answer.cell.values)


def _legend() -> list[Line2D]:
    filled = Line2D([], [], marker="o", color=OTHER, linewidth=2, label="linear head, or UME")
    hollow = Line2D(
        [], [], marker="o", color=OTHER, linewidth=2, markerfacecolor="white", label="MLP head"
    )
    words = {"additive": "best possible without interactions", "all": "best possible"}
    lines = [
        Line2D([], [], color=OTHER, linestyle=line, linewidth=1, label=words[name])
        for name, line in BEST.items()
    ]
    return [filled, hollow, *lines]
