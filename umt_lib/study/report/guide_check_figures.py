"""The figure of how often each rule is right, and how much accuracy it loses."""

from __future__ import annotations

from math import inf

from umt_lib import style
from umt_lib.study.analyses.guide_check.rules import LAYER, MAIN, SIGN
from umt_lib.study.analyses.guide_check.score import (
    AIM_REGRET,
    AIM_RIGHT,
    paired_gain,
    pooled,
    scored,
)
from umt_lib.study.report.figures import draw_interval
from umt_lib.study.report.guide_check_text import ALWAYS_JOINT
from umt_lib.study.report.which_strategy import NO_PAIRS
from umt_lib.style import Figure

STRONG = 0.05
REGIONS = {  # what paired features add to the best possible accuracy: from, and below
    "no paired feature": (-inf, NO_PAIRS),
    f"weak paired feature (below {100 * STRONG:.0f} points)": (NO_PAIRS, STRONG),
    f"strong paired feature ({100 * STRONG:.0f} points or more)": (STRONG, inf),
}
SHOWN = {  # rule: its colour
    MAIN: "umt",
    LAYER: "ume",
    SIGN: "unimodal",
    ALWAYS_JOINT: "joint",
}


@style.styled
def right(measured: dict[str, dict]) -> Figure:
    """Share of decided cells in which a rule is right, and its regret, by paired strength."""
    cases = pooled(measured)
    rows = {"all settings": cases} | {
        name: [case for case in cases if low <= paired_gain(case) < high]
        for name, (low, high) in REGIONS.items()
    }
    figure = Figure(figsize=(style.WIDTH, 4.2))
    left, where = figure.subplots(1, 2, sharey=True)
    for place, part in enumerate(rows.values()):
        for i, (rule, color) in enumerate(SHOWN.items()):
            found = scored(part, rule)
            for ax, value in ((left, found["right"]), (where, found["regret"])):
                if value is not None:
                    label = rule if place == 0 else None
                    y = place + 0.18 * (i - 1.5)
                    draw_interval(ax, y, value, style.COLORS[color], label=label)
    for ax, aim in ((left, AIM_RIGHT), (where, AIM_REGRET)):
        ax.axvline(100 * aim, color=style.OTHER, linestyle="--", linewidth=1)
        ax.grid(axis="y", visible=False)
    left.set_yticks(range(len(rows)), [name.replace(" (", "\n(") for name in rows])
    left.set(title="Right (%)", xlabel="of decided settings", xlim=(-3, 103))
    left.set_ylim(len(rows) - 0.5, -0.5)
    where.set(title="Regret (points)", xlabel="over all settings", xlim=(-0.3, None))
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
