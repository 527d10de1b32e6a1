"""Tables and sentences about the cost of UMT; all numbers are computed from what was measured.

Differences that are counted are corrected for their number (false discovery rate), and those that
are searched for the smallest weight as well (Holm).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from umt_lib.evaluation.intervals import Interval, accuracy_interval, t_interval
from umt_lib.study.analyses.distillation_cost import summary
from umt_lib.study.analyses.distillation_cost.summary import Cell, Measured, Run
from umt_lib.study.experiments.comparisons import clear, discovered
from umt_lib.study.report.format import MINUS, markdown, percent, points

REMEDIES = {
    "projected": "projected, wider student",
    "fading-half": "weight fades over half the epochs",
    "fading": "weight fades over all epochs",
    "subspace": "sub-space of the teacher's head",
}


def table(measured: Measured) -> str:
    """Three tables: UMT in all cells, remedies at UMT's weights, remedies at their best weight."""
    plain, same, best = [], [], []
    for name, cell in summary.all_cells(measured):
        where = [name, f"{cell['uni']:g}", f"{cell['paired']:g}"]
        joint, umt = (
            summary.run_at(cell, "umt", 0),
            summary.run_at(cell, "umt", summary.few(cell)[-1]),
        )
        accuracy = [percent(accuracy_interval(v)) for v in (cell["ume"]["test"], joint["test"])]
        gaps = [_gap(run) for run in (joint, umt)]
        change = points(t_interval(summary.chosen(cell, "umt") - summary.tested(joint)))
        plain.append(
            [*where, *accuracy, change, points(summary.over_joint(cell, umt["weight"])), *gaps]
        )
        for weight in summary.few(cell):
            gains = [points(summary.over_umt(cell, remedy, weight)) for remedy in REMEDIES]
            same.append([*where, f"{weight:g}", *gains])
        tuned = {v: summary.chosen(cell, v) for v in ("umt", *REMEDIES)}
        change = [points(t_interval(value - summary.tested(joint))) for value in tuned.values()]
        wide = summary.tested(summary.run_at(cell, "projected", 0))
        controls = (tuned["projected"] - wide, wide - summary.tested(joint))
        best.append([*where, *change, *(points(t_interval(value)) for value in controls)])
    weights = sorted({w for _, cell in summary.all_cells(measured) for w in summary.few(cell)})
    heavy, listed = weights[-1], ", ".join(f"{weight:g}" for weight in weights)
    where = ["data set", "uni-modal", "paired"]
    first = [
        "UME (product)",
        "joint",
        "UMT, chosen weight, over joint",
        f"UMT, weight {heavy:g}, over joint",
    ]
    gaps = ["EMAP gap, joint", f"EMAP gap, UMT, weight {heavy:g}"]
    control = ["projected over joint of the same width", "joint of twice the width over joint"]
    return "\n\n".join(
        [
            "Accuracy and EMAP gap on the test split, mean [95% interval over seeds]; differences "
            "are paired over seeds, in points. A chosen weight is, for each seed, the one of "
            f"{listed} with the best validation accuracy.",
            markdown([*where, *first, *gaps], plain),
            "Remedies minus plain UMT of the same weight:",
            markdown([*where, "weight", *REMEDIES], same),
            "Each at its chosen weight minus joint training (weight 0), and the control of the "
            "projection, joint training of the wider student:",
            markdown([*where, "UMT", *REMEDIES, *control], best),
        ]
    )


def sentences(measured: Measured) -> str:
    """The findings as a Markdown list."""
    lines = []
    for name in measured:
        cells = [c for n, c in summary.all_cells(measured) if n == name and c["paired"] > 0]
        lines += [f"- **{name}**, {_course(cell)}." for cell in cells]
    lines.append(f"- **No paired feature:** {_without_paired(measured)}")
    lines += [f"- **Remedy, {label}:** {_verdict(measured, r)}" for r, label in REMEDIES.items()]
    return "\n".join(lines)


