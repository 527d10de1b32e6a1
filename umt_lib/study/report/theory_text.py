"""What the account and the networks learned, in sentences; every number is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from umt_lib.evaluation.intervals import Interval, t_interval
from umt_lib.study.report.format import MINUS, SPACE

Point = dict[str, Any]
SOURCES = ("measured", "predicted")


def sentences(measured: dict[str, Any]) -> str:
    """What was found, as a Markdown list; every number is computed from ``measured``."""
    points = _worlds(measured)
    lines = [
        _agreement(measured, points),
        _stops(points),
        *(_laziness(points, m) for m in "ab"),
        _pairs(points),
        _umt(points),
        _threshold(measured),
    ]
    return "\n".join(f"- {line}" for line in lines) + "\n"


def _agreement(measured: dict[str, Any], points: Sequence[Point]) -> str:
    shares = {t: _right(points, t) for t in ("joint", "umt")}
    said = " and ".join(
        f"{100 * right:.0f}% of the features in {_name(t)} (saying that all are learned: "
        f"{100 * naive:.0f}%)"
        for t, (right, naive) in shares.items()
    )
    worse = [_name(t) for t, (right, naive) in shares.items() if right <= naive]
    verdict = f" For {' and '.join(worse)} the account is no better than that." if worse else ""
    return (
        f"**Agreement.** Over {len(points)} worlds and {len(measured['seeds'])} seeds the account "
        f"is right about {said}.{verdict} Fitted: a floor of {measured['floor']:.4f} and a paired "
        f"ease of {measured['paired_ease']:g}."
    )


def _stops(points: Sequence[Point]) -> str:
    alone, joint = (
        100 * float(np.mean([v for p in points for t in trainings for v in p["fitted"][t]]))
        for trainings in (("alone-a", "alone-b"), ("joint",))
    )
    return (
        f"**What is left to teach.** Joint training ends at a training accuracy of {joint:.0f}% on "
        f"average, uni-modal training at {alone:.0f}%."
    )


def _laziness(points: Sequence[Point], m: str) -> str:
    pairs = [(source, training) for source in SOURCES for training in (f"alone-{m}", "joint")]
    alone, joint, account_alone, account = (_per_seed(points, *pair, m) for pair in pairs)
    lost, said = t_interval(alone - joint), float((account_alone - account).mean())
    return (
        f"**Uni-modal features of {m}.** Alone, the networks learn {alone.mean():.2f} per world "
        f"(account {account_alone.mean():.2f}), jointly {joint.mean():.2f} (account "
        f"{account.mean():.2f}). The loss is {_interval(lost)} in the networks and {said:.2f} by "
        f"the account: {_verdict(lost, said)}."
    )


def _pairs(points: Sequence[Point]) -> str:
    bare, full = _parted(points)
    few, many = (_per_seed(part, "measured", "joint", "paired") for part in (bare, full))
    lost, account = t_interval(few - many), _per_seed(full, "predicted", "joint", "paired").mean()
    verdict = "suppress" if lost.low > 0 else "do not surely suppress"
    return (
        f"**Uni-modal features {verdict} paired ones in joint training.** Where there are none, "
        f"it learns {few.mean():.2f} paired features, else {many.mean():.2f} (account, fitted to "
        f"joint training: {account:.2f}). The difference is {_interval(lost)}."
    )


def _umt(points: Sequence[Point]) -> str:
    full = _parted(points)[1]
    pairs = [(source, training) for source in SOURCES for training in ("joint", "umt")]
    joint, umt, *account = (_per_seed(full, *pair, "paired") for pair in pairs)
    lost, said = t_interval(joint - umt), float((account[0] - account[1]).mean())
    gain = t_interval(
        sum(_per_seed(full, "measured", "umt", m) for m in "ab")
        - sum(_per_seed(full, "measured", "joint", m) for m in "ab")
    )
    return (
        f"**UMT**, where there are uni-modal features: {umt.mean():.2f} paired features against "
        f"{joint.mean():.2f} in joint training (account {account[1].mean():.2f} against "
        f"{account[0].mean():.2f}). The loss is {_interval(lost)} in the networks and {said:.2f} "
        f"by the account: {_verdict(lost, said)}. In uni-modal features UMT's gain is "
        f"{_interval(gain)} per world."
    )


def _verdict(lost: Interval, said: float) -> str:
    """How a loss in networks compares with the account's."""
    if lost.n < 2:
        return "one seed cannot tell them apart"
    if lost.low <= 0:
        less = ", and less than the account says" if lost.high < said else ""
        return f"no loss that the seeds bear out{less}"
    if lost.high < said:
        return "a loss, and smaller than the account says"
    if lost.low > said:
        return "a loss, and larger than the account explains"
    return "a loss that the seeds cannot tell from the account's"


def _interval(found: Interval) -> str:
    if found.n < 2:
        return f"{found.mean:.2f} (one seed)".replace("-", MINUS)
    return f"{found.mean:.2f} [{found.low:.2f},{SPACE}{found.high:.2f}]".replace("-", MINUS)


def _threshold(measured: dict[str, Any]) -> str:
    found = measured["sensitivity"]
    said = "; ".join(
        f"{float(clear):g}: {row['alone-a'] + row['alone-b']:.1f} alone, {row['joint']:.1f} in "
        f"joint training and {row['umt']:.1f} in UMT"
        for clear, row in found.items()
    )
    return (
        f"**The threshold.** Networks have no edge between learned and not learned. Features "
        f"that count, per world and pairs included, by the probability asked for: {said}."
    )


def _worlds(measured: dict[str, Any]) -> list[Point]:
    """All points, the world the axes share once."""
    base = measured["base"]
    points: list[Point] = []
    for axis, line in measured["axes"].items():
        first = not points
        points += [p for p in line if first or p["value"] != base[axis]]
    return points


def counts(points: Sequence[Point], source: str, training: str, kind: str) -> np.ndarray:
    """Features learned, (points, seeds)."""
    return np.array([p[source][training][kind] for p in points], dtype=float)


def _per_seed(points: Sequence[Point], source: str, training: str, kind: str) -> np.ndarray:
    """Features per world, (seeds,)."""
    return counts(points, source, training, kind).mean(axis=0)


def _parted(points: Sequence[Point]) -> tuple[list[Point], list[Point]]:
    """Worlds without uni-modal features, and the others."""
    return (
        [p for p in points if not p["there"]["a"]],
        [p for p in points if p["there"]["a"]],
    )


def _right(points: Sequence[Point], training: str) -> tuple[float, float]:
    """The share of features the account is right for, and the share that is learned."""
    there = sum(sum(p["there"].values()) * len(p["alike"][training]) for p in points)
    learned = sum(sum(map(sum, p["measured"][training].values())) for p in points)
    return sum(sum(p["alike"][training]) for p in points) / there, learned / there


def _name(training: str) -> str:
    return {"joint": "joint training", "umt": "UMT"}[training]
