"""The direct experiment: small networks confirm a verdict, with groups kept apart."""

from __future__ import annotations

import json
import sys

import guide_cases as cases
import numpy as np
import pytest
import torch

from umt_lib.__main__ import main
from umt_lib.data import feature_sets
from umt_lib.data.feature_sets import FeatureSet
from umt_lib.errors import StudyError
from umt_lib.guide.checks import checked
from umt_lib.study.analyses.guide_check import direct as networks
from umt_lib.study.analyses.guide_check.direct import SEEDS, direct, trainings
from umt_lib.study.analyses.guide_check.on_features import on_features
from umt_lib.study.analyses.guide_check.rules import CHEAP, MAIN, RULES, taken
from umt_lib.study.report import guide_real_text
from umt_lib.training import Diverged


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Few epochs, one rate and weight, one cross-validation: seconds instead of a minute."""
    monkeypatch.setattr(networks, "RATES", (0.1,))
    monkeypatch.setattr(networks, "WEIGHTS", (3.0,))
    monkeypatch.setattr(sys.modules["umt_lib.guide.recommend"], "REPEATS", 1)
    monkeypatch.setattr(networks, "EPOCHS", (10, 10))


def inputs(case: cases.Case, groups=None):
    return checked(*case, groups, 5, 10_000, 0, "mine")


def test_networks_find_what_a_linear_head_can_use_and_ume_cannot():
    count = []
    found = direct(inputs(cases.shared_noise(400)), lambda: count.append(1))
    assert len(count) == trainings(2)
    assert all(len(values) == len(SEEDS) for values in found.values())
    mean = {name: np.mean(values) for name, values in found.items()}
    assert mean["joint"] > mean["UME"] + 0.08
    assert mean["frozen"] > mean["UME"] + 0.03
    assert mean["a alone"] > mean["b alone"]


def test_the_same_features_give_the_same_accuracies(monkeypatch):
    monkeypatch.setattr(networks, "EPOCHS", (1, 1))
    first, again = (direct(inputs(cases.additive(60))) for _ in range(2))
    assert first == again


def test_groups_stay_together_and_every_row_is_tested_once():
    features, y = cases.noise(120)
    given = inputs((features, y), np.arange(120) % 12)
    tested = []
    for fold in range(5):
        splits = networks._splits(given, fold)
        parts = [set(part.groups) for part in (splits.train, splits.validation, splits.test)]
        assert not parts[0] & parts[1]
        assert not parts[2] & (parts[0] | parts[1])
        assert abs(splits.train.x["a"].mean()) < 1e-6
        train, test = (np.isin(np.arange(120) % 12, list(part)) for part in (parts[0], parts[2]))
        z = features["a"]
        standardised = (z[test] - z[train].mean(axis=0)) / z[train].std(axis=0)
        np.testing.assert_allclose(splits.test.x["a"], standardised, atol=1e-5)
        tested.append(len(splits.test))
    assert sum(tested) == 120


def test_too_few_groups_or_samples_are_refused_in_one_sentence():
    features, y = cases.noise(120)
    with pytest.raises(StudyError, match="4 groups are too few for 5 folds"):
        networks._splits(inputs((features, y), np.arange(120) % 4), 0)
    few = np.arange(120) // 4 % 30
    given = checked(features, few, None, 2, 1000, 0, "mine")
    with pytest.raises(StudyError, match="has 4 samples, 5 folds need 5"):
        networks._splits(given, 0)


def test_a_rate_at_which_training_diverges_is_not_chosen(monkeypatch):
    whole = networks._Networks.train

    def train(self, method, seed, rate=0.1, apart=0):
        if rate > 1:
            raise Diverged("the training loss became nan")
        return whole(self, method, seed, rate, apart)

    monkeypatch.setattr(networks._Networks, "train", train)
    monkeypatch.setattr(networks, "EPOCHS", (2, 2))
    monkeypatch.setattr(networks, "RATES", (9.0, 0.1))
    assert len(direct(inputs(cases.noise(60)))["joint"]) == len(SEEDS)
    monkeypatch.setattr(networks, "RATES", (9.0,))
    with pytest.raises(StudyError, match="loss of uni-modal is infinite at every learning rate"):
        direct(inputs(cases.noise(60)))


def test_rate_weight_and_rule_are_chosen_on_validation(monkeypatch):
    """What is better on validation is worse on test."""
    rules = {"mean": (0.5, 0.9), "product": (0.6, 0.3), "weighted": (0.4, 0.8)}

    def train(self, method, seed, rate=0.1, apart=0):
        value = rate + getattr(method, "weight", 0.0) / 1000
        scores = rules[method.rule] if hasattr(method, "rule") else (value, 1 - value)
        return networks.Tried(*scores, torch.nn.Identity())

    monkeypatch.setattr(networks._Networks, "train", train)
    monkeypatch.setattr(networks, "RATES", (0.03, 0.1, 0.3))
    monkeypatch.setattr(networks, "WEIGHTS", (0.3, 3.0, 30.0))
    found = direct(inputs(cases.noise(60)))
    assert found["UME"] == [0.3] * len(SEEDS)
    assert found["UME (mean)"] == [0.9] * len(SEEDS)
    for name in ("a alone", "joint", "joint (MLP)", "frozen"):
        assert found[name] == pytest.approx([0.7] * len(SEEDS)), name
    assert found["UMT"] == pytest.approx([0.67] * len(SEEDS))


def test_the_command_shows_whether_the_verdict_holds(tmp_path, capsys):
    features, labels = cases.shared_noise(400)
    np.savez(tmp_path / "mine.npz", labels=labels, **features)
    out, numbers = tmp_path / "report.html", tmp_path / "all.json"
    line = ["guide", str(tmp_path / "mine.npz"), "--try", "--out", str(out), "--json", str(numbers)]
    assert main([*line, "--folds", "3"]) == 0
    printed = capsys.readouterr().out
    trial = json.loads(numbers.read_text())["trial"]
    assert trial["accuracy"]["joint"]["mean"] > trial["accuracy"]["UME"]["mean"]
    assert trial["taken"] == "UMT"
    assert "\ndirect experiment: " in printed
    whole = json.loads(numbers.read_text())
    assert printed.endswith(f"\nverdict: UMT\ncheapest: {whole['cheapest']}\n")
    page = out.read_text()
    assert "<h2>The direct experiment</h2>" in page
    assert "<td>UMT (MLP)</td>" in page


def test_the_guide_alone_has_no_try(tmp_path, capsys):
    from umt_lib.guide import command

    with pytest.raises(SystemExit):
        command.main([str(tmp_path), "--try"])
    assert "unrecognized arguments: --try" in capsys.readouterr().err


def test_real_sets_are_scored_by_every_rule(monkeypatch):
    monkeypatch.setattr(networks, "EPOCHS", (30, 30))
    made = {"pairs": cases.xor, "noise": cases.noise}
    for name, make in made.items():
        sets = {**feature_sets.SETS, name: lambda make=make: FeatureSet(*make(200))}
        monkeypatch.setattr(feature_sets, "SETS", sets)
    found = json.loads(json.dumps(on_features({"pairs": 3, "noise": 3})))
    first, second = found["cases"]
    assert (first["dataset"], second["dataset"]) == ("pairs", "noise")
    own = {name for name, rule in RULES.items() if rule.view != "features and inputs"}
    assert set(first["rules"]) == own
    assert first["rules"][MAIN]["best"] == "interactions"
    assert first["rules"][MAIN]["right"]
    assert first["rules"]["always frozen"]["regret"] > 0.2
    assert first["rules"][CHEAP]["regret"] < first["rules"]["always UME"]["regret"]
    assert not second["rules"][MAIN]["decided"] or second["rules"][MAIN]["regret"] < 0.1
    assert second["verdicts"]["features"]["cheapest"] == "most frequent class"
    assert found["recommendations"]["pairs"]["verdict"] == "interactions"
    table = guide_real_text.sets(found)
    assert "| pairs " in table
    assert "joint (MLP)" in table
    assert "always frozen (linear head)" in guide_real_text.scores(found)
    with pytest.raises(StudyError, match="feature set 'pears': there is no such set"):
        on_features({"pears": 3})


def test_the_cheapest_strategy_is_that_of_the_direct_experiment():
    assert taken(RULES[CHEAP], "frozen MLP head") == "frozen (MLP)"
    assert taken(RULES[CHEAP], "UME calibrated") == "UME"
    assert taken(RULES[CHEAP], "most frequent class") == "UME"
    assert taken(RULES[MAIN], "no clear winner") == "UME"
