"""What the pages that are made from analyses show, one function for each of their cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from umt_lib.errors import StudyError
from umt_lib.evaluation.intervals import t_interval
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report import (
    distillation_cost_figures,
    distillation_cost_text,
    figures,
    guide_check_figures,
    guide_check_text,
    guide_real_text,
    literature,
    released_encoders_text,
    shown,
    tables,
    theory_figures,
    theory_text,
    two_stream_figures,
    two_stream_text,
)
from umt_lib.study.report.format import NONE, markdown, points
from umt_lib.study.report.opened import folders, study
from umt_lib.study.report.opened import literature as literature_file
from umt_lib.study.report.shown import Text, text

MISSING = "Not measured yet, or stale: run `make study-full`."
One = dict[str, Any]
Measured = list[One]


def analysed(function: str, one: bool = False) -> Callable:
    """Decorate a cell's function: its first arguments are what analyses measured and their source.

    The cell gives the other arguments.

    Args:
        function: of the analyses, a name of ``analysis.ANALYSES``. If none of them has a
            result that is not stale, the cell shows :data:`MISSING`.
        one: the page is about one analysis; the first argument is what it measured, not a list. The
            cell raises a StudyError if several have a result.
    """

    def decorate(show: Callable[..., Text | None]) -> Callable[..., Text | None]:
        @wraps(show)
        def cell(*given: str) -> Text | None:
            entries = study().analysed(function)
            if not entries:
                return Text(MISSING)
            measured = [entry.result.measured for entry in entries]
            if one and len(measured) > 1:
                raise StudyError(
                    f"{folders().params / 'analyses'}: {', '.join(e.name for e in entries)} are "
                    f"all analyses {function!r}, of which this page shows one; delete the others"
                )
            source = shown.analysed_from(study(), function)
            return show(measured[0] if one else measured, source, *given)

        return cell

    return decorate


def by_dataset(measured: Measured) -> dict[str, dict[str, Any]]:
    """What was measured, {data set: of its analysis}."""
    return {found["dataset"]: found for found in measured}


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


@analysed("theory", one=True)
def theory(found: One, source: str) -> None:
    """Features learned, in networks and in the model."""
    shown.figure(
        theory_figures.theory(found),
        "Features learned by each training, in networks and as the model predicts.",
        "Features learned: measured in networks, and predicted by the model.",
        source,
    )


@analysed("theory", one=True)
def theory_answer(found: One, source: str) -> Text:
    """Whether the model predicts what networks learn, in short."""
    return Text(theory_text.answer(found))


@analysed("theory", one=True)
def theory_findings(found: One, source: str) -> Text:
    """Where the model predicts what networks learn."""
    return Text(theory_text.sentences(found))


@analysed("trade-off")
def distillation_cost(measured: Measured, source: str) -> None:
    """Accuracy and interactions over the weight of distillation."""
    shown.figure(
        distillation_cost_figures.tradeoff(by_dataset(measured)),
        "Accuracy and EMAP gap over the weight of distillation.",
        "Accuracy and EMAP gap (the gain from interactions) over the weight of distillation.",
        source,
    )


@analysed("trade-off")
def remedies(measured: Measured, source: str) -> None:
    """The remedies and plain UMT over the weight."""
    shown.figure(
        distillation_cost_figures.remedies(by_dataset(measured)),
        "The accuracy of each remedy and of plain UMT over the weight, setting by setting.",
        "Remedies and plain UMT of the same weight, for the strongest paired features.",
        source,
    )


@analysed("trade-off")
def distillation_cost_table(measured: Measured, source: str) -> Text:
    """Accuracy and interactions, in numbers."""
    return shown.table(distillation_cost_text.table(by_dataset(measured)), source)


@analysed("trade-off")
def distillation_cost_findings(measured: Measured, source: str) -> Text:
    """What distillation costs."""
    return Text(distillation_cost_text.sentences(by_dataset(measured)))


@analysed("guide-on-data")
def guide_verdicts(measured: Measured, source: str) -> Text:
    """The verdicts of the guide on the data sets."""
    return shown.table(guide_check_text.verdicts(by_dataset(measured)), source)


@analysed("guide-on-map")
def guide_right(measured: Measured, source: str) -> None:
    """How often the guide is right, as a figure."""
    shown.figure(
        guide_check_figures.right(by_dataset(measured)),
        "How often each rule names the best strategy, and the accuracy that it loses.",
        "How often the guide and other rules are right, and what they lose: held-out settings.",
        source,
    )


@analysed("guide-on-map")
def guide_right_answer(measured: Measured, source: str) -> Text:
    """How often the guide is right, in short."""
    return Text(" ".join(guide_check_text.answer(by_dataset(measured))))


@analysed("guide-on-map")
def guide_right_table(measured: Measured, source: str) -> Text:
    """How often the guide is right, in numbers."""
    return shown.table(guide_check_text.table(by_dataset(measured)), source)


@analysed("guide-on-map")
def guide_right_findings(measured: Measured, source: str) -> Text:
    """How often the guide is right, in sentences."""
    return Text(guide_check_text.sentences(by_dataset(measured)))


@analysed("guide-on-features", one=True)
def guide_real(found: One, source: str) -> Text:
    """The guide on every real feature set, beside the direct experiment."""
    return shown.table(guide_real_text.sets(found), source)


@analysed("guide-on-features", one=True)
def guide_real_scores(found: One, source: str) -> Text:
    """How often each rule is right on real feature sets, and what it loses."""
    return shown.table(guide_real_text.scores(found["cases"]), source)


@analysed("diagnosis")
def diagnosis(measured: Measured, source: str) -> Text:
    """The diagnostics of interactions on every data set: a row for each head and modality."""
    rows = []
    for found in measured:
        for head, values in found["heads"].items():
            cells = {name: points(t_interval(seeds)) for name, seeds in values.items()}
            gap = cells.pop("EMAP gap")
            for m in dict.fromkeys(name.split(" of ", 1)[1] for name in cells):
                both = [cells[f"permutation of {m}"], cells[f"utilisation of {m}"]]
                rows.append([found["dataset"], head, gap, m, *both])
                gap = ""  # of the model, in the row of its first modality
    names = ["data set", "head", "EMAP gap, points", "modality", "permutation, points"]
    return shown.table(markdown([*names, "utilisation, %"], rows), source)


@analysed("two-stream", one=True)
def two_stream(found: One, source: str) -> None:
    """The gain of every ensemble."""
    shown.figure(
        two_stream_figures.gains(found),
        "Gain of every ensemble over the better of its networks, with flow and with RGB only.",
        "Gain of an ensemble over the better of its networks: 95% intervals over source videos. "
        "Filled: the gain survives Holm's correction.",
        source,
    )


@analysed("two-stream", one=True)
def two_stream_reliability(found: One, source: str) -> None:
    """Accuracy over confidence."""
    shown.figure(
        two_stream_figures.reliability(found),
        "Accuracy over confidence for RGB, flow and their sum of logits, at three scales, and with "
        "fitted weights.",
        f"Accuracy of clips by confidence, in bins of equal width with at least "
        f"{two_stream_figures.MIN_SAMPLES} clips. Below the diagonal, predictions are too "
        f"confident.",
        source,
    )


@analysed("two-stream", one=True)
def two_stream_verdict(found: One, source: str) -> Text:
    """The answer of the page on two-stream networks."""
    return Text(two_stream_text.verdict(found))


@analysed("two-stream", one=True)
def two_stream_findings(found: One, source: str) -> Text:
    """What the two-stream networks show."""
    return Text(two_stream_text.sentences(found))


@analysed("two-stream", one=True)
def two_stream_networks(found: One, source: str) -> Text:
    """The accuracy of each network."""
    return shown.table(two_stream_text.networks(found), source)


@analysed("two-stream", one=True)
def two_stream_ensembles(found: One, source: str) -> Text:
    """The accuracy of each ensemble."""
    return shown.table(two_stream_text.ensembles(found), source)


@analysed("two-stream", one=True)
def two_stream_control(found: One, source: str) -> Text:
    """Flow, or another RGB network."""
    return shown.table(two_stream_text.control(found), source)


@analysed("two-stream", one=True)
def two_stream_rules(found: One, source: str) -> Text:
    """Every rule at every scale."""
    return shown.table(two_stream_text.by_rule(found), source)


@analysed("two-stream", one=True)
def two_stream_calibration(found: One, source: str) -> Text:
    """How well predictions are calibrated."""
    return shown.table(two_stream_text.calibrations(found), source)


@analysed("two-stream", one=True)
def two_stream_reproduced(found: One, source: str) -> Text:
    """The accuracies that the authors of the networks report, and ours."""
    return shown.table(two_stream_text.reproduced(found), source)


def two_stream_paper() -> Text:
    """What others report."""
    return Text(two_stream_text.paper(literature_file()))


@analysed("ave-features", one=True)
def released_verdict(found: One, source: str) -> Text:
    """The answer of the page on released encoders."""
    return Text(released_encoders_text.verdict(found))


@analysed("ave-features", one=True)
def released_probes(found: One, source: str) -> None:
    """Probes of released encoders."""
    shown.figure(
        figures.dots(released_encoders_text.panels(found), "accuracy of a linear probe (%)"),
        "Accuracy of linear probes of the encoders of five methods, by modality.",
        "Accuracy of linear probes of the released encoders, and of both encoders of a method "
        "together, with 95% intervals that are corrected for folds that share clips, but not for "
        "their number. The same clips and folds for all methods; differences are in the table.",
        source,
    )


@analysed("ave-features", one=True)
def released_findings(found: One, source: str) -> Text:
    """What the released encoders show."""
    return Text(released_encoders_text.sentences(found))


@analysed("ave-features", one=True)
def released_table(found: One, source: str) -> Text:
    """Differences between released encoders."""
    note = tables.note(released_encoders_text.differences(found))
    return shown.table(released_encoders_text.table(found), source, after=note)


@analysed("ave-features", one=True)
def released_guide(found: One, source: str) -> Text:
    """What the guide recommends for released encoders."""
    return shown.table(released_encoders_text.verdicts(found), source)


@analysed("ave-features", one=True)
def released_files(found: One, source: str) -> Text:
    """The files of released encoders."""
    return shown.table(released_encoders_text.files(found), source)


def published_accuracies() -> Text:
    """Accuracies that others reported."""
    return Text(literature.table(literature_file()))


def published_gains() -> Text:
    """Gains over joint training that others reported, and ours."""
    return text(
        literature.gains_table(study(), literature_file()),
        tables.note(literature.ours(study())),
    )


def published_findings() -> Text:
    """What the gains of others and ours show."""
    return Text(literature.sentences(study(), literature_file()))
