"""Is the guide right? The figure."""

from __future__ import annotations

from matplotlib.figure import Figure

from umt_lib import style
from umt_lib.study.analyses.guide_check.rules import LAYER, MAIN, SIGN
from umt_lib.study.analyses.guide_check.score import AIM_REGRET, AIM_RIGHT, pooled, scored

REGIONS = {  # by the strength of pairs
    "no pairs": lambda case: case["paired"] == 0,
    "weak pairs (below 0.5)": lambda case: 0 < case["paired"] < 0.5,
    "strong pairs (0.5 or more)": lambda case: case["paired"] >= 0.5,
}
SHOWN = {
    MAIN: "umt",
    LAYER: "ume",
    SIGN: "joint",
    "always joint (MLP)": "unimodal",
}


@style.styled
def right(measured: dict[str, dict]) -> Figure:
    """Share right in decided cells, and regret, of the rules SHOWN, by strength of pairs."""
    cases = pooled(measured)
    rows = {"all cells": cases} | {n: [c for c in cases if r(c)] for n, r in REGIONS.items()}
    figure = Figure(figsize=(style.WIDTH, 4.2))
    left, where = figure.subplots(1, 2, sharey=True)
    for place, part in enumerate(rows.values()):
        for i, (rule, color) in enumerate(SHOWN.items()):
            found = scored(part, rule)
            for ax, value in ((left, found["right"]), (where, found["regret"])):
                if value is None:
                    continue
                y, color_ = place + 0.18 * (i - 1.5), style.COLORS[color]
                mean, low, high = (100 * v for v in value[:3])
                ax.plot([low, high], [y, y], color=color_, linewidth=2)
                label = rule if place == 0 else None
                ax.plot(mean, y, "o", color=color_, markersize=6, label=label)
    for ax, aim in ((left, AIM_RIGHT), (where, AIM_REGRET)):
        ax.axvline(100 * aim, color=style.OTHER, linestyle="--", linewidth=1)
        ax.grid(axis="y", visible=False)
    left.set_yticks(range(len(rows)), [name.replace(" (", "\n(") for name in rows])
    left.set(title="Right (%)", xlabel="of decided cells", xlim=(-3, 103))
    left.set_ylim(len(rows) - 0.5, -0.5)
    where.set(title="Regret (points)", xlabel="over all cells", xlim=(-0.3, None))
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
