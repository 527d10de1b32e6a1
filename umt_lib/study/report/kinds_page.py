"""What the page on kinds of paired features shows."""

from __future__ import annotations

from umt_lib.study.report import kinds_figures, kinds_text, shown
from umt_lib.study.report.analysis_pages import Cells, One

KINDS = Cells("kinds")
findings = KINDS.text(kinds_text.sentences)
summary = KINDS.table(kinds_text.summary)
table = KINDS.table(kinds_text.table)


@KINDS
def kind(found: One, source: str, name: str) -> None:
    """Test accuracy of every strategy by the dial of one kind."""
    shown.figure(
        kinds_figures.kind(found, name),
        f"Test accuracy of every strategy, and the best possible, by the factor of {name}.",
        f"Test accuracy on the {name}: mean over seeds and 95% t-interval. Black: the best "
        f"possible accuracies.",
        source,
    )
