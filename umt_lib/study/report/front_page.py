"""What the front page and the pages on reproducing this study show."""

from __future__ import annotations

from umt_lib.study.pipeline.collection import Entry
from umt_lib.study.report import (
    analysis_pages,
    benchmarks_table,
    figures,
    shown,
    summaries,
    tables,
)
from umt_lib.study.report import claims as claims_table
from umt_lib.study.report import gains as gains_figure
from umt_lib.study.report import in_short as answer_in_short
from umt_lib.study.report.choices import ANSWERED
from umt_lib.study.report.opened import study
from umt_lib.study.report.pooling import GENERATED
from umt_lib.study.report.shown import Text


def in_short() -> Text:
    """The answer in a few sentences."""
    return Text(answer_in_short.sentences(study()))


def claims() -> Text:
    """The claims of the paper with our verdicts."""
    return shown.table(claims_table.table(study()), after=claims_table.NOTE)


def gains() -> None:
    """The gain of each strategy over joint training as a figure."""
    used = gains_figure.labels()
    real = [e for e in study().entries if e.label in used and e.dataset not in GENERATED]
    drawn, source = gains_figure.figure(study()), shown.made_from(study(), real)
    shown.figure(drawn, gains_figure.ALT, gains_figure.CAPTION, source)


def gains_in_words() -> Text:
    """Which strategies are better than joint training on average."""
    return Text(gains_figure.sentence(study()))


def verdict() -> Text:
    """On which data sets UME and UMT are clearly better or worse than joint training."""
    return Text(summaries.verdict(study()))


def answer() -> Text:
    """The main accuracies of every data set."""
    return shown.table(tables.answer(study()), study(), _answered())


def comparisons() -> Text:
    """The comparisons of the main strategies on every data set."""
    return Text(summaries.answer(study()))


def stale() -> Text:
    """The number of stale results in the book."""
    return Text(summaries.stale(study()))


def feature_kinds() -> None:
    """A drawing of a uni-modal and of a paired feature."""
    shown.figure(
        figures.feature_kinds(),
        "Two drawings: a class determined by one feature, and one determined by two together.",
        "Left: a uni-modal feature, a determines the class. Right: a paired feature, neither a nor "
        "b has any information about the class, but both together determine it.",
    )


def time() -> Text:
    """The total time of the experiments."""
    return Text(summaries.time(study()))


def benchmarks() -> Text:
    """What the software itself costs."""
    return Text(benchmarks_table.table())


def reproduced() -> Text:
    """The results of this machine beside the published ones."""
    return Text(tables.reproduced(study()))


def reproduced_analyses() -> Text:
    """The share of equal numbers in each analysis, as measured here and as published."""
    return Text(analysis_pages.reproduced(study()))


def _answered() -> list[Entry]:
    return [e for e in study().entries if e.label in ANSWERED or e.method == "unimodal"]