def _course(cell: Cell) -> str:
    """The strengths of one cell, and its accuracy and EMAP gap over the weight."""
    runs = cell["variants"]["umt"]
    joint, last = runs[0], runs[-1]
    over = {r["weight"]: summary.over_joint(cell, r["weight"]) for r in runs[1:]}
    flags = zip(over, clear(over.values()), strict=True)
    lost = [weight for weight, is_clear in flags if is_clear and over[weight].mean < 0]
    above = t_interval(summary.tested(last) - cell["ume"]["test"])
    end = summary.over_joint(cell, last["weight"])
    gaps = [_gap(run) for run in (joint, last)]
    start = (
        f"the smallest weight at which UMT is clearly worse than joint training is {lost[0]:g} "
        f"({points(over[lost[0]])} points)"
        if lost
        else "UMT is clearly worse than joint training at no weight"
    )
    return (
        f"uni-modal {cell['uni']:g}, paired {cell['paired']:g}: {start}; at weight "
        f"{last['weight']:g} the difference is {points(end)} points, and UMT minus UME (product) "
        f"is {points(above)} points. The EMAP gap changes from {gaps[0]} to {gaps[1]} points"
    )


def _without_paired(measured: Measured) -> str:
    gains = [
        summary.over_joint(cell, run["weight"])
        for _, cell in summary.all_cells(measured)
        if cell["paired"] == 0
        for run in cell["variants"]["umt"][1:]
    ]
    if not gains:
        return "no such setting was measured."
    up, down = _counted(gains)
    ends = [f"{100 * end(g.mean for g in gains):+.1f}".replace("-", MINUS) for end in (min, max)]
    return (
        f"nothing to suppress, and {'nothing' if not up else 'little'} to gain. Of {len(gains)} "
        f"settings and weights, UMT is clearly better than joint training in {up} and clearly "
        f"worse in {down}; mean differences range from {ends[0]} to {ends[1]} points."
    )


def _verdict(measured: Measured, remedy: str) -> str:
    """Whether a remedy helps with paired features, and whether it costs accuracy without them.

    All cells with paired features count, because a choice of those in which plain UMT is worse than
    joint training would favour the remedy.
    """
    trials = [(cell, w) for _, cell in summary.all_cells(measured) for w in summary.few(cell)]
    paired = [(c, w) for c, w in trials if c["paired"] > 0]
    rest = [summary.over_umt(c, remedy, w) for c, w in trials if c["paired"] == 0]
    if not paired:
        return "no setting with a paired feature was measured."
    better, worse = _counted([summary.over_umt(c, remedy, w) for c, w in paired])
    _, short = _counted([summary.over_joint(c, w, remedy) for c, w in paired])
    _, plain = _counted([summary.over_joint(c, w) for c, w in paired])
    up, down = _counted(rest)
    mean = points(
        t_interval(np.mean([summary.differences(c, remedy, w) for c, w in paired], axis=0))
    )
    same = " of the same width" if remedy == "projected" else ""
    return (
        f"of the {len(paired)} settings and weights with a paired feature, it is clearly better "
        f"than plain UMT of the same weight in {better} and clearly worse in {worse} (mean {mean} "
        f"points). It is clearly worse than joint training{same} in {short} of them, plain UMT in "
        f"{plain}. Without a paired feature, it is clearly better than plain UMT in {up} and "
        f"clearly worse in {down} of {len(rest)}."
    )


def _gap(run: Run) -> str:
    """The EMAP gap of a run in points, without a plus sign."""
    return points(t_interval(run["emap_gap"])).replace("+", "")


def _counted(gains: Sequence[Interval]) -> tuple[int, int]:
    """How many differences are clearly positive, and how many clearly negative."""
    means = [gain.mean for gain, found in zip(gains, discovered(gains), strict=True) if found]
    return sum(mean > 0 for mean in means), sum(mean < 0 for mean in means)
