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
    regret,
    unbeaten,
)
from umt_lib.study.experiments.comparisons import discovered
from umt_lib.study.report.format import MINUS, markdown, points


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
        few, many = (points(t_interval(gains[part])) for part in (paired == 0, paired >= 0.5))
        lines.append(
            f"- **{name(found)}.** The better of joint training and UMT, minus UME, is {few} "
            f"points without paired features, and {many} points with a paired strength of 0.5 or "
            f"more. {_suppression(found)} {_frozen(found)}"
        )
    return "\n".join(lines)


def clear_cells(found: Map, a: str, b: str) -> tuple[np.ndarray, np.ndarray]:
    """In which cells ``a`` is clearly better than ``b``, and clearly worse: two arrays (C,).

    Of the cells of a map that are counted, at most 5% are false on average.
    """
    difference = found.accuracy[a] - found.accuracy[b]
    flags = np.array(discovered(t_interval(cell) for cell in difference))
    mean = difference.mean(axis=1)
    return flags & (mean > 0), flags & (mean < 0)


def _suppression(found: Map) -> str:
    better, worse = clear_cells(found, "UMT (MLP)", "joint (MLP)")
    difference = found.accuracy["UMT (MLP)"] - found.accuracy["joint (MLP)"]
    mean = difference.mean(axis=1)
    low, high = (f"{100 * end:+.1f}".replace("-", MINUS) for end in (mean.min(), mean.max()))
    strong = points(t_interval(difference[found.where["paired"] >= 0.5].mean(axis=0)))
    return (
        f"With MLP heads, UMT minus joint training is {strong} points on average over the latter "
        f"cells, by seed. UMT is clearly worse in {worse.sum()} of all {len(found)} cells and "
        f"clearly better in {better.sum()} (from {low} to {high} points; of the cells counted as "
        f"clear, at most 5% are false on average)."
    )


def _frozen(found: Map) -> str:
    gains, _ = clear_cells(found, "joint (MLP)", "UME")
    rule, _ = clear_cells(found, "frozen (linear)", "UME")
    return (
        f"Joint training with an MLP head is clearly better than UME in {gains.sum()} cells; a "
        f"linear head on frozen encoders predicts this in {(gains & rule).sum()} of them."
    )
