"""Read a map made by hand: strategies choose on validation; which are best in each cell."""

from __future__ import annotations

import numpy as np
import pytest

from umt_lib.study.analyses.regime_map import summary
from umt_lib.study.report import regime_map_figures, regime_map_text

VARIANTS = ("ume-mean", "ume-product", "joint-linear", "joint-mlp", "frozen-linear", "frozen-mlp")
WEIGHTED = ("umt-linear@0.1", "umt-linear@10", "umt-mlp@0.1", "umt-mlp@10")


def cell(uni: float, paired: float, **test: list[float]) -> dict:
    """A cell in which everything is at 0.7 but what ``test`` says; validation agrees with test."""
    scores = {v: [0.70, 0.71, 0.69] for v in (*VARIANTS, *WEIGHTED)}
    scores |= {name.replace("_", "-").replace("at", "@"): v for name, v in test.items()}
    return {
        "uni": uni, "paired": paired, "asymmetry": 0.0,
        "bayes": {"a": 0.7, "b": 0.7, "additive": 0.75, "all": 0.9},
        "validation": scores, "test": dict(scores),
    }  # fmt: skip


@pytest.fixture
def measured() -> dict:
    cells = [
        cell(0.1, 0.0),
        cell(0.2, 0.0, ume_product=[0.80, 0.81, 0.79]),
        cell(0.1, 1.0, joint_mlp=[0.90, 0.91, 0.89], frozen_linear=[0.5, 0.5, 0.5]),
        cell(0.2, 1.0, joint_mlp=[0.8, 0.8, 0.8], **{"umt_mlpat0.1": [0.80, 0.81, 0.79]}),
    ]
    return {"dataset": "synthetic", "n_train": 512, "cells": cells}


def test_a_strategy_chooses_on_validation_and_is_scored_on_test(measured):
    measured["cells"][1]["test"]["ume-product"] = [0.1, 0.1, 0.1]
    found = summary.read(measured)
    assert found.chosen["UME"] == ["ume-mean", "ume-product", "ume-mean", "ume-mean"]
    assert found.accuracy["UME"][1].mean() == pytest.approx(0.1)


def test_which_strategies_are_not_clearly_worse(measured):
    sets, leads = summary.unbeaten(summary.read(measured))
    assert sets == [("UME", "joint", "UMT"), ("UME",), ("joint",), ("joint", "UMT")]
    assert leads == pytest.approx([0, 0.1, 0.2, 0.1])


def test_gap_and_regret(measured):
    found = summary.read(measured)
    mean, half = summary.gap(found, "joint (MLP)", "UME")
    assert mean == pytest.approx([0, -0.1, 0.2, 0.1])
    assert half[2] == pytest.approx(0, abs=1e-9)
    assert summary.regret(found, "UME") == pytest.approx([0, 0, 0.2, 0.1])


def test_sentences_and_tables_have_the_numbers_of_the_map(measured):
    maps = [summary.read(measured)]
    row = regime_map_text.table(maps).splitlines()[-1]
    counts = [cell.strip() for cell in row.strip("|").split("|")][1:]
    assert list(map(int, counts)) == [4, 1, 1, 0, 1, 0, 0, 1]
    text = regime_map_text.sentences(maps)
    assert "and +15.0 [" in text
    assert "clearly better than UME in 2 cells" in text
    assert "predicts this in 0 of them" in text
    assert "| UME " in regime_map_text.regrets(maps)


def test_a_cell_that_is_clear_alone_is_not_counted_among_many(measured):
    """p = 0.03 in one cell of four, none in the others."""
    doubtful = cell(0.1, 1.0, joint_mlp=[0.716, 0.735, 0.704])
    measured["cells"] = [cell(u, 0.0) for u in (0.1, 0.2, 0.3)] + [doubtful]
    alone = {**measured, "cells": [doubtful]}
    for cells, expected in ((alone, 1), (measured, 0)):
        better, worse = regime_map_text.clear_cells(summary.read(cells), "joint (MLP)", "UME")
        assert (better.sum(), worse.sum()) == (expected, 0)


def test_the_figures_show_every_cell(measured):
    maps = [summary.read(measured)]
    (panel, *_) = regime_map_figures.who_wins(maps).axes
    image = panel.images[0].get_array()
    assert image.shape == (2, 2, 3)
    assert np.ptp(image[0, 0]) < 0.01  # no clear difference is grey
    assert len(regime_map_figures.against(maps, "UMT (MLP)", "joint (MLP)").axes) == 2
    figure = regime_map_figures.interactive(maps)
    assert len(figure.layout.updatemenus[0].buttons) == len(regime_map_figures.COMPARISONS)
    assert "joint-mlp" in figure.layout.updatemenus[0].buttons[1].args[0]["text"][0][1][0]
