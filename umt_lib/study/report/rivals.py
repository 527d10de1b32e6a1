"""The chapter "Rivals": every method of others against the simple choices, at equal care.

All numbers are test accuracies, paired over seeds. Only rivals that were run on a data set stand
in its table, and only data sets with most of the rivals count in the ranking over data sets.
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

RIVALS = tuple(name for name, method in METHODS.items() if not method.baseline)
SIMPLE = ("joint", "joint + uni-modal CE", "UME", "UMT", "joint, double budget")
COSTS = ROOT / "benchmarks/method_cost.json"
NOTHING = "No rival has been run yet: run `make study-full`."


def simple(study: Study, dataset: str) -> dict[str, Entry]:
    """The choices every rival has to beat, {name: entry}: linear heads, UME by its best rule.

    The rule of UME is the one that is best on validation.
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


def run(study: Study, dataset: str) -> list[Entry]:
    """The rivals with a result on ``dataset``, as their papers say, in the methods' order."""
    entries = [e for method in RIVALS for e in study.of(dataset, method)]
    return [e for e in entries if e.result and not e.params["method"].get("released")]


def named(entry: Entry) -> str:
    """The method's name; a head other than the linear one, which all here have, is said."""
    return entry.label.removesuffix(" (linear)")


def compared(study: Study, dataset: str) -> list[tuple[str, Entry]]:
    """(name, entry) of all that is set side by side: the simple choices, then the rivals."""
    return [*simple(study, dataset).items(), *((named(e), e) for e in run(study, dataset))]


def released(study: Study) -> list[tuple[Entry, Entry]]:
    """(as the paper says, as the released code does) wherever both have run."""
    papers = {(e.dataset, e.method): e for d in study.datasets for e in run(study, d)}
    codes = [e for e in study.entries if e.result and e.params["method"].get("released")]
    pairs = [(papers.get((e.dataset, e.method)), e) for e in codes]
    return [(paper, code) for paper, code in pairs if paper]


def released_table(pairs: Sequence[tuple[Entry, Entry]]) -> str:
    """What the difference between paper and released code does to accuracy, of :func:`released`."""
    rows = []
    for paper, code in pairs:
        both = [percent(t_interval(e.result.accuracy)) for e in (paper, code)]
        gap = points(difference(code.result, paper.result))
        rows.append([METHODS[paper.method].title, paper.dataset, *both, gap])
    header = ["method", "data set", "paper, %", "released code, %", "released minus paper"]
    return markdown(header, sorted(rows))


def table(study: Study, dataset: str) -> str:
    """Every rival against every simple choice: its gain, and the encoder passes it costs."""
    against = simple(study, dataset)
    rows = []
    for entry in run(study, dataset):
        gains = [points(difference(entry.result, other.result)) for other in against.values()]
        passes = f"{encoder_passes(entry) / 1000:,.0f}"
        accuracy = percent(t_interval(entry.result.accuracy))
        rows.append([named(entry), accuracy, *gains, passes])
    minus = [f"minus {name}" for name in against]
    return markdown(["rival", "test accuracy, %", *minus, "passes, thousands"], rows)


def costs(file: Path) -> str:
    """What a step costs against joint training's, the median over data sets, of a benchmark."""
    found: dict[str, list[dict[str, float]]] = {}
    for name, ratios in json.loads(file.read_text(encoding="utf-8"))["ratios"].items():
        method = read(PARAMS / f"{name}.yaml")["method"]["name"]
        if method != "joint":
            found.setdefault(method, []).append(ratios)
    rows = []
    for method in (m for m in METHODS if m in found):
        medians = [median(r[key] for r in found[method]) for key in ("time", "least", "memory")]
        rows.append([METHODS[method].title, *(f"{value:.2f}" for value in medians)])
    return markdown(["method", "time of a step", "encoder passes it needs", "memory held"], rows)


def names(study: Study) -> dict[str, list[Entry]]:
    """{label: one entry per data set}, of rivals and simple choices that all data sets have.

    A data set on which fewer than half the rivals of another were run is left out, not the rivals.
    """
    found: dict[str, list[Entry]] = {}
    counts = {d: len(run(study, d)) for d in study.datasets}
    datasets = [d for d, count in counts.items() if count and 2 * count >= max(counts.values())]
    for dataset in datasets:
        for name, entry in compared(study, dataset):
            found.setdefault(name, []).append(entry)
    return {name: rows for name, rows in found.items() if len(rows) == len(datasets)}


