"""Findings on one data set, as sentences; each says whether it speaks against the paper's claim.

The comparisons that the sentences state are one family: a difference is called better or worse only
if it survives Holm's correction over all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from umt_lib.evaluation.intervals import Interval
from umt_lib.guide.recommendation import UNCLEAR
from umt_lib.study.analyses.guide_check.rules import LAST
from umt_lib.study.experiments.comparisons import FLAT, Family, difference, late_gain, laziness
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report.choices import (
    BY_HEAD,
    FROZEN_MLP,
    HEADS,
    JOINT,
    JOINT_MLP,
    LONGER,
    LONGER_MLP,
    TWO,
    UME,
    UME_MEAN,
    UME_PRODUCT,
    UME_WEIGHTED,
    UMT,
    UMT_MLP,
    is_joint_again,
)
from umt_lib.study.report.costs import equal_budget, total_passes
from umt_lib.study.report.format import in_words, is_equivalent, points, setting

Sentence = tuple[bool, str]  # whether it speaks against the paper's claim, and its text
PAIRS = (  # (a, b): the differences a minus b in test accuracy that the sentences state
    (UMT, JOINT),
    (UMT_MLP, JOINT_MLP),
    (UME, JOINT),
    (UMT, UME),
    (UMT_MLP, UME),
    (JOINT_MLP, FROZEN_MLP),
    (JOINT_MLP, UME),
    (FROZEN_MLP, UME),
    (UMT, LONGER),
    (UMT_MLP, LONGER_MLP),
    (UMT, TWO),
    (UME_PRODUCT, UME_MEAN),
    (UME_WEIGHTED, UME_MEAN),
    (JOINT_MLP, JOINT),
)
COLLAPSE = 0.2  # of validation accuracy below the median of all seeds
LAZY = (JOINT, UMT)  # the trainings after which the sentences state laziness


class Page:
    """The results on one data set by label, and the family of their comparisons."""

    def __init__(self, study: Study, dataset: str):
        self.study, self.dataset = study, dataset
        self.entries = study.current(dataset)
        self.unimodal = study.unimodal(dataset)
        results = study.results(dataset)
        gains: dict[Any, Interval | None] = {
            (a, b): difference(results.get(a), results.get(b))
            for a, b in PAIRS
            if not self.again(b)
        }
        for training in LAZY:
            if after := results.get(training):
                for m, reference in self.unimodal.items():
                    gains[training, m] = laziness(after, reference, m)
        self.family = Family(gains)

    def gain(self, a: str, b: str) -> Interval | None:
        """The difference ``a`` minus ``b``, one of :data:`PAIRS`; None if it was not measured.

        Raises:
            KeyError: it is not one of them, so it could not be in the family.
        """
        if (a, b) not in PAIRS:
            raise KeyError(f"{a!r} minus {b!r} is not in PAIRS")
        return self.family.get((a, b))

    def again(self, label: str) -> bool:
        """Whether this row is longer joint training with the models of joint training."""
        return label in self.entries and is_joint_again(self.study, self.entries[label])


def compared(a: str, b: str, gain: Interval, clear: bool, where: str = "") -> str:
    """A comparison in words and numbers, with the reason if there is no clear difference.

    For example ``**With MLP heads, no clear difference between UMT and UME**: +0.3 [-0.9, +1.5]
    points (the interval contains 0).``, in which ``where`` is "with MLP heads, ".
    """
    words = where + in_words(a, b, gain, clear)
    reasons = []
    if not clear and gain.n > 1:
        contains = gain.contains_zero
        reasons.append(f"the interval {'contains' if contains else 'excludes'} 0")
        reasons += [] if contains else ["the difference does not survive Holm's correction"]
        reasons += ["it lies within \N{PLUS-MINUS SIGN}1 point"] if is_equivalent(gain) else []
    reason = f" ({'; '.join(reasons)})" if reasons else ""
    return f"**{words[0].upper()}{words[1:]}**: {points(gain)} points{reason}."


def _comparison(
    page: Page,
    a: str,
    b: str,
    names: tuple[str, str],
    where: str = "",
    after: str = "",
    claimed: bool = True,
) -> Iterator[Sentence]:
    """The sentence of :func:`compared`, if there is a difference to report.

    If it is ``claimed`` that ``a`` is better, everything except a clear gain speaks against it.
    """
    if gain := page.gain(a, b):
        against = claimed and not page.family.is_better((a, b))
        yield against, compared(*names, gain, page.family.is_clear((a, b)), where) + after


def _controlled(page: Page, a: str, b: str, names: tuple[str, str], where: str) -> Iterator:
    """A comparison with a control of the budget, which says whether the budgets are equal."""
    if (a, b) not in page.family.gains:
        return
    mine, other = page.entries[a], page.entries[b]
    equal = equal_budget(page.study, mine, other)
    after = ""
    if equal is False:
        passes = [total_passes(page.study, entry) or 0 for entry in (mine, other)]
        thousands = [f"{count / 1000:,.0f}" for count in passes]
        after = (
            f" The budgets are not equal: {thousands[0]} thousand encoder passes, with those of "
            f"teachers, against {thousands[1]} thousand."
        )
    yield from _comparison(page, a, b, names, f"at equal budget{where}, " if equal else "", after)


def umt(page: Page) -> Iterator[Sentence]:
    """UMT against joint training, with either head."""
    for head in HEADS:
        names, where = ("UMT", "joint training"), f"with {head} heads, "
        yield from _comparison(page, BY_HEAD[UMT][head], BY_HEAD[JOINT][head], names, where)


def ume(page: Page) -> Iterator[Sentence]:
    """UME against joint training, its control where both have the same number of epochs."""
    yield from _controlled(page, UME, JOINT, ("UME", "joint training"), "")


def umt_ume(page: Page) -> Iterator[Sentence]:
    """UMT against UME, with either head."""
    for head in HEADS:
        names, where = ("UMT", "UME"), f"with {'an MLP' if head == 'MLP' else 'a linear'} head, "
        yield from _comparison(page, BY_HEAD[UMT][head], UME, names, where)


def guide(page: Page) -> Iterator[Sentence]:
    """The verdicts of the paper's rule on validation against the outcome on the test split.

    The verdicts are those of the guide: nested cross-validation on validation samples, in which
    UME's rule is chosen too, with a paired bootstrap over samples.
    """
    key = UMT, UME
    truth = page.gain(*key)
    checks = (entry.result.measured for entry in page.study.analysed("guide-on-data"))
    found = next((check for check in checks if check["dataset"] == page.dataset), None)
    if found is None or truth is None:
        return
    verdicts = Counter(case["verdicts"][LAST]["paper"] for case in found["cases"])
    (prediction, times), *_ = verdicts.most_common()
    outcome = UNCLEAR
    if page.family.is_clear(key):
        outcome = "UMT" if truth.mean > 0 else "UME"
    if prediction == outcome == UNCLEAR:
        verdict = "gives no recommendation"
    elif prediction == outcome:
        verdict = "is confirmed"
    elif prediction == UNCLEAR:
        verdict = "predicts no clear winner where there is one"
    else:
        verdict = "is not confirmed" if outcome == UNCLEAR else "is wrong"
    result = "no clear difference" if outcome == UNCLEAR else f"{outcome} is better"
    yield (
        prediction != outcome,
        f"**The paper's rule {verdict}.** In cross-validation on the validation split it predicts "
        f"{prediction} for {times} of {verdicts.total()} seeds. On the test split, UMT with a "
        f"linear head minus UME is {points(truth)} points: {result}.",
    )


def blind_spot(page: Page) -> Iterator[Sentence]:
    """Paired features that joint training learns and frozen uni-modal encoders do not contain."""
    family = page.family
    held, found = page.gain(FROZEN_MLP, UME), page.gain(JOINT_MLP, FROZEN_MLP)
    if held and family.is_better((JOINT_MLP, FROZEN_MLP)) and family.is_better((JOINT_MLP, UME)):
        yield (
            True,
            f"**Frozen encoders lack features that joint training learns**: with MLP heads, joint "
            f"training minus frozen encoders is {points(found)} points, and frozen encoders minus "
            f"UME is {points(held)} points. This is the blind spot of the paper's rule.",
        )


def controls(page: Page) -> Iterator[Sentence]:
    """UMT against its controls: longer joint training, and two joint models."""
    for head, longer in BY_HEAD[LONGER].items():
        if page.again(longer):
            yield (
                True,
                f"**With {head} heads, there is no control of UMT's budget by longer training**: "
                f"for every seed, longer joint training chose the epoch of joint training "
                f"and has the same models.",
            )
        names = "UMT", "longer joint training"
        where = f" and with {head} heads"
        yield from _controlled(page, BY_HEAD[UMT][head], longer, names, where)
    names = "UMT", "an ensemble of two joint models"
    yield from _controlled(page, UMT, TWO, names, " and with linear heads")


def baselines(page: Page) -> Iterator[Sentence]:
    """Uni-modal baselines that had not converged, or may not have."""
    for modality, result in page.unimodal.items():
        gain = late_gain(result)
        if gain.mean > FLAT:
            kind = "may not have" if gain.contains_zero else "had not"
            yield (
                True,
                f"**The uni-modal baseline of {modality} {kind} converged**: it still gained "
                f"{points(gain)} points late in its schedule. The laziness of {modality} may be "
                f"larger than shown here.",
            )


def edges(page: Page) -> Iterator[Sentence]:
    """Hyper-parameters whose chosen value is the smallest or the largest of its sweep."""
    found = []
    for label, entry in page.entries.items():
        measured = entry.result.measured
        for field, trials in measured.sweeps.items():
            values, chosen = [trial.value for trial in trials], measured.chosen[field]
            if not all(isinstance(value, int | float) for value in values):
                continue  # words have no order
            if chosen in (min(values), max(values)):
                ends = f"{min(values):g} to {max(values):g}"
                found.append(f"{label}, {setting(field, chosen)} of {ends}")
    if found:
        yield (
            True,
            f"**Sweeps whose chosen value is at an end of the range**, so that a better value may "
            f"lie outside: {'; '.join(found)}.",
        )


def collapses(page: Page) -> Iterator[Sentence]:
    """Seeds whose validation accuracy is far below the median."""
    found = []
    for label, entry in page.entries.items():
        scores = entry.result.frame["validation_accuracy"]
        failed = scores[scores < scores.median() - COLLAPSE]
        for seed, score in failed.items():
            rest = f"the median of all seeds is {100 * scores.median():.1f}%"
            found.append(f"{label}, seed {seed} ({100 * score:.1f}% on validation; {rest})")
    if found:
        yield (
            True,
            f"**Trainings that failed in one seed**: {'; '.join(found)}. These seeds count in "
            f"every number, and make the intervals wide.",
        )


def rules(page: Page) -> Iterator[Sentence]:
    """The single rules of UME against each other."""
    for name in (UME_PRODUCT, UME_WEIGHTED):
        yield from _comparison(page, name, UME_MEAN, (name, UME_MEAN), claimed=False)


def head(page: Page) -> Iterator[Sentence]:
    """Joint training with an MLP head against joint training with a linear head."""
    if page.family.is_better((JOINT_MLP, JOINT)):
        after = "An MLP head can use interactions between the modalities; a linear head cannot."
    elif page.family.is_worse((JOINT_MLP, JOINT)):
        after = "The larger head loses more than it can gain from paired features."
    else:
        gain = page.gain(JOINT_MLP, JOINT)
        clear = "" if gain is None or gain.contains_zero else "clear "
        after = (
            f"So there is no {clear}evidence of interactions that a linear head cannot use; "
            f"whether there are paired features that it can use, this comparison does not show."
        )
    names, where = ("an MLP head", "a linear head"), "in joint training, "
    yield from _comparison(page, JOINT_MLP, JOINT, names, where, f" {after}", claimed=False)


def lazy(page: Page) -> Iterator[Sentence]:
    """The laziness of each encoder after joint training and after UMT."""
    for modality in page.unimodal:
        gaps = {t: gap for t in LAZY if (gap := page.family.get((t, modality)))}
        if JOINT not in gaps:
            continue
        kind = "not lazy" if page.family.is_better((JOINT, modality)) else "not shown to be lazy"
        kind = "lazy" if page.family.is_worse((JOINT, modality)) else kind
        shown = {
            t: f"{points(gap)} points"
            + ("" if page.family.is_clear((t, modality)) else " (not clear)")
            for t, gap in gaps.items()
        }
        after = f"; after UMT, {shown[LAZY[1]]}" if LAZY[1] in shown else ""
        yield (
            False,
            f"**The encoder of {modality} is {kind} after joint training**: its probe minus that "
            f"of the uni-modal encoder is {shown[JOINT]}{after}.",
        )


FINDINGS = (
    umt,
    ume,
    umt_ume,
    guide,
    blind_spot,
    controls,
    baselines,
    edges,
    collapses,
    rules,
    head,
    lazy,
)
