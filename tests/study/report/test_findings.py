"""Findings on one data set from hand-made accuracies: the right words, and none that are wrong."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from entries import entry, ume

from umt_lib.study.analyses.guide_check.rules import LAST
from umt_lib.study.experiments.results import Trial
from umt_lib.study.pipeline.collection import AnalysisEntry, Entry, Study
from umt_lib.study.report import dataset_page, summaries, tables
from umt_lib.study.report.format import MINUS

TEACHERS = {m: f"watch-{m}" for m in "ab"}
CONTROL = "longer joint training"


def at(value: float) -> list[float]:
    return [value, value + 0.01, value + 0.02]


def baselines(samples: int = 1000, probe: float = 0.6) -> list:
    return [
        entry(
            *("watch", "unimodal", at(0.6)),
            modality=m,
            name=f"watch-{m}",
            samples=samples,
            probes={m: probe},
        )
        for m in "ab"
    ]


def saw(*entries, samples: int = 1000) -> str:
    return summaries.saw(Study([*baselines(samples), *entries]), "watch")


def taught(method: str, value: float, head: str = "linear"):
    return entry("watch", method, at(value), head, teachers=TEACHERS)


def test_ume_and_joint_training_are_compared_at_equal_budget():
    """Joint training passes as many samples through encoders as the two uni-modal trainings."""
    rows = entry("watch", "joint", at(0.7)), ume("watch", at(0.8), teachers=TEACHERS)
    assert "**At equal budget, UME is better than joint training**: +10.0" in saw(*rows)
    text = saw(*rows, samples=3000)
    assert "**UME is better than joint training**: +10.0" in text
    assert "not equal: 6 thousand encoder passes, with those of teachers, against 2" in text


def test_two_joint_models_are_a_control_of_umt_and_not_of_ume():
    two = entry("watch", "joint-ensemble", at(0.7), size=2)
    text = saw(two, taught("umt", 0.8), ume("watch", at(0.8), teachers=TEACHERS))
    words = "**At equal budget and with linear heads, UMT is better than an ensemble of two joint"
    assert words in text
    assert text.count("two joint models") == 1


@pytest.mark.parametrize("head", ["linear", "MLP"])
def test_longer_training_is_a_control_for_each_head_unless_it_has_the_same_models(head):
    key = head.lower()
    joint = entry("watch", "joint", at(0.7), key)
    umt = taught("umt", 0.8, key)
    longer = entry("watch", "joint-longer", at(0.7), key, epoch=2, samples=2000)
    text = saw(joint, umt, longer)
    control = f"**At equal budget and with {head} heads, UMT is better than {CONTROL}**"
    assert control in text
    assert "same models" not in text
    same = entry("watch", "joint-longer", at(0.7), key, samples=2000)
    text = saw(joint, umt, same)
    assert f"**With {head} heads, there is no control of UMT's budget" in text
    assert "equal budget" not in text
    assert "over the 1 comparisons" in text  # the same comparison is not counted twice
    other = entry("watch", "joint-longer", [0.7, 0.71, 0.73], key, samples=2000)
    assert control in saw(joint, umt, other)  # the same epochs, but other models


def test_without_a_chosen_rule_no_sentence_is_about_ume():
    rows = [entry("watch", "joint", at(0.7)), taught("umt", 0.8)]
    single = entry("watch", "ume", at(0.9), rule="mean")
    study = Study([*rows, single])
    assert "UME" not in summaries.saw(study, "watch")
    assert "UME" not in summaries.verdict(study)
    assert "UME" not in summaries.answer(study)
    study = Study([*rows, single, ume("watch", at(0.75))])
    assert "UME is better than joint training**: +5.0" in summaries.saw(study, "watch")
    assert "UME is clearly better on watch" in summaries.verdict(study)


def test_a_page_begins_with_accuracies_and_corrected_comparisons():
    study = Study([entry("watch", "joint", at(0.7)), ume("watch", at(0.75))])
    text = summaries.verdict_on(study, "watch")
    assert text.startswith("**Test accuracy: UME 76.0%, joint (linear) 71.0%. In points: UME is ")
    assert "UME is better than joint training (+5.0" in text
    assert summaries.verdict_on(study, "furniture") == "**Not measured yet.**"
    old = [replace(entry("watch", "joint", at(0.7)), stale="made with other params")]
    found = summaries.verdict_on(Study(old), "watch")
    assert found == "**Measured, but all results are stale** (made with other params)."
    noise = Study([entry("watch", "joint", at(0.7)), ume("watch", [0.5, 0.7, 0.9])])
    assert "none of the differences between them is clear.**" in summaries.verdict_on(
        noise, "watch"
    )


def test_a_page_names_the_highest_mean_and_what_is_less_than_a_point_below_it():
    rows = [entry("watch", m, at(v), head) for m, v, head in (
        ("joint", 0.7, "linear"), ("joint", 0.705, "mlp"), ("umt", 0.75, "linear"),
        ("umt", 0.742, "mlp"), ("frozen", 0.6, "linear"),
    )]  # fmt: skip
    text = summaries.verdict_on(Study(rows), "watch")
    assert "Highest mean of 5 strategies: UMT (linear), 76.0%" in text
    assert "less than a point below it: UMT (MLP)." in text
    assert "Highest" not in summaries.verdict_on(Study(rows[:3]), "watch")


def test_a_difference_is_better_only_after_the_correction_of_its_list():
    """p = 0.04 of UMT (MLP) is clear alone, and no longer as the larger of two such."""
    doubtful = [0.716, 0.735, 0.754]
    rows = entry("watch", "joint", at(0.7), "mlp"), entry("watch", "umt", doubtful, "mlp")
    alone = Study([*rows])
    assert "**With MLP heads, UMT is better than joint training**" in summaries.saw(alone, "watch")
    assert "with MLP heads, UMT is clearly better on watch" in summaries.verdict(alone)
    again = entry("watch", "joint", at(0.7)), entry("watch", "umt", doubtful)
    both = Study([*rows, *again])
    for head in ("linear", "MLP"):
        words = f"**With {head} heads, no clear difference between UMT and joint training**"
        assert words in summaries.saw(both, "watch")
    assert "the interval excludes 0; the difference does not survive" in summaries.saw(
        both, "watch"
    )
    assert "better on watch" not in summaries.verdict(both)
    assert "**" not in summaries.answer(both)
    assert "| **+" in summaries.answer(alone)


def test_a_training_that_failed_in_one_seed_is_named():
    assert "failed" not in saw(entry("watch", "joint", [0.9, 0.9, 0.6]))
    joint = entry("watch", "joint", [0.9, 0.9, 0.6])
    for record, value in zip(joint.result.measured.seeds, (0.9, 0.95, 0.6), strict=True):
        record.validation.accuracy = value
    named = "joint (linear), seed 2 (60.0% on validation; the median of all seeds is 90.0%)"
    assert f"**Trainings that failed in one seed**: {named}" in saw(joint)


def test_an_encoder_is_lazy_only_after_the_correction():
    joint = entry("watch", "joint", at(0.7), probes={"a": 0.5, "b": 0.6})
    text = saw(joint)
    assert "**The encoder of a is lazy after joint training**" in text
    assert "**The encoder of b is not shown to be lazy after joint training**" in text


@pytest.mark.parametrize(
    ("umt", "verdicts", "words"),
    [
        (0.9, ["UMT", "UMT", "UME"], "is confirmed.** In cross-validation on the validation split"),
        (0.6, ["UMT", "UMT", "UME"], "is wrong"),
        (0.6, ["no clear winner"] * 3, "predicts no clear winner where there is one"),
        (0.8, ["UMT", "UMT", "UMT"], "is not confirmed"),
    ],
)
def test_the_papers_rule_is_that_of_the_guides_cross_validation(umt, verdicts, words):
    """Validation accuracies of trainings that chose their epoch on validation decide nothing."""
    cases = [{"verdicts": {LAST: {"paper": verdict}}} for verdict in verdicts]
    measured = {"dataset": "watch", "cases": cases}
    params, result = {"analysis": {"name": "guide-on-data"}}, SimpleNamespace(measured=measured)
    check = AnalysisEntry("guide-on-watch", params, None, result)
    rows = [entry("watch", "umt", at(umt)), ume("watch", at(0.8))]
    text = summaries.saw(Study(rows, [check]), "watch")
    assert f"**The paper's rule {words}" in text
    assert f"for {verdicts.count(verdicts[0])} of 3 seeds" in text
    assert "paper's rule" not in summaries.saw(Study(rows), "watch")
    stale = AnalysisEntry("guide-on-watch", params, None, result, "made with other code")
    assert "paper's rule" not in summaries.saw(Study(rows, [stale]), "watch")


@pytest.mark.parametrize(
    ("umt", "verdict", "words", "against"),
    [
        (0.9, "UMT", "is confirmed", False),
        (0.8, "no clear winner", "gives no recommendation", False),
        (0.6, "UMT", "is wrong", True),
        (0.6, "no clear winner", "predicts no clear winner where there is one", True),
    ],
)
def test_the_papers_rule_speaks_against_the_claim_where_it_fails(umt, verdict, words, against):
    cases = [{"verdicts": {LAST: {"paper": verdict}}}] * 3
    result = SimpleNamespace(measured={"dataset": "watch", "cases": cases})
    params = {"analysis": {"name": "guide-on-data"}}
    check = AnalysisEntry("guide-on-watch", params, None, result)
    rows = [entry("watch", "umt", at(umt)), ume("watch", at(0.8))]
    text = summaries.saw(Study(rows, [check]), "watch")
    parts = text.partition("**Other findings**")
    assert f"**The paper's rule {words}.**" in (parts[0] if against else parts[2])


@pytest.mark.parametrize(
    ("joint", "fused", "named"), [(0.8, 0.7, True), (0.8, 0.85, False), (0.7, 0.6, False)]
)
def test_frozen_encoders_lack_features_if_joint_training_beats_them_and_ume(joint, fused, named):
    rows = entry("watch", "joint", at(joint), "mlp"), entry("watch", "frozen", at(0.7), "mlp")
    text = saw(*rows, ume("watch", at(fused)))
    assert ("**Frozen encoders lack features that joint training learns**" in text) == named
    if named:
        assert "joint training minus frozen encoders is +10.0 [" in text
        assert "frozen encoders minus UME is 0.0 [" in text


def test_a_uni_modal_baseline_that_still_gains_is_named_and_one_that_does_not_is_flat():
    rising, flat = baselines()
    for e, curve in ((rising, np.linspace(0.2, 0.8, 20)), (flat, np.full(20, 0.8))):
        for record in e.result.measured.seeds:
            record.curves["validation_accuracy"] = curve.tolist()
    study = Study([rising, flat])
    text = summaries.saw(study, "watch")
    assert "**The uni-modal baseline of a had not converged**: it still gained +" in text
    assert "baseline of b" not in text
    *_, first, second = tables.convergence(study, "watch").splitlines()
    assert "| uni-modal (a) |" in first
    assert "| **still rising** |" in first
    assert "| flat |" in second


@pytest.mark.parametrize(("value", "named"), [(0.4, True), (1.0, False), (9.0, True)])
def test_a_sweep_is_named_if_either_end_of_it_was_chosen(value, named):
    trials = [Trial(field="weight", value=v, validation=0.5) for v in (1.0, 0.4, 9.0)]
    text = saw(entry("watch", "umt", at(0.7), chosen={"weight": value}, trials=trials))
    assert (f"outside: UMT (linear), weight {value:g} of 0.4 to 9." in text) == named


def test_an_encoder_that_gains_is_not_lazy_and_its_number_after_umt_is_that_of_umt():
    joint = entry("watch", "joint", at(0.7), probes={"a": 0.8, "b": 0.5})
    umt = entry("watch", "umt", at(0.7), probes={"a": 0.65, "b": 0.65})
    text = saw(joint, umt)
    assert "**The encoder of a is not lazy after joint training**" in text
    assert "is +20.0 [+20.0,\u00a0+20.0] points; after UMT, +5.0 [" in text
    assert "**The encoder of b is lazy after joint training**" in text
    assert f"is {MINUS}10.0 [{MINUS}10.0,\u00a0{MINUS}10.0] points; after UMT, +5.0 [" in text
    assert "**After joint (linear), 1 of 2 encoders are clearly lazy**: watch (b)." in (
        summaries.lazy(Study([*baselines(), joint, umt]))
    )


@pytest.mark.parametrize(
    ("mlp", "words"),
    [
        (0.8, "An MLP head can use interactions between the modalities; a linear head cannot."),
        (0.6, "The larger head loses more than it can gain from paired features."),
        (0.7, "So there is no evidence of interactions that a linear head cannot use"),
    ],
)
def test_what_follows_from_the_heads_of_joint_training(mlp, words):
    text = saw(entry("watch", "joint", at(0.7)), entry("watch", "joint", at(mlp), "mlp"))
    assert words in text.split("**Other findings**")[1]


def test_what_an_interval_without_0_means_that_does_not_survive_the_correction():
    mlp, umt = [0.73, 0.75, 0.77], [0.73, 0.69, 0.72]
    text = saw(
        entry("watch", "joint", at(0.7)),
        entry("watch", "joint", mlp, "mlp"),
        entry("watch", "umt", umt),
        entry("watch", "umt", umt[::-1], "mlp"),
    )
    assert "So there is no clear evidence of interactions that a linear head cannot use" in text


def test_each_rule_of_ume_is_compared_with_the_mean():
    values = {"mean": 0.7, "product": 0.6, "weighted": 0.8}
    rows = [entry("watch", "ume", at(v), rule=rule) for rule, v in values.items()]
    text = saw(*rows).split("**Other findings**")[1]
    assert f"**UME (product) is worse than UME (mean)**: {MINUS}10.0 [" in text
    assert "**UME (weighted) is better than UME (mean)**: +10.0 [" in text


def test_words_have_no_end_of_a_range():
    """The rule of UME is swept, and is at no edge."""
    assert "end of the range" not in saw(ume("watch", at(0.8), teachers=TEACHERS))


def test_curves_of_stale_results_are_drawn_with_a_mark(monkeypatch):
    """They are compared with nothing, so the figure may show them."""
    old = entry("watch", "unimodal", at(0.6), modality="a")
    for record in old.result.measured.seeds:
        record.curves |= {f"{part}_accuracy": [0.5, 0.6] for part in ("train", "validation")}
    stale = Study([Entry(old.name, old.params, None, old.result, "made with other params")])
    assert stale.unimodal("watch") == {}
    monkeypatch.setattr(dataset_page, "study", lambda: stale)
    drawn = []
    monkeypatch.setattr(dataset_page.shown, "figure", lambda *given: drawn.append(given))
    dataset_page.convergence("watch")
    assert drawn[0][0].axes
    assert drawn[0][-1].endswith("(stale).</p>")
