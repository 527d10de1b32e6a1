"""Differences between strategies over all real data sets together, each of which counts once.

On a small data set an interval over seeds is wide, and over many data sets the correction for the
number of comparisons is severe. Whether a strategy is better *on average over data sets* is another
question, and one with fewer comparisons: the mean of the differences on the data sets, with a
t-interval whose units are data sets. It describes data sets like these, not other runs on them.

Data sets made from the same recordings, models or images are one unit, the mean of their
differences. Data whose labels are generated is left out: its difference is whatever its options
make it.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean
from typing import NamedTuple

from umt_lib.data import PAIR_KINDS
from umt_lib.evaluation.intervals import Interval, t_interval
from umt_lib.study.experiments.comparisons import difference
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report.choices import check

GENERATED = (  # the label is computed from drawn or chosen features
    "synthetic",
    "digit-pairs",
    *PAIR_KINDS,
)
SAME_SOURCE = {  # data set: the one that it shares its recordings, models or images with
    "av-digits": "digit-halves",
    "utd-mhad3": "utd-mhad",
    "furniture224": "furniture",
    "psb224": "psb",
}


class Pooled(NamedTuple):
    """A difference on each data set, on each independent unit of them, and its mean over units."""

    by_dataset: dict[str, Interval]
    by_unit: dict[str, float]
    over: Interval


def pooled(study: Study, quantity: Callable[[str], Interval | None]) -> Pooled | None:
    """Pool a quantity that is measured on each data set; None if there is no data set with it.

    Args:
        quantity: its interval on a data set, or None.
    """
    found = {
        dataset: interval
        for dataset in study.datasets
        if dataset not in GENERATED and (interval := quantity(dataset))
    }
    units: dict[str, list[float]] = {}
    for dataset, interval in found.items():
        units.setdefault(SAME_SOURCE.get(dataset, dataset), []).append(interval.mean)
    by_unit = {unit: mean(means) for unit, means in units.items()}
    return Pooled(found, by_unit, t_interval(list(by_unit.values()))) if units else None


def mean_of(found: Pooled | None) -> Interval | None:
    """The mean over units, or None."""
    return found.over if found else None


def gain(study: Study, a: str, b: str) -> Pooled | None:
    """Test accuracy of ``a`` minus that of ``b``, which are labels; stale results do not count.

    Raises:
        StudyError: no params file has one of the labels.
    """
    check(study, a, b)

    def on(dataset: str) -> Interval | None:
        found = study.results(dataset)
        return difference(found.get(a), found.get(b))

    return pooled(study, on)


def lazy(study: Study, after: str, before: str | None = None) -> Pooled | None:
    """Laziness after the training ``after``, a label: the mean over the encoders of a data set.

    It is the accuracy of the probe of an encoder minus that of the uni-modal encoder, or minus that
    after the training ``before``; paired over seeds. Stale results do not count.

    Raises:
        StudyError: no params file has one of the labels.
    """
    check(study, *filter(None, (after, before)))

    def on(dataset: str) -> Interval | None:
        found = study.results(dataset)
        gaps = []
        for m in study.unimodal(dataset):
            column, other = f"probe.{m}", found.get(before or f"uni-modal ({m})")
            pair = [r.frame for r in (found.get(after), other) if r and column in r.frame]
            if len(pair) < 2:
                return None
            gaps.append(pair[0][column] - pair[1][column])  # pandas aligns the seeds
        values = (sum(gaps) / len(gaps)).dropna().tolist() if gaps else []
        return t_interval(values) if values else None

    return pooled(study, on)
