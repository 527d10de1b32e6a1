"""Kinds of paired features: what is trained and measured, and what pages say of it."""

from __future__ import annotations

import json
import re

import pytest
import torch

from umt_lib.data import graded_pairs, two_way_tables
from umt_lib.paths import ROOT
from umt_lib.study.analyses import kinds
from umt_lib.study.analyses.batched.networks import stacked
from umt_lib.study.analyses.kinds import KINDS, SIZES
from umt_lib.study.report import kinds_figures, kinds_text
from umt_lib.training import Training

VARIANTS = {
    *("unimodal-a", "unimodal-b", "ume-mean", "ume-product", "untrained-mlp"),
    *(f"{training}-{head}" for training in ("joint", "frozen") for head in ("linear", "mlp")),
}


def trained(name: str, value: float) -> dict[str, float]:
    """Test accuracy of every variant at one value of the dial of a kind."""
    kind, schedule = KINDS[name], Training(epochs=30, **kinds.SCHEDULE)
    (found,) = kinds.measure(
        [[kind.dataset.load(2048, **SIZES, **kind.options(value))]], [0], schedule
    )
    return {variant: scores[0] for variant, scores in found["test"].items()}


def gain(found: dict[str, float], variant: str) -> float:
    return found[variant] - max(found["ume-mean"], found["ume-product"])


def test_encoders_drop_a_half_that_shows_nothing():
    found = trained("XOR code", 1.0)
    assert gain(found, "joint-mlp") > 0.2
    assert gain(found, "frozen-mlp") < 0.05
    assert gain(found, "untrained-mlp") > 0.15  # it takes training to drop it
    assert gain(found, "joint-linear") < 0.03


def test_encoders_keep_a_half_that_leaks():
    found = trained("graded pair", 0.75)
    assert gain(found, "joint-mlp") > gain(found, "frozen-mlp") > 0.05
    assert gain(found, "frozen-linear") < 0.025


def test_a_linear_head_uses_a_shared_nuisance_and_encoders_drop_it():
    found = trained("shared nuisance", 2.0)
    assert gain(found, "joint-linear") > 0.1
    assert abs(gain(found, "frozen-mlp")) < 0.03
    assert max(found.values()) < kinds.bayes(KINDS["shared nuisance"], {"rho": 2.0})["all"] + 0.01


@pytest.mark.parametrize("name", KINDS)
def test_the_best_of_a_linear_head_lies_between_its_parts_and_everything(name):
    kind = KINDS[name]
    for value in kind.values:
        found = kinds.bayes(kind, kind.options(value))
        assert max(found["a"], found["b"]) - 1e-6 <= found["linear"] <= found["all"] + 1e-6
    uses = found["linear"] - found["additive"] > 0.6 * (found["all"] - found["additive"])
    assert uses == (name == "shared nuisance")


@pytest.fixture(scope="module")
def measured() -> dict:
    return json.loads(json.dumps(kinds.kinds((0, 1), n_train=64, training_epochs=2)))


def test_the_analysis_measures_every_variant_and_repeats(measured, monkeypatch):
    for name, found in measured["kinds"].items():
        assert [point["value"] for point in found["points"]] == list(KINDS[name].values)
        for point in found["points"]:
            assert set(point["test"]) == set(point["validation"]) == VARIANTS
            assert all(len(scores) == 2 for scores in point["test"].values())
    monkeypatch.setattr(kinds, "KINDS", {"shared nuisance": KINDS["shared nuisance"]})
    again = kinds.kinds((0, 1), n_train=64, training_epochs=2)
    assert again["kinds"]["shared nuisance"] == measured["kinds"]["shared nuisance"]


