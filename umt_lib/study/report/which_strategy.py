"""Which strategy for which kind of data: what the maps say, in one table.

A strategy is chosen for a kind of data on the tuning seeds: the one with the smallest mean regret
over the cells of the kind. Its regret is measured on the report seeds, with other data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from umt_lib.evaluation.bootstrap import bootstrap_means
from umt_lib.evaluation.intervals import Interval, t_interval
from umt_lib.study.analyses.guide_check import score
from umt_lib.study.analyses.regime_map import summary
from umt_lib.study.analyses.regime_map.summary import Maps
from umt_lib.study.experiments.comparisons import Family
from umt_lib.study.report.choices import JOINT, JOINT_MLP, UME, UMT_MLP
from umt_lib.study.report.format import markdown, percent

NO_PAIRS = 0.001  # paired features raise the best possible accuracy of a cell by less than this
NONE_USEFUL, ANY = "no useful paired feature", "all settings"
XOR = "paired: XOR"
KINDS = {  # world: the kind of its paired feature
    "synthetic": XOR,
    "digit-pairs": XOR,
    "lazy": XOR,
    "quiet-pairs": XOR,
    "graded-pairs": "paired: graded, each half shows a little",
    "two-way-tables": "paired: interactions that cause the label",
    "shared-nuisance": "paired: a shared nuisance",
}
FIXED = (UME, JOINT, JOINT_MLP, UMT_MLP, "frozen (MLP)")  # to compare with


def paired_gain(maps: Maps) -> np.ndarray:
    """What paired features can add in each cell: the best of all minus the best that adds up."""
    return np.array([score.paired_gain(cell) for found in maps for cell in found["cells"]])


def kinds(maps: Maps) -> np.ndarray:
    """The kind of data of each cell."""
    names = [KINDS[found["world"]] for found in maps for _ in found["cells"]]
    return np.where(paired_gain(maps) < NO_PAIRS, NONE_USEFUL, names)


def chosen(maps: Maps) -> dict[str, tuple[str, pd.DataFrame]]:
    """{kind: (strategy, regrets)}: the strategy that tuning seeds choose, regrets of all cells.

    The regrets are those on the report seeds: a row for each cell, a column for each strategy.
    """
    kind = kinds(maps)
    tuned, tested = summary.means(maps, "search"), summary.regrets(maps)
    tuned = tuned.rsub(tuned.max(axis=1), axis=0)
    here = {name: kind == name for name in (NONE_USEFUL, *dict.fromkeys(KINDS.values()))}
    here[ANY] = np.ones(len(kind), dtype=bool)
    return {
        name: (tuned[cells].mean().idxmin(), tested[cells])
        for name, cells in here.items()
        if cells.any()
    }


def table(maps: Maps) -> str:
    """The chosen strategy of each kind of data and its regret, beside those of fixed ones."""
    rows = [
        [kind, str(len(regrets)), name, mean_regret(regrets[name])]
        + [f"{100 * regrets[fixed].mean():.1f}" for fixed in FIXED]
        for kind, (name, regrets) in chosen(maps).items()
    ]
    return markdown(["kind of data", "settings", "chosen", "its regret", *FIXED], rows)


def statements(maps: Maps) -> list[str]:
    """What loses least on generated data of an unknown kind, and what others lose."""
    if not maps:
        return []
    name, regrets = chosen(maps)[ANY]

    def lost(names: Sequence[str]) -> str:
        return ", ".join(f"{other} {mean_regret(regrets[other])}" for other in names)

    variant = " (a variant of UMT that leaves room for paired features)"
    found = [
        f"**On generated data of an unknown kind, {name} loses least**"
        f"{variant if name.startswith(summary.ROOM) else ''}: {mean_regret(regrets[name])} points "
        f"to the best strategy of each setting, mean over all {len(regrets)} settings."
    ]
    if level := _level(regrets, name):
        found.append(f"Not clearly more: {lost(level)}.")
    return [*found, f"Simpler strategies: {lost(FIXED[:3])}."]


def _level(regrets: pd.DataFrame, name: str) -> list[str]:
    """The strategies whose regret is not clearly larger than that of ``name``.

    Paired over cells, by Holm's correction over all strategies.
    """
    others = [other for other in regrets if other != name]
    family = Family({other: t_interval(regrets[other] - regrets[name]) for other in others})
    return [other for other in others if not family.is_better(other)]


def lost_among(maps: Maps, name: str, among: Sequence[str]) -> Interval:
    """What always using ``name`` loses to the best of some strategies, at least 0; over cells."""
    accuracy = summary.means(maps)
    lost = (accuracy[list(among)].max(axis=1) - accuracy[name]).clip(lower=0)
    return bootstrap_means(lost.to_numpy()[:, None])[0]


def mean_regret(regrets: pd.Series) -> str:
    """A mean over cells in points, with its bootstrap interval."""
    if len(regrets) < 2:
        return f"{100 * regrets.mean():.1f}"
    return percent(bootstrap_means(regrets.to_numpy()[:, None])[0])
