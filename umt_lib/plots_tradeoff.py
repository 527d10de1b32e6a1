"""UMT's price as figures, tables and sentences; every number is computed from what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from umt_lib.metrics import Interval, t_interval
from umt_lib.plots import COLORS, OTHER, WIDTH, styled
from umt_lib.wording import markdown, percent, points

Measured = Mapping[str, Mapping[str, Any]]  # {data set: what `umt_lib.map.tradeoff.measure` gave}
SHADES = ("#777777", "#56B4E9", "#0072B2", "#000000")  # by paired strength
REMEDIES = {  # variant: label, color, marker
    "projected": ("projected, wider student", "#CC79A7", "s"),
    "fading-half": ("weight fades over half the epochs", "#E69F00", "v"),
    "fading": ("weight fades over all epochs", "#56B4E9", "^"),
    "subspace": ("sub-space of the teacher's head", "#0072B2", "D"),
}
MARKS = "osD^"


@styled
def tradeoff(measured: Measured) -> Figure:
    """Over the weight, by paired strength: UMT's accuracy less that of UME; its EMAP gap beneath.

    The curves begin with joint training (weight 0) and hold 95% intervals over seeds.
    """
    panels = [(name, uni, cells) for name, m in measured.items() for uni, cells in _by_uni(m)]
    figure = Figure(figsize=(max(WIDTH, 2.6 * len(panels)), 5))
    axes = figure.subplots(2, len(panels), sharex="col", sharey="row", squeeze=False)
    for (name, uni, cells), (top, low) in zip(panels, axes.T, strict=True):
        for cell, color, mark in zip(cells, SHADES, MARKS, strict=False):
            runs = cell["variants"]["umt"]
            label = f"paired {cell['paired']:g}"
            over = [_test(run) - cell["ume"]["test"] for run in runs]
            _curve(top, over, color, mark, label)
            _curve(low, [np.array(run["emap_gap"]) for run in runs], color, mark, label)
        top.set_title(f"{name}\nuni-modal {uni:g}")
        low.set_xlabel("weight of UMT")
        for ax in (top, low):
            ax.axhline(0, color=OTHER, linewidth=0.8)
            ax.set_xticks(range(len(runs)), ["joint", *(f"{r['weight']:g}" for r in runs[1:])])
            ax.tick_params(axis="x", labelsize=7.5)
    axes[0, 0].set_ylabel("accuracy over UME\n(points)")
    axes[1, 0].set_ylabel("EMAP gap\n(points)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


@styled
def remedies(measured: Measured) -> Figure:
    """UMT and its remedies over the weight, where paired features are strongest, as above."""
    panels = [(n, u, cells[-1]) for n, m in measured.items() for u, cells in _by_uni(m)]
    figure = Figure(figsize=(max(WIDTH, 2.6 * len(panels)), 3.6))
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, (name, uni, cell) in zip(axes, panels, strict=True):
        few = [0.0, *_few(cell)]
        lines = {"umt": ("UMT", COLORS["umt"], "o"), **REMEDIES}
        for i, (variant, (label, color, mark)) in enumerate(lines.items()):
            over = [_test(_run(cell, variant, w)) - cell["ume"]["test"] for w in few]
            mean, low, high = (100 * np.array([t_interval(v)[:3] for v in over])).T
            places = np.arange(len(few)) + 0.09 * (i - len(REMEDIES) / 2)  # side by side
            if np.isfinite(low).all():
                ax.vlines(places, low, high, color=color, linewidth=1.4)
            ax.plot(places, mean, color=color, marker=mark, markersize=4, linewidth=1, label=label)
        ax.axhline(0, color=OTHER, linewidth=0.8)
        ax.set_title(f"{name}\nuni-modal {uni:g}, paired {cell['paired']:g}", fontsize=10)
        ax.set_xticks(range(len(few)), ["joint", *(f"{w:g}" for w in few[1:])])
        ax.set_xlabel("weight")
    axes[0].set_ylabel("accuracy over UME\n(points)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def table(measured: Measured) -> str:
    """Three tables: UMT over cells, remedies at UMT's weight, remedies at the best weight."""
    plain, same, best = [], [], []
    for name, cell in _cells(measured):
        where = [name, f"{cell['uni']:g}", f"{cell['paired']:g}"]
        joint, umt = _run(cell, "umt", 0), _run(cell, "umt", _few(cell)[-1])
        accuracy = [percent(t_interval(v)) for v in (cell["ume"]["test"], joint["test"])]
        gaps = [_gap(run) for run in (joint, umt)]
        change = points(t_interval(_chosen(cell, "umt") - _test(joint)))
        plain.append([*where, *accuracy, change, points(_price(cell, umt["weight"])), *gaps])
        for weight in _few(cell):
            gains = [points(_gain(cell, remedy, weight)) for remedy in REMEDIES]
            same.append([*where, f"{weight:g}", *gains])
        tuned = {v: _chosen(cell, v) for v in ("umt", *REMEDIES)}
        change = [points(t_interval(value - _test(joint))) for value in tuned.values()]
        wide = _test(_run(cell, "projected", 0))
        controls = (tuned["projected"] - wide, wide - _test(joint))
        best.append([*where, *change, *(points(t_interval(value)) for value in controls)])
    heavy = max(weight for _, cell in _cells(measured) for weight in _few(cell))
    where = ["data set", "uni-modal", "paired"]
    first = ["UME", "joint", "UMT, chosen weight, over joint", f"UMT, weight {heavy:g}, over joint"]
    gaps = ["EMAP gap, joint", f"EMAP gap, UMT, weight {heavy:g}"]
    control = ["projected over joint as wide", "joint twice as wide over joint"]
    return "\n\n".join(
        [
            "Accuracy and EMAP gap, test split, mean [95% interval over seeds]; differences are "
            "paired over seeds, in points. A chosen weight is, for each seed, the one of "
            f"{_listed(_all_few(measured))} that is best on validation.",
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
        cells = [cell for n, cell in _cells(measured) if n == name]
        for cell in (c for c in cells if c["paired"] > 0):
            lines.append(f"- **{name}**, {_place(cell)}: {_course(cell)}.")
    lines.append(f"- **No paired feature:** {_without_pairs(measured)}")
    lines += [
        f"- **Remedy, {label}:** {_verdict(measured, r)}" for r, (label, *_) in REMEDIES.items()
    ]
    return "\n".join(lines)


def _course(cell: Mapping[str, Any]) -> str:
    """How accuracy and EMAP gap go with the weight in one cell."""
    runs = cell["variants"]["umt"]
    joint, last = runs[0], runs[-1]
    lost = [r["weight"] for r in runs[1:] if _below(_price(cell, r["weight"]))]
    above = t_interval(_test(last) - cell["ume"]["test"])
    gaps = [_gap(run) for run in (joint, last)]
    start = (
        f"UMT first loses to joint training at weight {lost[0]:g} "
        f"({points(_price(cell, lost[0]))} points)"
        if lost
        else "UMT loses to joint training at no weight"
    )
    return (
        f"{start}; at weight {last['weight']:g} the difference is "
        f"{points(_price(cell, last['weight']))} points, which leaves {points(above)} points over "
        f"UME. The EMAP gap goes from {gaps[0]} to {gaps[1]} points"
    )


def _without_pairs(measured: Measured) -> str:
    gains = [
        _price(cell, run["weight"])
        for _, cell in _cells(measured)
        if cell["paired"] == 0
        for run in cell["variants"]["umt"][1:]
    ]
    if not gains:
        return "no such cell was measured."
    up, down = sum(_above(g) for g in gains), sum(_below(g) for g in gains)
    ends = [
        f"{100 * end(g.mean for g in gains):+.1f}".replace("-", "\N{MINUS SIGN}")
        for end in (min, max)
    ]
    return (
        f"nothing to suppress, and {'nothing' if not up else 'little'} to gain. Over {len(gains)} "
        f"cells and weights UMT beats joint training in {up} and loses in {down}; mean differences "
        f"run from {ends[0]} to {ends[1]} points."
    )


def _verdict(measured: Measured, remedy: str) -> str:
    """Does the remedy help where there are pairs (everywhere, not only where plain UMT did badly:
    that would flatter it), and does it cost anything where there are none."""
    trials = [(cell, w) for _, cell in _cells(measured) for w in _few(cell)]
    pairs = [(c, w) for c, w in trials if c["paired"] > 0]
    rest = [_gain(c, remedy, w) for c, w in trials if c["paired"] == 0]
    if not pairs:
        return "no cell with a paired feature was measured."
    gains = [_gain(c, remedy, w) for c, w in pairs]
    short = [_below(t_interval(_test(_run(c, remedy, w)) - _zero(c, remedy))) for c, w in pairs]
    plain = [_below(_price(c, w)) for c, w in pairs]
    mean = points(t_interval(np.mean([_differences(c, remedy, w) for c, w in pairs], axis=0)))
    against = "joint training as wide" if remedy == "projected" else "joint training"
    return (
        f"over the {len(pairs)} cells and weights with a paired feature it beats plain UMT of the "
        f"same weight in {sum(map(_above, gains))} and loses to it in {sum(map(_below, gains))} "
        f"(mean {mean} points). It loses to {against} in {sum(short)} of them, plain UMT to joint "
        f"training in {sum(plain)}. Without a paired feature it beats plain UMT in "
        f"{sum(map(_above, rest))} and loses to it in {sum(map(_below, rest))} of {len(rest)}."
    )


def _gap(run: Mapping[str, Any]) -> str:
    """The EMAP gap of a run in points; it may be negative."""
    return points(t_interval(run["emap_gap"])).replace("+", "")


def _cells(measured: Measured) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, cell) for name, m in measured.items() for cell in m["cells"])


