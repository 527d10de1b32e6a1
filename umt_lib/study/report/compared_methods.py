"""The chapter on compared methods: published methods against the simple choices.

All numbers are test accuracies, paired over seeds. The ranking is over the data sets on which most
of the methods were run. All differences between a compared method and a simple choice, on all data
sets, are one family: a method is called better or worse only if the difference survives Holm's
correction over it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from umt_lib import style
from umt_lib.evaluation.improvement import probability_of_improvement
from umt_lib.evaluation.intervals import Interval, accuracy_interval, t_interval
from umt_lib.methods import METHODS
from umt_lib.paths import PARAMS, ROOT
from umt_lib.study.experiments.comparisons import Family, difference, discovered, widened
from umt_lib.study.experiments.params import read
from umt_lib.study.pipeline.collection import STALE, Entry, Study
from umt_lib.study.report import figures
from umt_lib.study.report.choices import ANY_JOINT, AUXILIARY, JOINT, SIMPLE, UME, UMT, simple
from umt_lib.study.report.format import NONE, SPACE, markdown, percent, points
from umt_lib.style import Figure

COMPARED = tuple(name for name, method in METHODS.items() if not method.baseline)
COSTS = ROOT / "benchmarks/method_cost.json"
NOTHING = "No compared method has been run yet: run `make study-full`."
MAIN = (JOINT, AUXILIARY, UME, UMT)
QUESTIONS = {
    "Better than every simple choice": SIMPLE,
    "Better than joint training, of either length and with either head": ANY_JOINT,
    "Better than UME": (UME,),
}


def compared(study: Study, dataset: str) -> list[Entry]:
    """The compared methods with a result on ``dataset``, as in their papers, not as released.

    Stale results are left out: their test samples may be others.
    """
    entries = [e for e in _with_result(study, dataset) if not e.params["method"].get("released")]
    return [e for e in entries if e.origin != STALE]


def _with_result(study: Study, dataset: str) -> list[Entry]:
    return [e for method in COMPARED for e in study.of(dataset, method) if e.result]


def left_out(study: Study) -> str:
    """How many results of compared methods are stale; "" if none is."""
    found = [e for d in study.datasets for e in _with_result(study, d)]
    stale = [e for e in found if e.origin == STALE]
    if not stale:
        return ""
    where = ", ".join(dict.fromkeys(e.dataset for e in stale))
    return (
        f"**{len(stale)} of {len(found)} results of compared methods are stale and left out** "
        f"({where}): they will be measured again."
    )


def short_name(entry: Entry) -> str:
    """The label of a compared method without "(linear)", the head that they have by default."""
    return entry.label.removesuffix(" (linear)")


def simple_and_compared(study: Study, dataset: str) -> list[tuple[str, Entry]]:
    """(name, entry) of the simple choices, then of the compared methods."""
    methods = ((short_name(e), e) for e in compared(study, dataset))
    return [*simple(study, dataset).items(), *methods]


def differences(study: Study) -> Family:
    """The family of the chapter: (data set, method, simple choice) -> method minus choice."""
    return Family(
        {
            (dataset, short_name(entry), choice): difference(entry.result, other.result)
            for dataset in study.datasets
            for entry in compared(study, dataset)
            for choice, other in simple(study, dataset).items()
        }
    )


def survivors(family: Family) -> str:
    """How many differences are clear without a correction, and with two corrections."""
    if not len(family):
        return ""
    alone = sum(not gain.contains_zero for gain in family.gains.values())
    counted, after = len(_counted(family)), sum(map(family.is_clear, family.gains))
    return (
        f"The chapter makes {len(family)} comparisons of a method with a simple choice. {alone} "
        f"intervals exclude 0; {counted} differences remain if the false discovery rate is held "
        f"at 5% for each simple choice (Benjamini and Hochberg), and {after} if the probability of "
        f"any false claim is (Holm). The table counts those of the former, and the sentences below "
        f"it name methods by the latter. So many comparisons of few seeds can show large "
        f"differences only: in half of them, Holm's method would "
        f"need {100 * detectable(family):.0f} points or more."
    )


def detectable(family: Family) -> float:
    """The difference (0..1) that would be the first clear one, the median over the family.

    Holm's method begins at a p-value of 0.05 divided by the number of comparisons.
    """
    gains = [gain for gain in family.gains.values() if gain.n > 1]
    needed = [(gain.high - gain.mean) * widened(gain.n, len(family)) for gain in gains]
    return median(needed) if needed else float("nan")


def released(study: Study) -> list[tuple[Entry, Entry]]:
    """(as in the paper, as in the released code) for every method and data set with both."""
    papers = {(e.dataset, e.method): e for d in study.datasets for e in compared(study, d)}
    codes = [e for d in study.datasets for e in _with_result(study, d) if e.origin != STALE]
    codes = [e for e in codes if e.params["method"].get("released")]
    pairs = [(papers.get((e.dataset, e.method)), e) for e in codes]
    return [(paper, code) for paper, code in pairs if paper]


def released_gains(pairs: Sequence[tuple[Entry, Entry]]) -> Family:
    """Released code minus paper, by the name of the experiment (of :func:`released`)."""
    return Family({code.name: difference(code.result, paper.result) for paper, code in pairs})


def released_table(pairs: Sequence[tuple[Entry, Entry]]) -> str:
    """A table of the difference in accuracy between paper and released code (:func:`released`)."""
    rows, family = [], released_gains(pairs)
    for paper, code in pairs:
        both = [percent(accuracy_interval(e.result.accuracy)) for e in (paper, code)]
        gap = points(family.get(code.name), family.is_clear(code.name))
        rows.append([METHODS[paper.method].title, paper.dataset, *both, gap])
    header = ["method", "data set", "paper, %", "released code, %", "released minus paper"]
    return markdown(header, sorted(rows))


def costs(file: Path) -> str:
    """A table of the cost of a training step relative to joint training, medians over data sets.

    A method that needs teachers also pays for their trainings, which the last column names.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for name, ratios in json.loads(file.read_text(encoding="utf-8"))["ratios"].items():
        method = read(PARAMS / f"{name}.yaml")["method"]["name"]
        if method != "joint":
            found.setdefault(method, []).append(ratios)
    rows = []
    for method in (m for m in METHODS if m in found):
        medians = [median(r[key] for r in found[method]) for key in ("time", "least", "memory")]
        teachers = "one per modality" if METHODS[method].needs_teachers else "none"
        rows.append([METHODS[method].title, *(f"{value:.2f}" for value in medians), teachers])
    header = ["method", "time of a step", "encoder passes", "memory", "trainings before it"]
    return markdown(header, rows)


