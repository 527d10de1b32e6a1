"""Verdicts where the right one is known, and what a verdict may not depend on."""

from __future__ import annotations

import json
import sys
from functools import cache

import guide_cases as cases
import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from umt_lib.errors import StudyError
from umt_lib.guide import VERDICTS, Recommendation, evidence, recommend
from umt_lib.guide.checks import checked
from umt_lib.guide.recommendation import measures
from umt_lib.guide.verdict import our_rule

MADE = {
    "UME": lambda m: cases.additive(600, m),
    "UMT": lambda m: cases.shared_noise(240, m),
    "interactions": lambda m: cases.xor(240, m),
    "no clear winner": lambda m: cases.noise(240, m),
}


@pytest.fixture(autouse=True)
def once(monkeypatch):
    """One cross-validation, also near a border: repeats have tests of their own."""
    monkeypatch.setattr(sys.modules["umt_lib.guide.recommend"], "REPEATS", 1)


@cache
def found(verdict: str, modalities: str = "ab") -> Recommendation:
    """The recommendation for the data set of that right verdict."""
    return recommend(*MADE[verdict](modalities), folds=3)


def measured(recommendation: Recommendation) -> dict:
    """All of it but the seconds."""
    whole = recommendation.to_dict()
    whole["cost"].pop("seconds")
    return whole


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_verdict_is_the_known_one(verdict):
    assert found(verdict).verdict == verdict
    assert found(verdict).reason


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_numbers_alone_give_the_verdict_and_its_reason(verdict):
    """So that results need no sentences, and their wording can change."""
    numbers = json.loads(json.dumps(found(verdict).numbers()))
    whole = measured(found(verdict))
    assert numbers == {k: v for k, v in json.loads(json.dumps(whole)).items() if k in numbers}
    assert set(whole) - set(numbers) == {"reason", "warnings"}
    parts = measures(numbers["competitors"]), measures(numbers["gains"]), numbers["chance"]
    assert our_rule(*parts) == (verdict, found(verdict).reason)


@pytest.mark.parametrize("verdict", ["UMT", "interactions"])
def test_a_third_modality_that_says_nothing_changes_nothing(verdict):
    three = found(verdict, "abc")
    assert three.verdict == verdict
    assert three.data["modalities"] == {"a": 2, "b": 2, "c": 2}
    assert "c alone" in three.competitors


def test_extra_columns_serve_to_detect_interactions_only():
    hidden, y = cases.xor(240)
    kept = {m: hidden[m][:, 1:] for m in hidden}  # the half of the pair was lost by the encoder
    without = recommend(kept, y, folds=3)
    both = recommend(kept, y, folds=3, extra={m: hidden[m][:, :1] for m in hidden})
    assert (without.verdict, both.verdict) == ("no clear winner", "interactions")
    assert both.data["modalities"] == {"a": 2, "b": 2}
    assert both.cost["fits"] > without.cost["fits"]
    features, y = MADE["UME"]("ab")
    noise = np.random.default_rng(0).normal(size=(len(y), 20))
    same = recommend(features, y, folds=3, extra=dict.fromkeys("ab", noise))
    kept, wanted = measured(same), measured(found("UME"))
    assert kept.pop("cost") != wanted.pop("cost")
    assert kept.pop("warnings") != wanted.pop("warnings")  # whether inputs were searched
    assert (kept["data"].pop("inputs"), wanted["data"].pop("inputs")) == (True, False)
    assert kept == wanted


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ({"a": np.zeros((120, 1))}, r"given for \['a', 'b'\], extra columns for \['a'\]"),
        ({"a": np.zeros((120, 1)), "b": np.zeros((119, 1))}, r"'b' has features of shape \(120, 2"),
        ({"a": np.zeros((120, 1)), "b": np.zeros(120)}, r"of shape \(120,\); give one row per"),
        (dict.fromkeys("ab", np.full((120, 1), np.nan)), "'a' holds NaN, infinity"),
        (dict.fromkeys("ab", np.full((120, 1), "x")), "'a' holds text instead of numbers"),
        (dict.fromkeys("ab", np.ma.masked_less(np.ones((120, 1)), 2)), "'a' has masked values, fi"),
        ({"a": [[1], [1, 2]], "b": [[1]]}, r"'a' is not an array \(.*\); give a NumPy array"),
        ([np.zeros((120, 1))] * 2, "'extra' is of type list; give a dictionary with the array of"),
        (lambda rows: np.zeros((120, 1)), "'extra' is of type ndarray; give a dictionary with the"),
        ("raw.npz", "'extra' is of type str; give a dictionary with the array of each modality"),
    ],
)
def test_extra_columns_that_do_not_fit_are_refused(extra, sentence):
    with pytest.raises(StudyError, match=sentence):
        recommend(*cases.noise(120), folds=2, extra=extra)


@pytest.mark.parametrize("value", ["5", 2.5, float("nan"), None])
@pytest.mark.parametrize("option", ["folds", "seed", "max_samples"])
def test_an_option_that_is_no_whole_number_is_refused(option, value):
    if (option, value) != ("folds", None):  # the default
        with pytest.raises(StudyError, match=rf"^{option} is {value!r}; give a whole number$"):
            recommend(*cases.noise(60), **{option: value})


