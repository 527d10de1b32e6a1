"""The rule: what UMT must beat, and a verdict that does not depend on the seed near a border."""

from __future__ import annotations

import sys

import guide_cases as cases
import numpy as np
import pytest

from umt_lib.evaluation.bootstrap import bootstrap_means
from umt_lib.evaluation.intervals import Interval
from umt_lib.guide import Recommendation, evidence, recommend, verdict
from umt_lib.guide.checks import checked
from umt_lib.guide.evidence import ADDITIVE, BEST, BETTER, LINEAR, MEAN, PAIRS, UNPAIRED, Evidence
from umt_lib.guide.recommendation import Measure
from umt_lib.guide.strategies import strategies
from umt_lib.guide.verdict import GAINS, our_rule

HALF = 0.006
COMPETITORS = {name for gain in GAINS.values() for name in gain}
MOST = sys.modules["umt_lib.guide.recommend"].REPEATS
NAMES = {
    "best": BEST,
    "mean": MEAN,
    "linear": LINEAR,
    "better": BETTER,
    "additive": ADDITIVE,
    "pairs": PAIRS,
    "unpaired": UNPAIRED,
}


@pytest.fixture(autouse=True)
def once(monkeypatch, impatient):
    """One cross-validation, also near a border: repeats have tests of their own."""
    monkeypatch.setattr(sys.modules["umt_lib.guide.recommend"], "REPEATS", 1)


def measure(mean: float, half: float = HALF) -> Measure:
    return Measure(*[Interval(mean, mean - half, mean + half, 2000)] * 2)


def ruled(**accuracies: float) -> tuple[str, str]:
    """Verdict and reason for these accuracies; UME has 0.8."""
    given = {"best": 0.8, "mean": 0.8, "linear": 0.8, "better": 0.8, "additive": 0.8} | accuracies
    given.setdefault("pairs", given["additive"])
    accuracy = dict.fromkeys(COMPETITORS, 0.8) | {NAMES[k]: value for k, value in given.items()}
    gains = {name: measure(accuracy[a] - accuracy[b]) for name, (a, b) in GAINS.items()}
    return our_rule({n: measure(a) for n, a in accuracy.items()}, gains, chance=0.5)


def test_umt_must_beat_ume_of_better_classifiers_and_the_additive_correction():
    assert ruled(linear=0.826, additive=0.826)[0] == "UMT"
    assert ruled(linear=0.826, additive=0.81)[0] == "UMT"
    name, reason = ruled(linear=0.826, additive=0.844)
    assert name == "no clear winner"
    assert "gains 2.6 accuracy points" in reason
    assert "an additive correction of that combination gains 4.4 accuracy points" in reason
    name, reason = ruled(linear=0.826, better=0.824, additive=0.826)
    assert name == "no clear winner"
    assert "better classifiers of each modality alone gain 2.4 accuracy points" in reason
    assert ruled(linear=0.826, better=0.804, additive=0.829)[0] == "UMT"  # +0.3 is too little


def test_umt_must_gain_from_paired_features():
    assert ruled(linear=0.826, additive=0.826, unpaired=0.81)[0] == "UMT"
    name, reason = ruled(linear=0.826, additive=0.826, unpaired=0.824)
    assert name == "no clear winner"
    assert "shuffled within each class gains 2.4 accuracy points" in reason
    assert "a head on the frozen encoders may suffice" in reason


def test_interactions_must_beat_all_others():
    assert ruled(pairs=0.83)[0] == "interactions"
    assert ruled(pairs=0.83, linear=0.828, additive=0.82)[0] != "interactions"
    assert ruled(pairs=0.83, best=0.828, mean=0.828, linear=0.828)[0] != "interactions"


def test_ume_is_not_named_where_joint_training_may_gain_two_points():
    """No gain on average, and intervals that end below 2 points, or above them."""

    def rule(half: float) -> tuple[str, str]:
        competitors = {name: measure(0.8) for name in COMPETITORS}
        return our_rule(competitors, {name: measure(0.0, half) for name in GAINS}, chance=0.5)

    assert rule(0.019)[0] == "UME"
    name, reason = rule(0.021)
    assert name == "no clear winner"
    assert "may gain up to 2.1 accuracy points or nothing" in reason


