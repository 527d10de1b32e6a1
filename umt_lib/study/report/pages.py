"""Write the tables, figures and sentences that the pages of the book include.

A page contains ``{include} _generated/<name>.md``; measured numbers are never typed into a page.
"""

from __future__ import annotations

import inspect
from pathlib import Path

from umt_lib.data import DATASETS, PAIR_KINDS, Splits, load
from umt_lib.data.availability import available
from umt_lib.evaluation.intervals import Interval, accuracy_interval
from umt_lib.methods import METHODS
from umt_lib.study.experiments import provenance
from umt_lib.study.experiments.comparisons import laziness
from umt_lib.study.pipeline.collection import Entry, Study
from umt_lib.study.report import (
    analysis_pages,
    benchmarks_table,
    claims,
    compared_methods,
    figures,
    gains,
    literature,
    summaries,
    tables,
    two_stream_text,
)
from umt_lib.study.report.choices import is_filled
from umt_lib.study.report.format import NOTHING
from umt_lib.study.report.pooling import GENERATED
from umt_lib.study.report.writer import Fragments

ANSWERED = ("UME", "joint (linear)", "UMT (linear)", "joint (MLP)", "UMT (MLP)")
KEEP_ENCODERS = ("unimodal", "ume", "ume-qmf", "frozen")  # methods with the uni-modal encoders
PARTS = "verdict", "facts", "chance", "saw", "accuracy", "costs", "sweep", "hours", "experiments"


def write(study: Study, folder: Path, published: Path) -> None:
    """Write every fragment of every page; ``published`` is the file of published accuracies."""
    to = Fragments(study, folder)
    _front(to)
    _lazy(to)
    for dataset in DATASETS:
        _dataset(to, dataset)
    to.table("hooks", tables.where_methods_act())
    for method in METHODS:
        entries = study.of(method=method)
        to.table(f"hooks-{method}", tables.where_methods_act([method]))
        to.accuracies(f"results-{method}", entries, by="data set")
    analysis_pages.write(to)
    compared_methods.write(to)
    to.text("time", summaries.time(study))
    to.text("stale", summaries.stale(study))
    to.table("machinery", benchmarks_table.table())
    to.table("reproduced", tables.reproduced(study))
    to.table("literature", literature.table(published))
    to.text("literature-saw", literature.sentences(study, published))
    note = f"\n\n{tables.note(literature.ours(study))}"
    to.table("literature-gains", literature.gains_table(study, published), after=note)
    to.text("two-stream-paper", two_stream_text.paper(published))
    caption = (
        "Left: a uni-modal feature, a determines the class. Right: a paired feature, neither a nor "
        "b has any information about the class, but both together determine it."
    )
    alt = "Two drawings: a class determined by one feature, and one determined by two together."
    to.figure("kinds", figures.feature_kinds(), alt, caption)


def _front(to: Fragments) -> None:
    study, panels, used = to.study, {}, []
    for dataset in study.datasets:
        runs = [e for e in study.of(dataset) if e.result]
        shown = [e for e in runs if e.label in ANSWERED or e.method in ("unimodal", "ume")]
        used += shown
        if shown:
            panels[dataset] = [
                _row(entry, accuracy_interval(entry.result.accuracy)) for entry in shown
            ]
    answered = [e for e in study.entries if e.label in ANSWERED or e.method == "unimodal"]
    to.text("claims", claims.table(study))
    to.text("gains-words", gains.sentence(study))
    real = [e for e in answered if e.dataset not in GENERATED]
    to.figure("gains", gains.figure(study), gains.ALT, gains.CAPTION, real)
    to.table("answer", tables.answer(study), answered)
    to.text("answer-words", summaries.answer(study))
    to.text("verdict", summaries.verdict(study))
    if not panels:
        to.text("headline", NOTHING)
        return
    alt = "Test accuracy of uni-modal models, UME, joint training and UMT on every data set."
    caption = (
        "Test accuracy: mean over seeds and 95% t-interval. UME without a rule is the one whose "
        "rule validation chose. Filled dots: linear head, UME, or its rule *mean*. Open dots: MLP "
        "head, or another rule of UME."
    )
    to.figure("headline", figures.dots(panels, "test accuracy (%)"), alt, caption, used)


