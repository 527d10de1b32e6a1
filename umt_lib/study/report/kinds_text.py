"""Findings, a table and sentences about the kinds of paired features.

Every number is computed from ``measured``, the value of :func:`umt_lib.study.analyses.kinds.kinds`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from umt_lib.evaluation.intervals import Interval, accuracy_interval, t_interval
from umt_lib.study.analyses.guide_check.score import paired_gain
from umt_lib.study.report.format import markdown, percent, points

STRATEGIES = {  # name: its variants, of which validation chooses one at every value of the dial
    "UME": ("ume-mean", "ume-product"),
    "joint (linear)": ("joint-linear",),
    "joint (MLP)": ("joint-mlp",),
    "frozen (linear)": ("frozen-linear",),
    "frozen (MLP)": ("frozen-mlp",),
    "untrained (MLP)": ("untrained-mlp",),
}
LIMITS = {  # best possible accuracies: those of a posterior, or of a linear head
    "product of posteriors": "additive",
    "linear head": "linear",
    "both modalities": "all",
}
Point = dict[str, Any]


def findings(measured: dict[str, Any]) -> pd.DataFrame:
    """One row per kind, value of its dial and strategy: its accuracy and its gain over UME.

    Columns: kind, dial, value, strategy; accuracy, low, high; gain, gain_low, gain_high, paired
    over seeds; room, the best possible accuracy minus that of the product of the posteriors.
    """
    rows = []
    for kind, found in measured["kinds"].items():
        for point in found["points"]:
            base = scores(point, "UME")
            for strategy in STRATEGIES:
                own = scores(point, strategy)
                mean, low, high, _ = accuracy_interval(own)
                gain = t_interval(own - base)
                rows.append(
                    {
                        "kind": kind,
                        "dial": found["dial"],
                        "value": point["value"],
                        "strategy": strategy,
                        "accuracy": mean,
                        "low": low,
                        "high": high,
                        "gain": gain.mean,
                        "gain_low": gain.low,
                        "gain_high": gain.high,
                        "room": paired_gain(point),
                    }
                )
    return pd.DataFrame(rows)


def scores(point: Point, strategy: str) -> np.ndarray:
    """Test accuracies of a strategy, one per seed."""
    validation = point["validation"]
    chosen = max(STRATEGIES[strategy], key=lambda variant: np.mean(validation[variant]))
    return np.array(point["test"][chosen])


def table(measured: dict[str, Any], kind: str) -> str:
    """A table of the best possible and the measured accuracies at every value of the dial."""
    found = measured["kinds"][kind]
    rows = []
    for point in found["points"]:
        limits = [f"{100 * point['bayes'][key]:.1f}" for key in LIMITS.values()]
        own = [percent(accuracy_interval(scores(point, s))) for s in STRATEGIES]
        rows.append([f"{point['value']:g}", *limits, *own])
    header = [found["dial"], *(f"best: {name}" for name in LIMITS), *STRATEGIES]
    return markdown(header, rows)


def summary(measured: dict[str, Any]) -> str:
    """A table of the gains over UME, in points, at the largest value of each factor."""
    compared = [s for s in STRATEGIES if s not in ("UME", "untrained (MLP)")]
    rows = []
    for kind, found in measured["kinds"].items():
        point = found["points"][-1]
        gains = [points(_gain(point, s)) for s in compared]
        at, best = f"{found['dial']} = {point['value']:g}", f"{100 * paired_gain(point):.1f}"
        rows.append([kind, at, best, *gains])
    return markdown(["kind", "at", "best possible gain", *compared], rows)


def sentences(measured: dict[str, Any]) -> str:
    """The answer to the two questions, then one line for each kind, as Markdown."""
    lines = [
        f"**At the largest value of each factor, joint training with a linear head** reaches this "
        f"share of the gain over UME of joint training with an MLP head: "
        f"{_ranked(measured, 'joint (linear)')}.",
        f"**An MLP head on frozen uni-modal encoders** reaches this share of it: "
        f"{_ranked(measured, 'frozen (MLP)')}.",
    ]
    for kind, found in measured["kinds"].items():
        first, last = _paired(found)[0], _paired(found)[-1]
        lines.append(
            f"**{kind[0].upper() + kind[1:]}.** Averaged over the values of {found['dial']} at "
            f"which the modalities together show more than the product of their posteriors, joint "
            f"training gains {points(_mean_gain(found, 'joint (MLP)'))} points over UME with an "
            f"MLP head and {points(_mean_gain(found, 'joint (linear)'))} with a linear one. On "
            f"frozen encoders an MLP head gains {points(_gain(first, 'frozen (MLP)'))} at "
            f"{found['dial']} = {first['value']:g} and {points(_gain(last, 'frozen (MLP)'))} at "
            f"{found['dial']} = {last['value']:g}."
        )
    return "\n".join(f"- {line}" for line in lines) + "\n"


def _ranked(measured: dict[str, Any], strategy: str) -> str:
    """The gain over UME as a share of joint (MLP)'s at the largest value of each factor, sorted."""
    shares = {}
    for kind, found in measured["kinds"].items():
        own, whole = (_gain(found["points"][-1], s).mean for s in (strategy, "joint (MLP)"))
        shares[kind] = own / whole
    ordered = sorted(shares, key=lambda kind: -shares[kind])
    return ", ".join(f"{kind} {100 * shares[kind]:.0f}%" for kind in ordered)


def _paired(found: dict[str, Any]) -> list[Point]:
    """The values of the dial at which both modalities show more than the posteriors' product."""
    return [p for p in found["points"] if paired_gain(p) > 1e-6]


def _gain(point: Point, strategy: str) -> Interval:
    return t_interval(scores(point, strategy) - scores(point, "UME"))


def _mean_gain(found: dict[str, Any], strategy: str) -> Interval:
    """The gain over UME, averaged over the values of the dial, over seeds."""
    gains = [scores(p, strategy) - scores(p, "UME") for p in _paired(found)]
    return t_interval(np.mean(gains, axis=0))
