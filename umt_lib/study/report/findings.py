"""Findings on one data set, as sentences; each says whether it speaks against the paper's claim."""

from __future__ import annotations

from collections.abc import Iterator

from umt_lib.evaluation.intervals import Interval
from umt_lib.study.experiments.comparisons import FLAT, difference, late_gain, laziness
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report.format import in_words, is_equivalent, points

Sentence = tuple[bool, str]  # whether it speaks against the paper's claim, and its text


def compared(a: str, b: str, gain: Interval, where: str = "") -> str:
    """A comparison in words and numbers, with the reason if there is no clear difference.

    For example ``**With MLP heads, no clear difference between UMT and UME**: +0.3 [-0.9, +1.5]
    points (the interval contains 0).``, in which ``where`` is "with MLP heads, ".
    """
    words = where + in_words(a, b, gain)
    within = " and lies within \N{PLUS-MINUS SIGN}1 point" if is_equivalent(gain) else ""
    reason = f" (the interval contains 0{within})" if gain.contains_zero else ""
    return f"**{words[0].upper()}{words[1:]}**: {points(gain)} points{reason}."


def _comparison(
    a: str, b: str, gain: Interval | None, where: str = "", after: str = "", claimed: bool = True
) -> Iterator[Sentence]:
    """The sentence of :func:`compared`, if there is a difference to report.

    If it is ``claimed`` that ``a`` is better, everything except a clear gain speaks against it.
    """
    if gain:
        yield claimed and not gain.low > 0, compared(a, b, gain, where) + after


def umt(study: Study, dataset: str) -> Iterator[Sentence]:
    """UMT against joint training, with either head."""
    for head, words in (("linear", "linear heads"), ("mlp", "MLP heads")):
        gain = difference(study.result(dataset, "umt", head), study.result(dataset, "joint", head))
        yield from _comparison("UMT", "joint training", gain, f"with {words}, ")


def ume(study: Study, dataset: str) -> Iterator[Sentence]:
    """UME against joint training."""
    mean = study.result(dataset, "ume", rule="mean")
    gain = difference(mean, study.result(dataset, "joint"))
    yield from _comparison("UME (mean)", "joint training", gain)


def guide(study: Study, dataset: str) -> Iterator[Sentence]:
    """The prediction of the paper's rule on validation against the outcome on the test split."""
    mean = study.result(dataset, "ume", rule="mean")
    for head, words in (("linear", "a linear head"), ("mlp", "an MLP head")):
        frozen, umt = (study.result(dataset, method, head) for method in ("frozen", "umt"))
        truth = difference(umt, mean)
        gap = difference(frozen, mean, "validation_accuracy")
        if gap is None or truth is None:
            continue
        prediction, outcome = _winner(gap), _winner(truth)
        if prediction == outcome:
            verdict = "is confirmed"
        elif gap.contains_zero:
            verdict = "predicts no clear winner where there is one"
        else:
            verdict = "is not confirmed" if truth.contains_zero else "is wrong"
        result = "no clear difference" if truth.contains_zero else f"{outcome} is better"
        yield (
            prediction != outcome,
            f"**The paper's rule with {words} {verdict}.** On validation, frozen encoders with "
            f"{words} minus UME (mean) is {points(gap)} points, so the rule predicts: "
            f"{prediction}. On the test split, UMT with {words} minus UME (mean) is "
            f"{points(truth)} points: {result}.",
        )


def blind_spot(study: Study, dataset: str) -> Iterator[Sentence]:
    """Paired features that joint training learns and frozen uni-modal encoders do not contain."""
    mean, frozen, joint = (
        study.result(dataset, "ume", rule="mean"),
        study.result(dataset, "frozen", "mlp"),
        study.result(dataset, "joint", "mlp"),
    )
    held, found = difference(frozen, mean), difference(joint, frozen)
    if held and found and found.low > 0 and difference(joint, mean).low > 0:
        yield (
            True,
            f"**Frozen encoders lack features that joint training learns**: with MLP heads, joint "
            f"training minus frozen encoders is {points(found)} points, and frozen encoders minus "
            f"UME (mean) is {points(held)} points. This is the blind spot of the paper's rule.",
        )


