"""What the pages on compared methods show."""

from __future__ import annotations

from umt_lib.paths import ROOT
from umt_lib.study.experiments.comparisons import Family
from umt_lib.study.pipeline.collection import Entry
from umt_lib.study.report import compared_methods as compared
from umt_lib.study.report import shown, tables
from umt_lib.study.report.compared_methods import NOTHING
from umt_lib.study.report.opened import study
from umt_lib.study.report.shown import Text

NO_PAIR = (
    "No method has been run yet both as its paper and as its released code describes it: run "
    "`make study-full`."
)


def differences() -> Family:
    """All comparisons of the chapter."""
    return compared.differences(study())


def _used() -> list[Entry]:
    datasets = [d for d in study().datasets if compared.compared(study(), d)]
    return [e for d in datasets for _, e in compared.simple_and_compared(study(), d)]


def answer() -> Text:
    """How often methods are better and worse than the main simple choices."""
    return Text(compared.answer(differences()))


def counts() -> Text:
    """How many methods are better and worse than each simple choice."""
    meaning = (
        "*1 / 2*: one method is better than this simple choice, two are worse, counted at a false "
        "discovery rate of 5%."
    )
    notes = f"{meaning}\n\n{compared.left_out(study())}".strip()
    return shown.table(compared.counts(study(), differences()), study(), _used(), notes)


def corrections() -> Text:
    """How many differences remain after each correction."""
    return Text(compared.survivors(differences()))


def findings() -> Text:
    """The methods that are better than the simple choices."""
    return Text(compared.sentences(study(), differences()))


def ranks() -> Text | None:
    """The mean rank of every method as a figure."""
    if not (found := compared.ranks(study())):
        return Text(NOTHING)
    methods = compared.ranked(study())
    shown.figure(
        compared.ranking(found, methods),
        "Mean rank of every method over all data sets, with intervals over seeds.",
        "Mean rank over data sets, with 95% t-intervals over seeds. Filled dots: the simple "
        "choices. The data do not distinguish two methods whose intervals overlap widely. Data "
        f"sets: {', '.join(compared.covered(study()))}.",
        shown.made_from(study(), [entry for rows in methods.values() for entry in rows]),
    )
    return None


def improvements() -> Text:
    """The probability that each method improves on each simple choice."""
    used = [entry for rows in compared.ranked(study()).values() for entry in rows]
    return shown.table(compared.improvements(study()), study(), used)


def released() -> Text:
    """What a method gains or loses if it follows its released code."""
    if not (pairs := compared.released(study())):
        return Text(NO_PAIR)
    note = tables.note(compared.released_gains(pairs))
    both = [entry for pair in pairs for entry in pair]
    return shown.table(compared.released_table(pairs), study(), both, after=note)


def costs() -> Text:
    """The cost of a training step of every method."""
    file = f"<code>{compared.COSTS.relative_to(ROOT)}</code>"
    return shown.table(compared.costs(compared.COSTS), shown.folded([file], 1))
