"""The ranking, the cheapest strategy, and five causes that are told apart where they are known."""

from __future__ import annotations

import sys
from functools import cache

import guide_cases as cases
import numpy as np
import pytest

from umt_lib.evaluation.intervals import Interval
from umt_lib.guide import Recommendation, classifiers, recommend
from umt_lib.guide.classifiers import Combination, unpaired
from umt_lib.guide.evidence import ADDITIVE, BETTER, FREQUENT, LINEAR, MEAN, MLP, PAIRS
from umt_lib.guide.recommendation import Measure
from umt_lib.guide.strategies import CAUSES, cheapest, cost, ranking, strategies

RULE, CLASSIFIER, HEAD, LINEAR_PAIRS, INTERACTIONS = CAUSES
ALL = strategies(("a", "b"))


@pytest.fixture(autouse=True)
def once(monkeypatch, impatient):
    """One cross-validation, also near a border: repeats have tests of their own."""
    monkeypatch.setattr(sys.modules["umt_lib.guide.recommend"], "REPEATS", 1)


def uneven(n: int = 900, seed: int = 0) -> cases.Case:
    """Independent views of classes that are not equally frequent: the mean of two is too timid."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, size=n, p=[0.7, 0.2, 0.1])
    return {m: 1.2 * np.eye(3)[y] + rng.normal(size=(n, 3)) for m in "ab"}, y


def spread(n: int = 500, seed: int = 0) -> cases.Case:
    """The class shows in the spread of columns of one modality, which no linear classifier sees."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    a = rng.normal(size=(n, 3)) * (1 + 3 * y[:, None])
    return {"a": a, "b": y[:, None] + rng.normal(size=(n, 2))}, y


@cache
def found(case: str) -> Recommendation:
    made = {
        "uneven": uneven,
        "spread": spread,
        "linear pairs": lambda: cases.shared_noise(400),
        "xor": lambda: cases.xor(240),
        "noise": lambda: cases.noise(240),
    }
    return recommend(*made[case](), folds=3)


def test_each_cause_is_found_where_it_is_the_only_one():
    wanted = {
        "uneven": RULE,
        "spread": CLASSIFIER,
        "linear pairs": LINEAR_PAIRS,
        "xor": INTERACTIONS,
    }
    for case, cause in wanted.items():
        causes = {name: gain.accuracy.mean for name, gain in found(case).causes.items()}
        assert max(causes, key=causes.__getitem__) == cause, (case, causes)
        assert found(case).causes[cause].likelihood.low > 0
    for case in wanted:
        assert found(case).causes[HEAD].accuracy.mean < 0.02


def test_shuffling_within_classes_removes_what_modalities_say_only_together():
    features, y = cases.shared_noise(600)
    half = np.arange(300), np.arange(300, 600)
    whole = np.hstack(list(features.values()))
    logs, _ = unpaired(features, whole, y, [half], 0)
    shuffled = found("linear pairs").competitors["frozen linear head, unpaired"].accuracy.mean
    paired = found("linear pairs").competitors[LINEAR].accuracy.mean
    assert paired > shuffled + 0.1
    assert (logs.argmax(1) == y).mean() < paired - 0.05


def test_the_strength_for_shuffled_rows_is_chosen_on_rows_as_they_occur(monkeypatch):
    features, y = cases.shared_noise(60)
    whole, given = np.hstack(list(features.values())), []

    def search(x, x_held, labels, cuts):
        given.append((x, x_held))
        return 1.0, np.empty(0), 1

    monkeypatch.setattr(classifiers, "_search", search)
    unpaired(features, whole, y, [(np.arange(30), np.arange(30, 60))], 0)
    ((shuffled, held),) = given
    assert (held == whole).all()
    assert (shuffled[:, :2] == whole[:, :2]).all()
    assert (shuffled[:, 2] != whole[:, 2]).mean() > 0.8
    for k in (0, 1):
        assert np.array_equal(np.sort(shuffled[y == k, 2]), np.sort(whole[y == k, 2]))