def test_a_gap_that_better_uni_modal_classifiers_close_is_no_reason_for_umt():
    """The class also shows in the spread of two columns of one modality, not only in a mean."""
    features, y = cases.shared_noise(400)
    before = recommend(features, y, folds=3)
    assert before.verdict == "UMT"
    rng = np.random.default_rng(1)
    spread = rng.normal(size=(400, 4)) * (1 + 4 * y[:, None])
    found = recommend({**features, "a": np.hstack([features["a"], spread])}, y, folds=3)
    assert found.gains["joint"].accuracy.low > 0
    assert found.gains["classifiers"].accuracy.mean > found.gains["joint"].accuracy.mean
    assert found.verdict != "UMT"
    assert "improve the uni-modal models first" in found.reason
    assert any("Better uni-modal classifiers may change" in w for w in found.warnings)


def borderline(inputs, seed: int, tick) -> Evidence:
    """Scores whose joint head gains a little over UME, with noise of folds for each seed."""
    n = len(inputs.y)
    gain = np.random.default_rng(0).normal(size=n)
    gain = 0.3 * (gain - gain.mean()) / gain.std()
    half = 1.96 * 0.3 / np.sqrt(n)
    noise = 0.24 * np.random.default_rng(seed).normal(size=n)
    base = np.full((n, 2), 0.7) + np.random.default_rng(1).normal(size=(n, 1)) * 0.1
    joint = base + (gain + 1.5 * half + noise)[:, None]
    scores = dict.fromkeys({*COMPETITORS, *strategies(("a", "b"))}, base)
    scores |= dict.fromkeys((LINEAR, ADDITIVE, PAIRS), joint)
    tick()
    return Evidence(scores, ("mean",), 1, ())


def verdicts(monkeypatch, most: int) -> list[Recommendation]:
    module = sys.modules["umt_lib.guide.recommend"]
    monkeypatch.setattr(module, "gather", borderline)
    monkeypatch.setattr(module, "REPEATS", most)
    return [recommend(*cases.noise(400), seed=seed) for seed in range(10)]


def test_repeats_give_every_seed_the_same_verdict_near_a_border(monkeypatch):
    assert len({found.verdict for found in verdicts(monkeypatch, 1)}) == 2
    steady = verdicts(monkeypatch, MOST)
    assert {found.verdict for found in steady} == {"UMT"}
    for found in steady:
        assert sum(found.data["verdicts of repeats"].values()) == found.data["repeats"]
    several = [found for found in steady if found.data["repeats"] > 1]
    assert len(several) >= 5
    stated = next(w for w in several[0].warnings if "near a border" in w)
    assert f"so {several[0].data['repeats']} were run, with different folds" in stated
    assert "The verdict UMT is that for the mean over all." in stated


def test_clear_verdicts_are_not_repeated(monkeypatch):
    monkeypatch.setattr(sys.modules["umt_lib.guide.recommend"], "REPEATS", MOST)
    assert recommend(*cases.xor(240), folds=3).data["repeats"] == 1


def test_other_repeats_are_drawn_for_neighbouring_seeds(monkeypatch):
    module, seeds = sys.modules["umt_lib.guide.recommend"], []
    monkeypatch.setattr(module, "gather", lambda *a: (seeds.append(a[1]), borderline(*a))[1])
    monkeypatch.setattr(module, "near_border", lambda *_: True)
    monkeypatch.setattr(module, "REPEATS", MOST)
    monkeypatch.setattr(module, "conclude", lambda *_: None)
    recommend(*cases.noise(400), seed=0)
    recommend(*cases.noise(400), seed=1)
    assert len(seeds) == len(set(seeds)) == 2 * MOST


