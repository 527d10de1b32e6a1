"""What a map says, in sentences and in one table; every number is read from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from umt_lib.evaluation.intervals import Interval, t_interval
from umt_lib.study.analyses.regime_map.summary import (
    FAMILIES,
    STRATEGIES,
    Map,
    gap,
    regret,
    unbeaten,
)
from umt_lib.study.report.format import markdown


def name(found: Map) -> str:
    """``synthetic, 512 samples``."""
    return f"{found.dataset}, {found.n_train:,} samples"


def table(maps: Sequence[Map]) -> str:
    """Per map: in how many cells each set of ways to train is not clearly beaten."""
    rows = []
    for found in maps:
        counts = Counter(unbeaten(found)[0])
        alone = [str(counts[(family,)]) for family in FAMILIES]
        pairs = [str(counts[pair]) for pair in (("joint", "UMT"), ("UME", "UMT"), ("UME", "joint"))]
        rows.append([name(found), str(len(found)), *alone, *pairs, str(counts[tuple(FAMILIES)])])
    head = ["map", "cells", *FAMILIES, "joint or UMT", "UME or UMT", "UME or joint", "all tie"]
    return markdown(head, rows)


def regrets(maps: Sequence[Map]) -> str:
    """What following one strategy everywhere costs against the best way to train in each cell."""
    rows = []
    for strategy in STRATEGIES:
        cells = [regret(found, strategy) for found in maps]
        shown = [f"{100 * value.mean():.1f}" for value in cells]
        worst = max(100 * value.max() for value in cells)
        rows.append([strategy, *shown, f"{worst:.1f}"])
    return markdown(["always", *map(name, maps), "worst cell of all"], rows)


def sentences(maps: Sequence[Map]) -> str:
    """A Markdown list: what pairs decide, what distillation gives and takes, the paper's rule."""
    lines = []
    for found in maps:
        paired = found.where["paired"]
        none, strong = paired == 0, paired >= 0.5
        lines.append(
            f"- **{name(found)}.** Without paired features, training together (the better of joint "
            f"and UMT) differs from UME by {_over(found, _together(found), none)} points; with a "
            f"paired strength of 0.5 or more, by {_over(found, _together(found), strong)}. "
            f"{_suppression(found)} {_frozen(found)}"
        )
    return "\n".join(lines)


def _together(found: Map) -> np.ndarray:
    means = {f: found.accuracy[f].mean(axis=1) for f in FAMILIES}
    return np.maximum(means["joint"], means["UMT"]) - means["UME"]


def _over(found: Map, values: np.ndarray, here: np.ndarray) -> str:
    mean, low, high, _ = _interval(values[here])
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def _interval(values: np.ndarray) -> Interval:
    """Over cells, in points."""
    return t_interval((100 * values).tolist())


def _suppression(found: Map) -> str:
    mean, half = gap(found, "UMT (MLP)", "joint (MLP)")
    loses, wins = int((mean + half < 0).sum()), int((mean - half > 0).sum())
    low, high = 100 * mean.min(), 100 * mean.max()
    return (
        f"With MLP heads, UMT clearly loses to joint training in {loses} of {len(found)} cells and "
        f"clearly beats it in {wins} (from {low:+.1f} to {high:+.1f} points)."
    )


def _frozen(found: Map) -> str:
    mean, half = gap(found, "joint (MLP)", "UME")
    gains = mean - half > 0
    rule, width = gap(found, "frozen (linear)", "UME")
    sees = int((gains & (rule - width > 0)).sum())
    return (
        f"Joint training with an MLP head clearly beats UME in {int(gains.sum())} cells; a linear "
        f"head on frozen encoders sees that in {sees} of them."
    )
