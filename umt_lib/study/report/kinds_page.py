"""What the page on kinds of paired features shows."""

from __future__ import annotations

from umt_lib.study.report import kinds_figures, kinds_text, shown
from umt_lib.study.report.analysis_pages import Measured, analysed
from umt_lib.study.report.shown import Text


@analysed("kinds")
def findings(measured: Measured, source: str) -> Text:
    """Which kinds a linear head can use, and which encoders keep."""
    return Text(kinds_text.sentences(measured[0]))


@analysed("kinds")
def summary(measured: Measured, source: str) -> Text:
    """The gains over UME at the largest value of each dial."""
    return shown.table(kinds_text.summary(measured[0]), source)


@analysed("kinds")
def kind(measured: Measured, source: str, name: str) -> None:
    """Test accuracy of every strategy by the dial of one kind."""
    shown.figure(
        kinds_figures.kind(measured[0], name),
        f"Test accuracy of every strategy, and the best possible, by the dial of {name}.",
        f"Test accuracy on the {name}: mean over seeds and 95% t-interval. Black: the best "
        f"possible accuracies.",
        source,
    )


@analysed("kinds")
def table(measured: Measured, source: str, name: str) -> Text:
    """The table of measured and best possible test accuracies by the dial of one kind."""
    return shown.table(kinds_text.table(measured[0], name), source)
