"""Tables and sentences about the released encoders; all numbers are computed from ``measured``.

``measured`` is the value of ``ave_features`` in :mod:`umt_lib.study.analyses.released_encoders`.
Differences are paired by fold, and all that the page states are corrected together.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from umt_lib.data.ave_features import FOLDERS, MODALITIES
from umt_lib.evaluation.cross_validation import resampled_interval
from umt_lib.evaluation.intervals import Interval
from umt_lib.guide.recommendation import measures
from umt_lib.guide.verdict import our_rule
from umt_lib.study.analyses.released_encoders import BOTH
from umt_lib.study.experiments.comparisons import Family
from umt_lib.study.report.format import NONE, markdown, percent, points

JOINT, UNIMODAL = REFERENCES = ("joint", "UME")
PAGES = {
    "joint": "joint",
    "OGM-GE": "ogm-ge",
    "UMT": "umt",
    "UME": "ume",
    "ReconBoost": "reconboost",
}
NAMES = (*MODALITIES, BOTH)  # of probes
COLORS = {"joint": "joint", "UMT": "umt", "UME": "ume"}  # keys of umt_lib.style.COLORS


def compared(measured: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What is compared: (method, reference, probe). Joint training with UME is in it once."""
    pairs = product(measured["methods"], REFERENCES)
    return [(m, r, name) for m, r in pairs if m not in (r, JOINT) for name in NAMES]


def differences(measured: dict[str, Any]) -> Family:
    """The difference of each method to each reference, with the keys of :func:`compared`."""

    def gain(method: str, reference: str, name: str) -> Interval:
        probes = (measured["methods"][m]["probes"][name] for m in (method, reference))
        return resampled_interval(np.subtract(*probes), measured["folds"])

    return Family({key: gain(*key) for key in compared(measured)})


def panels(measured: dict[str, Any]) -> dict[str, list[tuple[str, str, bool, Interval]]]:
    """The accuracies as rows of :func:`umt_lib.study.report.figures.dots`, {probe: rows}."""
    return {
        name: [
            (method, COLORS.get(method, ""), True, _accuracy(measured, method, name))
            for method in measured["methods"]
        ]
        for name in NAMES
    }


def verdict(measured: dict[str, Any]) -> str:
    """The sentence that answers whether the released joint model has lazy encoders."""
    family = differences(measured)
    parts = [_lazy(family, m) for m in MODALITIES]
    return f"**In the released joint model, {' and '.join(parts)}.**"


def _lazy(family: Family, modality: str) -> str:
    key = (UNIMODAL, JOINT, modality)
    gain, encoder = points(family.get(key)), f"the {modality} encoder"
    if family.is_better(key):
        return (
            f"{encoder} is lazy: the probe of the encoder after uni-modal training (UME) is more "
            f"accurate by {gain} points"
        )
    if family.is_worse(key):
        return (
            f"{encoder} is better than the one after uni-modal training (UME minus joint: {gain})"
        )
    if (found := family.get(key)) and found.low > 0:
        return (
            f"{encoder} may be lazy (UME minus joint: {gain} points, which does not survive the "
            f"correction for {len(family)} differences)"
        )
    return f"{encoder} shows no clear laziness (UME minus joint: {gain} points)"


def sentences(measured: dict[str, Any]) -> str:
    """The findings as a Markdown list."""
    lines = [_survivors(measured), _related(measured), _chance(measured)]
    return "\n".join(f"- {line}" for line in lines)


def _survivors(measured: dict[str, Any]) -> str:
    family = differences(measured)
    clear = [key for key in compared(measured) if family.is_clear(key)]
    shown = "; ".join(f"{m} minus {r}, {n}: {points(family.get((m, r, n)))}" for m, r, n in clear)
    return (
        f"**Differences.** {len(clear)} of {len(family)} differences survive Holm's correction"
        f"{': ' + shown if clear else ''}. The intervals are not corrected."
    )


def _related(measured: dict[str, Any]) -> str:
    """How similar the features of each method are to those of UME, coordinate by coordinate."""
    values = {
        method: max(found["coordinates"].values())
        for method, found in measured["methods"].items()
        if method != UNIMODAL
    }
    shown = ", ".join(f"{method} {value:.2f}" for method, value in values.items())
    return (
        f"**Which encoders are related.** Features of independently initialised networks are "
        f"uncorrelated coordinate by coordinate. The correlation with the features of UME, in the "
        f"modality where it is larger, is: {shown}."
    )


def _chance(measured: dict[str, Any]) -> str:
    return (
        f"**Size.** {measured['clips']} clips of {measured['classes']} classes are compared, "
        f"{measured['smallest']} to {measured['largest']} of each class; always predicting the "
        f"largest class is right for {100 * measured['largest'] / measured['clips']:.1f}%."
    )


def table(measured: dict[str, Any]) -> str:
    """The accuracy of every probe, and its differences to joint training and to UME."""
    family, rows = differences(measured), []
    for name in NAMES:
        for method in measured["methods"]:
            keys = [(method, reference, name) for reference in REFERENCES]
            gaps = [points(family.get(key), family.is_clear(key)) for key in keys]
            rows.append([_link(method), name, percent(_accuracy(measured, method, name)), *gaps])
    minus = [f"minus {reference}" for reference in REFERENCES]
    return markdown(["encoders of", "probe of", "accuracy, %", *minus], rows)


def verdicts(measured: dict[str, Any]) -> str:
    """The guide's verdict on the features of every method."""
    rows = []
    for method, found in measured["methods"].items():
        guide = found["guide"]
        competitors, gains = measures(guide["competitors"]), measures(guide["gains"])
        verdict, reason = our_rule(competitors, gains, guide["chance"])
        rows.append([_link(method), verdict, reason, guide["paper"]])
    return markdown(["features of", "verdict", "reason", "the paper's rule"], rows)


def files(measured: dict[str, Any]) -> str:
    """What the files contain, and whether their rows are the same clips."""
    rows = []
    for method, found in measured["methods"].items():
        cells = [_link(method), f"`{FOLDERS[method]}`", str(found["clips"])]
        cells += [f"{found['mean'][m]:.2f}" for m in MODALITIES]
        agreement = found["agreement"]
        shown = [f"{given:.2f} ({chance:.2f})" for given, chance in agreement.values()]
        rows.append([*cells, *(shown or [NONE] * len(MODALITIES))])
    head = [f"mean feature, {m}" for m in MODALITIES]
    head += [f"agreement with joint (chance), {m}" for m in MODALITIES]
    return markdown(["encoders of", "folder", "clips", *head], rows)


def _accuracy(measured: dict[str, Any], method: str, name: str) -> Interval:
    return resampled_interval(measured["methods"][method]["probes"][name], measured["folds"])


def _link(method: str) -> str:
    return f"[{method}](/methods/{PAGES[method]}.md)"