def covered(study: Study) -> list[str]:
    """The data sets that are ranked: with at least half as many methods as any other."""
    counts = {d: len(compared(study, d)) for d in study.datasets}
    return [d for d, count in counts.items() if count and 2 * count >= max(counts.values())]


def ranked(study: Study) -> dict[str, list[Entry]]:
    """{name: one entry per data set} of methods and simple choices on all covered data sets."""
    found: dict[str, list[Entry]] = {}
    datasets = covered(study)
    for dataset in datasets:
        for name, entry in simple_and_compared(study, dataset):
            found.setdefault(name, []).append(entry)
    return {name: rows for name, rows in found.items() if len(rows) == len(datasets)}


def seed_table(study: Study, methods: dict[str, list[Entry]]) -> pd.DataFrame:
    """Test accuracy of :func:`ranked` methods: a column each, a row per data set and seed."""
    label = {entry.name: name for name, entries in methods.items() for entry in entries}
    shown = study.frame[study.frame["experiment"].isin(label)]
    shown = shown.assign(label=shown["experiment"].map(label))
    return shown.pivot(index=["dataset", "seed"], columns="label", values="test_accuracy").dropna()


def ranks(study: Study) -> dict[str, Interval]:
    """Mean rank of each method over data sets (1 is the best), with its interval over seeds."""
    methods = ranked(study)
    if not methods:
        return {}
    mean_rank = seed_table(study, methods).rank(axis=1, ascending=False).groupby("seed").mean()
    found = {name: t_interval(mean_rank[name]) for name in methods}
    return dict(sorted(found.items(), key=lambda item: item[1].mean))


def improvements(study: Study) -> str:
    """A table of P(method > simple choice) over data sets and seeds, best mean rank first."""
    methods, order = ranked(study), ranks(study)
    choices = [choice for choice in SIMPLE if choice in methods]
    names = [name for name in order if name not in choices]
    if not names or not choices:
        return NOTHING
    by_dataset = [part for _, part in seed_table(study, methods).groupby("dataset")]
    rows = []
    for name in names:
        found = [
            probability_of_improvement(
                [part[name] for part in by_dataset], [part[choice] for part in by_dataset]
            )
            for choice in choices
        ]
        rows.append([name, f"{order[name].mean:.1f}", *(percent(p, 0) for p in found)])
    return markdown(["method", "mean rank", *(f"better than {c}, %" for c in choices)], rows)


