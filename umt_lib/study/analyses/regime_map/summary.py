"""Read measured maps as tidy tables: the best strategies, the search for UMT's cells, and regret.

A table has one row per cell, or per strategy. Accuracies are means over the report seeds, 0..1, and
differences are paired over these seeds. What is compared with what is decided on the tuning seeds
only (the columns ``searched``): which member of a family, and in which cells it is expected to be
the best. Those cells are the *candidates*. A family is *clearly best* in a candidate if its member
is better than every strategy outside the family, by the largest p-value of all these comparisons,
corrected by Holm's method for the number of candidates of all families.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from umt_lib.evaluation.corrections import holm
from umt_lib.evaluation.intervals import t_interval

FAMILIES = ("UME", "joint", "UMT", "uni-modal init", "frozen")
ROOM = ("UMT, sub-space", "UMT, faded", "UMT, wider")  # they leave room for paired features
CLEAR = 0.05  # p-values below are clear
TIE = 1e-9  # leads below are equal accuracies
RESAMPLES = 2000
Maps = Sequence[Mapping[str, Any]]  # values of `measure.regime_map`


def family(strategy: str) -> str:
    """The family of a strategy.

    >>> family("UMT, faded (MLP)"), family("uni-modal init (linear)")
    ('UMT', 'uni-modal init')
    """
    return next(name for name in FAMILIES if strategy.startswith(name))


def strategies(maps: Maps) -> list[str]:
    """The strategies that all maps have, in the order of the table of strategies."""
    return [name for name in maps[0]["options"] if all(name in found["options"] for found in maps)]


def accuracies(maps: Maps, part: str = "test") -> pd.DataFrame:
    """Test accuracies: a row for each world, cell and seed, a column for each strategy.

    Args:
        part: "test" for the report seeds, "search" for the tuning seeds.
    """
    rows, names = [], strategies(maps)
    for found in maps:
        seeds = found["report" if part == "test" else "tuning"]
        for number, cell in enumerate(found["cells"]):
            for place, seed in enumerate(seeds):
                values = {name: cell[part][name][place] for name in names}
                rows.append({"world": found["world"], "cell": number, "seed": seed, **values})
    return pd.DataFrame(rows).set_index(["world", "cell", "seed"])


def means(maps: Maps, part: str = "test") -> pd.DataFrame:
    """Mean accuracy over seeds: a row for each cell, a column for each strategy."""
    return accuracies(maps, part).groupby(level=["world", "cell"], sort=False).mean()


def dials(maps: Maps) -> pd.DataFrame:
    """The values of the dials, a row for each cell; NaN where a world does not have a dial."""
    rows = [
        {"world": found["world"], "cell": number, **cell["dials"]}
        for found in maps
        for number, cell in enumerate(found["cells"])
    ]
    return pd.DataFrame(rows).set_index(["world", "cell"])


def members(maps: Maps) -> pd.DataFrame:
    """The member of each family that is best on the tuning seeds: a row for each cell."""
    tuned = means(maps, "search")
    families = pd.Series({name: family(name) for name in tuned})
    names = {f: tuned.columns[families == f] for f in FAMILIES if (families == f).any()}
    return pd.DataFrame({f: tuned[list(own)].idxmax(axis=1) for f, own in names.items()})


def best(maps: Maps) -> pd.DataFrame:
    """The best family of every cell, with its strategy, accuracy and lead over the others.

    Each family is represented by one strategy, of :func:`members`: the best of many strategies on
    the report seeds would favour large families.
    """
    tested, chosen = means(maps), members(maps)
    rows = []
    for place, names in chosen.iterrows():
        values = names.map(tested.loc[place])
        name = values.idxmax()
        others = values.drop(name)
        lead = values[name] - others.max() if len(others) else np.nan
        rows.append((*place, names[name], name, values[name], lead))
    columns = ["world", "cell", "strategy", "family", "accuracy", "lead"]
    return pd.DataFrame(rows, columns=columns).set_index(["world", "cell"])


def searched(maps: Maps, name: str = "UMT") -> pd.DataFrame:
    """Where a family is the best: see :func:`searches`."""
    return searches(maps)[name]


def searches(maps: Maps) -> dict[str, pd.DataFrame]:
    """Where each family is the best: {family: a row for each cell}.

    Returns:
        ``strategy``, the member of the family that is best on the tuning seeds; ``searched``, its
        lead there over all other families; ``candidate``, whether that is above 0; and on the
        report seeds ``other``, the strongest strategy of another family, the lead over it with its
        interval (``lead``, ``low``, ``high``), ``p``, the largest p-value of all comparisons,
        ``holm``, the same corrected over the candidates of all families, and ``clear``.
    """
    tuned, by_cell = means(maps, "search"), accuracies(maps).groupby(["world", "cell"], sort=False)
    tested = [values.to_numpy() for _, values in by_cell]
    found = {name: _search(tuned, tested, chosen) for name, chosen in members(maps).items()}
    candidates = [(name, place) for name, t in found.items() for place in t.index[t["candidate"]]]
    corrected = holm([found[name].at[place, "p"] for name, place in candidates])
    for (name, place), value in zip(candidates, corrected, strict=True):
        found[name].at[place, "holm"] = value
    for table in found.values():
        table["clear"] = table["holm"] < CLEAR
    return found


def _search(tuned: pd.DataFrame, tested: Sequence[np.ndarray], members: pd.Series) -> pd.DataFrame:
    """:func:`searches` for one family, without the correction.

    Args:
        tested: of each cell, accuracies (seeds, strategies).
        members: the member of the family in each cell, of :func:`members`.
    """
    families = np.array([family(strategy) for strategy in tuned])
    others = np.flatnonzero(families != members.name)
    rows = []
    for (place, row), values in zip(tuned.iterrows(), tested, strict=True):
        scores, chosen = row.to_numpy(), tuned.columns.get_loc(members[place])
        gaps = values[:, [chosen]] - values[:, others]
        strongest = gaps.mean(axis=0).argmin()
        lead = scores[chosen] - scores[others].max()
        names = tuned.columns[chosen], tuned.columns[others[strongest]]
        interval = t_interval(gaps[:, strongest])[:3]
        rows.append((*place, names[0], lead, lead > TIE, names[1], *interval, _largest_p(gaps)))
    columns = ["world", "cell", "strategy", "searched", "candidate", "other", "lead", "low"]
    found = pd.DataFrame(rows, columns=[*columns, "high", "p"]).set_index(["world", "cell"])
    return found.assign(holm=np.nan)


def _largest_p(gaps: np.ndarray) -> float:
    """The largest p-value of the t-tests of leads (seeds, strategies); 1 if one is not above 0."""
    n, mean = len(gaps), gaps.mean(axis=0)
    if n < 2 or (mean <= 0).any():
        return 1.0
    spread = gaps.std(axis=0, ddof=1)
    t = np.divide(mean * np.sqrt(n), spread, out=np.full_like(mean, np.inf), where=spread > 0)
    return float(2 * stats.t.sf(t.min(), n - 1))


def regrets(maps: Maps) -> pd.DataFrame:
    """Accuracy of the best strategy minus that of each: a row for each cell, a column for each."""
    every = means(maps)
    return every.rsub(every.max(axis=1), axis=0)


def regret(maps: Maps, seed: int = 0) -> pd.DataFrame:
    """The regret of always using one strategy: a row for each world (and "all") and strategy.

    Returns:
        ``mean``, ``p95`` (the 95th percentile) and ``worst`` over cells, each with the ends of its
        95% bootstrap interval over cells, ``<name> low`` and ``<name> high``, and ``least``, the
        share of resamples in which the strategy has the smallest worst regret of all.
    """
    every = regrets(maps)
    rng = np.random.default_rng(seed)
    rows = []
    for world in (*every.index.unique("world"), "all"):
        cells = (every if world == "all" else every.loc[[world]]).to_numpy()
        drawn = cells[rng.integers(len(cells), size=(RESAMPLES, len(cells)))]  # (R, C, S)
        resampled, exact = _statistics(drawn), _statistics(cells[None])
        smallest = resampled["worst"] == resampled["worst"].min(axis=1, keepdims=True)
        least = (smallest / smallest.sum(axis=1, keepdims=True)).mean(axis=0)
        for s, strategy in enumerate(every):
            row = {"world": world, "strategy": strategy}
            for name, values in resampled.items():
                low, high = np.quantile(values[:, s], (0.025, 0.975))
                row |= {name: exact[name][0, s], f"{name} low": low, f"{name} high": high}
            rows.append({**row, "least": least[s]})
    return pd.DataFrame(rows)


def _statistics(cells: np.ndarray) -> dict[str, np.ndarray]:
    """Of regrets (R, C, S): {statistic: (R, S)}."""
    return {
        "mean": cells.mean(axis=1),
        "p95": np.quantile(cells, 0.95, axis=1),
        "worst": cells.max(axis=1),
    }


def room(maps: Maps) -> pd.DataFrame:
    """What UMT gains and costs, and what its variants that leave room keep of both.

    The cells are divided on the tuning seeds: those in which UMT is better there than joint
    training with the same head ("gain"), and those in which it is worse ("cost"). A row for each
    part, head and strategy: the number of ``cells``, and the mean difference to joint training on
    the report seeds with its 95% interval over cells. "joint, wider" is the control of "UMT,
    wider".
    """
    tuned, tested = means(maps, "search"), means(maps)
    rows = []
    for head in ("linear", "MLP"):
        joint, umt = f"joint ({head})", f"UMT ({head})"
        differs = tuned[umt] - tuned[joint]
        for part, cells in (("gain", differs > 0), ("cost", differs < 0)):
            for name in ("UMT", *ROOM, "joint, wider"):
                change = (tested[f"{name} ({head})"] - tested[joint])[cells]
                if len(change):
                    rows.append((part, head, name, *t_interval(change)))
    columns = ["part", "head", "strategy", "difference", "low", "high", "cells"]
    return pd.DataFrame(rows, columns=columns)


def kept(measured: Maps) -> pd.DataFrame:
    """What encoders keep: a row for each world, cell, training, modality, kind of feature, seed.

    Args:
        measured: values of `encoded.map_features`.
    """
    rows = [
        (found["world"], number, training, m, kind, seed, share)
        for found in measured
        for number, cell in enumerate(found["cells"])
        for training, by_modality in cell["kept"].items()
        for m, by_kind in by_modality.items()
        for kind, shares in by_kind.items()
        for seed, share in zip(found["report"], shares, strict=True)
    ]
    return pd.DataFrame(
        rows, columns=["world", "cell", "training", "modality", "feature", "seed", "share"]
    )


def kept_changes(measured: Maps, a: str, b: str) -> pd.DataFrame:
    """The share kept after training ``a`` minus that after ``b``, as a mean over seeds.

    A row for each world and cell, a column for each modality and kind of feature.
    """
    table = kept(measured).pivot_table(
        index=["world", "cell"], columns=["modality", "feature", "training"], values="share"
    )
    one, other = (table.xs(name, axis=1, level="training") for name in (a, b))
    return one - other
