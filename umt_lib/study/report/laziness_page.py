"""What the page on laziness shows."""

from __future__ import annotations

from umt_lib.study.experiments.comparisons import laziness
from umt_lib.study.report import claims, figures, laziness_figures, shown, summaries
from umt_lib.study.report.choices import ANSWERED, JOINT, UME, is_filled
from umt_lib.study.report.format import NOTHING
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
        "Left of the line, the probe is less accurate than after uni-modal training.",
        shown.made_from(study(), used),
    )
    return None


def on_average() -> Text:
    """Whether encoders are lazy on average over the real data sets, and what UMT changes."""
    lazy, recovers = claims.is_lazy(study()), claims.recovers(study())
    numbers = " ".join(f"{c.number[0].upper()}{c.number[1:]}." for c in (lazy, recovers))
    return Text(f"**{lazy.verdict.capitalize()}, on average over the real data sets.** {numbers}")


def sentence() -> Text:
    """How many encoders are clearly lazy after joint training and after UMT."""
    return Text(summaries.lazy(study()))


def against_gain() -> Text | None:
    """Laziness against what UME gains, as a figure with the correlation."""
    table = claims.lost_and_gained(study())
    if table.empty:
        return Text(NOTHING)
    rows = [e for d in table["dataset"] for e in study().of(d) if e.result]
    used = [e for e in rows if e.label in (UME, JOINT) or e.method == "unimodal"]
    shown.figure(
        laziness_figures.against_gain(table),
        "Laziness after joint training against the gain of UME over joint training: a dot per data "
        "set.",
        "Each dot is a data set, with linear heads. Across: laziness, the mean over its encoders. "
        "Up: test accuracy of UME minus that of joint training. Lines: 95% t-intervals over seeds.",
        shown.made_from(study(), used),
    )
    return None


def correlation() -> Text:
    """Whether lazier data sets gain more, in words."""
    claim = claims.laziness_hurts(study())
    return Text(f"**{claim.verdict.capitalize()}**: {claim.number}.")
