"""Tables and sentences about the maps; all numbers are computed from what was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from umt_lib.evaluation.intervals import t_interval
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
    """The name of a map, as in ``synthetic, 512 samples``."""
    return f"{found.dataset}, {found.n_train:,} samples"


def set_name(names: tuple[str, ...]) -> str:
    """The name of a set of strategies that are not clearly worse than the best one."""
    return "no clear difference" if len(names) == len(FAMILIES) else " or ".join(names)


def table(maps: Sequence[Map]) -> str:
    """The number of cells of each map in which each set of strategies is the best."""
    sets: list[tuple[str, ...]] = [(family,) for family in FAMILIES]
    sets += [("joint", "UMT"), ("UME", "UMT"), ("UME", "joint"), tuple(FAMILIES)]
    rows = []
    for found in maps:
        counts = Counter(unbeaten(found)[0])
        rows.append([name(found), str(len(found)), *(str(counts[names]) for names in sets)])
    return markdown(["map", "cells", *map(set_name, sets)], rows)


def regrets(maps: Sequence[Map]) -> str:
    """The accuracy lost by always using one strategy and not the best one of each cell."""
    rows = []
    for strategy in STRATEGIES:
        cells = [regret(found, strategy) for found in maps]
        shown = [f"{100 * value.mean():.1f}" for value in cells]
        worst = max(100 * value.max() for value in cells)
        rows.append([strategy, *shown, f"{worst:.1f}"])
    return markdown(["always", *map(name, maps), "worst cell of all"], rows)


def sentences(maps: Sequence[Map]) -> str:
    """A Markdown list: the effects of paired features, of distillation, and the paper's rule."""
    lines = []
    for found in maps:
        means = {family: found.accuracy[family].mean(axis=1) for family in FAMILIES}
        gains = np.maximum(means["joint"], means["UMT"]) - means["UME"]
        paired = found.where["paired"]
        lines.append(
            f"- **{name(found)}.** The better of joint training and UMT, minus UME, is "
            f"{_points(gains[paired == 0])} points without paired features, and "
            f"{_points(gains[paired >= 0.5])} points with a paired strength of 0.5 or more. "
            f"{_suppression(found)} {_frozen(found)}"
        )
    return "\n".join(lines)


def _points(gains: np.ndarray) -> str:
    """Mean and interval over cells, in points."""
    mean, low, high, _ = t_interval((100 * gains).tolist())
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def _suppression(found: Map) -> str:
    mean, half = gap(found, "UMT (MLP)", "joint (MLP)")
    worse, better = int((mean + half < 0).sum()), int((mean - half > 0).sum())
    low, high = 100 * mean.min(), 100 * mean.max()
    return (
        f"With MLP heads, UMT is clearly worse than joint training in {worse} of {len(found)} "
        f"cells and clearly better in {better} (from {low:+.1f} to {high:+.1f} points)."
    )


def _frozen(found: Map) -> str:
    mean, half = gap(found, "joint (MLP)", "UME")
    gains = mean - half > 0
    rule, width = gap(found, "frozen (linear)", "UME")
    predicted = int((gains & (rule - width > 0)).sum())
    return (
        f"Joint training with an MLP head is clearly better than UME in {int(gains.sum())} cells; "
        f"a linear head on frozen encoders predicts this in {predicted} of them."
    )
