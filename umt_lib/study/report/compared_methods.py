"""The chapter on compared methods: published methods against the simple choices.

All numbers are test accuracies, paired over seeds. The table of a data set has the methods that
were run on it. The ranking is over the data sets on which most of the methods were run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from umt_lib import style
from umt_lib.evaluation.intervals import Interval, t_interval
from umt_lib.methods import METHODS
from umt_lib.paths import PARAMS, ROOT
from umt_lib.study.experiments.comparisons import difference
from umt_lib.study.experiments.params import read
from umt_lib.study.pipeline.collection import Entry, Study
from umt_lib.study.report import figures
from umt_lib.study.report.format import NONE, markdown, percent, points
from umt_lib.study.report.tables import encoder_passes, validated

if TYPE_CHECKING:
    from umt_lib.study.report.writer import Fragments

COMPARED = tuple(name for name, method in METHODS.items() if not method.baseline)
SIMPLE = ("joint", "joint + uni-modal CE", "UME", "UMT", "joint, double budget")
COSTS = ROOT / "benchmarks/method_cost.json"
NOTHING = "No compared method has been run yet: run `make study-full`."


def simple(study: Study, dataset: str) -> dict[str, Entry]:
    """The simple choices that have a result, {name: entry}.

    All have a linear head; the rule of UME is the one with the best validation accuracy.
    """
    rules = [(validated(e.result), e) for e in study.of(dataset, "ume") if e.result]
    _, chosen = max(rules, key=lambda rule: rule[0], default=(0.0, None))
    found = {
        "joint": study.find(dataset, "joint"),
        "joint + uni-modal CE": study.find(dataset, "joint-auxiliary"),
        "UME": chosen,
        "UMT": study.find(dataset, "umt"),
        "joint, double budget": study.find(dataset, "joint-longer"),
    }
    return {name: entry for name, entry in found.items() if entry and entry.result}


def compared(study: Study, dataset: str) -> list[Entry]:
    """The compared methods with a result on ``dataset``, as in their papers, not as released."""
    entries = [e for method in COMPARED for e in study.of(dataset, method)]
    return [e for e in entries if e.result and not e.params["method"].get("released")]


def short_name(entry: Entry) -> str:
    """The label of an entry without "(linear)", the head that all entries here have by default."""
    return entry.label.removesuffix(" (linear)")


def simple_and_compared(study: Study, dataset: str) -> list[tuple[str, Entry]]:
    """(name, entry) of the simple choices, then of the compared methods."""
    methods = ((short_name(e), e) for e in compared(study, dataset))
    return [*simple(study, dataset).items(), *methods]


def released(study: Study) -> list[tuple[Entry, Entry]]:
    """(as in the paper, as in the released code) for every method and data set with both."""
    papers = {(e.dataset, e.method): e for d in study.datasets for e in compared(study, d)}
    codes = [e for e in study.entries if e.result and e.params["method"].get("released")]
    pairs = [(papers.get((e.dataset, e.method)), e) for e in codes]
    return [(paper, code) for paper, code in pairs if paper]


def released_table(pairs: Sequence[tuple[Entry, Entry]]) -> str:
    """A table of the difference in accuracy between paper and released code (:func:`released`)."""
    rows = []
    for paper, code in pairs:
        both = [percent(t_interval(e.result.accuracy)) for e in (paper, code)]
        gap = points(difference(code.result, paper.result))
        rows.append([METHODS[paper.method].title, paper.dataset, *both, gap])
    header = ["method", "data set", "paper, %", "released code, %", "released minus paper"]
    return markdown(header, sorted(rows))


def table(study: Study, dataset: str) -> str:
    """A table of each compared method: its gain over each simple choice, and its encoder passes."""
    against = simple(study, dataset)
    rows = []
    for entry in compared(study, dataset):
        gains = [points(difference(entry.result, other.result)) for other in against.values()]
        passes = f"{encoder_passes(entry) / 1000:,.0f}"
        accuracy = percent(t_interval(entry.result.accuracy))
        rows.append([short_name(entry), accuracy, *gains, passes])
    minus = [f"minus {name}" for name in against]
    return markdown(["method", "test accuracy, %", *minus, "passes, thousands"], rows)


def costs(file: Path) -> str:
    """A table of the cost of a training step relative to joint training, medians over data sets."""
    found: dict[str, list[dict[str, float]]] = {}
    for name, ratios in json.loads(file.read_text(encoding="utf-8"))["ratios"].items():
        method = read(PARAMS / f"{name}.yaml")["method"]["name"]
        if method != "joint":
            found.setdefault(method, []).append(ratios)
    rows = []
    for method in (m for m in METHODS if m in found):
        medians = [median(r[key] for r in found[method]) for key in ("time", "least", "memory")]
        rows.append([METHODS[method].title, *(f"{value:.2f}" for value in medians)])
    return markdown(["method", "time of a step", "encoder passes", "memory"], rows)


def ranked(study: Study) -> dict[str, list[Entry]]:
    """{name: one entry per data set} of methods and simple choices with results on all data sets.

    A data set with fewer than half as many methods as another one is left out of the ranking.
    """
    found: dict[str, list[Entry]] = {}
    counts = {d: len(compared(study, d)) for d in study.datasets}
    datasets = [d for d, count in counts.items() if count and 2 * count >= max(counts.values())]
    for dataset in datasets:
        for name, entry in simple_and_compared(study, dataset):
            found.setdefault(name, []).append(entry)
    return {name: rows for name, rows in found.items() if len(rows) == len(datasets)}


def ranks(study: Study) -> dict[str, Interval]:
    """Mean rank of each method over data sets (1 is the best), with its interval over seeds."""
    methods = ranked(study)
    label = {entry.name: name for name, entries in methods.items() for entry in entries}
    if not label:
        return {}
    shown = study.frame[study.frame["experiment"].isin(label)]
    shown = shown.assign(label=shown["experiment"].map(label))
    accuracy = shown.pivot(index=["dataset", "seed"], columns="label", values="test_accuracy")
    mean_rank = accuracy.dropna().rank(axis=1, ascending=False).groupby("seed").mean()
    found = {name: t_interval(mean_rank[name]) for name in methods}
    return dict(sorted(found.items(), key=lambda item: item[1].mean))


@style.styled
def ranking(found: dict[str, Interval]) -> Figure:
    """A figure of the mean ranks, the best method at the top, simple choices as filled dots."""
    figure = Figure(figsize=(style.WIDTH, 0.24 * len(found) + 0.8))
    ax = figure.subplots()
    colors = {"joint": "joint", "joint, double budget": "joint", "UME": "ume", "UMT": "umt"}
    for place, (name, value) in enumerate(found.items()):
        color = style.COLORS.get(colors.get(name, ""), style.OTHER)
        figures.draw_interval(ax, place, value, color, name in SIMPLE, scale=1)
    ax.set(ylim=(len(found) - 0.4, -0.6), xlabel="mean rank over data sets (1 is the best)")
    ax.set_yticks(range(len(found)), list(found))
    ax.grid(axis="y", visible=False)
    return figure


def verdicts(study: Study, dataset: str) -> dict[str, dict[str, str]]:
    """{simple choice: {method: "better", "worse" or "no clear difference"}}."""
    found: dict[str, dict[str, str]] = {}
    for name, other in simple(study, dataset).items():
        for entry in compared(study, dataset):
            if gain := difference(entry.result, other.result):
                clear = "better" if gain.mean > 0 else "worse"
                verdict = "no clear difference" if gain.contains_zero else clear
                found.setdefault(name, {})[short_name(entry)] = verdict
    return found


def counts(study: Study) -> str:
    """A table of how many methods are clearly better and worse than each simple choice."""
    rows = []
    for dataset in study.datasets:
        if methods := compared(study, dataset):
            found = verdicts(study, dataset)
            cells = []
            for name in SIMPLE:
                each = list(found.get(name, {}).values())
                words = (f"{each.count(w)}\N{NO-BREAK SPACE}{w}" for w in ("better", "worse"))
                cells.append(", ".join(words) if each else NONE)
            rows.append([dataset, str(len(methods)), *cells])
    against = (f"against {name}" for name in SIMPLE)
    return markdown(["data set", "compared methods", *against], rows) if rows else NOTHING


def sentences(study: Study) -> str:
    """A Markdown list of the methods that are clearly better than the simple choices."""
    budgets = ("joint", "joint, double budget")
    questions = {
        "Better than every simple choice": SIMPLE,
        "Better than joint training, of either length": budgets,
        "Better than UME": ("UME",),
    }
    by_dataset = {d: verdicts(study, d) for d in study.datasets if compared(study, d)}
    lines = []
    for question, choices in questions.items():
        parts = []
        for dataset, found in by_dataset.items():
            if found.keys() >= set(choices):
                each = [found[name] for name in choices]
                better = [m for m in each[0] if all(e.get(m) == "better" for e in each)]
                if better:
                    parts.append(f"on {dataset} {', '.join(better)}")
        lines.append(f"- **{question}**: {'; '.join(parts) or 'none, on no data set'}.")
    return "\n".join(lines) if by_dataset else ""


def write(to: Fragments) -> None:
    """Write every fragment of the chapter."""
    study = to.study
    datasets = [d for d in study.datasets if compared(study, d)]
    used = [entry for d in datasets for _, entry in simple_and_compared(study, d)]
    to.table("rivals-counts", counts(study), used)
    to.text("rivals-saw", sentences(study))
    parts = [NOTHING] if not datasets else []
    for dataset in datasets:
        joint = simple(study, dataset)["joint"].result
        named = simple_and_compared(study, dataset)
        rows = [(n, e.method, n in SIMPLE, difference(e.result, joint)) for n, e in named]
        rows = sorted((r for r in rows if r[3]), key=lambda r: -r[3].mean)
        figure = figures.dots({dataset: rows}, "points of accuracy over joint training", zero=True)
        used = [entry for _, entry in named]
        alt = f"Every method on {dataset}: test accuracy minus that of joint training."
        caption = (
            f"{dataset}: test accuracy minus that of joint training (linear head), paired over "
            f"seeds, with 95% t-intervals. Filled dots: the simple choices."
        )
        to.figure(f"rivals-{dataset}-dots", figure, alt, caption, used)
        to.table(f"rivals-{dataset}", table(study, dataset), used)
        parts.append(
            f"## {dataset}\n\n```{{include}} /_generated/rivals-{dataset}-dots.md\n```\n\n"
            f"```{{include}} /_generated/rivals-{dataset}.md\n```"
        )
    to.text("rivals-datasets", "\n\n".join(parts))
    pairs = released(study)
    content = released_table(pairs) if pairs else NOTHING
    to.table("rivals-released", content, [entry for pair in pairs for entry in pair])
    content = costs(COSTS)
    to.table("rivals-costs", content, source=f"Made from <code>{COSTS.relative_to(ROOT)}</code>.")
    found = ranks(study)
    if not found:
        to.text("rivals-ranks", NOTHING)
        return
    alt = "Mean rank of every method over all data sets, with intervals over seeds."
    caption = (
        "Mean rank over data sets, with 95% t-intervals over seeds. Filled dots: the simple "
        "choices. The data do not distinguish two methods whose intervals overlap widely."
    )
    used = [entry for rows in ranked(study).values() for entry in rows]
    to.figure("rivals-ranks", ranking(found), alt, caption, used)