def test_accuracies_belong_to_their_setting_and_seed(monkeypatch):
    """The model of place g, of a known setting and seed, is right on the first 10 g samples."""
    options = [{"paired": (p,), "leak": 0.0, "classes": 2} for p in (0.2, 0.8)]
    seeds, begun = (5, 6, 7), []
    loaded = [
        [graded_pairs.load(20, 80, 100, **some, data_seed=s) for s in seeds] for some in options
    ]

    def right(data, starts, classes, schedule):
        begun.extend(starts)
        made = {}
        for part in ("validation", "test"):
            y = getattr(data, part).y
            wrong = torch.arange(y.shape[1]) >= 10 * torch.arange(len(y))[:, None]
            made[part] = torch.nn.functional.one_hot(y ^ wrong, 2).float()
        same = [splits.test.y for row in loaded for splits in row]
        assert torch.equal(torch.stack(same), data.test.y)
        return {"joint-linear": made}

    monkeypatch.setattr(kinds, "_predictions", right)
    found = kinds.measure(loaded, seeds, Training(epochs=1))
    assert begun == [5, 6, 7, 5, 6, 7]
    assert [r["test"]["joint-linear"] for r in found] == [[0, 0.1, 0.2], [0.3, 0.4, 0.5]]
    assert found[1]["validation"]["joint-linear"] == [0.375, 0.5, 0.625]


def test_ume_is_the_mean_and_the_product_over_the_class_frequencies():
    splits = two_way_tables.load(200, 50, 60)
    schedule = Training(epochs=1, **kinds.SCHEDULE)
    found = kinds._predictions(stacked([splits]), [0], 4, schedule)
    prior = splits.train.y.bincount() / 200
    assert prior.max() > 2 * prior.min()
    for part in ("validation", "test"):
        a, b = (found[f"unimodal-{m}"][part] for m in "ab")
        torch.testing.assert_close(found["ume-mean"][part], a.exp() + b.exp())
        torch.testing.assert_close(found["ume-product"][part], a + b - prior.log())


def made_up(gains: dict[str, float]) -> dict:
    """One kind at two values of its dial; UME is at 0.7, other strategies at that plus a gain."""
    others = [v for strategy in kinds_text.STRATEGIES.values() for v in strategy]
    test = {v: [0.70 + gains.get(v, 0.0), 0.71 + gains.get(v, 0.0)] for v in others}
    truth = {"a": 0.6, "b": 0.6, "additive": 0.75, "linear": 0.8, "all": 0.95}
    points = [
        {"value": 0.0, "bayes": {**truth, "all": 0.75}, "validation": test, "test": test},
        {"value": 1.0, "bayes": truth, "validation": test, "test": test},
    ]
    return {"kinds": {"made up": {"dial": "rho", "points": points}}}


def test_findings_have_accuracies_gains_and_the_room():
    found = made_up({"joint-mlp": 0.2, "joint-linear": 0.05, "frozen-mlp": 0.1})
    frame = kinds_text.findings(found).set_index(["value", "strategy"])
    assert frame.loc[(1.0, "joint (MLP)"), "gain"] == pytest.approx(0.2)
    assert frame.loc[(1.0, "UME"), "accuracy"] == pytest.approx(0.705)
    assert frame.loc[(1.0, "UME"), "room"] == pytest.approx(0.2)
    text = kinds_text.sentences(found)
    assert "joint training with an MLP head: made up 25%" in text
    assert "reaches this share of it: made up 50%" in text
    assert "+20.0 [+20.0" in text
    assert "rho = 1 " in text
    assert "| made up | rho = 1 | 20.0 | +5.0 [" in kinds_text.summary(found)
    assert kinds_text.table(found, "made up").splitlines()[-1].startswith("| 1 | 75.0 | 80.0 | 95")


def test_a_strategy_is_chosen_on_validation():
    found = made_up({})
    point = found["kinds"]["made up"]["points"][1]
    point["validation"] = {**point["validation"], "ume-product": [0.9, 0.9]}
    point["test"] = {**point["test"], "ume-product": [0.1, 0.1]}
    assert kinds_text.scores(point, "UME").tolist() == [0.1, 0.1]


def test_the_figures_show_every_strategy_and_limit(measured):
    for name in measured["kinds"]:
        figure = kinds_figures.kind(measured, name)
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        assert set(labels) == {*kinds_text.STRATEGIES, *(f"best: {x}" for x in kinds_text.LIMITS)}
        figure.canvas.draw()


def test_the_page_shows_every_kind_as_a_figure_and_in_numbers():
    page = (ROOT / "book/kinds.md").read_text(encoding="utf-8")
    for call in ("kind", "table"):
        assert set(re.findall(rf'page\.{call}\("(.*?)"\)', page)) == {*KINDS}
