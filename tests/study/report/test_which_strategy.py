"""Which strategy for which kind of data: chosen on tuning seeds, judged on report seeds."""

from __future__ import annotations

from maps import cell, place, world

from umt_lib.study.report import which_strategy


def made() -> list[dict]:
    """Two cells of XOR features, the paired feature of one is useless; one of a shared nuisance."""
    better, best = {"UME": 0.8}, {"UMT (MLP)": 0.9}
    useless = cell(place("synthetic", paired=0.0), better, better)
    useless["bayes"] = {"additive": 0.8, "all": 0.8}
    return [
        world("synthetic", [useless, cell(place("synthetic"), best, {"joint (MLP)": 0.9})]),
        world("shared-nuisance", [cell(place("shared-nuisance"), best, best)]),
    ]


def test_a_strategy_is_chosen_for_each_kind_on_the_tuning_seeds():
    found = {kind: name for kind, (name, _) in which_strategy.chosen(made()).items()}
    assert found == {
        "no useful paired feature": "UME",
        "paired: XOR": "UMT (MLP)",
        "paired: a shared nuisance": "UMT (MLP)",
        "all settings": "UMT (MLP)",
    }


def test_its_regret_is_that_of_the_report_seeds():
    rows = which_strategy.table(made()).splitlines()
    (xor,) = (row for row in rows if "XOR" in row)
    cells = [part.strip() for part in xor.strip("| ").split("|")]
    assert cells[1:3] == ["1", "UMT (MLP)"]
    assert cells[3].startswith("20.")  # joint (MLP) is 20 points better on the report seeds
    assert cells[6] == "0.0"


def test_the_sentence_names_the_choice_for_all_cells():
    text, *_ = which_strategy.statements(made())
    assert text.startswith("**On generated data of an unknown kind, UMT (MLP) loses least**: ")
    assert "mean over all 3 settings" in text


def test_without_a_map_there_is_no_statement():
    assert which_strategy.statements([]) == []
