"""What the chapter "When should modalities learn together?" includes, made from analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import plotly.offline

from umt_lib.evaluation.intervals import t_interval
from umt_lib.study.analyses.regime_map import summary
from umt_lib.study.report import (
    distillation_cost_figures,
    distillation_cost_text,
    guide_check_figures,
    regime_map_figures,
    regime_map_text,
    theory_figures,
    theory_text,
)
from umt_lib.study.report import guide_check_text as guide_words
from umt_lib.study.report.format import NONE, markdown, points

if TYPE_CHECKING:
    from umt_lib.study.pipeline.collection import Study
    from umt_lib.study.report.writer import Fragments

MISSING = "Not measured yet: run `make study`."
PARTS = {  # function of an analysis: the fragments made from it
    "theory": ("theory", "theory-saw"),
    "map": ("map", "map-against", "map-interactive", "map-table", "map-regret", "map-saw"),
    "trade-off": ("tradeoff", "tradeoff-remedies", "tradeoff-table", "tradeoff-saw"),
    "guide-on-data": ("guide-verdicts",),
    "guide-on-map": ("guide-right", "guide-right-table", "guide-right-saw"),
    "diagnosis": ("diagnosis",),
}


def write(to: Fragments) -> None:
    """Every fragment of the chapter; one without its analysis says that it was not measured."""
    for function, write_them in WRITERS.items():
        for name in PARTS[function]:
            to.text(name, MISSING)
        if entries := to.study.analysed(function):
            write_them(to, {entry.name: entry.result.measured for entry in entries})
    to.table("reproduced-analyses", reproduced(to.study))


def reproduced(study: Study) -> str:
    """Every analysis measured here and published: how many of its numbers are the same."""
    rows = []
    for entry in study.analyses:
        if entry.local is None or entry.published is None:
            missing = "not published" if entry.local else "not measured here"
            rows.append([entry.name, NONE, NONE, missing])
            continue
        here, there = numbers(entry.local.measured), numbers(entry.published.measured)
        if len(here) != len(there):
            rows.append([entry.name, f"{len(here):,}", NONE, "**other numbers**"])
            continue
        same = sum(a == b for a, b in zip(here, there, strict=True)) / max(1, len(here))
        agrees = "bit for bit" if same == 1 else "up to the difference of two machines"
        rows.append([entry.name, f"{len(here):,}", f"{100 * same:.0f}", agrees])
    return markdown(["analysis", "numbers", "the same, %", "agrees"], rows)


def numbers(value: Any) -> list[float]:
    """All numbers in plain data, in order."""
    if isinstance(value, Mapping):
        return [x for part in value.values() for x in numbers(part)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [x for part in value for x in numbers(part)]
    return [float(value)] if isinstance(value, int | float) else []


def _theory(to: Fragments, measured: dict[str, dict]) -> None:
    (found,) = measured.values()
    alt = "Features learned by each training, as the account predicts and as networks did."
    caption = "Features learned: predicted by the account, and measured in networks."
    figure = theory_figures.theory(found)
    to.figure("theory", figure, alt, caption, source=to.analysed_from("theory"))
    to.text("theory-saw", theory_text.sentences(found))


def _map(to: Fragments, measured: dict[str, dict]) -> None:
    maps = [summary.read(found) for found in measured.values()]
    maps.sort(key=lambda found: (found.dataset != "synthetic", found.n_train))
    first = [found for found in maps if found.dataset == "synthetic"]
    source = to.analysed_from("map")
    if first:
        alt = "The synthetic map: which ways to train are not clearly beaten, cell by cell."
        caption = (
            "Which ways to train are not clearly beaten? Up: stronger pairs. Right: stronger "
            "uni-modal features. A pale colour is a small lead over those that are beaten, full "
            "colour 10 points or more. *joint* and *UMT* take the head and the weight that "
            "validation chose, UME the better of mean and product."
        )
        to.figure("map", regime_map_figures.who_wins(first), alt, caption, source=source)
        alt = "UMT minus joint training, both with MLP heads, cell by cell."
        caption = "What distillation gives and takes: UMT minus joint training. Dots are ties."
        figure = regime_map_figures.against(first, "UMT (MLP)", "joint (MLP)")
        to.figure("map-against", figure, alt, caption, source=source)
        _interactive(to, first)
    to.table("map-table", regime_map_text.table(maps), source=source)
    to.table("map-regret", regime_map_text.regrets(maps), source=source)
    to.text("map-saw", regime_map_text.sentences(maps))


def _interactive(to: Fragments, maps: list[summary.Map]) -> None:
    """A page of its own beside the library it needs, shown in a frame: works from file://."""
    static = to.folder.parent / "_static"
    static.mkdir(exist_ok=True)
    (static / "plotly.min.js").write_text(plotly.offline.get_plotlyjs(), encoding="utf-8")
    figure = regime_map_figures.interactive(maps)
    html = figure.to_html(
        include_plotlyjs="plotly.min.js", div_id="map", config={"displaylogo": False}
    )
    html = html.replace("<html>", '<html lang="en">', 1)
    (static / "map.html").write_text(html, encoding="utf-8")
    to.text(
        "map-interactive",
        "```{raw} html\n"
        f'<iframe class="interactive" src="../_static/map.html" height="{figure.layout.height}" '
        'title="The map, interactive: choose two strategies, hover for numbers"></iframe>\n'
        "```",
    )