def _by_uni(found: Mapping[str, Any]) -> list[tuple[float, list[Mapping[str, Any]]]]:
    """Cells by uni-modal strength, paired strength rising."""
    cells = sorted(found["cells"], key=lambda cell: cell["paired"])
    strengths = sorted({cell["uni"] for cell in cells})
    return [(u, [cell for cell in cells if cell["uni"] == u]) for u in strengths]


def _few(cell: Mapping[str, Any]) -> list[float]:
    """The weights that every variant was trained with, without 0."""
    return [run["weight"] for run in cell["variants"]["fading"][1:]]


def _all_few(measured: Measured) -> list[float]:
    return sorted({weight for _, cell in _cells(measured) for weight in _few(cell)})


def _listed(weights: list[float]) -> str:
    return ", ".join(f"{weight:g}" for weight in weights)


def _run(cell: Mapping[str, Any], variant: str, weight: float) -> Mapping[str, Any]:
    return next(run for run in cell["variants"][variant] if run["weight"] == weight)


def _test(run: Mapping[str, Any]) -> np.ndarray:
    return np.array(run["test"])


def _zero(cell: Mapping[str, Any], variant: str) -> np.ndarray:
    """Test accuracy of a variant at weight 0: joint training."""
    return _test(_run(cell, variant, 0))


