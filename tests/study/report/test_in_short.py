"""The answer in a few sentences, from hand-made results whose answer is known."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from entries import entry, ume
from maps import cell, place, world

from umt_lib.study.analyses.guide_check.rules import MAIN
from umt_lib.study.analyses.regime_map.summary import FAMILIES
from umt_lib.study.pipeline.collection import AnalysisEntry, Study
from umt_lib.study.report import in_short, regime_map_text
from umt_lib.study.report.format import MINUS

REAL = {"digit-halves": 0.0, "watch": 0.01, "furniture": -0.01, "youtube8m": 0.005}


def at(value: float) -> list[float]:
    return [value, value + 0.01, value + 0.02]


def real(umt: float, fused: float) -> list:
    """Joint training at 70%, UMT and UME at given means over data sets."""
    return [
        e
        for dataset, shift in REAL.items()
        for e in (
            entry(dataset, "joint", at(0.7)),
            entry(dataset, "umt", at(umt + shift)),
            ume(dataset, at(fused + shift)),
        )
    ]


def analysed(name: str, measured: dict) -> AnalysisEntry:
    result = SimpleNamespace(measured=measured, frame=None)
    return AnalysisEntry(name, {"analysis": {"name": name}}, None, result)


@pytest.mark.parametrize(
    ("umt", "fused", "claim", "between"),
    [
        (0.80, 0.80, "UME and UMT are better than joint training", "no clear difference"),
        (0.70, 0.80, "UME is better than joint training", "UME is better"),
        (0.80, 0.70, "UMT is better than joint training", "UMT is better"),
        (0.70, 0.70, "UME and UMT: not clearly better than joint training", "no clear difference"),
    ],
)
def test_real_data_say_which_remedies_are_better_and_whether_they_differ(
    umt, fused, claim, between
):
    text = in_short.sentences(Study(real(umt, fused)))
    assert text.startswith(f"- **On real data, {claim}**: ")
    assert f"Between UMT and UME: {between} (" in text
    assert "mean over 4 data sets" in text


def test_the_gain_over_longer_joint_training_is_stated_too():
    longer = [entry(dataset, "joint-longer", at(0.78)) for dataset in list(REAL)[:3]]
    text = in_short.sentences(Study([*real(0.80, 0.78), *longer]))
    assert [line.startswith("  - ") for line in text.splitlines()] == [False, True, True, True]
    assert "that has UMT's budget (mean over 3 data sets): UME 0.0 [" in text
    assert ", UMT +2.0 [" in text


def maps() -> list[AnalysisEntry]:
    """A cell without a useful paired feature, UME best by 20 points; one with, joint (MLP) best."""
    none = cell(place("synthetic", paired=0.0), {"UME": 0.9}, {"UME": 0.9})
    none["bayes"] = {"additive": 0.8, "all": 0.8}
    pairs = cell(place("synthetic"), {"joint (MLP)": 0.8}, {"joint (MLP)": 0.8})
    return [analysed("map", world("synthetic", [none, pairs]))]


def test_maps_say_what_each_strategy_loses_without_and_with_paired_features():
    first, others, highest, clear, unknown, *_ = in_short.sentences(Study([], maps())).splitlines()
    assert "UME is 0.0 points below the best strategy where no paired feature is useful" in first
    assert "and 10.0 points where one is**, mean over 1 and 1 settings." in first
    assert others.startswith("  - With MLP heads, joint training is 20.")
    assert " and 0.0 points below it, and UMT " in others
    assert "UME has the highest mean in 1 of 2 settings, joint training in 1." in highest
    assert clear.startswith("  - Clearly better than all strategies of all other families: ")
    assert unknown.startswith("- **On generated data of an unknown kind, ")


def test_what_loses_least_on_maps_is_compared_on_real_data_too():
    """The strategy of the maps is joint training with an MLP head, 20 points below UME."""
    none, pairs = (
        cell(place("synthetic", paired=p), {"joint (MLP)": 0.9}, {"joint (MLP)": 0.9})
        for p in (0.0, 1.0)
    )
    found = [analysed("map", world("synthetic", [none, pairs]))]
    rows = [e for d in REAL for e in (entry(d, "joint", at(0.6), "mlp"), ume(d, at(0.8)))]
    *_, text = in_short.sentences(Study(rows, found)).split("\n- ")
    assert "joint (MLP) loses least" in text
    *_, real = text.splitlines()
    assert real.startswith("  - On real data, its test accuracy minus that of another strategy")
    assert f"mean over 4 data sets: UME {MINUS}20.0 [" in real


def test_a_family_can_have_the_highest_mean_without_being_clearly_the_best():
    measured = [entry.result.measured for entry in maps()]
    highest, clear = regime_map_text.highest(measured)
    assert "UME has the highest mean in 1 of 2 settings, joint training in 1." in highest
    assert "of all other families: UME in 1, joint in 1 (Holm's" in clear
    cells = [place("synthetic"), place("synthetic")]
    one = [world("synthetic", [cell(c, {"UME": 0.7005}, {"UME": 0.7005}) for c in cells])]
    highest, clear = regime_map_text.highest(one)
    assert "UME has the highest mean in 2 of 2 settings." in highest
    assert "of all other families: none, in any setting (Holm's" in clear
    rows = regime_map_text.families_table(measured).splitlines()
    assert [row.split("|")[1].strip() for row in rows[2:]] == list(FAMILIES)
    assert [part.strip() for part in rows[2].split("|")[2:5]] == ["1", "1", "1"]  # of UME


def test_the_guide_is_scored_on_held_out_cells_beside_fixed_strategies():
    lost = {MAIN: 0.002, "always UME": 0.03, "always joint (MLP)": 0.013}
    cases = [
        {
            "held_out": held,
            "uni": i / 10,
            "rules": {
                rule: {
                    "right": i < 8,
                    "decided": True,
                    "unclear": False,
                    "regret": regret,
                    "best": "UME" if i else "UMT",
                }
                for rule, regret in lost.items()
            },
        }
        for i in range(10)
        for held in (True, False)
    ]
    measured = {"dataset": "synthetic", "cases": cases}
    text = in_short.sentences(Study([], [analysed("guide-on-map", measured)]))
    assert "the guide names the best strategy in **80.0 [" in text
    assert "of the 10 settings" in text
    assert "UMT is the best in 1 of them" in text
    assert text.endswith("always using UME 3.0, always joint (MLP) 1.3.")
    entries = [*maps(), analysed("guide-on-map", measured)]
    *_, text = in_short.sentences(Study([], entries)).splitlines()
    assert text.endswith("to the best of them over the 2 settings of the maps.")
    assert "Always using UME, which is not" not in text


def test_nothing_is_said_without_results():
    assert in_short.sentences(Study([])) == ""
