"""Tables of the book and the README in Markdown: accuracies in percent, with 95% intervals."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from umt_lib.data import Splits
from umt_lib.evaluation import intervals
from umt_lib.evaluation.intervals import t_interval
from umt_lib.methods import HOOKS, METHODS, hooks
from umt_lib.study.experiments.comparisons import FLAT, difference, late_gain, laziness
from umt_lib.study.experiments.params import options
from umt_lib.study.experiments.results import Result
from umt_lib.study.pipeline.collection import Entry, Study
from umt_lib.study.report.format import NONE, NOT_RUN, NOTHING, TIMES, markdown, percent, points


def answer(study: Study) -> str:
    """The main accuracies of every data set with results, one row per data set."""
    rows = []
    for dataset in study.datasets:
        shown = [
            max(study.unimodal(dataset).values(), key=validated, default=None),
            study.result(dataset, "ume", rule="mean"),
            *(study.result(dataset, m, h) for h in ("linear", "mlp") for m in ("joint", "umt")),
        ]
        if any(shown):
            cells = [percent(t_interval(r.accuracy)) if r else NOT_RUN for r in shown]
            rows.append([dataset, *cells])
    if not rows:
        return NOTHING
    header = ["data set", "best single modality", "UME (mean)", "joint (linear)", "UMT (linear)"]
    return markdown([*header, "joint (MLP)", "UMT (MLP)"], rows)


def validated(result: Result) -> float:
    """Mean validation accuracy over seeds."""
    return result.frame["validation_accuracy"].mean()


def accuracies(study: Study, entries: Sequence[Entry], by: str = "method") -> str:
    """Test accuracy of ``entries`` and their differences to joint training and to UME (mean)."""
    rows = []
    for entry in (e for e in entries if e.result):
        first = [entry.label] if by == "method" else [entry.dataset, entry.label]
        joint = study.result(entry.dataset, "joint")
        mean = study.result(entry.dataset, "ume", rule="mean")
        interval = t_interval(entry.result.accuracy)
        gains = points(difference(entry.result, joint)), points(difference(entry.result, mean))
        rows.append([*first, percent(interval), str(interval.n), *gains, entry.origin])
    head = ["method"] if by == "method" else ["data set", "method"]
    numbers = ["test accuracy, %", "seeds", "minus joint (linear)", "minus UME (mean)"]
    return markdown([*head, *numbers, "run"], rows)


def costs(study: Study, dataset: str) -> str:
    """The cost of one seed of each experiment, without and with the teachers that it needs."""
    by_name, rows = {e.name: e for e in study.entries}, []
    for entry in (e for e in study.of(dataset) if e.result):
        teachers = [by_name.get(name) for name in entry.params.get("teachers", {}).values()]
        all_of = [entry, *(t for t in teachers if t and t.result)]
        seconds = [e.result.provenance.cost.seconds for e in all_of]
        passes = sum(map(encoder_passes, all_of)) / 1000
        trainings = sum(map(trainings_per_seed, all_of))
        cells = f"{seconds[0]:.1f}", f"{sum(seconds):.1f}", f"{passes:,.0f}", str(trainings)
        rows.append([entry.label, *cells, entry.origin])
    numbers = ["seconds", "seconds, with teachers", "encoder passes, thousands", "trainings"]
    return markdown(["method", *numbers, "run"], rows)


def hours(study: Study, dataset: str) -> str:
    """Estimated GPU hours of each experiment, for all seeds and the sweep, from its params file."""
    rows = []
    for entry in study.of(dataset):
        sweep = entry.params.get("sweep", {})
        tried = "; ".join(f"{name}: {', '.join(map(str, v))}" for name, v in sweep.items())
        rows.append([entry.label, f"{entry.hours:,}", tried, f"`{entry.name}`"])
    return markdown(["method", "hours, estimated", "sweep", "file in `params/`"], rows)


def encoder_passes(entry: Entry) -> int:
    """Training samples times the encoders that each passes through, for one seed, no sweep."""
    spec = entry.params["method"]
    method = METHODS[entry.method](**options(spec))
    encoders = 1 if "modality" in spec else len(entry.params["encoders"])
    return entry.result.provenance.cost.samples * encoders * getattr(method, "size", 1)


def trainings_per_seed(entry: Entry) -> int:
    """Number of models trained for one seed, with those of the sweep."""
    cost = entry.result.provenance.cost
    return cost.trainings if cost.samples else 0


def sweeps(study: Study, dataset: str) -> str:
    """The validation accuracy of every swept value; the chosen one is marked."""
    rows = []
    for entry in (e for e in study.of(dataset) if e.result and e.result.measured.sweep):
        (field, chosen), *_ = entry.result.measured.chosen.items()
        for trial in entry.result.measured.sweep:
            mark = "chosen" if trial.value == chosen else ""
            cells = field, f"{trial.value:g}", f"{100 * trial.validation:.1f}"
            rows.append([entry.label, *cells, mark])
    header = ["method", "hyper-parameter", "value", "validation accuracy, %", ""]
    return markdown(header, rows)


def convergence(study: Study, dataset: str) -> str:
    """Whether the uni-modal baselines converged before the learning rate decreased."""
    rows = []
    for modality, result in study.unimodal(dataset).items():
        gain = late_gain(result)
        flat = "flat" if gain.mean <= FLAT else "**still rising**"
        epochs = ", ".join(str(record.epoch) for record in result.measured.seeds)
        rows.append([f"uni-modal ({modality})", points(gain), flat, epochs])
    header = ["baseline", "late gain, points", "curve", "chosen epoch of each seed"]
    return markdown(header, rows)


def lazy(study: Study, dataset: str) -> str:
    """The probe of every encoder after every method, minus that of the uni-modal encoder."""
    unimodal = study.unimodal(dataset)
    rows = []
    for entry in study.of(dataset):
        if entry.result and entry.method != "unimodal":
            gaps = [laziness(entry.result, r, m) for m, r in unimodal.items()]
            same = all(gap and gap[:3] == (0, 0, 0) for gap in gaps)
            shown = ["same encoder"] * len(gaps) if same else map(points, gaps)
            rows.append([entry.label, *shown, entry.origin])
    return markdown(["encoders after", *unimodal, "run"], rows)


def where_methods_act(names: Sequence[str] = tuple(METHODS)) -> str:
    """The hooks of the training loop that each method overrides."""
    rows = []
    for name in names:
        acts, title = hooks(METHODS[name]), METHODS[name].title
        marks = ["●" if acts[hook] else "" for hook in HOOKS]
        rows.append([f"[{title}](/methods/{name}.md)" if len(names) > 1 else title, *marks])
    return markdown(["method", *(f"`{hook}`" for hook in HOOKS)], rows)


def reproduced(study: Study) -> str:
    """The results of this machine compared to the published ones, experiment by experiment."""
    rows = []
    for entry in (e for e in study.entries if e.result):
        here, there = entry.local, entry.published
        shown = [percent(t_interval(r.accuracy)) if r else NONE for r in (here, there)]
        if here and there:
            gap = intervals.welch_interval(here.accuracy, there.accuracy)
            same = here.measured_bytes() == there.measured_bytes()
            verdict = points(gap), "yes" if gap.contains_zero else "**no**", "yes" if same else "no"
        else:
            verdict = NONE, "not run here" if there else "not published", NONE
        rows.append([entry.dataset, entry.label, *shown, *verdict])
    header = ["data set", "method", "this machine", "published", "difference"]
    return markdown([*header, "agree", "same bytes"], rows)


def literature(path: Path) -> str:
    """Accuracies that others reported, each with its source; an empty value was not obtained."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    columns = ("dataset", "method", "value", "source", "note")
    rows = [
        [line[c] or ("not obtained" if c == "value" else "") for c in columns] for line in lines
    ]
    return markdown(["data set", "method", "top-1, %", "source", "note"], rows)


def facts(splits: Splits) -> str:
    """The sizes of the splits and the shape of a sample."""
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    rows = []
    for name, split in parts.items():
        groups = NONE if split.groups is None else str(len(set(split.groups.tolist())))
        counts = np.bincount(split.y.numpy(), minlength=len(splits.classes))
        rows.append([name, f"{len(split):,}", groups, f"{counts.min()} to {counts.max()}"])
    shapes = ", ".join(f"{m} {TIMES.join(map(str, s))}" for m, s in splits.shapes.items())
    table = markdown(["split", "samples", "groups", "samples per class"], rows)
    return f"{len(splits.classes)} classes; one sample is {shapes}.\n\n{table}"
