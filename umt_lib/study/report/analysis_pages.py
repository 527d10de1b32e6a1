"""Write the fragments of the pages that are made from analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import plotly.offline

from umt_lib.evaluation.intervals import t_interval
from umt_lib.study.analyses import kinds
from umt_lib.study.analyses.regime_map import summary
from umt_lib.study.report import (
    distillation_cost_figures,
    distillation_cost_text,
    figures,
    guide_check_figures,
    guide_check_text,
    kinds_figures,
    kinds_text,
    regime_map_figures,
    regime_map_text,
    released_encoders_text,
    tables,
    theory_figures,
    theory_text,
    two_stream_figures,
    two_stream_text,
)
from umt_lib.study.report.format import NONE, markdown, points
from umt_lib.study.report.regime_map_figures import PLACES

if TYPE_CHECKING:
    from umt_lib.study.pipeline.collection import Study
    from umt_lib.study.report.writer import Fragments

MISSING = "Not measured yet: run `make study`."


def write(to: Fragments) -> None:
    """Write every fragment of these pages, or :data:`MISSING` where its analysis has no result."""
    for function, (write_parts, names) in PARTS.items():
        for name in names:
            to.text(name, MISSING)
        if entries := to.study.analysed(function):
            source = to.analysed_from(function)
            write_parts(to, [entry.result.measured for entry in entries], source)
    to.table("reproduced-analyses", reproduced(to.study))


def reproduced(study: Study) -> str:
    """The share of equal numbers in each analysis, as measured here and as published."""
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
    """All numbers in nested lists and dictionaries, in order."""
    if isinstance(value, Mapping):
        return [x for part in value.values() for x in numbers(part)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [x for part in value for x in numbers(part)]
    return [float(value)] if isinstance(value, int | float) else []


def _theory(to: Fragments, measured: list[dict], source: str) -> None:
    (found,) = measured
    alt = "Features learned by each training, in networks and as the model predicts."
    caption = "Features learned: measured in networks, and predicted by the model."
    to.figure("theory", theory_figures.theory(found), alt, caption, source=source)
    to.text("theory-saw", theory_text.sentences(found))


def _map(to: Fragments, measured: list[dict], source: str) -> None:
    maps = sorted(measured, key=lambda found: list(PLACES).index(found["world"]))
    to.text("regret-answer", regime_map_text.answer(maps))
    to.text("regret-statement", regime_map_text.statement(maps))
    for found in maps:
        alt = f"{found['world']}: the family of the best strategy in every cell."
        caption = f"{found['world']}: the best strategy of every cell, by its family."
        figure = regime_map_figures.best_strategies(found)
        to.figure(f"map-{found['world']}", figure, alt, caption, source=source)
    _interactive(to, maps)
    losses = summary.regret(maps)
    alt = "Regret of always using one strategy: mean, 95th percentile and worst cell."
    caption = "Regret of always using one strategy, over the cells of all worlds."
    to.figure("regret", regime_map_figures.regret(losses, "all"), alt, caption, source=source)
    alt = "What UMT and its variants gain and cost against joint training."
    caption = "Minus joint training with the same head: linear (filled) and MLP (open)."
    figure = regime_map_figures.room(summary.room(maps))
    to.figure("regret-room", figure, alt, caption, source=source)
    to.table("map-table", regime_map_text.counts_table(maps), source=source)
    to.table("regret-candidates", regime_map_text.candidates_table(maps), source=source)
    to.table("regret-table", regime_map_text.regret_table(maps), source=source)
    to.text("regret-room-saw", regime_map_text.room_sentences(maps))


def _kept(to: Fragments, measured: list[dict], source: str) -> None:
    for found in measured:
        alt = f"{found['world']}: the share of each kind of feature that encoders keep."
        caption = f"{found['world']}: the share of features that encoders keep, mean over seeds."
        figure = regime_map_figures.kept(found)
        to.figure(f"kept-{found['world']}", figure, alt, caption, source=source)
    to.table("kept-table", regime_map_text.kept_table(measured), source=source)


def _interactive(to: Fragments, maps: list[dict]) -> None:
    """Write the interactive map as a page in a frame, with its library; works from file://."""
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
        'title="The maps, interactive: choose a world, hover for numbers"></iframe>\n'
        "```",
    )


def _tradeoff(to: Fragments, measured: list[dict], source: str) -> None:
    by_dataset = {found["dataset"]: found for found in measured}
    alt = "Accuracy and EMAP gap over the weight of distillation."
    caption = "Accuracy and EMAP gap (the gain from interactions) over the weight of distillation."
    figure = distillation_cost_figures.tradeoff(by_dataset)
    to.figure("tradeoff", figure, alt, caption, source=source)
    alt = "The accuracy of each remedy and of plain UMT over the weight, cell by cell."
    caption = "Remedies and plain UMT of the same weight, for the strongest paired features."
    figure = distillation_cost_figures.remedies(by_dataset)
    to.figure("tradeoff-remedies", figure, alt, caption, source=source)
    to.text("tradeoff-table", distillation_cost_text.table(by_dataset), source)
    to.text("tradeoff-saw", distillation_cost_text.sentences(by_dataset))


def _verdicts(to: Fragments, measured: list[dict], source: str) -> None:
    by_dataset = {found["dataset"]: found for found in measured}
    to.text("guide-verdicts", guide_check_text.verdicts(by_dataset), source)