@pytest.mark.usefixtures("brief")
def test_an_option_may_be_of_any_integer_type():
    small = {"folds": np.int8(2), "seed": np.int64(3), "max_samples": np.uint8(60)}
    found = recommend(*cases.noise(60), **small)
    assert measured(found) == measured(recommend(*cases.noise(60), folds=2, seed=3, max_samples=60))
    assert json.loads(json.dumps(found.to_dict()))


def test_each_gain_isolates_one_thing():
    shared, pairs = found("UMT").gains, found("interactions").gains
    assert shared["joint"].likelihood.low > 0
    assert shared["additive"].likelihood.low > 0  # it repairs shared noise, too
    assert pairs["pairs"].accuracy.low > 0.2
    assert pairs["joint"].accuracy.mean < 0.1  # a linear head cannot see the pair
    assert found("UME").gains["joint"].likelihood.mean < 0.01
    assert found("UME").gains["pairs"].likelihood.low <= 0


def test_the_rule_of_the_paper_is_reported_too():
    assert found("UMT").paper == "UMT"
    assert found("UME").paper == "no clear winner"
    assert found("interactions").paper != "interactions"  # it has no such verdict


@pytest.mark.usefixtures("brief")
def test_it_computes_with_one_thread_whatever_the_process_may_use():
    """With more threads sums have another order, and a verdict near a border another side."""
    used: set[int] = set()

    def tick() -> None:
        used.update([torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())])

    with threadpool_limits(2):
        recommend(*cases.noise(60), folds=2, tick=tick)
        assert torch.get_num_threads() == 2
    assert used == {1}


@pytest.mark.usefixtures("brief")
def test_one_seed_gives_one_result_whatever_the_labels_are_called():
    features, y = cases.noise(60)
    first = measured(recommend(features, y, folds=2))
    for values in (["no", "yes"], [-1, 2.5], [False, True]):
        assert measured(recommend(features, np.array(values)[y], folds=2)) == first
    assert json.loads(json.dumps(first)) == first
    assert measured(recommend(features, y, folds=2, seed=1)) != first


@pytest.mark.usefixtures("brief")
def test_groups_never_straddle_folds():
    features, y = cases.noise(120)
    groups = np.array([f"person {i}" for i in np.arange(120) % 12])
    inputs = checked(features, y, groups, 3, 1000, 0, "here")
    tested = []
    for train, test in evidence._split(inputs, np.arange(120), inputs.folds, 0):
        assert not set(inputs.groups[train]) & set(inputs.groups[test])
        tested += test.tolist()
    assert sorted(tested) == list(range(120))
    grouped = recommend(features, y, groups, folds=3)
    assert grouped.data["groups"] == 12
    assert not any("No groups" in w for w in grouped.warnings)


@pytest.mark.usefixtures("brief")
def test_a_random_subset_is_stratified_and_reported():
    features, y = cases.noise(303)
    drawn = recommend(features, y, folds=2, max_samples=300)  # 3 left over for 2 classes
    assert (drawn.data["samples"], drawn.data["samples given"]) == (300, 303)
    assert any("300 of 303 samples were drawn at random" in w for w in drawn.warnings)


@pytest.mark.usefixtures("brief")
def test_the_oddest_value_is_found_in_the_row_as_it_was_given():
    features, y = cases.noise(303)
    first = next(iter(features))
    features[first][0] = 0
    features[first][150, 1] = 1e6
    features[first] = np.hstack([features[first], np.eye(303)[:, :1]])  # only row 0 is not 0
    data = recommend(features, y, folds=2, max_samples=302).data
    away, row = data["farthest"][first]
    assert row == 150
    assert away > 17  # of n samples at most sqrt(n - 1)
    assert all(away < 6 for m, (away, _) in data["farthest"].items() if m != first)


@pytest.mark.parametrize("groups", [[0, 0, 0, 0, 1, 1, 2, 2], range(8)])
def test_a_training_part_too_small_to_be_divided_is_refused(groups):
    few = {m: z[:8] for m, z in cases.noise(60)[0].items()}
    with pytest.raises(StudyError, match=r"mine: the training .* is too small to be divided again"):
        recommend(few, np.arange(8) % 2, groups, folds=2, source="mine")


def test_a_fold_without_a_class_is_refused_with_the_source(monkeypatch):
    def gather(*_):
        raise StudyError("class '3' occurs in too few groups")

    monkeypatch.setattr(sys.modules["umt_lib.guide.recommend"], "gather", gather)
    with pytest.raises(StudyError, match="mine: class '3' occurs in too few groups"):
        recommend(*cases.noise(60), source="mine")


def test_a_joint_head_that_beats_only_a_worse_ensemble_is_no_reason_to_train_jointly(impatient):
    """On noise one of two rules is always better, but both lose to the most frequent class."""
    verdicts = {recommend(*cases.noise(120, seed=s), folds=3).verdict for s in range(4)}
    assert not verdicts & {"UMT", "interactions"}
