"""Tables and sentences about the maps; all numbers are computed from what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from umt_lib.evaluation.intervals import Interval, t_interval
from umt_lib.study.analyses.regime_map import summary
from umt_lib.study.analyses.regime_map.summary import FAMILIES, ROOM, Maps
from umt_lib.study.experiments.comparisons import widened
from umt_lib.study.report.choices import JOINT_MLP, UME, UMT_MLP
from umt_lib.study.report.format import NONE, markdown, percent, points, signed, with_sign
from umt_lib.study.report.which_strategy import KINDS

LISTED = 15  # candidates
NAMES = {  # of families, in sentences
    "UMT": "UMT or a variant of it",
    "joint": "joint training",
    "uni-modal init": "joint training from uni-modal encoders",
    "frozen": "a head on frozen encoders",
}


def ordered(measured: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The maps in the order of their page."""
    return sorted(measured, key=lambda found: list(KINDS).index(found["world"]))


def answer(maps: Maps) -> str:
    """Whether UMT has a region of its own, and what always using it loses: the first paragraph."""
    every, losses = summary.searches(maps), summary.regret(maps)
    found, expected = every["UMT"], sum(t["candidate"].sum() for t in every.values())
    candidates, clear = found[found["candidate"]], found[found["clear"]]
    seeds = len(maps[0]["report"])
    if len(clear):
        lead = Interval(clear["lead"].mean(), clear["lead"].min(), clear["lead"].max(), len(clear))
        worlds = ", ".join(clear.index.unique("world"))
        where = (
            f"**UMT is clearly the best strategy in {len(clear)} of {len(found)} settings** "
            f"({worlds}), by {signed(lead.mean)} points over the best other strategy on average "
            f"(from {signed(lead.low)} to {signed(lead.high)})."
        )
    else:
        where = f"**In none of {len(found)} settings is UMT clearly the best strategy.**"
    return (
        f"{where} The search on other data expected it in {len(candidates)} settings; there, its "
        f"lead over the best other strategy is {_mean(candidates['lead'])} points on {seeds} new "
        f"seeds{_detectable(candidates, seeds, expected)}. "
        f"{_least(losses)}"
    )


def highest(maps: Maps) -> list[str]:
    """Which family has the highest mean most often, and in how many cells a family is clearly best.

    Both are stated, because a family can be the best often and nowhere clearly.
    """
    counts, every = summary.best(maps)["family"].value_counts(), summary.searches(maps)
    expected = sum(table["candidate"].sum() for table in every.values())
    first, *others = ((f"{NAMES.get(f, f)}", count) for f, count in counts.items())
    listed = "".join(f", {name} in {count}" for name, count in others)
    clear = {name: int(table["clear"].sum()) for name, table in every.items()}
    found = ", ".join(f"{name} in {count}" for name, count in clear.items() if count)
    return [
        f"With one strategy of each family, chosen on other seeds, {first[0]} has the highest mean "
        f"in {first[1]} of {counts.sum()} settings{listed}.",
        f"Clearly better than all strategies of all other families: {found or 'none'}"
        f"{'' if found else ', in any setting'} (Holm's correction over the {expected} cases in "
        f"which a family had the lead on other seeds).",
    ]


def families_table(maps: Maps) -> str:
    """For each family: cells with the highest mean, expected and found to be clearly the best."""
    counts = summary.best(maps)["family"].value_counts()
    rows = []
    for name, found in summary.searches(maps).items():
        candidates = found[found["candidate"]]
        cells = [counts.get(name, 0), len(candidates), found["clear"].sum()]
        rows.append([name, *map(str, cells), _mean(candidates["lead"])])
    header = ["family", "highest mean", "expected to be the best", "clearly the best"]
    return markdown([*header, "lead where expected, points"], rows)


def _detectable(candidates: pd.DataFrame, seeds: int, expected: int) -> str:
    """How large a lead would have been clear: Holm's method begins at 0.05 / all that expected."""
    if candidates.empty:
        return ""
    needed = (candidates["lead"] - candidates["low"]) * widened(seeds, expected)
    return f" (in half of them a lead of {100 * needed.median():.1f} points would have been clear)"


def _least(table: pd.DataFrame) -> str:
    """Which strategy has the smallest worst regret over all cells, and where UMT stands."""
    ranked = table[table["world"] == "all"].sort_values("worst")
    first = ranked.iloc[0]
    umt = ranked[ranked["strategy"].str.startswith("UMT (")].iloc[0]
    place = 1 + ranked["strategy"].tolist().index(umt["strategy"])
    return (
        f"Of all {len(ranked)} strategies, always using {first['strategy']} has the smallest "
        f"worst regret, {100 * first['worst']:.1f} points in its worst setting (in "
        f"{100 * first['least']:.0f}% of bootstrap resamples of settings); {umt['strategy']} is "
        f"number {place}, with {100 * umt['worst']:.1f} points."
    )


def _mean(values: pd.Series) -> str:
    """The mean of values over cells, as points, with its interval."""
    return points(t_interval(values)) if len(values) else NONE