def _tradeoff(to: Fragments, measured: dict[str, dict]) -> None:
    by_dataset = {found["dataset"]: found for found in measured.values()}
    alt = "Accuracy and EMAP gap over the weight of distillation."
    caption = "Over the weight of distillation: accuracy, and what the model gains from pairs."
    source = to.analysed_from("trade-off")
    to.figure(
        "tradeoff", distillation_cost_figures.tradeoff(by_dataset), alt, caption, source=source
    )
    alt = "What each remedy gains over plain UMT of the same weight, cell by cell."
    caption = "Remedies, each against plain UMT of the same weight, paired over seeds."
    to.figure(
        "tradeoff-remedies",
        distillation_cost_figures.remedies(by_dataset),
        alt,
        caption,
        source=source,
    )
    _with_source(to, "tradeoff-table", distillation_cost_text.table(by_dataset), "trade-off")
    to.text("tradeoff-saw", distillation_cost_text.sentences(by_dataset))


def _with_source(to: Fragments, name: str, content: str, function: str) -> None:
    """Several tables with words between them, and the files they were made from."""
    to.text(name, f"{content}\n\n<p class='source'>{to.analysed_from(function)}</p>")


def _verdicts(to: Fragments, measured: dict[str, dict]) -> None:
    by_dataset = {found["dataset"]: found for found in measured.values()}
    _with_source(to, "guide-verdicts", guide_words.verdicts(by_dataset), "guide-on-data")


def _right(to: Fragments, measured: dict[str, dict]) -> None:
    by_dataset = {found["dataset"]: found for found in measured.values()}
    alt = "How often each rule names the better method, and what it loses where it does not."
    caption = "Is the guide right? Held-out cells only."
    source = to.analysed_from("guide-on-map")
    to.figure("guide-right", guide_check_figures.right(by_dataset), alt, caption, source=source)
    _with_source(to, "guide-right-table", guide_words.table(by_dataset), "guide-on-map")
    to.text("guide-right-saw", guide_words.sentences(by_dataset))


def _diagnosis(to: Fragments, measured: dict[str, dict]) -> None:
    rows = []
    for found in measured.values():
        for head, values in found["heads"].items():
            for diagnostic, seeds in values.items():
                cells = [found["dataset"], head, diagnostic, points(t_interval(seeds))]
                rows.append(cells)
    table = markdown(["data set", "head", "diagnostic", "points of accuracy"], rows)
    to.table("diagnosis", table, source=to.analysed_from("diagnosis"))


WRITERS = {
    "theory": _theory,
    "map": _map,
    "trade-off": _tradeoff,
    "guide-on-data": _verdicts,
    "guide-on-map": _right,
    "diagnosis": _diagnosis,
}