@style.styled
def ranking(found: dict[str, Interval], methods: dict[str, list[Entry]]) -> Figure:
    """A figure of the mean ranks, the best method at the top, simple choices as filled dots."""
    figure = Figure(figsize=(style.WIDTH, 0.24 * len(found) + 0.8))
    ax = figure.subplots()
    for place, (name, value) in enumerate(found.items()):
        color = style.COLORS.get(methods[name][0].method, style.OTHER)
        figures.draw_interval(ax, place, value, color, name in SIMPLE, scale=1)
    ax.set(ylim=(len(found) - 0.4, -0.6), xlabel="mean rank over data sets (1 is the best)")
    ax.set_yticks(range(len(found)), list(found))
    ax.grid(axis="y", visible=False)
    return figure


def answer(family: Family) -> str:
    """How often methods are better and worse than the main simple choices, in sentences."""
    counted, parts = _counted(family), []
    every: list[Any] = list(family.gains)  # (data set, method, simple choice)
    for choice in MAIN:
        keys = [key for key in every if key[2] == choice]
        if keys:
            better, worse = (
                sum(key in counted and sign * family.gains[key].mean > 0 for key in keys)
                for sign in (1, -1)
            )
            parts.append(f"than {choice}: better in {better}, worse in {worse} of {len(keys)}")
    if not parts:
        return NOTHING
    methods, datasets = ({key[i] for key in every} for i in (1, 0))
    return (
        f"Comparisons of {len(methods)} methods on {len(datasets)} data sets, counted at a false "
        f"discovery rate of 5% for each simple choice: **{'; '.join(parts)}**."
    )


def _counted(family: Family) -> set[Any]:
    """The keys of the differences that are counted at a false discovery rate of 5%.

    The rate is held for each simple choice, because the counts are given for each.
    """
    every: dict[Any, Interval] = dict(family.gains)  # (data set, method, simple choice)
    keys: set[Any] = set()
    for choice in dict.fromkeys(key[2] for key in every):
        gains = {key: gain for key, gain in every.items() if key[2] == choice}
        found = discovered(gains.values())
        keys |= {key for key, real in zip(gains, found, strict=True) if real}
    return keys


def counts(study: Study, family: Family) -> str:
    """A table of how many methods are better / worse than each simple choice.

    Differences are counted at a false discovery rate of 5% for each simple choice.
    """
    counted, rows = _counted(family), []
    for dataset in study.datasets:
        if methods := compared(study, dataset):
            cells = []
            for choice in SIMPLE:
                keys = [(dataset, short_name(entry), choice) for entry in methods]
                gains = [
                    (key in counted, family.gains[key].mean) for key in keys if family.get(key)
                ]
                better, worse = (
                    sum(real and sign * mean > 0 for real, mean in gains) for sign in (1, -1)
                )
                cells.append(f"{better}{SPACE}/{SPACE}{worse}" if gains else NONE)
            rows.append([dataset, str(len(methods)), *cells])
    return markdown(["data set", "compared methods", *SIMPLE], rows) if rows else NOTHING


def sentences(study: Study, family: Family) -> str:
    """A Markdown list of the methods that are better than the simple choices, each of them."""
    datasets = [d for d in study.datasets if compared(study, d)]
    lines = []
    for question, choices in QUESTIONS.items():
        able = [d for d in datasets if set(choices) <= simple(study, d).keys()]
        parts = []
        for dataset in able:
            names = map(short_name, compared(study, dataset))
            better = [
                name
                for name in names
                if all(family.is_better((dataset, name, choice)) for choice in choices)
            ]
            if better:
                parts.append(f"on {dataset} {', '.join(better)}")
        absent = [d for d in datasets if d not in able]
        found = "; ".join(parts) or "none, on any data set" if able else "not known"
        rest = f" Not counted: {', '.join(absent)}, where some of these have no current result."
        rest = rest if absent else ""
        lines.append(f"- **{question}**: {found}.{rest}")
    return "\n".join(lines) if datasets else ""
