"""What one data set's results say, finding by finding: each speaks against the claim or not."""

from __future__ import annotations

from collections.abc import Iterator

from umt_lib.evaluation.intervals import Interval
from umt_lib.study.experiments.comparisons import (
    FLAT,
    difference,
    late_gain,
    laziness,
)
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report.format import in_words, points

Sentence = tuple[bool, str]  # whether it speaks against the paper's claim, and its text


def compared(a: str, b: str, gain: Interval) -> str:
    """``**UMT ties with joint**: +0.3 points [-0.2, +0.8], a tie.``"""
    tail = "; the interval holds 0, a tie." if gain.contains_zero else "."
    return f"**{in_words(a, b, gain)}**: {points(gain)} points{tail}"


def umt(study: Study, dataset: str) -> Iterator[Sentence]:
    for head, words in (("linear", "linear heads"), ("mlp", "MLP heads")):
        gain = difference(study.result(dataset, "umt", head), study.result(dataset, "joint", head))
        if gain:
            yield not gain.low > 0, compared("UMT", f"joint training, {words}", gain)


def ume(study: Study, dataset: str) -> Iterator[Sentence]:
    mean = study.result(dataset, "ume", rule="mean")
    gain = difference(mean, study.result(dataset, "joint"))
    if gain:
        yield not gain.low > 0, compared("UME (mean)", "joint training", gain)


def guide(study: Study, dataset: str) -> Iterator[Sentence]:
    """The paper's rule, decided on validation and held against the test split."""
    mean = study.result(dataset, "ume", rule="mean")
    for head, words in (("linear", "a linear head"), ("mlp", "an MLP head")):
        frozen, umt = (study.result(dataset, method, head) for method in ("frozen", "umt"))
        truth = difference(umt, mean)
        gap = difference(frozen, mean, "validation_accuracy")
        if gap is None or truth is None:
            continue
        advice, outcome = _winner(gap), _winner(truth)
        if advice == outcome:
            verdict = "holds"
        elif gap.contains_zero:
            verdict = "does not decide"
        else:
            verdict = "is not borne out" if truth.contains_zero else "is wrong"
        says = "no clear winner" if gap.contains_zero else advice
        is_so = "a tie" if truth.contains_zero else f"{outcome} is better"
        yield (
            advice != outcome,
            f"**The guiding rule with {words} {verdict}.** On validation, frozen encoders with "
            f"{words} minus UME (mean) is {points(gap)} points, so the rule says: {says}. On the "
            f"test split, UMT with {words} minus UME (mean) is {points(truth)} points: {is_so}.",
        )


def blind_spot(study: Study, dataset: str) -> Iterator[Sentence]:
    """Pairs that joint training finds and frozen uni-modal encoders no longer hold."""
    mean, frozen, joint = (
        study.result(dataset, "ume", rule="mean"),
        study.result(dataset, "frozen", "mlp"),
        study.result(dataset, "joint", "mlp"),
    )
    held, found = difference(frozen, mean), difference(joint, frozen)
    if held and found and found.low > 0 and difference(joint, mean).low > 0:
        yield (
            True,
            f"**Frozen encoders miss what joint training finds**: with MLP heads, joint training "
            f"is {points(found)} points above frozen encoders, which are {points(held)} from UME "
            f"(mean). This is the blind spot of the guiding rule.",
        )


def controls(study: Study, dataset: str) -> Iterator[Sentence]:
    umt, mean = study.result(dataset, "umt"), study.result(dataset, "ume", rule="mean")
    for result, name, control, words in (
        (umt, "UMT", "joint-longer", "joint training of twice the length"),
        (mean, "UME (mean)", "joint-ensemble", "an ensemble of two joint models"),
    ):
        gain = difference(result, study.result(dataset, control))
        if gain:
            yield not gain.low > 0, "At equal budget: " + compared(name, words, gain)


def baselines(study: Study, dataset: str) -> Iterator[Sentence]:
    for modality, result in study.unimodal(dataset).items():
        gain = late_gain(result)
        if gain.mean > FLAT:
            yield (
                True,
                f"**The {modality} baseline had not converged**: it still gained {points(gain)} "
                f"points late in its schedule. Its laziness may be larger than shown here.",
            )


def edges(study: Study, dataset: str) -> Iterator[Sentence]:
    """A hyper-parameter chosen at the end of its sweep may have its best value outside."""
    found = []
    for entry in (e for e in study.of(dataset) if e.result and e.result.measured.sweep):
        values = sorted(trial.value for trial in entry.result.measured.sweep)
        (field, chosen), *_ = entry.result.measured.chosen.items()
        if chosen in (values[0], values[-1]):
            ends = f"{values[0]:g} to {values[-1]:g}"
            found.append(f"{entry.label}, {field} {chosen:g} of {ends}")
    if found:
        yield (
            True,
            f"**Sweeps that ended at their edge**, so that a better value may lie outside: "
            f"{'; '.join(found)}.",
        )


def rules(study: Study, dataset: str) -> Iterator[Sentence]:
    rules = {rule: study.result(dataset, "ume", rule=rule) for rule in ("product", "weighted")}
    for rule, result in rules.items():
        gain = difference(result, study.result(dataset, "ume", rule="mean"))
        if gain:
            yield False, compared(f"UME ({rule})", "UME (mean)", gain)
    gain = difference(study.result(dataset, "umt"), rules["weighted"])
    if gain:
        yield not gain.low > 0, compared("UMT", "UME (weighted)", gain)


def head(study: Study, dataset: str) -> Iterator[Sentence]:
    linear, mlp = (study.result(dataset, "joint", head) for head in ("linear", "mlp"))
    gain = difference(mlp, linear)
    if gain:
        tail = {
            "a tie": " So no paired features are shown that a sum over modalities cannot use.",
            "UMT": " What a sum over modalities cannot use, an MLP head can: paired features.",
            "UME": " The larger head costs more than the pairs it could find are worth.",
        }[_winner(gain)]
        yield False, compared("An MLP head", "a linear head in joint training", gain) + tail


def lazy(study: Study, dataset: str) -> Iterator[Sentence]:
    joint, umt, alone = (
        study.result(dataset, "joint"),
        study.result(dataset, "umt"),
        study.unimodal(dataset),
    )
    for modality, result in alone.items():
        gap = joint and laziness(joint, result, modality)
        if not gap:
            continue
        kind = "lazy" if gap.mean < 0 else "not lazy"
        kind = "not measurably lazy" if gap.contains_zero else kind
        text = (
            f"**The encoder of {modality} is {kind} after joint training**: its probe minus that "
            f"of one trained alone is {points(gap)} points{_tie(gap)}"
        )
        after = umt and laziness(umt, result, modality)
        tail = f"; after UMT, {points(after)}{_tie(after)}." if after else "."
        yield False, text + tail


def _tie(gap: Interval) -> str:
    return " (a tie)" if gap.contains_zero else ""


def _winner(gain: Interval) -> str:
    if gain.contains_zero:
        return "a tie"
    return "UMT" if gain.mean > 0 else "UME"


FINDINGS = (umt, ume, guide, blind_spot, controls, baselines, edges, rules, head, lazy)
