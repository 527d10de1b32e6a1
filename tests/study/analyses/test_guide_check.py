"""Scoring the guide: hand-made cases with a known answer, and one tiny map."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from entries import entry

from umt_lib.errors import StudyError
from umt_lib.paths import results_dir
from umt_lib.study.analyses.guide_check import on_data
from umt_lib.study.analyses.guide_check import on_map as module
from umt_lib.study.analyses.guide_check.on_map import held_out, on_map, spread
from umt_lib.study.analyses.guide_check.rules import BOTH, LAST, MAIN, RULES, WIDE, outcome
from umt_lib.study.analyses.guide_check.score import held_out as held_out_cases
from umt_lib.study.analyses.guide_check.score import scored
from umt_lib.study.analyses.regime_map.measure import Tried, unimodal
from umt_lib.study.analyses.regime_map.strategies import UME, Option, options
from umt_lib.study.analyses.regime_map.worlds import WORLDS, world
from umt_lib.study.report import guide_check_figures, guide_check_text

INTERACTIONS = {  # joint training is best by 10 points in every seed
    "UME": [0.70, 0.72, 0.71],
    "UME (mean)": [0.69, 0.71, 0.70],
    "UMT": [0.71, 0.70, 0.72],
    "UMT (MLP)": [0.60, 0.62, 0.61],
    "joint (MLP)": [0.81, 0.82, 0.80],
}
UNDECIDED = {way: [0.70, 0.72, 0.71] for way in INTERACTIONS} | {"UMT": [0.74, 0.69, 0.71]}


def test_right_wrong_and_unclear_in_a_decided_case():
    found = outcome(RULES[MAIN], "interactions", INTERACTIONS)
    assert found["decided"]
    assert found["right"]
    assert found["best"] == "interactions"
    assert found["regret"] == 0
    wrong = outcome(RULES[MAIN], "UMT", INTERACTIONS)
    assert wrong["decided"]
    assert not wrong["right"]
    assert wrong["regret"] == pytest.approx(0.10)
    unclear = outcome(RULES[MAIN], "no clear winner", INTERACTIONS)
    assert unclear["unclear"]
    assert not unclear["right"]
    assert unclear["regret"] == pytest.approx(0.10)  # that of UME


def test_an_undecided_case_is_neither_right_nor_wrong_but_has_its_regret():
    found = outcome(RULES[MAIN], "UME", UNDECIDED)
    assert not found["decided"]
    assert not found["right"]
    assert found["regret"] == pytest.approx(0.7133333 - 0.71, abs=1e-6)


def test_the_papers_rule_takes_the_mean_and_is_also_scored_between_its_own_strategies():
    among_all = outcome(RULES["paper's"], "UME", INTERACTIONS)
    assert among_all["decided"]
    assert not among_all["right"]
    assert among_all["regret"] == pytest.approx(0.81 - 0.70)
    own = outcome(RULES["paper's, own two ways, MLP head"], "UME", INTERACTIONS)
    assert own["decided"]
    assert own["right"]
    assert own["regret"] == 0
    assert not outcome(RULES["paper's, own two ways"], "UMT", INTERACTIONS)["decided"]


def test_one_seed_decides_nothing():
    one = {way: values[:1] for way, values in INTERACTIONS.items()}
    assert not outcome(RULES[MAIN], "interactions", one)["decided"]


@pytest.mark.parametrize("dataset", WORLDS)
def test_tuning_and_held_out_cells_are_apart_and_both_are_there(dataset):
    cells = WORLDS[dataset].cells
    kept = [cell for cell in cells if held_out(cell)]
    assert 0.5 * len(cells) < len(kept) < 0.95 * len(cells)
    assert [held_out(cell) for cell in cells] == [held_out(cell) for cell in cells]
    some = spread(kept, 10)
    assert len(set(some)) == 10
    assert set(some) <= set(kept)
    assert len({cell.values[:-2] for cell in some}) > 3
    assert spread(kept, 0) == spread(kept, 10_000)


@pytest.mark.parametrize(("world", "number"), [("synthetic", 335), ("digit-pairs", 16)])
def test_the_held_out_cells_are_those_on_which_no_threshold_was_set(world, number):
    """The thresholds of the guide were set on the other ones: a cell never changes sides."""
    sides = [held_out(cell) for cell in WORLDS[world].cells]
    assert sum(sides) == number
    assert sides.index(False) == {"synthetic": 5, "digit-pairs": 0}[world]


def case(uni: float, paired: float, verdict: str, accuracy: dict) -> dict:
    papers = "UMT" if verdict == "interactions" else verdict  # it has no third verdict
    rules = {
        name: outcome(rule, {"ours": verdict, "UME": "UME"}.get(rule.who, papers), accuracy)
        for name, rule in RULES.items()
        if set(rule.takes.values()) <= set(accuracy)
    }
    place = {"uni": uni, "paired": paired, "asymmetry": 0.0, "n_train": 512}
    place["bayes"] = {"all": 0.9, "additive": 0.9 - paired / 5}
    given = {"ours": verdict, "paper": papers, "paper by sign": "UMT"}
    place["verdicts"] = dict.fromkeys((LAST, WIDE, BOTH), given)
    return {**place, "held_out": True, "test": accuracy, "rules": rules}


def measured(cases: list[dict]) -> dict:
    facts = {"dataset": "synthetic", "seeds": 3, "n_test": 2000, "n_validation": 1000}
    return {**facts, "cases": cases}


def test_shares_are_over_decided_cells_and_regret_over_all():
    given = ["interactions"] * 6 + ["UME"] * 2 + ["no clear winner"] * 2
    cases = [case(i / 10, 0.5, verdict, INTERACTIONS) for i, verdict in enumerate(given)]
    cases += [case(i / 10, 0.0, "no clear winner", UNDECIDED) for i in range(10)]
    score = scored(cases, MAIN)
    assert score["right"].mean == pytest.approx(0.6)
    assert score["right"].low < 0.6 < score["right"].high
    assert score["right"].n == 10
    assert score["named"].mean == pytest.approx(0.75)
    assert score["unclear when decided"].mean == pytest.approx(0.2)
    assert score["unclear when tied"].mean == 1
    expected = (4 * 0.10 + 10 * (0.7133333 - 0.71)) / 20
    assert score["regret"].mean == pytest.approx(expected, abs=1e-6)


def test_several_seeds_of_a_cell_are_one_unit():
    cases = [case(i / 10, 0.5, "interactions", INTERACTIONS) for i in range(6)]
    assert scored(cases * 3, MAIN)["right"].n == 6
    assert scored(cases[:3], MAIN)["right"] is None


def test_tuning_cells_are_never_shown():
    kept = [case(i / 10, 0.5, "interactions", INTERACTIONS) for i in range(6)]
    seen = [{**c, "held_out": False} for c in kept]
    assert len(held_out_cases(measured(kept + seen))) == 6


def test_figure_table_and_sentences_show_what_was_measured():
    wrong = {"synthetic": measured([case(i / 10, 0.5, "UME", INTERACTIONS) for i in range(6)])}
    text = guide_check_text.sentences(wrong)
    assert "misses both aims" in text
    assert "they do not test the verdict UME or UMT" in text
    assert "not right in 6 decided settings, and its verdict is UME in 6. In 0 of them" in text
    assert "6 of 6" in guide_check_text.table(wrong)
    longer = {**wrong["synthetic"], "dataset": "lazy", "seeds": 10}
    assert "determined from 3 or 10 seeds" in guide_check_text.sentences({**wrong, "lazy": longer})
    assert guide_check_figures.right(wrong).axes
    good = [case(i / 10, 0.5, "interactions", INTERACTIONS) for i in range(6)]
    text = guide_check_text.sentences({"synthetic": measured(good)})
    assert "reaches both aims** on average, but its intervals include values that do not" in text


def test_accuracies_and_features_of_a_case_are_those_of_its_cell_and_seed(monkeypatch):
    """Of every strategy the second option is better on validation, except where it is fixed."""
    where = replace(world("synthetic"), n_validation=20, n_test=20)
    cells, seeds = (
        [c for c in where.cells if c["n_train"] == where.cells[0]["n_train"]][:2],
        (3, 4, 5),
    )
    number = np.arange(6.0).reshape(2, 3)  # of a cell and seed

    def tried(validation: float, first: float) -> Tried:
        return Tried(Option(), (validation + 0 * number).tolist(), (first + number).tolist())

    def explore(chunk, strategies):
        x = {m: torch.arange(6.0)[:, None, None].expand(6, 20, 1) for m in "ab"}
        splits = SimpleNamespace(validation=SimpleNamespace(x=x))
        names = [*strategies, *map(unimodal, "ab")]
        tuned = {name: [tried(0.5, 100), tried(0.9, 200)] for name in names}
        return SimpleNamespace(splits=splits), tuned

    seen = []
    monkeypatch.setattr(module, "explore", explore)
    monkeypatch.setattr(module, "verdicts", lambda *given: seen.append(given))
    monkeypatch.setattr(module, "record", lambda found, accuracy: {})
    found = module._cases(where, cells, seeds, seeds[:2])
    assert [case["seed"] for case in found] == [3, 4, 3, 4]
    places = [(cell, seed) for cell in cells for seed in seeds[:2]]
    for case, (features, (known, held), y), (cell, seed), g in zip(
        found, seen, places, (0, 1, 3, 4), strict=True
    ):
        of_cell = number[cells.index(cell)]
        for name, values in case["test"].items():
            first = 100 if name == "UME (mean)" else 200
            assert values == (first + of_cell).tolist(), name
        assert {name: case[name] for name in cell.dials} == cell.dials
        assert (features["a"] == g).all()
        data = where.data(cell, seed)
        assert torch.equal(known["b"], data.train.x["b"])
        assert torch.equal(held["a"], data.validation.x["a"])
        assert y.tolist() == data.validation.y.tolist()
    assert options(UME)[0].rule == "mean"


def test_what_experiments_reached_is_read_by_seed():
    made = entry("watch", "ume", [0.7, 0.71, 0.72], validation=0.5).result
    made.save(results_dir() / "watch-ume.json")
    assert on_data._measured("watch", "ume", (2, 0)) == [0.72, 0.7]
    with pytest.raises(
        StudyError, match=r"watch-ume: no seed 3; run umt run params/watch-ume\.yaml"
    ):
        on_data._measured("watch", "ume", (0, 3))


@pytest.mark.usefixtures("brief")
def test_a_tiny_map_is_measured():
    measured = on_map("synthetic", 1, (0, 1), n_validation=150)
    (found,) = json.loads(json.dumps(measured))["cases"]
    assert found["held_out"]
    assert set(found["rules"]) == set(RULES)
    assert found["bayes"]["all"] >= found["bayes"]["additive"]
    assert all(len(values) == 2 for values in found["test"].values())
    assert set(found["verdicts"]) == {LAST, WIDE, BOTH}
