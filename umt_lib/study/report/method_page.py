"""What the page of a method shows, and the overview of all methods."""

from __future__ import annotations

from umt_lib.study.report import shown, tables
from umt_lib.study.report.opened import study
from umt_lib.study.report.shown import Text


def acts(method: str) -> Text:
    """The hooks of the training loop that the method changes."""
    return Text(tables.where_methods_act([method]))


def results(method: str) -> Text:
    """The accuracy of the method on every data set."""
    return shown.accuracies(study(), study().of(method=method), by="data set")


def hooks() -> Text:
    """The hooks that every method changes."""
    return Text(tables.where_methods_act())


def families() -> Text:
    """All methods with their year and their idea, grouped by family."""
    return Text(tables.families())