def ranks(study: Study) -> dict[str, Interval]:
    """Mean rank over data sets, 1 the best, with its 95% t-interval over seeds."""
    everyone = names(study)
    label = {entry.name: name for name, entries in everyone.items() for entry in entries}
    if not label:
        return {}
    shown = study.frame[study.frame["experiment"].isin(label)]
    shown = shown.assign(label=shown["experiment"].map(label))
    accuracy = shown.pivot(index=["dataset", "seed"], columns="label", values="test_accuracy")
    mean_rank = accuracy.dropna().rank(axis=1, ascending=False).groupby("seed").mean()
    found = {name: t_interval(mean_rank[name]) for name in everyone}
    return dict(sorted(found.items(), key=lambda item: item[1].mean))


@style.styled
def ranking(found: dict[str, Interval]) -> Figure:
    """Mean rank of each method with its interval, the best on top; simple choices in colour."""
    figure = Figure(figsize=(style.WIDTH, 0.24 * len(found) + 0.8))
    ax = figure.subplots()
    colors = {"joint": "joint", "joint, double budget": "joint", "UME": "ume", "UMT": "umt"}
    for place, (name, value) in enumerate(found.items()):
        color = style.COLORS.get(colors.get(name, ""), style.OTHER)
        ax.plot([value.low, value.high], [place, place], color=color, linewidth=2)
        face = color if name in SIMPLE else "white"
        ax.plot(value.mean, place, "o", color=color, markerfacecolor=face, markersize=7)
    ax.set(ylim=(len(found) - 0.4, -0.6), xlabel="mean rank over data sets (1 is the best)")
    ax.set_yticks(range(len(found)), list(found))
    ax.grid(axis="y", visible=False)
    return figure


def verdicts(study: Study, dataset: str) -> dict[str, dict[str, str]]:
    """{simple choice: {rival: "better", "worse" or "tie"}}: is the interval clear of 0?"""
    found: dict[str, dict[str, str]] = {}
    for name, other in simple(study, dataset).items():
        gains = {named(e): difference(e.result, other.result) for e in run(study, dataset)}
        found[name] = {
            rival: "tie" if gain.contains_zero else "better" if gain.mean > 0 else "worse"
            for rival, gain in gains.items()
            if gain
        }
    return found


def counts(study: Study) -> str:
    """Per data set: how many rivals are clearly better and worse than each simple choice."""
    rows = []
    for dataset in study.datasets:
        if rivals := run(study, dataset):
            found = verdicts(study, dataset)
            cells = []
            for name in SIMPLE:
                told = list(found.get(name, {}).values())
                words = (f"{told.count(w)}\N{NO-BREAK SPACE}{w}" for w in ("better", "worse"))
                cells.append(", ".join(words) if told else NONE)
            rows.append([dataset, str(len(rivals)), *cells])
    against = (f"against {name}" for name in SIMPLE)
    return markdown(["data set", "rivals", *against], rows) if rows else NOTHING


def sentences(study: Study) -> str:
    """Who clearly beats the simple choices, and whether it survives the budget control."""
    budgets = ("joint", "joint, double budget")
    questions = {
        "Better than every simple choice": SIMPLE,
        "Better than joint training, of either length": budgets,
        "Better than UME": ("UME",),
    }
    told = {d: verdicts(study, d) for d in study.datasets if run(study, d)}
    lines = []
    for question, choices in questions.items():
        parts = []
        for dataset, found in told.items():
            if found.keys() >= set(choices):
                asked = [found[name] for name in choices]
                winners = [r for r in asked[0] if all(a.get(r) == "better" for a in asked)]
                if winners:
                    parts.append(f"on {dataset} {', '.join(winners)}")
        lines.append(f"- **{question}**: {'; '.join(parts) or 'none, on no data set'}.")
    return "\n".join(lines) if told else ""


def write(to: Fragments) -> None:
    """Every fragment of the chapter."""
    study = to.study
    with_rivals = [d for d in study.datasets if run(study, d)]
    used = [entry for d in with_rivals for _, entry in compared(study, d)]
    to.table("rivals-counts", counts(study), used)
    to.text("rivals-saw", sentences(study))
    parts = [NOTHING] if not with_rivals else []
    for dataset in with_rivals:
        joint = simple(study, dataset)["joint"].result
        everyone = compared(study, dataset)
        rows = [(n, e.method, n in SIMPLE, difference(e.result, joint)) for n, e in everyone]
        rows = sorted((r for r in rows if r[3]), key=lambda r: -r[3].mean)
        figure = figures.dots({dataset: rows}, "points of accuracy over joint training", zero=True)
        used = [entry for _, entry in everyone]
        alt = f"Every method on {dataset}: test accuracy minus that of joint training."
        caption = (
            f"{dataset}: test accuracy less that of joint training (linear head), paired over "
            f"seeds, with 95% t-intervals. Filled: the simple choices."
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
        "Mean rank over data sets, with 95% t-intervals over seeds. Filled: the simple choices. "
        "Two methods whose intervals overlap widely are not told apart."
    )
    used = [entry for rows in names(study).values() for entry in rows]
    to.figure("rivals-ranks", ranking(found), alt, caption, used)