def best_counts(maps: Maps) -> pd.DataFrame:
    """In how many cells of each world each family is the best, by :func:`.summary.best`."""
    best = summary.best(maps)
    counts = best.groupby("world", sort=False)["family"].value_counts().unstack(fill_value=0)
    counts = counts.reindex(columns=list(FAMILIES), fill_value=0)
    return counts.assign(cells=counts.sum(axis=1))[["cells", *FAMILIES]]


def counts_table(maps: Maps) -> str:
    """:func:`best_counts`, and in how many cells UMT was expected and found to be clearly best."""
    found = summary.searched(maps)
    by_world = found.groupby("world", sort=False)[["candidate", "clear"]].sum()
    rows = [
        [world, *(str(value) for value in row), *(str(v) for v in by_world.loc[world])]
        for world, row in best_counts(maps).iterrows()
    ]
    return markdown(["map", "settings", *FAMILIES, "UMT expected", "UMT clearly best"], rows)


def candidates_table(maps: Maps) -> str:
    """The cells in which UMT was expected to be the best, by its lead on the report seeds.

    Of many, those with the largest leads.
    """
    found = summary.searched(maps)
    found = found[found["candidate"]].sort_values("lead", ascending=False)
    dials = summary.dials(maps)
    rows = []
    for place, row in found.head(LISTED).iterrows():
        values = ", ".join(f"{k} {v:g}" for k, v in dials.loc[place].dropna().items())
        lead = Interval(row["lead"], row["low"], row["high"], len(maps[0]["report"]))
        shown = points(lead, clear=bool(row["clear"]))
        rows.append([place[0], values, row["strategy"], row["other"], shown, f"{row['holm']:.3f}"])
    table = markdown(["map", "setting", "UMT", "best other", "lead, points", "p (Holm)"], rows)
    more = len(found) - len(rows)
    return f"{table}\n\n{more} other candidates have smaller leads." if more > 0 else table


def regret_table(maps: Maps) -> str:
    """The regret of always using one strategy over all cells, the smallest worst regret first."""
    table = summary.regret(maps)
    worlds = [found["world"] for found in maps]
    every = table[table["world"] == "all"].sort_values("worst")
    rows = []
    for _, row in every.iterrows():
        shown = [_interval(row, name) for name in ("mean", "p95", "worst")]
        own = table[table["strategy"] == row["strategy"]].set_index("world")["worst"]
        per_world = [f"{100 * own[world]:.1f}" for world in worlds]
        cost = f"{maps[0]['passes'][row['strategy']]:g}"  # encoder passes, joint training's are 1
        rows.append([row["strategy"], cost, *shown, *per_world])
    header = ["always", "cost", "mean regret", "95th percentile", "worst setting"]
    return markdown([*header, *(f"worst, {w}" for w in worlds)], rows)


def _interval(row: pd.Series, name: str) -> str:
    return percent(Interval(row[name], row[f"{name} low"], row[f"{name} high"], 2))


def room_sentences(maps: Maps) -> str:
    """Whether variants of UMT that leave room keep its gain and lose its cost: a Markdown list."""
    table = summary.room(maps)
    lines = []
    for head in ("linear", "MLP"):
        for part, verb in (("gain", "better"), ("cost", "worse")):
            here = table[(table["part"] == part) & (table["head"] == head)]
            if here.empty:
                continue
            shown = "; ".join(
                f"{row['strategy']} {points(_as_interval(row))}" for _, row in here.iterrows()
            )
            lines.append(
                f"- **{head} head, {here['cells'].iloc[0]} settings in which UMT was {verb} than "
                f"joint training on the tuning seeds.** Minus joint training: {shown}."
            )
    return "\n".join(lines)


def _as_interval(row: pd.Series) -> Interval:
    return Interval(row["difference"], row["low"], row["high"], int(row["cells"]))


def statement(maps: Maps) -> str:
    """How large the search was: worlds, cells, strategies and trainings."""
    cells: Sequence[int] = [len(found["cells"]) for found in maps]
    options = sum(len(o) for name, o in maps[0]["options"].items() if name != UME)
    tuning, report = len(maps[0]["tuning"]), len(maps[0]["report"])
    trained = sum(cells) * (options * tuning + (len(maps[0]["options"]) - 1) * report)
    return (
        f"{len(maps)} maps with {sum(cells)} settings; {len(maps[0]['options'])} strategies "
        f"with {options} choices of learning rate and weight; {tuning} tuning seeds and {report} "
        f"report seeds, each with data of its own; {trained:,} trainings besides those of the "
        f"uni-modal models."
    )


LEARNED = (  # trainings that are compared: first minus second
    (JOINT_MLP, "uni-modal"),
    (UMT_MLP, JOINT_MLP),
    *((f"{name} (MLP)", UMT_MLP) for name in ROOM),
)


def share(change: float) -> str:
    """A change of a share with its sign; no sign if nothing but zeros is shown."""
    return with_sign(f"{change:+.2f}")


def kept_table(measured: Maps) -> str:
    """The change of the share of each kind of feature that encoders keep, mean over all cells."""
    rows = []
    for a, b in LEARNED:
        changes = summary.kept_changes(measured, a, b)
        shown = [share(changes[column].mean()) for column in changes]
        rows.append([f"{a} minus {b}", *shown])
    header = [f"{feature} features of {m}" for m, feature in changes]
    return markdown(["training", *header], rows)