def controls(study: Study, dataset: str) -> Iterator[Sentence]:
    """UMT and UME against joint training with the same budget."""
    umt, mean = study.result(dataset, "umt"), study.result(dataset, "ume", rule="mean")
    for result, name, control, words in (
        (umt, "UMT", "joint-longer", "joint training of twice the length"),
        (mean, "UME (mean)", "joint-ensemble", "an ensemble of two joint models"),
    ):
        gain = difference(result, study.result(dataset, control))
        yield from _comparison(name, words, gain, "at equal budget, ")


def baselines(study: Study, dataset: str) -> Iterator[Sentence]:
    """Uni-modal baselines that had not converged."""
    for modality, result in study.unimodal(dataset).items():
        gain = late_gain(result)
        if gain.mean > FLAT:
            yield (
                True,
                f"**The uni-modal baseline of {modality} had not converged**: it still gained "
                f"{points(gain)} points late in its schedule. The laziness of {modality} may be "
                f"larger than shown here.",
            )


def edges(study: Study, dataset: str) -> Iterator[Sentence]:
    """Hyper-parameters whose chosen value is the smallest or the largest of its sweep."""
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
            f"**Sweeps whose chosen value is at an end of the range**, so that a better value may "
            f"lie outside: {'; '.join(found)}.",
        )


def rules(study: Study, dataset: str) -> Iterator[Sentence]:
    """The rules of UME against each other, and UMT against the weighted one."""
    rules = {rule: study.result(dataset, "ume", rule=rule) for rule in ("product", "weighted")}
    mean = study.result(dataset, "ume", rule="mean")
    for rule, result in rules.items():
        gain = difference(result, mean)
        yield from _comparison(f"UME ({rule})", "UME (mean)", gain, claimed=False)
    gain = difference(study.result(dataset, "umt"), rules["weighted"])
    yield from _comparison("UMT", "UME (weighted)", gain)


def head(study: Study, dataset: str) -> Iterator[Sentence]:
    """Joint training with an MLP head against joint training with a linear head."""
    linear, mlp = (study.result(dataset, "joint", head) for head in ("linear", "mlp"))
    gain = difference(mlp, linear)
    if gain is None:
        return
    if gain.contains_zero:
        after = "So there is no evidence of paired features, which an additive head cannot use."
    elif gain.mean > 0:
        after = "An MLP head can use paired features; an additive head cannot."
    else:
        after = "The larger head loses more than it can gain from paired features."
    yield from _comparison(
        "an MLP head", "a linear head", gain, "in joint training, ", f" {after}", claimed=False
    )


def lazy(study: Study, dataset: str) -> Iterator[Sentence]:
    """The laziness of each encoder after joint training and after UMT."""
    joint, umt = study.result(dataset, "joint"), study.result(dataset, "umt")
    for modality, result in study.unimodal(dataset).items():
        gap = joint and laziness(joint, result, modality)
        if not gap:
            continue
        kind = "lazy" if gap.mean < 0 else "not lazy"
        kind = "not clearly lazy" if gap.contains_zero else kind
        text = (
            f"**The encoder of {modality} is {kind} after joint training**: its probe minus that "
            f"of the uni-modal encoder is {points(gap)} points{_unclear(gap)}"
        )
        after = umt and laziness(umt, result, modality)
        tail = f"; after UMT, {points(after)}{_unclear(after)}." if after else "."
        yield False, text + tail


def _unclear(gap: Interval) -> str:
    return " (no clear difference)" if gap.contains_zero else ""


def _winner(gain: Interval) -> str:
    """The strategy that is better, for a difference of UMT (or frozen encoders) minus UME."""
    if gain.contains_zero:
        return "no clear winner"
    return "UMT" if gain.mean > 0 else "UME"


FINDINGS = (umt, ume, guide, blind_spot, controls, baselines, edges, rules, head, lazy)
