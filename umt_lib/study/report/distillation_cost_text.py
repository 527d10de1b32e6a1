"""UMT's price in tables and sentences; every number is computed from what was measured."""

from __future__ import annotations

import numpy as np

from umt_lib.evaluation.intervals import Interval, t_interval
from umt_lib.study.analyses.distillation_cost import summary
from umt_lib.study.analyses.distillation_cost.summary import Cell, Measured, Run
from umt_lib.study.report.format import MINUS, markdown, percent, points

REMEDIES = {
    "projected": "projected, wider student",
    "fading-half": "weight fades over half the epochs",
    "fading": "weight fades over all epochs",
    "subspace": "sub-space of the teacher's head",
}


def table(measured: Measured) -> str:
    """Three tables: UMT over cells, remedies at UMT's weight, remedies at the best weight."""
    plain, same, best = [], [], []
    for name, cell in summary.all_cells(measured):
        where = [name, f"{cell['uni']:g}", f"{cell['paired']:g}"]
        joint, umt = (
            summary.run_at(cell, "umt", 0),
            summary.run_at(cell, "umt", summary.few(cell)[-1]),
        )
        accuracy = [percent(t_interval(v)) for v in (cell["ume"]["test"], joint["test"])]
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
    heavy = max(weight for _, cell in summary.all_cells(measured) for weight in summary.few(cell))
    where = ["data set", "uni-modal", "paired"]
    first = ["UME", "joint", "UMT, chosen weight, over joint", f"UMT, weight {heavy:g}, over joint"]
    gaps = ["EMAP gap, joint", f"EMAP gap, UMT, weight {heavy:g}"]
    control = ["projected over joint as wide", "joint twice as wide over joint"]
    return "\n\n".join(
        [
            "Accuracy and EMAP gap, test split, mean [95% interval over seeds]; differences are "
            "paired over seeds, in points. A chosen weight is, for each seed, the one of "
            f"{_listed(summary.all_few(measured))} that is best on validation.",
            markdown([*where, *first, *gaps], plain),
            "Remedies less plain UMT of the same weight:",
            markdown([*where, "weight", *REMEDIES], same),
            "Each at its chosen weight less joint training (weight 0), and the projection's "
            "control, joint training of the wider student:",
            markdown([*where, "UMT", *REMEDIES, *control], best),
        ]
    )


def sentences(measured: Measured) -> str:
    """What was found, as a Markdown list."""
    lines = []
    for name in measured:
        cells = [c for n, c in summary.all_cells(measured) if n == name and c["paired"] > 0]
        lines += [f"- **{name}**, {_place(cell)}: {_course(cell)}." for cell in cells]
    lines.append(f"- **No paired feature:** {_without_pairs(measured)}")
    lines += [f"- **Remedy, {label}:** {_verdict(measured, r)}" for r, label in REMEDIES.items()]
    return "\n".join(lines)


def _course(cell: Cell) -> str:
    """How accuracy and EMAP gap go with the weight in one cell."""
    runs = cell["variants"]["umt"]
    joint, last = runs[0], runs[-1]
    lost = [r["weight"] for r in runs[1:] if _below(summary.over_joint(cell, r["weight"]))]
    above = t_interval(summary.tested(last) - cell["ume"]["test"])
    end = summary.over_joint(cell, last["weight"])
    gaps = [_gap(run) for run in (joint, last)]
    start = (
        f"UMT first loses to joint training at weight {lost[0]:g} "
        f"({points(summary.over_joint(cell, lost[0]))} points)"
        if lost
        else "UMT loses to joint training at no weight"
    )
    return (
        f"{start}; at weight {last['weight']:g} the difference is {points(end)} points, which "
        f"leaves {points(above)} points over UME. The EMAP gap goes from {gaps[0]} to {gaps[1]} "
        f"points"
    )


def _without_pairs(measured: Measured) -> str:
    gains = [
        summary.over_joint(cell, run["weight"])
        for _, cell in summary.all_cells(measured)
        if cell["paired"] == 0
        for run in cell["variants"]["umt"][1:]
    ]
    if not gains:
        return "no such cell was measured."
    up, down = sum(_above(g) for g in gains), sum(_below(g) for g in gains)
    ends = [f"{100 * end(g.mean for g in gains):+.1f}".replace("-", MINUS) for end in (min, max)]
    return (
        f"nothing to suppress, and {'nothing' if not up else 'little'} to gain. Over {len(gains)} "
        f"cells and weights UMT beats joint training in {up} and loses in {down}; mean differences "
        f"run from {ends[0]} to {ends[1]} points."
    )


def _verdict(measured: Measured, remedy: str) -> str:
    """Does the remedy help where there are pairs (everywhere, not only where plain UMT did badly:
    that would flatter it), and does it cost anything where there are none."""
    trials = [(cell, w) for _, cell in summary.all_cells(measured) for w in summary.few(cell)]
    pairs = [(c, w) for c, w in trials if c["paired"] > 0]
    rest = [summary.over_umt(c, remedy, w) for c, w in trials if c["paired"] == 0]
    if not pairs:
        return "no cell with a paired feature was measured."
    gains = [summary.over_umt(c, remedy, w) for c, w in pairs]
    short = [_below(summary.over_joint(c, w, remedy)) for c, w in pairs]
    plain = [_below(summary.over_joint(c, w)) for c, w in pairs]
    mean = points(
        t_interval(np.mean([summary.differences(c, remedy, w) for c, w in pairs], axis=0))
    )
    against = "joint training as wide" if remedy == "projected" else "joint training"
    return (
        f"over the {len(pairs)} cells and weights with a paired feature it beats plain UMT of the "
        f"same weight in {sum(map(_above, gains))} and loses to it in {sum(map(_below, gains))} "
        f"(mean {mean} points). It loses to {against} in {sum(short)} of them, plain UMT to joint "
        f"training in {sum(plain)}. Without a paired feature it beats plain UMT in "
        f"{sum(map(_above, rest))} and loses to it in {sum(map(_below, rest))} of {len(rest)}."
    )


def _gap(run: Run) -> str:
    """The EMAP gap of a run in points; it may be negative."""
    return points(t_interval(run["emap_gap"])).replace("+", "")


def _listed(weights: list[float]) -> str:
    return ", ".join(f"{weight:g}" for weight in weights)


def _place(cell: Cell) -> str:
    return f"uni-modal {cell['uni']:g}, paired {cell['paired']:g}"


def _below(interval: Interval) -> bool:
    return interval.high < 0


def _above(interval: Interval) -> bool:
    return interval.low > 0
