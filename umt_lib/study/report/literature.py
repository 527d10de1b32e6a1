"""Accuracies that others reported, and their gains beside ours; never in one column.

The file ``results/literature.csv`` has a row for each published accuracy, with its source. Its
column ``counts_as`` names what the row is in this study: ``joint`` or one of :data:`GAINS`. Gains
are computed from rows of the same source and data set.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from umt_lib.study.experiments.comparisons import Family, difference
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report import choices
from umt_lib.study.report.format import NONE, markdown, points, signed

JOINT = "joint"
GAINS = {  # what is compared with joint training: its label in this study, linear heads
    "UMT": choices.UMT,
    "UME": choices.UME,
    "joint + uni-modal CE": choices.AUXILIARY,
}
UNKNOWN = "not obtained"


class Gain(NamedTuple):
    """The published accuracy of ``what`` minus that of joint training, in points.

    ``value`` is None if one of the two was not obtained.
    """

    what: str
    dataset: str
    source: str
    value: float | None


def read(path: Path) -> list[dict[str, str]]:
    """The rows of the file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def table(path: Path) -> str:
    """The published accuracies, each with its source; an empty value was not obtained."""
    columns = ("dataset", "method", "value", "source", "note")
    rows = [[line[c] or (UNKNOWN if c == "value" else "") for c in columns] for line in read(path)]
    return markdown(["data set", "method", "top-1, %", "source", "note"], rows)


def published(path: Path) -> list[Gain]:
    """The published gains over joint training, by what is compared."""
    lines = [line for line in read(path) if line["counts_as"]]
    values = {(w["counts_as"], w["dataset"], w["source"]): w["value"] for w in lines}
    found = []
    for what in GAINS:
        for (kind, dataset, source), value in values.items():
            joint = values.get((JOINT, dataset, source))
            if kind == what and joint is not None:
                gain = float(value) - float(joint) if value and joint else None
                found.append(Gain(what, dataset, source, gain))
    return found


def ours(study: Study) -> Family:
    """The gains of this study, with keys (what, data set)."""
    gains = {}
    for what, label in GAINS.items():
        for dataset in study.datasets:
            found = study.results(dataset)
            gains[what, dataset] = difference(found.get(label), found.get(choices.JOINT))
    return Family(gains)


def gains_table(study: Study, path: Path) -> str:
    """The gains over joint training, ours and published ones, in two columns."""
    family, theirs, rows = ours(study), published(path), []
    for what in GAINS:
        for dataset in study.datasets:
            if gain := family.get((what, dataset)):
                shown = points(gain, family.is_clear((what, dataset)))
                link = f"[{dataset}](/datasets/{dataset}.md)"
                rows.append([f"{what} minus joint", link, shown, NONE, "this study"])
        for one in theirs:
            if one.what == what and one.value is not None:
                shown = signed(one.value / 100)
                rows.append([f"{what} minus joint", one.dataset, NONE, shown, one.source])
    header = ["gain", "data set", "ours, points", "published, points", "source"]
    return markdown(header, rows)


def sentences(study: Study, path: Path) -> str:
    """What the two columns show, one item for each gain."""
    family, theirs = ours(study), published(path)
    return "\n".join(f"- {_sentence(what, family, theirs)}" for what in GAINS)


def _sentence(what: str, family: Family, theirs: list[Gain]) -> str:
    known = [one.value for one in theirs if one.what == what and one.value is not None]
    keys = [key for key in family.gains if isinstance(key, tuple) and key[0] == what]
    better, worse = (sum(test(key) for key in keys) for test in (family.is_better, family.is_worse))
    here = (
        f"here it is clearly better on {better} of {len(keys)} data sets and clearly worse on "
        f"{worse}"
        if keys
        else "it has not been measured here yet"
    )
    if not known:
        return (
            f"**{what} minus joint.** No published number of it could be obtained, beside joint "
            f"training on the same data; {here}."
        )
    above = sum(value > 0 for value in known)
    return (
        f"**{what} minus joint.** Published: {signed(min(known) / 100)} to "
        f"{signed(max(known) / 100)} points, above 0 in {above} of {len(known)} cases; {here}."
    )
