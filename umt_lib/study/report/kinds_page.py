"""What the page on kinds of paired features shows."""

from __future__ import annotations

from umt_lib.study.report import kinds_figures, kinds_text, shown
from umt_lib.study.report.analysis_pages import MISSING, Measured, analysed
from umt_lib.study.report.opened import study
from umt_lib.study.report.shown import Text


@analysed("kinds")
def findings(measured: Measured, source: str) -> Text:
    """Which kinds a linear head can use, and which encoders keep."""
    return Text(kinds_text.sentences(measured[0]))


@analysed("kinds")
def summary(measured: Measured, source: str) -> Text:
    """The gains over UME at the largest value of each dial."""
    return shown.table(kinds_text.summary(measured[0]), source)


def kind(name: str) -> Text | None:
    """Test accuracy of every strategy by the dial of one kind."""
    if not (entries := study().analysed("kinds")):
        return Text(MISSING)
    shown.figure(
        kinds_figures.kind(entries[0].result.measured, name),
        f"Test accuracy of every strategy, and the best possible, by the dial of {name}.",
        f"Test accuracy on the {name}: mean over seeds and 95% t-interval. Black: the best "
        f"possible accuracies.",
        shown.analysed_from(study(), "kinds"),
    )
    return None


def table(name: str) -> Text:
    """The same in numbers."""
    if not (entries := study().analysed("kinds")):
        return Text(MISSING)
    content = kinds_text.table(entries[0].result.measured, name)
    return shown.table(content, shown.analysed_from(study(), "kinds"))
