"""The study as a whole: every params file with the result the book shows for it.

A result made on this machine goes before the published one; either is shown only if it is what the
parameters, the code and the data of today would give. One exception, marked in the column "run"
and in the line of sources: a published result on data that has to be prepared first, which may have
taken a GPU for days, does not vanish from the book because the code went on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umt_lib.data import DATASETS
from umt_lib.errors import StudyError
from umt_lib.methods import METHODS
from umt_lib.models import HEADS
from umt_lib.study.experiments import params, results
from umt_lib.study.experiments.results import Result
from umt_lib.study.pipeline import run_graph

if TYPE_CHECKING:
    from umt_lib.study.analyses.analysis import AnalysisEntry

METHOD_NAMES = {  # as the field writes them; a method that is missing here goes by its own name
    "unimodal": "uni-modal",
    "ume": "UME",
    "joint-auxiliary": "joint + uni-modal CE",
    "umt": "UMT",
    "umt-subspace": "UMT, sub-space",
    "unimodal-init": "joint from uni-modal init",
    "frozen": "frozen encoders",
    "joint-longer": "joint, double budget",
    "joint-ensemble": "two joint models",
    "gblend": "G-Blend",
    "ogm": "OGM",
    "ogm-ge": "OGM-GE",
    "opm": "OPM",
    "modality-dropout": "modality dropout",
    "mlb": "MLB",
    "agm": "AGM",
    "mmpareto": "MMPareto",
    "pmr": "PMR",
    "mla": "MLA",
    "cggm": "CGGM",
    "reconboost": "ReconBoost",
    "mmtm": "MMTM",
    "mbt": "MBT",
    "di-mml": "DI-MML",
    "balanced-mmtm": "balanced MMTM",
    "lfm": "LFM",
    "mcr": "MCR",
    "g2d": "G2D",
    "mmlora": "MMLoRA",
    "ume-mma": "UME-MMA",
    "dus": "DUS",
}
HEAD_NAMES = {"mlp": "MLP"}
EARLIER = "published, by earlier code"


@dataclass(frozen=True)
class Entry:
    """One experiment: its parameters, and its current results here and as published."""

    name: str
    params: dict[str, Any]
    local: Result | None
    published: Result | None
    outdated: bool = False  # the published one was made by earlier code, and is shown all the same
    hours: int = 0  # on one GPU, as the params file estimates; 0 for what needs none

    @property
    def result(self) -> Result | None:
        return self.local or self.published

    @property
    def origin(self) -> str:
        if self.local:
            return "this machine"
        if self.published:
            return EARLIER if self.outdated else "published"
        return "not run yet"

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
    def label(self) -> str:
        """What a table's row is called: "gyroscope alone", "UME (mean)", "joint (MLP)"."""
        spec = self.params["method"]
        if "modality" in spec:
            return f"{spec['modality']} alone"
        name = METHOD_NAMES.get(self.method, self.method)
        if spec.get("released"):
            name += ", as released"
        return f"{name} ({spec.get('rule') or HEAD_NAMES.get(self.head, self.head)})"


class Study:
    """All entries, in the order of data sets, methods, heads."""

    def __init__(self, entries: list[Entry], analyses: Sequence[AnalysisEntry] = ()):
        self.entries = sorted(entries, key=_place)
        self.analyses = {entry.name: entry for entry in analyses}
        self.datasets = tuple(dict.fromkeys(e.dataset for e in self.entries))

    def of(self, dataset: str | None = None, method: str | None = None) -> list[Entry]:
        """The entries of a data set, of a method, or of both."""
        return [
            e for e in self.entries if dataset in (None, e.dataset) and method in (None, e.method)
        ]

    def find(self, dataset: str, method: str, head: str = "linear", **options: str) -> Entry | None:
        """The entry of this method and head with these method options, if there is one.

        Its result may be missing all the same.
        """
        for entry in self.of(dataset, method):
            wanted = all(entry.params["method"].get(k) == v for k, v in options.items())
            if wanted and entry.head == head:
                return entry
        return None

    def result(self, dataset: str, method: str, head: str = "linear", **options) -> Result | None:
        """The result of :meth:`find`, or None."""
        entry = self.find(dataset, method, head, **options)
        return entry and entry.result

    def analysed(self, name: str) -> dict[str, Any]:
        """What the finished analyses by function ``name`` measured, {analysis: measured}."""
        found = {}
        for entry in self.analyses.values():
            spec = entry.params["analysis"]
            if spec["name"] == name and entry.result:
                found[entry.name] = entry.result.measured
        return found

    def unimodal(self, dataset: str) -> dict[str, Result]:
        """The finished uni-modal results of a data set, {modality: result}."""
        runs = [e for e in self.of(dataset, "unimodal") if e.result]
        return {e.params["method"]["modality"]: e.result for e in runs}


def gather(params_dir: Path, published: Path, local: Path | None) -> Study:
    """Read every params file and the results there are for it.

    Args:
        published, local: folders of results; None leaves this machine's aside.

    Raises:
        StudyError: a params file is wrong, or a result that would be shown is stale; all stale
            ones are named. A stale local result is passed over where the published one is shown.
    """
    from umt_lib.study.analyses import analysis  # some analyses read finished studies

    entries, stale = [], defaultdict(list)
    for file in sorted(params_dir.glob("*.yaml")):
        spec = params.read(file)
        why = {f: results.stale(file.stem, f, params_dir) for f in (local, published) if f}
        prepared = "folder" in spec["dataset"]
        outdated = prepared and why[published] in (results.OTHER_CODE, results.OTHER_TEACHERS)
        if outdated:
            why[published] = ""
        if "" not in why.values():
            for folder, reason in why.items():
                if reason != "missing":
                    stale[f"{reason} in {folder}"].append(file.stem)
        found = {f: None if w else results.load(f / f"{file.stem}.json") for f, w in why.items()}
        here, there = found.get(local), found.get(published)
        entries.append(Entry(file.stem, spec, here, there, outdated, run_graph.hours(file)))
    if stale:
        listed = "; ".join(f"{reason}: {', '.join(names)}" for reason, names in stale.items())
        raise StudyError(
            f"the book would show stale results ({listed}); measure again with `make study`, and "
            f"renew the published ones with `make publish`"
        )
    return Study(entries, analysis.gather(params_dir, published, local))


def _place(entry: Entry) -> tuple:
    modality = entry.params["method"].get("modality")
    return (
        list(DATASETS).index(entry.dataset),
        list(METHODS).index(entry.method),
        list(entry.params["encoders"]).index(modality) if modality else 0,
        list(HEADS).index(entry.head),
        entry.name,
    )