def test_of_many_rows_none_is_predicted_by_a_classifier_that_was_trained_on_it(monkeypatch):
    monkeypatch.setattr(classifiers, "MANY", 10)
    x, y = np.random.default_rng(0).normal(size=(80, 40)), np.arange(80) % 2
    first, second = np.arange(40), np.arange(40, 80)
    found = classifiers.classifier(x, x, y, [(second, first), (first, second)])
    path = classifiers._Path(x[first], y[first], x[second])
    np.testing.assert_allclose(found.train[second], path(found.strength), atol=1e-6)
    assert not np.allclose(found.train[second], found.test[second], atol=1e-3)  # trained on all


def test_the_class_frequencies_count_once():
    gains = found("uneven").gains["prior"]
    assert gains.likelihood.low > 0
    prior = np.log([0.9, 0.1])
    unsure = [np.tile(prior, (1, 1))] * 2  # both modalities know no more than the frequencies
    combined = Combination(prior, np.ones(3), np.ones(2))(unsure)
    assert np.allclose(combined["product"], prior)
    assert combined["naive product"][0, 1] < prior[1] - 1


def test_temperatures_calibrate_over_confident_predictions():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=2000)
    sure = 4 * np.eye(2)[np.where(rng.random(2000) < 0.75, y, 1 - y)]
    logs = sure - np.log(np.exp(sure).sum(1, keepdims=True))
    combine = Combination.fitted([logs, logs], y)
    assert combine.inverse == pytest.approx([np.log(3) / 4] * 2, rel=0.1)


@pytest.mark.parametrize(
    ("case", "names"),
    [("linear pairs", {LINEAR, ADDITIVE}), ("xor", {MLP}), ("noise", {FREQUENT})],
)
def test_the_cheapest_strategy_is_the_known_one(case, names):
    assert found(case).cheapest in names
    assert found(case).ranking[found(case).cheapest].behind.mean <= 0.005 or case == "noise"


def test_a_copy_of_a_modality_is_not_worth_a_training():
    features, y = cases.additive(400)
    copied = recommend({"a": features["a"], "b": features["a"]}, y, folds=3)
    assert copied.cheapest in ("a alone", "b alone")
    assert copied.verdict not in ("UMT", "interactions")


def ranked(**behind: float):
    """A ranking in which the named strategies are that far behind, and all others by 20 points."""
    names = dict.fromkeys(ALL, 0.2) | {n.replace("_", " "): value for n, value in behind.items()}

    def measure(mean: float) -> Measure:
        return Measure(*[Interval(mean, mean - 0.01, mean + 0.01, 1000)] * 2)

    return ranking(
        {n: measure(0.9 - value) for n, value in names.items()},
        {n: measure(value) for n, value in names.items()},
    )


def test_the_ranking_is_in_order_of_accuracy_and_of_cost_where_that_is_equal():
    found = ranked(UME_mean=0.0, frozen_linear_head=0.0, UME_product=0.1)
    assert list(found)[:3] == [MEAN, LINEAR, "UME product"]
    assert found["UME product"].accuracy.mean == pytest.approx(0.8)
    assert found[LINEAR].cost == "M trainings, a linear head"


def test_half_a_point_decides_what_is_cheapest():
    assert cheapest(ranked(frozen_MLP_head=0.0, UME_mean=0.005)) == MEAN
    assert cheapest(ranked(frozen_MLP_head=0.0, UME_mean=0.006)) == MLP
    one = {"frozen_MLP_head": 0.0, "UME_mean": 0.004, "a_alone": 0.005, "b_alone": 0.001}
    assert cheapest(ranked(**one)) == "b alone"  # of equal cost, the more accurate
    assert cheapest(ranked(frozen_MLP_head=0.0, most_frequent_class=0.019)) == FREQUENT
    assert cheapest(ranked(frozen_MLP_head=0.0, most_frequent_class=0.021)) == MLP


def test_costs_rise_with_what_is_trained():
    order = [cost(name)[0] for name in ALL]
    assert order == sorted(order)
    assert cost("UME calibrated alone") == (1, "1 training")  # a modality of that name
    assert {PAIRS, BETTER} <= set(ALL)
    with pytest.raises(KeyError):
        cost("frozen linear head, unpaired")  # no strategy, only a comparison
