"""The cost of UMT in words, from hand-made accuracies: signs, what is chosen, what is counted."""

from __future__ import annotations

import pytest

from umt_lib.study.analyses.distillation_cost import summary
from umt_lib.study.report import distillation_cost_text as text
from umt_lib.study.report.format import MINUS

JOINT, UME = 0.8, 0.6


def at(value: float) -> list[float]:
    """Accuracies of three seeds, with the same spread everywhere: no noise in differences."""
    return [value - 0.01, value, value + 0.01]


def run(weight: float, test: float, validation: float = 0.5, gap: float = 0.0) -> dict:
    found = {"test": at(test), "validation": at(validation), "emap_gap": at(gap)}
    return {"weight": weight, **found}


def cell(paired: float, umt: dict[float, float], remedy: dict[float, float]) -> dict:
    """Test accuracy of UMT and of every remedy by weight; joint training has those at weight 0."""
    start = run(0, JOINT, gap=0.1)
    runs = [start, *(run(weight, value, gap=0.02) for weight, value in umt.items())]
    others = [start, *(run(weight, value) for weight, value in remedy.items())]
    return {
        "uni": 0.5,
        "paired": paired,
        "ume": {"test": at(UME), "validation": at(UME)},
        "variants": {"umt": runs} | dict.fromkeys(text.REMEDIES, others),
    }


def measured(*cells: dict) -> dict:
    return {"synthetic": {"cells": list(cells)}}


def test_the_smallest_weight_at_which_umt_is_worse_is_named_with_its_loss():
    paired = cell(1.0, {0.1: 0.85, 1.0: 0.75, 10.0: 0.65}, {1.0: 0.8})
    found = text.sentences(measured(paired))
    assert f"clearly worse than joint training is 1 ({MINUS}5.0 [" in found
    assert f"at weight 10 the difference is {MINUS}15.0 [" in found
    assert "UMT minus UME (product) is +5.0 [" in found
    assert "The EMAP gap changes from 10.0 [" in found
    better = text.sentences(measured(cell(1.0, {0.1: 0.85, 1.0: 0.9}, {1.0: 0.8})))
    assert "UMT is clearly worse than joint training at no weight" in better


@pytest.mark.parametrize(
    ("remedy", "counts"),
    [
        (0.75, "in 1 and clearly worse in 0 (mean +5.0"),
        (0.6, f"in 0 and clearly worse in 1 (mean {MINUS}10"),
    ],
)
def test_a_remedy_is_compared_with_umt_of_the_same_weight(remedy, counts):
    found = text.sentences(measured(cell(1.0, {1.0: 0.7}, {1.0: remedy})))
    assert found.count(f"clearly better than plain UMT of the same weight {counts}") == 4
    assert found.count("It is clearly worse than joint training in 1 of them, plain UMT in 1.") == 3
    assert "than joint training of the same width in 1 of them, plain UMT in 1." in found


def test_without_a_paired_feature_gains_and_losses_are_counted():
    cells = [cell(0.0, {1.0: 0.82}, {1.0: 0.8}), cell(0.0, {1.0: 0.83}, {1.0: 0.8})]
    cells += [cell(0.0, {1.0: 0.74}, {1.0: 0.8})]
    found = text.sentences(measured(*cells))
    assert (
        "Of 3 settings and weights, UMT is clearly better than joint training in 2 and clearly"
        in found
    )
    assert f"worse in 1; mean differences range from {MINUS}6.0 to +3.0 points" in found
    assert "no setting with a paired feature was measured" in found


def test_a_weight_is_chosen_for_each_seed_on_validation():
    """The larger weight is better on validation for the last seed only, on test for the others."""
    made = cell(1.0, {0.1: 0.7, 1.0: 0.9}, {0.1: 0.8, 1.0: 0.8})
    first, second = made["variants"]["umt"][1:]
    first["validation"], second["validation"] = [0.6, 0.6, 0.5], [0.5, 0.6, 0.6]
    assert summary.few(made) == [0.1, 1.0]
    tested = summary.chosen(made, "umt").tolist()
    assert tested == pytest.approx([0.69, 0.7, 0.91])  # of equals the smaller weight
    assert summary.over_umt(made, "fading", 1.0).mean == pytest.approx(-0.1)
    assert summary.over_joint(made, 1.0).mean == pytest.approx(0.1)
    assert summary.over_joint(made, 0.1, "subspace").mean == pytest.approx(0)
