"""Sentences about the features that networks learn and that the model of feature learning predicts.

Every number is computed from ``measured``, the value of
:func:`umt_lib.study.analyses.theory.simulation.theory`. A setting is one of its feature settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from umt_lib.evaluation.intervals import Interval, t_interval
from umt_lib.study.report.format import MINUS, SPACE

Point = dict[str, Any]
SOURCES = ("measured", "predicted")
NAMES = {"joint": "joint training", "umt": "UMT"}


def sentences(measured: dict[str, Any]) -> str:
    """The findings as a Markdown list."""
    points = _settings(measured)
    lines = [
        _agreement(measured, points),
        _training_accuracy(points),
        *(_laziness(points, m) for m in "ab"),
        _paired(points),
        _umt(points),
        _threshold(measured),
    ]
    return "\n".join(f"- {line}" for line in lines) + "\n"


def answer(measured: dict[str, Any]) -> str:
    """Whether the model predicts what joint training learns, and how lazy encoders are."""
    points = _settings(measured)
    right, naive = _right(points, "joint")
    lost, predicted = (
        [_lost(points, m, source).mean() for m in "ab"] for source in SOURCES
    )  # features per setting, by modality
    verb = "In part" if right > naive else "No"
    return (
        f"**{verb}**: the model correctly predicts {100 * right:.0f}% of the features in joint "
        f"training ({100 * naive:.0f}% if it predicted that all are learned). It predicts that "
        f"joint training loses {predicted[0]:.2f} and {predicted[1]:.2f} uni-modal features per "
        f"setting, of modality a and b; networks lose {lost[0]:.2f} and {lost[1]:.2f}."
    )


def _lost(points: Sequence[Point], m: str, source: str) -> np.ndarray:
    """Features of a modality that joint training learns less than uni-modal training, (seeds,)."""
    alone, joint = (_per_seed(points, source, t, m) for t in (f"alone-{m}", "joint"))
    return alone - joint


def _agreement(measured: dict[str, Any], points: Sequence[Point]) -> str:
    shares = {NAMES[t]: _right(points, t) for t in NAMES}
    parts = " and ".join(
        f"{100 * right:.0f}% of the features in {name} ({100 * naive:.0f}% if it predicted that "
        f"all are learned)"
        for name, (right, naive) in shares.items()
    )
    worse = [name for name, (right, naive) in shares.items() if right <= naive]
    verdict = f" For {' and '.join(worse)} the model is no better than that." if worse else ""
    return (
        f"**Agreement.** Over {len(points)} settings and {len(measured['seeds'])} seeds the model "
        f"correctly predicts {parts}.{verdict} Fitted: a floor of {measured['floor']:.4f} and an "
        f"ease of paired features of {measured['paired_ease']:g}."
    )


def _training_accuracy(points: Sequence[Point]) -> str:
    unimodal, joint = (
        100 * float(np.mean([v for p in points for t in trainings for v in p["fitted"][t]]))
        for trainings in (("alone-a", "alone-b"), ("joint",))
    )
    return (
        f"**Training accuracy.** Joint training ends at a training accuracy of {joint:.0f}% on "
        f"average, uni-modal training at {unimodal:.0f}%."
    )


def _laziness(points: Sequence[Point], m: str) -> str:
    keys = [(source, training) for source in SOURCES for training in (f"alone-{m}", "joint")]
    unimodal, joint, *model = (_per_seed(points, *key, m) for key in keys)
    lost, predicted = t_interval(unimodal - joint), float((model[0] - model[1]).mean())
    return (
        f"**Uni-modal features of {m}.** In uni-modal training, the networks learn "
        f"{unimodal.mean():.2f} per setting (model {model[0].mean():.2f}), in joint training "
        f"{joint.mean():.2f} (model {model[1].mean():.2f}). The loss is {_interval(lost)} in the "
        f"networks and {predicted:.2f} in the model: {_verdict(lost, predicted)}."
    )


def _paired(points: Sequence[Point]) -> str:
    without, others = _divided(points)
    few, many = (_per_seed(part, "measured", "joint", "paired") for part in (without, others))
    model = _per_seed(others, "predicted", "joint", "paired").mean()
    lost = t_interval(few - many)
    verdict = "suppress" if lost.low > 0 else "do not clearly suppress"
    return (
        f"**Uni-modal features {verdict} paired ones in joint training.** Without uni-modal "
        f"features it learns {few.mean():.2f} paired features, with them {many.mean():.2f} (model, "
        f"fitted to joint training: {model:.2f}). The difference is {_interval(lost)}."
    )


def _umt(points: Sequence[Point]) -> str:
    others = _divided(points)[1]
    keys = [(source, training) for source in SOURCES for training in NAMES]
    joint, umt, *model = (_per_seed(others, *key, "paired") for key in keys)
    lost, predicted = t_interval(joint - umt), float((model[0] - model[1]).mean())
    gain = t_interval(
        sum(_per_seed(others, "measured", "umt", m) for m in "ab")
        - sum(_per_seed(others, "measured", "joint", m) for m in "ab")
    )
    return (
        f"**UMT**, where there are uni-modal features, learns {umt.mean():.2f} paired features, "
        f"joint training {joint.mean():.2f} (model {model[1].mean():.2f} and "
        f"{model[0].mean():.2f}). The loss is {_interval(lost)} in the networks and "
        f"{predicted:.2f} in the model: {_verdict(lost, predicted)}. The gain of UMT in uni-modal "
        f"features is {_interval(gain)} per setting."
    )


def _verdict(lost: Interval, predicted: float) -> str:
    """The comparison of a loss in networks with the predicted loss."""
    if lost.n < 2:
        return "one seed cannot distinguish them"
    if lost.low <= 0:
        less = ", and less than the model predicts" if lost.high < predicted else ""
        return f"no clear loss{less}"
    if lost.high < predicted:
        return "a clear loss, smaller than the model predicts"
    if lost.low > predicted:
        return "a clear loss, larger than the model predicts"
    return "a clear loss, not clearly different from the predicted one"


def _interval(found: Interval) -> str:
    bounds = f"[{found.low:.2f},{SPACE}{found.high:.2f}]" if found.n > 1 else "(one seed)"
    return f"{found.mean:.2f} {bounds}".replace("-", MINUS)


def _threshold(measured: dict[str, Any]) -> str:
    parts = "; ".join(
        f"{float(clear):g}: {row['alone-a'] + row['alone-b']:.1f} in uni-modal training, "
        f"{row['joint']:.1f} in joint training and {row['umt']:.1f} in UMT"
        for clear, row in measured["sensitivity"].items()
    )
    return (
        f"**The threshold.** Networks learn features gradually. The number of learned features per "
        f"setting, with paired ones, by the probability that counts as learned: {parts}."
    )


def _settings(measured: dict[str, Any]) -> list[Point]:
    """All points; the setting that all axes contain is included once."""
    base = measured["base"]
    points: list[Point] = []
    for axis, line in measured["axes"].items():
        first = not points
        points += [p for p in line if first or p["value"] != base[axis]]
    return points


def counts(points: Sequence[Point], source: str, training: str, kind: str) -> np.ndarray:
    """The number of learned features, (points, seeds)."""
    return np.array([p[source][training][kind] for p in points], dtype=float)


def _per_seed(points: Sequence[Point], source: str, training: str, kind: str) -> np.ndarray:
    """The mean number of learned features per setting, (seeds,)."""
    return counts(points, source, training, kind).mean(axis=0)


def _divided(points: Sequence[Point]) -> tuple[list[Point], list[Point]]:
    """The settings without uni-modal features, and the others."""
    without = [p for p in points if not p["there"]["a"]]
    return without, [p for p in points if p["there"]["a"]]


def _right(points: Sequence[Point], training: str) -> tuple[float, float]:
    """The share of features that the model predicts correctly, and the share that is learned."""
    there = sum(sum(p["there"].values()) * len(p["alike"][training]) for p in points)
    learned = sum(sum(map(sum, p["measured"][training].values())) for p in points)
    return sum(sum(p["alike"][training]) for p in points) / there, learned / there
