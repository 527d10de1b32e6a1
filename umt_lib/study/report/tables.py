"""Tables of the book and the README in Markdown: accuracies in percent, with 95% intervals.

A difference in bold survives Holm's correction over all differences of its table (:func:`note`).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import numpy as np

from umt_lib.data import Splits
from umt_lib.evaluation import intervals
from umt_lib.evaluation.intervals import accuracy_interval
from umt_lib.methods import FAMILIES, HOOKS, METHODS, hooks
from umt_lib.study.experiments.comparisons import FLAT, Family, difference, late_gain
from umt_lib.study.experiments.results import Result, learning_rate
from umt_lib.study.pipeline.collection import STALE, Entry, Study
from umt_lib.study.report.choices import (
    ANSWERED,
    JOINT,
    UME,
    row_label,
)
from umt_lib.study.report.costs import total_passes, with_teachers
from umt_lib.study.report.format import (
    NONE,
    NOT_RUN,
    NOTHING,
    TIMES,
    markdown,
    percent,
    plain,
    points,
    setting,
    words,
)

REFERENCES = (JOINT, UME)  # what the tables of accuracies compare each row with


def answer(study: Study) -> str:
    """The main accuracies of every data set with results, one row each; stale ones are marked."""
    stale = {id(entry.result) for entry in study.stale}
    rows = []
    for dataset in study.datasets:
        found = {label: entry.result for label, entry in study.labelled(dataset).items()}
        alone = [e.result for e in study.of(dataset, "unimodal") if e.result]
        best = max(alone, key=validated, default=None)
        shown = [best, *(found.get(label) for label in ANSWERED)]
        if any(shown):
            cells = [percent(accuracy_interval(r.accuracy)) if r else NOT_RUN for r in shown]
            marks = [" (stale)" if id(r) in stale else "" for r in shown]
            rows.append([dataset, *map("".join, zip(cells, marks, strict=True))])
    return markdown(["data set", "best single modality", *ANSWERED], rows) if rows else NOTHING


def validated(result: Result) -> float:
    """Mean validation accuracy over seeds."""
    return result.frame["validation_accuracy"].mean()


def gains(study: Study, entries: Sequence[Entry]) -> Family:
    """The differences of each entry to :data:`REFERENCES`, with keys (name, reference).

    Stale results have none.
    """
    references = {d: study.results(d) for d in {e.dataset for e in entries}}
    return Family(
        {
            (e.name, label): difference(e.result, references[e.dataset][label])
            for e in entries
            if e.origin != STALE
            for label in REFERENCES
            if label in references[e.dataset]
        }
    )


def note(family: Family) -> str:
    """What bold means in a table of the differences of ``family``."""
    if not len(family):
        return ""
    return (
        f"Bold: the difference survives Holm's correction over the {len(family)} differences of "
        f"this table. The intervals are not corrected."
    )


def accuracies(study: Study, entries: Sequence[Entry], by: str = "method") -> str:
    """Test accuracy of ``entries``, their differences to joint training and UME, what was chosen.

    *Chosen* is what validation chose, and the learning rate of every training.
    """
    rows, family = [], gains(study, entries)
    for entry in (e for e in entries if e.result):
        label = linked(entry, row_label(study, entry))
        first = [label] if by == "method" else [entry.dataset, label]
        interval = accuracy_interval(entry.result.accuracy)
        keys = [(entry.name, reference) for reference in REFERENCES]
        differences = [points(family.get(key), family.is_clear(key)) for key in keys]
        more = [chosen(entry), entry.origin]
        rows.append([*first, percent(interval), str(interval.n), *differences, *more])
    head = ["method"] if by == "method" else ["data set", "method"]
    minus = [f"minus {reference}" for reference in REFERENCES]
    return markdown([*head, "test accuracy, %", "seeds", *minus, "chosen", "run"], rows)


def linked(entry: Entry, label: str) -> str:
    """A label with a link to the page of the experiment."""
    return f"[{label}](/experiments/{entry.name}.ipynb)"


def chosen(entry: Entry) -> str:
    """The learning rate, and all that validation chose: ``learning rate 0.3, weight 10``."""
    result = entry.result
    assert result is not None
    values = dict(result.measured.chosen)
    if result.provenance.cost.samples:
        values = {"learning_rate": learning_rate(result)} | values
    return ", ".join(setting(field, value) for field, value in values.items())


def costs(study: Study, dataset: str) -> str:
    """The cost of one seed of each experiment, without and with the teachers that it needs."""
    rows = []
    for entry in (e for e in study.of(dataset) if e.result):
        own = f"{entry.result.provenance.cost.seconds:.1f}"
        cells = [NONE] * 3
        if needed := with_teachers(study, entry):
            seconds = [e.result.provenance.cost.seconds for e in needed]
            number = sum(map(trainings_per_seed, needed))
            passes = (total_passes(study, entry) or 0) / 1000
            cells = [f"{sum(seconds):.1f}", f"{passes:,.0f}", str(number)]
        label = linked(entry, row_label(study, entry))
        rows.append([label, own, *cells, entry.origin])
    numbers = ["seconds", "seconds", "encoder passes, thousands", "trainings"]
    numbers[1:] = [f"{name}, with teachers" for name in numbers[1:]]
    return markdown(["method", *numbers, "run"], rows)


def hours(study: Study, dataset: str) -> str:
    """Estimated GPU hours of each experiment, for all seeds and the sweep, from its params file."""
    rows = []
    for entry in study.of(dataset):
        sweep = entry.params.get("sweep", {})
        tried = "; ".join(f"{name}: {', '.join(map(str, v))}" for name, v in sweep.items())
        teachers = [study.named.get(name) for name in entry.params.get("teachers", {}).values()]
        known = [t.hours for t in teachers if t]
        total = f"{entry.hours + sum(known):,}" if len(known) == len(teachers) else NONE
        rows.append([entry.label, f"{entry.hours:,}", total, tried, f"`{entry.name}`"])
    numbers = ["hours, estimated", "with teachers"]
    return markdown(["method", *numbers, "sweep", "file in `params/`"], rows)


def trainings_per_seed(entry: Entry) -> int:
    """Number of models trained for one seed, with those of the sweep."""
    cost = entry.result.provenance.cost
    return cost.trainings if cost.samples else 0


def sweeps(study: Study, dataset: str) -> str:
    """The validation accuracy of every swept value, one sweep per field; what was chosen is marked.

    A field that was chosen by another experiment (the learning rate, by joint training) has one
    row. A value with which training diverged has no accuracy.
    """
    rows, labels = [], {e.name: e.label for e in study.of(dataset)}
    for entry in (e for e in study.of(dataset) if e.result):
        measured = entry.result.measured
        for field, value in measured.chosen.items():
            for trial in measured.sweeps.get(field, []):
                mark = "chosen" if trial.value == value else ""
                accuracy = f"{100 * trial.validation:.1f}" if trial.validation else "diverged"
                cells = words(field), plain(trial.value), accuracy
                rows.append([entry.label, *cells, mark])
            if field not in measured.sweeps:
                other = entry.result.params.get("learning_rate_of", "")
                cells = words(field), plain(value), NONE, f"as for {labels.get(other, other)}"
                rows.append([entry.label, *cells])
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


def where_methods_act(names: Sequence[str] = tuple(METHODS)) -> str:
    """The hooks of the training loop that each method overrides."""
    rows = []
    for name in names:
        acts, title = hooks(METHODS[name]), METHODS[name].title
        marks = ["●" if acts[hook] else "" for hook in HOOKS]
        rows.append([f"[{title}](/methods/{name}.md)" if len(names) > 1 else title, *marks])
    return markdown(["method", *(f"`{hook}`" for hook in HOOKS)], rows)


def families() -> str:
    """All methods by family: title with a link, year, the first sentence of their docstring."""
    rows = []
    for family in FAMILIES:
        for name, method in METHODS.items():
            if method.family == family:
                module = inspect.getdoc(inspect.getmodule(method)) or ""
                idea = " ".join(module.split("\n\n")[0].split())
                title = f"[{method.title}](/methods/{name}.md)"
                rows.append([family, title, str(method.year), idea])
    return markdown(["family", "method", "year", "idea"], rows)


def reproduced(study: Study) -> str:
    """The results of this machine beside the published ones, and how many are the same."""
    measured, rows = [e for e in study.entries if e.local], []
    for entry in measured:
        here, there = entry.local, entry.published
        shown = [percent(accuracy_interval(r.accuracy)) if r else NONE for r in (here, there)]
        if here and there:
            gap = intervals.welch_interval(here.accuracy, there.accuracy)
            same = here.measured_bytes() == there.measured_bytes()
            verdict = points(gap), "yes" if gap.contains_zero else "**no**", "yes" if same else "no"
        else:
            verdict = NONE, "not published", NONE
        rows.append([entry.dataset, entry.label, *shown, *verdict])
    header = ["data set", "method", "this machine", "published", "difference"]
    if not rows:
        return "No experiment was run on this machine; `make study` runs them."
    both = [e for e in measured if e.published]
    same = sum(e.local.measured_bytes() == e.published.measured_bytes() for e in both)
    return (
        f"**{same} of {len(both)} experiments that were run on this machine reproduced the "
        f"published measurements bit for bit.**\n\n"
        f"{markdown([*header, 'agree', 'same bytes'], rows)}"
    )


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
