"""What the page on laziness shows."""

from __future__ import annotations

from umt_lib.study.experiments.comparisons import laziness
from umt_lib.study.report import figures, shown, summaries
from umt_lib.study.report.choices import is_filled
from umt_lib.study.report.format import NOTHING
from umt_lib.study.report.front_page import ANSWERED
from umt_lib.study.report.opened import study
from umt_lib.study.report.shown import Text

KEEP_ENCODERS = ("unimodal", "ume", "ume-qmf", "frozen")  # methods with the uni-modal encoders


def overview() -> Text | None:
    """Laziness after joint training and UMT, on every data set."""
    panels, used = {}, []
    for dataset in study().datasets:
        trained = [e for e in study().of(dataset) if e.result and e.method not in KEEP_ENCODERS]
        answered = [e for e in trained if e.label in ANSWERED]
        rows = [
            (f"{modality}, {entry.label}", entry.method, is_filled(entry), gap)
            for modality, reference in study().unimodal(dataset).items()
            for entry in answered
            if entry.result and (gap := laziness(entry.result, reference, modality))
        ]
        if rows:
            panels[dataset] = rows
            used += [e for e in study().of(dataset, "unimodal") if e.result] + answered
    if not panels:
        return Text(NOTHING)
    shown.figure(
        figures.dots(panels, "probe minus that of the uni-modal encoder, points", zero=True),
        "Probe of each encoder after training, minus that of the uni-modal encoder: all data sets.",
        "Probe of each encoder after joint training and after UMT, minus that of the uni-modal "
        "encoder; paired over seeds, 95% t-interval, not corrected for the number of encoders. "
        "Encoders left of the line are lazy.",
        shown.made_from(study(), used),
    )
    return None


def sentence() -> Text:
    """How many encoders are clearly lazy after joint training and after UMT."""
    return Text(summaries.lazy(study()))
