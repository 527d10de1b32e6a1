"""What the pages on the maps and on regret show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from umt_lib.study.analyses.regime_map import summary
from umt_lib.study.analyses.regime_map.summary import Maps
from umt_lib.study.report import regime_map_figures, regime_map_text, shown, which_strategy
from umt_lib.study.report.analysis_pages import MISSING, Cell, Cells
from umt_lib.study.report.shown import Text
from umt_lib.style import Figure

MAPS, FEATURES = Cells("map", regime_map_text.ordered), Cells("map-features", list)


def _by_world(cells: Cells, draw: Callable[[Any], Figure], alt: str, caption: str) -> Cell:
    """A cell that shows the figure of the world that the page names, if it was measured."""

    @cells
    def show(measured: Maps, source: str, world: str) -> Text | None:
        found = next((found for found in measured if found["world"] == world), None)
        if found is None:
            return Text(MISSING)
        shown.figure(draw(found), f"{world}: {alt}", f"{world}: {caption}", source)
        return None

    return show


answer = MAPS.text(regime_map_text.answer)
which = MAPS.text(which_strategy.statements)
which_table = MAPS.table(which_strategy.table)

highest = MAPS.text(regime_map_text.highest)
counts = MAPS.table(regime_map_text.counts_table)


best = _by_world(
    MAPS,
    regime_map_figures.best_strategies,
    "the family of the best strategy in every setting.",
    "the best strategy of every setting, by its family.",
)


@MAPS.text
def interactive(measured: Maps) -> str:
    """The frame of the interactive map, which :mod:`.extras` writes."""
    height = regime_map_figures.interactive(measured).layout.height
    return (
        f'<div class="wide"><iframe class="interactive" src="../extra/map.html" height="{height}" '
        f'title="The maps, interactive: choose a data set, point at a setting for its numbers">'
        f"</iframe></div>"
    )


statement = MAPS.text(regime_map_text.statement)
families = MAPS.table(regime_map_text.families_table)
candidates = MAPS.table(regime_map_text.candidates_table)
regret = MAPS.figure(
    lambda measured: regime_map_figures.regret(summary.regret(measured)),
    "Regret of always using one strategy: mean, 95th percentile and worst setting.",
    "Regret of always using one strategy, over the settings of all maps.",
)
regret_table = MAPS.table(regime_map_text.regret_table)
room = MAPS.figure(
    lambda measured: regime_map_figures.room(summary.room(measured)),
    "What UMT and its variants gain and cost against joint training.",
    "Minus joint training with the same head: linear (filled) and MLP (open).",
)
room_findings = MAPS.text(regime_map_text.room_sentences)

kept = _by_world(
    FEATURES,
    regime_map_figures.kept,
    "the share of each kind of feature that encoders keep.",
    "the share of features that encoders keep, mean over seeds.",
)
kept_table = FEATURES.table(regime_map_text.kept_table)