def _lazy(to: Fragments) -> None:
    """Laziness: an overview of joint training and UMT, then all methods on every data set."""
    study, overview, used, parts = to.study, {}, [], []
    alt = "Probe of each encoder after training, minus that of the uni-modal encoder: {}."
    xlabel = "probe minus that of the uni-modal encoder, points"
    for dataset in study.datasets:
        unimodal = study.unimodal(dataset)
        trained = [e for e in study.of(dataset) if e.result and e.method not in KEEP_ENCODERS]
        made_from = [e for e in study.of(dataset, "unimodal") if e.result] + trained
        gaps = {
            m: [(e, laziness(e.result, r, m)) for e in trained if e.result]
            for m, r in unimodal.items()
        }
        panels = {m: [_row(e, gap) for e, gap in rows if gap] for m, rows in gaps.items()}
        if panels := {m: rows for m, rows in panels.items() if rows}:
            figure = figures.dots(panels, xlabel, zero=True)
            caption = f"Laziness after every method on {dataset}; to be read like the first figure."
            to.figure(f"lazy-{dataset}-dots", figure, alt.format(dataset), caption, made_from)
            parts.append(f"## {dataset}\n\n```{{include}} /_generated/lazy-{dataset}-dots.md\n```")
            note = f"\n\n{tables.note(tables.lazy_gains(study, dataset))}"
            to.table(f"lazy-{dataset}", tables.lazy(study, dataset), made_from, after=note)
            parts.append(f"```{{include}} /_generated/lazy-{dataset}.md\n```")
        overview[dataset] = [
            _row(e, gap, f"{m}, {e.label}")
            for m, rows in gaps.items()
            for e, gap in rows
            if gap and e.label in ANSWERED
        ]
        used += [e for e in made_from if e.label in ANSWERED or e.method == "unimodal"]
    to.text("lazy-tables", "\n\n".join(parts))
    overview = {dataset: rows for dataset, rows in overview.items() if rows}
    if not overview:
        to.text("lazy", NOTHING)
        return
    caption = (
        "Probe of each encoder after joint training and after UMT, minus that of the uni-modal "
        "encoder; paired over seeds, 95% t-interval, not corrected for the number of encoders. "
        "Encoders left of the line are lazy."
    )
    figure = figures.dots(overview, xlabel, zero=True)
    to.figure("lazy", figure, alt.format("all data sets"), caption, used)


def _dataset(to: Fragments, dataset: str) -> None:
    study, entries = to.study, to.study.of(dataset)
    for part in ("picture", "convergence", "flat", "saturation"):
        to.text(f"{dataset}-{part}", NOTHING)
    if not entries:
        for part in PARTS:
            to.text(f"{dataset}-{part}", f"No file in `params/` names {dataset}.")
        if dataset in PAIR_KINDS:  # generated: its samples can be shown with the default options
            _pictured(to, dataset, load(dataset))
        return
    _samples(to, dataset, entries[0])
    to.text(f"{dataset}-verdict", summaries.verdict_on(study, dataset))
    to.text(f"{dataset}-saw", summaries.saw(study, dataset))
    to.accuracies(f"{dataset}-accuracy", entries)
    to.table(f"{dataset}-costs", tables.costs(study, dataset), entries)
    to.text(f"{dataset}-hours", summaries.hours(study, dataset))
    to.table(f"{dataset}-experiments", tables.hours(study, dataset))
    chosen = [e for e in entries if e.result and e.result.measured.chosen]
    to.table(f"{dataset}-sweep", tables.sweeps(study, dataset), chosen)

    baselines = [e for e in study.of(dataset, "unimodal") if e.result]
    unimodal = study.unimodal(dataset)
    if baselines:
        to.table(f"{dataset}-flat", tables.convergence(study, dataset), baselines)
        alt = f"Accuracy of the uni-modal baselines of {dataset} over epochs."
        caption = "Accuracy of the uni-modal baselines over epochs; thin: seeds, thick: their mean."
        figure = figures.convergence(unimodal)
        to.figure(f"{dataset}-convergence", figure, alt, caption, baselines)

    joint = study.find(dataset, "joint")
    if joint is None or joint.result is None:
        return
    alt = f"Joint training on {dataset}: train accuracy and the probe of each encoder over epochs."
    caption = (
        "Saturation in joint training (linear head): when the training accuracy of the whole model "
        "is close to 100%, the probes stop rising. Probes on validation, with fixed regularisation."
    )
    figure = figures.saturation(joint.result, unimodal)
    to.figure(f"{dataset}-saturation", figure, alt, caption, [joint, *baselines])


def _samples(to: Fragments, dataset: str, entry: Entry) -> None:
    """Write what is made from the data, which may not be on this machine."""
    if not available(entry.params["dataset"]):
        here = "Sizes and pictures are missing: the machine that built this book lacks the data."
        for part, text in {"facts": here, "picture": "", "chance": ""}.items():
            to.text(f"{dataset}-{part}", text)
        return
    splits = provenance.splits(entry.params, entry.params["seeds"][0])
    groups = 0 if splits.test.groups is None else len(set(splits.test.groups.tolist()))
    to.text(f"{dataset}-chance", summaries.chance(to.study, dataset, groups))
    _pictured(to, dataset, splits)


def _pictured(to: Fragments, dataset: str, splits: Splits) -> None:
    """Write the sizes of the splits and a figure of samples."""
    to.text(f"{dataset}-facts", tables.facts(splits))
    picture = vars(inspect.getmodule(DATASETS[dataset]))["picture"](splits)
    caption = "Training samples, drawn from the data by the function `picture` of the data set."
    to.figure(f"{dataset}-picture", picture, f"Training samples of {dataset}, by class.", caption)


def _row(entry: Entry, interval: Interval, label: str = "") -> tuple:
    """A row of :func:`.figures.dots`."""
    return label or entry.label, entry.method, is_filled(entry), interval
