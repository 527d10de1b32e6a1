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
from umt_lib.style import Figure

MISSING = "Not measured yet, or stale: run `make study-full`."
One = dict[str, Any]
Measured = list[One]
Cell = Callable[..., Text | None]


class Cells:
    """Makes functions for cells that show what the analyses of one kind measured.

    If no analysis of this kind has a result that is not stale, a cell shows :data:`MISSING`. What a
    cell gives its function follows what was measured.

    Args:
        kind: a name of ``analysis.ANALYSES``.
        read: what functions are given of the list of all that was measured, for example
            :func:`by_dataset`. By default the page is about one analysis, and they are given what
            it measured; a cell raises a StudyError if several have a result.
    """

    def __init__(self, kind: str, read: Callable[[Measured], Any] | None = None):
        self.kind, self.read = kind, read

    def __call__(self, show: Cell) -> Cell:
        """Decorate a function of what was measured, its source, and what the cell gives."""

        @wraps(show)
        def cell(*given: str) -> Text | None:
            entries = study().analysed(self.kind)
            if not entries:
                return Text(MISSING)
            measured = [entry.result.measured for entry in entries]
            if not self.read and len(measured) > 1:
                raise StudyError(
                    f"{folders().params / 'analyses'}: {', '.join(e.name for e in entries)} are "
                    f"all analyses {self.kind!r}, of which this page shows one; delete the others"
                )
            found = self.read(measured) if self.read else measured[0]
            return show(found, shown.analysed_from(study(), self.kind), *given)

        return cell

    def text(self, write: Callable[..., str | list[str]]) -> Cell:
        """Show Markdown, or a paragraph of sentences, which ``write`` makes."""

        def show(found: Any, source: str, *given: str) -> Text:
            made = write(found, *given)
            return Text(made if isinstance(made, str) else " ".join(made))

        return self(show)

    def table(self, write: Callable[..., str]) -> Cell:
        """Show a table, which ``write`` makes, with its source."""
        return self(lambda found, source, *given: shown.table(write(found, *given), source))

    def figure(self, draw: Callable[[Any], Figure], alt: str, caption: str) -> Cell:
        """Show a figure, which ``draw`` makes, with its source."""
        return self(lambda found, source: shown.figure(draw(found), alt, caption, source))


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


THEORY = Cells("theory")
theory = THEORY.figure(
    theory_figures.theory,
    "Features learned by each training, in networks and as the model predicts.",
    "Features learned: measured in networks, and predicted by the model.",
)
theory_answer = THEORY.text(theory_text.answer)
theory_findings = THEORY.text(theory_text.sentences)

TRADE_OFF = Cells("trade-off", by_dataset)
distillation_cost = TRADE_OFF.figure(
    distillation_cost_figures.tradeoff,
    "Accuracy and EMAP gap over the weight of distillation.",
    "Accuracy and EMAP gap (the gain from interactions) over the weight of distillation.",
)
remedies = TRADE_OFF.figure(
    distillation_cost_figures.remedies,
    "The accuracy of each remedy and of plain UMT over the weight, setting by setting.",
    "Remedies and plain UMT of the same weight, for the strongest paired features.",
)
distillation_cost_table = TRADE_OFF.table(distillation_cost_text.table)
distillation_cost_findings = TRADE_OFF.text(distillation_cost_text.sentences)

guide_verdicts = Cells("guide-on-data", by_dataset).table(guide_check_text.verdicts)

GUIDE = Cells("guide-on-map", by_dataset)
guide_right = GUIDE.figure(
    guide_check_figures.right,
    "How often each rule names the best strategy, and the accuracy that it loses.",
    "How often the guide and other rules are right, and what they lose: held-out settings.",
)
guide_right_answer = GUIDE.text(guide_check_text.answer)
guide_right_table = GUIDE.table(guide_check_text.table)
guide_right_findings = GUIDE.text(guide_check_text.sentences)

REAL = Cells("guide-on-features")
guide_real = REAL.table(guide_real_text.sets)
guide_real_scores = REAL.table(guide_real_text.scores)


@Cells("diagnosis", list)
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


TWO_STREAM = Cells("two-stream")
two_stream = TWO_STREAM.figure(
    two_stream_figures.gains,
    "Gain of every ensemble over the better of its networks, with flow and with RGB only.",
    "Gain of an ensemble over the better of its networks: 95% intervals over source videos. "
    "Filled: the gain survives Holm's correction.",
)
two_stream_reliability = TWO_STREAM.figure(
    two_stream_figures.reliability,
    "Accuracy over confidence for RGB, flow and their sum of logits, at three scales, and with "
    "fitted weights.",
    f"Accuracy of clips by confidence, in bins of equal width with at least "
    f"{two_stream_figures.MIN_SAMPLES} clips. Below the diagonal, predictions are too confident.",
)
two_stream_verdict = TWO_STREAM.text(two_stream_text.verdict)
two_stream_findings = TWO_STREAM.text(two_stream_text.sentences)
two_stream_networks = TWO_STREAM.table(two_stream_text.networks)
two_stream_ensembles = TWO_STREAM.table(two_stream_text.ensembles)
two_stream_control = TWO_STREAM.table(two_stream_text.control)
two_stream_rules = TWO_STREAM.table(two_stream_text.by_rule)
two_stream_calibration = TWO_STREAM.table(two_stream_text.calibrations)
two_stream_reproduced = TWO_STREAM.table(two_stream_text.reproduced)


def two_stream_paper() -> Text:
    """What others report."""
    return Text(two_stream_text.paper(literature_file()))


RELEASED = Cells("ave-features")
released_verdict = RELEASED.text(released_encoders_text.verdict)
released_probes = RELEASED.figure(
    lambda found: figures.dots(
        released_encoders_text.panels(found), "accuracy of a linear probe (%)"
    ),
    "Accuracy of linear probes of the encoders of five methods, by modality.",
    "Accuracy of linear probes of the released encoders, and of both encoders of a method "
    "together, with 95% intervals that are corrected for folds that share clips, but not for "
    "their number. The same clips and folds for all methods; differences are in the table.",
)
released_findings = RELEASED.text(released_encoders_text.sentences)
released_guide = RELEASED.table(released_encoders_text.verdicts)
released_files = RELEASED.table(released_encoders_text.files)


@RELEASED
def released_table(found: One, source: str) -> Text:
    """Differences between released encoders."""
    note = tables.note(released_encoders_text.differences(found))
    return shown.table(released_encoders_text.table(found), source, after=note)


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