def _price(cell: Mapping[str, Any], weight: float) -> Interval:
    """UMT less joint training, paired over seeds."""
    return t_interval(_test(_run(cell, "umt", weight)) - _zero(cell, "umt"))


def _differences(cell: Mapping[str, Any], remedy: str, weight: float) -> np.ndarray:
    return _test(_run(cell, remedy, weight)) - _test(_run(cell, "umt", weight))


def _gain(cell: Mapping[str, Any], remedy: str, weight: float) -> Interval:
    """A remedy less plain UMT of the same weight, paired over seeds."""
    return t_interval(_differences(cell, remedy, weight))


def _chosen(cell: Mapping[str, Any], variant: str) -> np.ndarray:
    """Test accuracy, for each seed at the shared weight its validation split likes best."""
    runs = [_run(cell, variant, weight) for weight in _few(cell)]
    best = np.array([run["validation"] for run in runs]).argmax(0)  # the lightest where they tie
    return np.array([run["test"] for run in runs])[best, np.arange(len(best))]


def _place(cell: Mapping[str, Any]) -> str:
    return f"uni-modal {cell['uni']:g}, paired {cell['paired']:g}"


def _below(interval: Interval) -> bool:
    return interval.high < 0


def _above(interval: Interval) -> bool:
    return interval.low > 0


def _curve(ax: Axes, values: list[np.ndarray], color: str, mark: str, label: str) -> None:
    """Mean and 95% interval at each place, in points."""
    mean, low, high = (100 * np.array([t_interval(v)[:3] for v in values])).T
    if np.isfinite(low).all():
        ax.fill_between(range(len(mean)), low, high, color=color, alpha=0.18, linewidth=0)
    ax.plot(mean, color=color, marker=mark, markersize=4, label=label)