def _right(to: Fragments, measured: list[dict], source: str) -> None:
    by_dataset = {found["dataset"]: found for found in measured}
    alt = "How often each rule names the best strategy, and the accuracy that it loses."
    caption = "How often the guide and other rules are right, and what they lose: held-out cells."
    to.figure("guide-right", guide_check_figures.right(by_dataset), alt, caption, source=source)
    to.text("guide-right-table", guide_check_text.table(by_dataset), source)
    to.text("guide-right-saw", guide_check_text.sentences(by_dataset))


def _diagnosis(to: Fragments, measured: list[dict], source: str) -> None:
    rows = []
    for found in measured:
        for head, values in found["heads"].items():
            for diagnostic, seeds in values.items():
                cells = [found["dataset"], head, diagnostic, points(t_interval(seeds))]
                rows.append(cells)
    table = markdown(["data set", "head", "diagnostic", "points of accuracy"], rows)
    to.table("diagnosis", table, source=source)


def _two_stream(to: Fragments, measured: list[dict], source: str) -> None:
    (found,) = measured
    to.text("two-stream-verdict", two_stream_text.verdict(found))
    alt = "Gain of every ensemble over the better of its networks, with flow and with RGB only."
    caption = (
        "Gain of an ensemble over the better of its networks: 95% intervals over source videos. "
        "Filled: the gain survives Holm's correction."
    )
    to.figure("two-stream", two_stream_figures.gains(found), alt, caption, source=source)
    alt = "Accuracy over confidence for RGB, flow and their sum of logits, at three scales."
    caption = (
        f"Accuracy of clips by confidence, in bins of equal width with at least "
        f"{two_stream_figures.MIN_SAMPLES} clips. Below the diagonal, predictions are too "
        f"confident."
    )
    figure = two_stream_figures.reliability(found)
    to.figure("two-stream-reliability", figure, alt, caption, source=source)
    for name, table in (
        ("networks", two_stream_text.networks(found)),
        ("ensembles", two_stream_text.ensembles(found)),
        ("control", two_stream_text.control(found)),
        ("rules", two_stream_text.by_rule(found)),
        ("calibration", two_stream_text.calibrations(found)),
        ("reproduced", two_stream_text.reproduced(found)),
    ):
        to.table(f"two-stream-{name}", table, source=source)
    to.text("two-stream-saw", two_stream_text.sentences(found))


def _released(to: Fragments, measured: list[dict], source: str) -> None:
    (found,) = measured
    text = released_encoders_text
    to.text("ave-verdict", text.verdict(found))
    alt = "Accuracy of linear probes of the encoders of five methods, by modality."
    caption = (
        "Accuracy of linear probes of the released encoders, and of both encoders of a method "
        "together, with 95% intervals that are corrected for folds that share clips, but not for "
        "their number. The same clips and folds for all methods; differences are in the table."
    )
    figure = figures.dots(text.panels(found), "accuracy of a linear probe (%)")
    to.figure("ave-probes", figure, alt, caption, source=source)
    to.text("ave-saw", text.sentences(found))
    note = f"\n\n{tables.note(text.differences(found))}"
    to.table("ave-table", text.table(found), source=source, after=note)
    to.table("ave-guide", text.verdicts(found), source=source)
    to.table("ave-files", text.files(found), source=source)


def _kinds(to: Fragments, measured: list[dict], source: str) -> None:
    (found,) = measured
    to.text("kinds-saw", kinds_text.sentences(found))
    to.table("kinds-summary", kinds_text.summary(found), source=source)
    for kind, name in KINDS.items():
        alt = f"Test accuracy of every strategy, and the best possible, by the dial of {kind}."
        caption = (
            f"Test accuracy on the {kind}: mean over seeds and 95% t-interval. Black: the best "
            f"possible accuracies."
        )
        to.figure(name, kinds_figures.kind(found, kind), alt, caption, source=source)
        to.table(f"{name}-table", kinds_text.table(found, kind), source=source)


KINDS = {kind: f"kinds-{kind.replace(' ', '-').lower()}" for kind in kinds.KINDS}
PARTS = {  # function of an analysis: what writes its fragments, and their names
    "theory": (_theory, ("theory", "theory-saw")),
    "map": (
        _map,
        (
            *(f"map-{world}" for world in PLACES),
            *("map-interactive", "map-table", "regret", "regret-room", "regret-room-saw"),
            *(f"regret-{part}" for part in ("answer", "statement", "candidates", "table")),
        ),
    ),
    "map-features": (
        _kept,
        ("kept-table", "kept-shared-nuisance", "kept-quiet-pairs", "kept-graded-pairs"),
    ),
    "trade-off": (
        _tradeoff,
        ("tradeoff", "tradeoff-remedies", "tradeoff-table", "tradeoff-saw"),
    ),
    "guide-on-data": (_verdicts, ("guide-verdicts",)),
    "guide-on-map": (_right, ("guide-right", "guide-right-table", "guide-right-saw")),
    "diagnosis": (_diagnosis, ("diagnosis",)),
    "kinds": (
        _kinds,
        ("kinds-saw", "kinds-summary", *KINDS.values(), *(f"{n}-table" for n in KINDS.values())),
    ),
    "two-stream": (
        _two_stream,
        (
            "two-stream",
            *(f"two-stream-{part}" for part in ("verdict", "saw", "networks", "ensembles")),
            *(f"two-stream-{part}" for part in ("control", "rules", "calibration")),
            *(f"two-stream-{part}" for part in ("reliability", "reproduced")),
        ),
    ),
    "ave-features": (
        _released,
        ("ave-verdict", "ave-probes", "ave-saw", "ave-table", "ave-guide", "ave-files"),
    ),
}