@pytest.mark.parametrize("pair", [("a", "b"), ("b", "c")])
def test_the_pair_of_three_modalities_that_interacts_is_named(pair):
    features, y = cases.xor(240, "".join(pair))
    features = {m: features.get(m, np.random.default_rng(5).normal(size=(240, 2))) for m in "abc"}
    found = recommend(features, y, folds=3)
    assert found.verdict == "interactions"
    assert f"the interaction is between {' and '.join(pair)} (" in found.reason
    assert found.reason.partition("; ")[2].count(" and ") == 1
    assert set(found.data["pairs"]) == {"a and b", "a and c", "b and c"}


def test_an_interaction_of_three_is_said_to_be_in_no_pair():
    gains = {name: measure(0.0) for name in ("a and b", "a and c", "b and c")}
    assert "no pair shows it alone" in verdict._which(gains)
    found = verdict._which(gains | {"b and c": measure(0.1), "a and c": measure(0.2)})
    assert found.endswith("a and c (20.0 accuracy points), b and c (10.0 accuracy points)")


@pytest.mark.usefixtures("brief")
def test_two_folds_of_small_classes_work():
    rng = np.random.default_rng(0)
    y = np.arange(24) % 3
    features = {m: rng.normal(size=(24, 4)) + y[:, None] for m in "ab"}
    assert recommend(features, y, folds=2).data["folds"] == 2
    few = {m: x[:12] for m, x in features.items()}
    assert recommend(few, y[:12], folds=2).data["samples"] == 12


def test_scaling_is_learned_from_the_training_part_only():
    inputs = checked(*cases.noise(40), None, 3, 100, 0, "x")
    train, test = np.arange(30), np.arange(30, 40)
    x, x_test = evidence._scaled(inputs, train, test)
    assert np.allclose(x["a"].mean(0), 0)
    assert np.allclose(x["a"].std(0), 1)
    assert not np.allclose(x_test["a"].mean(0), 0, atol=0.01)


def test_the_intervals_of_pairs_are_corrected_for_their_number(monkeypatch):
    """Three pairs of three modalities: the level is 1 - 0.05 / 3."""
    gain = np.random.default_rng(0).normal(0.1, 1, (400, 2))
    names = ("a and b", "a and c", "b and c")

    def gather(inputs, seed, tick) -> Evidence:
        made = borderline(inputs, seed, tick)
        return made._replace(scores=made.scores | {"c alone": made.scores["a alone"]})

    monkeypatch.setattr(sys.modules["umt_lib.guide.recommend"], "gather", gather)
    monkeypatch.setattr(verdict, "our_rule", lambda *_: ("interactions", "because"))
    monkeypatch.setattr(verdict, "interacting", lambda *_: dict.fromkeys(names, gain))
    pairs = recommend(*cases.noise(400, "abc")).data["pairs"]
    assert set(pairs) == set(names)
    for found in pairs.values():
        assert tuple(found) == tuple(bootstrap_means(gain, level=1 - 0.05 / 3))


@pytest.mark.usefixtures("brief")
def test_the_labels_of_a_test_part_change_no_prediction_for_it(monkeypatch):
    """With the other of two labels every competitor gives the rest of the probability.

    Choices and fits too: the rule of UME, its weights, regularisation, early stopping.
    """
    inputs = checked(*cases.noise(120), None, 3, 1000, 0, "x")
    train, test = np.arange(80), np.arange(80, 120)
    split = evidence._split

    def once(inputs, rows, parts, seed):
        return iter([(train, test)]) if len(rows) == 120 else split(inputs, rows, parts, seed)

    monkeypatch.setattr(evidence, "_split", once)
    other = np.concatenate([inputs.y[train], 1 - inputs.y[test]])
    one, two = (evidence.gather(inputs._replace(y=y), 0) for y in (inputs.y, other))
    for name in set(one.scores) - {evidence.FREQUENT}:
        p, q = (np.exp(found.scores[name][test, 0]) for found in (one, two))
        np.testing.assert_allclose(p + q, 1, atol=1e-6, err_msg=name)
