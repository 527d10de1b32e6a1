"""What the pages on the maps and on regret show."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from umt_lib.study.analyses.regime_map import summary
from umt_lib.study.report import regime_map_figures, regime_map_text, shown, which_strategy
from umt_lib.study.report.analysis_pages import MISSING, Measured, analysed
from umt_lib.study.report.shown import Text


def mapped(show: Callable[..., Text | None]) -> Callable[..., Text | None]:
    """Decorate a cell's function: its first arguments are the maps, in order, and their source."""

    @wraps(show)
    def cell(measured: Measured, source: str, *given: str) -> Text | None:
        return show(regime_map_text.ordered(measured), source, *given)

    return analysed("map")(cell)


@mapped
def answer(measured: Measured, source: str) -> Text:
    """Where UMT is the best, and what one fixed strategy loses."""
    return Text(regime_map_text.answer(measured))


@mapped
def which(measured: Measured, source: str) -> Text:
    """What to use if nothing is known about the features."""
    return Text(" ".join(which_strategy.statements(measured)))


@mapped
def which_table(measured: Measured, source: str) -> Text:
    """Which strategy for which kind of data."""
    return shown.table(which_strategy.table(measured), source)


@mapped
def statement(measured: Measured, source: str) -> Text:
    """The sentence on which worlds, cells and strategies were searched."""
    return Text(regime_map_text.statement(measured))


@mapped
def best(measured: Measured, source: str, world: str) -> Text | None:
    """The family of the best strategy in every cell of a world."""
    found = next((found for found in measured if found["world"] == world), None)
    if found is None:
        return Text(MISSING)
    shown.figure(
        regime_map_figures.best_strategies(found),
        f"{world}: the family of the best strategy in every setting.",
        f"{world}: the best strategy of every setting, by its family.",
        source,
    )
    return None


@mapped
def interactive(measured: Measured, source: str) -> Text:
    """The frame of the interactive map, which :mod:`.extras` writes."""
    height = regime_map_figures.interactive(measured).layout.height
    return Text(
        f'<div class="wide"><iframe class="interactive" src="../extra/map.html" height="{height}" '
        f'title="The maps, interactive: choose a world, point at a setting for its numbers">'
        f"</iframe></div>"
    )


@mapped
def counts(measured: Measured, source: str) -> Text:
    """The cells of every world by the family of the best strategy."""
    return shown.table(regime_map_text.counts_table(measured), source)


@mapped
def families(measured: Measured, source: str) -> Text:
    """How often each family has the highest mean, and is clearly the best."""
    return shown.table(regime_map_text.families_table(measured), source)


@mapped
def highest(measured: Measured, source: str) -> Text:
    """Which family has the highest mean most often."""
    return Text(" ".join(regime_map_text.highest(measured)))


@mapped
def candidates(measured: Measured, source: str) -> Text:
    """The cells in which UMT was expected to be the best."""
    return shown.table(regime_map_text.candidates_table(measured), source)


@mapped
def regret(measured: Measured, source: str) -> None:
    """What always using one strategy loses, as a figure."""
    shown.figure(
        regime_map_figures.regret(summary.regret(measured), "all"),
        "Regret of always using one strategy: mean, 95th percentile and worst setting.",
        "Regret of always using one strategy, over the settings of all worlds.",
        source,
    )


@mapped
def regret_table(measured: Measured, source: str) -> Text:
    """What always using one strategy loses, in numbers."""
    return shown.table(regime_map_text.regret_table(measured), source)


@mapped
def room(measured: Measured, source: str) -> None:
    """What UMT and its variants gain and cost."""
    shown.figure(
        regime_map_figures.room(summary.room(measured)),
        "What UMT and its variants gain and cost against joint training.",
        "Minus joint training with the same head: linear (filled) and MLP (open).",
        source,
    )


@mapped
def room_findings(measured: Measured, source: str) -> Text:
    """What the variants of UMT gain and cost, in sentences."""
    return Text(regime_map_text.room_sentences(measured))


@analysed("map-features")
def kept(measured: Measured, source: str, world: str) -> Text | None:
    """The share of each kind of feature that encoders keep in a world."""
    found = next((found for found in measured if found["world"] == world), None)
    if found is None:
        return Text(MISSING)
    shown.figure(
        regime_map_figures.kept(found),
        f"{world}: the share of each kind of feature that encoders keep.",
        f"{world}: the share of features that encoders keep, mean over seeds.",
        source,
    )
    return None


@analysed("map-features")
def kept_table(measured: Measured, source: str) -> Text:
    """The share of features that encoders keep, in numbers."""
    return shown.table(regime_map_text.kept_table(measured), source)
