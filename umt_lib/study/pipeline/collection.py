"""Collect the results of the study: every params file with the result that the book shows for it.

A result of this machine is shown if it is current. Otherwise the published result is shown, with a
mark if it is stale, that is, if its parameters, code, data or teachers have changed since.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import pandas as pd

from umt_lib.data import DATASETS
from umt_lib.methods import METHODS
from umt_lib.models import HEADS
from umt_lib.study.analyses.analysis import Analysed
from umt_lib.study.experiments import results
from umt_lib.study.experiments.results import Result
from umt_lib.study.pipeline.units import units

HEAD_NAMES = {"mlp": "MLP"}
STALE = "published, stale"
R = TypeVar("R", Result, Analysed)


@dataclass(frozen=True)
class Shown(Generic[R]):
    """A params file with its current result on this machine and its published one.

    Attributes:
        stale: why the published result is no longer current, or that its file is damaged; "" if it
            is current, or if there is none.
    """

    name: str
    params: dict[str, Any]
    local: R | None
    published: R | None
    stale: str = ""

    @property
    def result(self) -> R | None:
        return self.local or self.published

    @property
    def origin(self) -> str:
        """Where the shown result was made: "this machine", "published", ..."""
        if self.local:
            return "this machine"
        if self.published:
            return STALE if self.stale else "published"
        return results.DAMAGED if self.stale else "not run yet"


class AnalysisEntry(Shown[Analysed]):
    """An analysis with its results."""


class Entry(Shown[Result]):
    """An experiment with its results."""

    @property
    def dataset(self) -> str:
        return self.params["dataset"]["name"]

    @property
    def method(self) -> str:
        return self.params["method"]["name"]

    @property
    def head(self) -> str:
        return self.params["head"]["name"]

    @property
    def hours(self) -> int:
        """Estimated hours on one GPU, from the params file; 0 if it needs no GPU."""
        return self.params.get("resources", {}).get("gpu_hours", 0)

    @property
    def label(self) -> str:
        """The name of a table's row: "uni-modal (gyroscope)", "UME (mean)", "joint (MLP)".

        "UME" without a rule is the one whose rule validation chose.
        """
        spec = self.params["method"]
        name = METHODS[self.method].title + (", as released" if spec.get("released") else "")
        if "rule" in _swept(self):
            return name
        head = HEAD_NAMES.get(self.head, self.head)
        return f"{name} ({spec.get('modality') or spec.get('rule') or head})"


@dataclass(frozen=True)
class Study:
    """All analyses, and all experiments in the order of data sets, methods and heads."""

    entries: list[Entry]
    analyses: list[AnalysisEntry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.entries.sort(key=_place)

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """The data sets, in the order of :data:`umt_lib.data.DATASETS`."""
        return tuple(dict.fromkeys(e.dataset for e in self.entries))

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The shown results, one row per experiment and seed; see ``results.frame``."""
        return results.table(e.result for e in self.entries if e.result)

    @property
    def shown(self) -> list[Shown]:
        """All experiments and analyses."""
        return [*self.entries, *self.analyses]

    @property
    def stale(self) -> list[Shown]:
        """The entries whose shown result is stale."""
        return [e for e in self.shown if e.origin == STALE]

    @property
    def damaged(self) -> list[Shown]:
        """The entries without a result whose published file is not a complete result."""
        return [e for e in self.shown if e.origin == results.DAMAGED]

    @cached_property
    def named(self) -> dict[str, Entry]:
        """{name: experiment}."""
        return {entry.name: entry for entry in self.entries}

    @cached_property
    def labels(self) -> frozenset[str]:
        """The labels of all experiments, with and without a result."""
        return frozenset(entry.label for entry in self.entries)

    def of(self, dataset: str | None = None, method: str | None = None) -> list[Entry]:
        """The entries of a data set, of a method, or of both."""
        return [
            e for e in self.entries if dataset in (None, e.dataset) and method in (None, e.method)
        ]

    def find(self, dataset: str, method: str, head: str = "linear", **options: str) -> Entry | None:
        """The entry of this method and head with these method options, or None.

        The entry may have no result. An entry that sweeps one of these options does not count.
        """
        for entry in self.of(dataset, method):
            fixed = {k: v for k, v in entry.params["method"].items() if k not in _swept(entry)}
            wanted = all(fixed.get(k) == v for k, v in options.items())
            if wanted and entry.head == head:
                return entry
        return None

    def result(self, dataset: str, method: str, head: str = "linear", **options) -> Result | None:
        """The result of the entry that :meth:`find` returns; None if it is missing or stale."""
        entry = self.find(dataset, method, head, **options)
        return entry.result if entry and entry.origin != STALE else None

    def labelled(self, dataset: str) -> dict[str, Entry]:
        """The entries of a data set that have a result, {label: entry}."""
        return {e.label: e for e in self.of(dataset) if e.result}

    def current(self, dataset: str) -> dict[str, Entry]:
        """Those of :meth:`labelled` whose result is not stale: what is compared with what."""
        return {label: e for label, e in self.labelled(dataset).items() if e.origin != STALE}

    def results(self, dataset: str) -> dict[str, Result]:
        """The results of :meth:`current`, {label: result}."""
        return {label: e.result for label, e in self.current(dataset).items() if e.result}

    def analysed(self, function: str) -> list[AnalysisEntry]:
        """The analyses that use ``function``, a name of ``analysis.ANALYSES``.

        Those without a result, or with a stale one, are left out.
        """
        uses = [e for e in self.analyses if e.params["analysis"]["name"] == function]
        return [e for e in uses if e.result and e.origin != STALE]

    def unimodal(self, dataset: str) -> dict[str, Result]:
        """The uni-modal results of a data set that are not stale, {modality: result}."""
        runs = (e for e in self.current(dataset).values() if e.method == "unimodal")
        return {e.params["method"]["modality"]: e.result for e in runs if e.result}


def gather(params_dir: Path, published: Path, local: Path | None) -> Study:
    """Read every params file and its results.

    Args:
        published, local: folders of results; with ``local`` None, published results only.

    A damaged result is not shown; its entry has the reason.

    Raises:
        StudyError: a params file is wrong.
    """
    shown: dict[type, list] = {Entry: [], AnalysisEntry: []}
    for unit in units(params_dir):
        spec, name = unit.read(), Path(unit.name).name
        here = unit.load(local) if local and not unit.stale(local) else None
        why = unit.stale(published)
        there = None if why in (results.MISSING, results.DAMAGED) else unit.load(published)
        kind: Any = AnalysisEntry if unit.is_analysis else Entry
        shown[kind].append(kind(name, spec, here, there, "" if why == results.MISSING else why))
    return Study(shown[Entry], shown[AnalysisEntry])


def _swept(entry: Entry) -> dict[str, list]:
    """The hyper-parameters that validation chooses, {field: values}."""
    return entry.params.get("sweep", {})


def _place(entry: Entry) -> tuple:
    modality = entry.params["method"].get("modality")
    return (
        list(DATASETS).index(entry.dataset),
        list(METHODS).index(entry.method),
        list(entry.params["encoders"]).index(modality) if modality else 0,
        list(HEADS).index(entry.head),
        entry.name,
    )
