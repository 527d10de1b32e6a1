"""What the page on kinds of paired features shows."""

from __future__ import annotations

from umt_lib.study.report import kinds_figures, kinds_text, shown
from umt_lib.study.report.analysis_pages import One, analysed
from umt_lib.study.report.shown import Text


@analysed("kinds", one=True)
def findings(found: One, source: str) -> Text:
    """Which kinds a linear head can use, and which encoders keep."""
    return Text(kinds_text.sentences(found))


@analysed("kinds", one=True)
def summary(found: One, source: str) -> Text:
    """The gains over UME at the largest value of each dial."""
    return shown.table(kinds_text.summary(found), source)


@analysed("kinds", one=True)
def kind(found: One, source: str, name: str) -> None:
    """Test accuracy of every strategy by the dial of one kind."""
    shown.figure(
        kinds_figures.kind(found, name),
        f"Test accuracy of every strategy, and the best possible, by the dial of {name}.",
        f"Test accuracy on the {name}: mean over seeds and 95% t-interval. Black: the best "
        f"possible accuracies.",
        source,
    )


@analysed("kinds", one=True)
def table(found: One, source: str, name: str) -> Text:
    """The table of measured and best possible test accuracies by the dial of one kind."""
    return shown.table(kinds_text.table(found, name), source)
