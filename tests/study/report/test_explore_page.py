"""The explorer's view: progress, figures drawn when numbers change, newer questions first."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from umt_lib.study.analyses.regime_map.one_cell import Answer, Step
from umt_lib.study.analyses.regime_map.worlds import Cell, world
from umt_lib.study.report import explore_page
from umt_lib.study.report.explore_figures import STRATEGIES
from umt_lib.study.report.explore_page import Newest, View, progress, sentence


def answer(training: str = "", paired: float = 0.5, seeds: int = 3, **better: float) -> Answer:
    test = {name: [0.7, 0.72, 0.74][:seeds] for name in STRATEGIES}
    for name, gain in better.items():
        test[f"{name} (MLP)"] = [value + gain for value in test[f"{name} (MLP)"]]
    cell = Cell.at(uni=0.4, paired=paired, asymmetry=0.0, n_train=1024)
    return Answer(cell, test, training, (0, 1, 2))


def test_the_progress_says_what_is_trained_and_what_is_shown():
    first = answer("UMT (linear)")._replace(test={}, seeds=(0,))
    assert progress(Step(first, [], 2)) == "Training UMT (linear) with 1 seed ..."
    second = progress(Step(answer("UMT (linear)", seeds=1), [], 2))
    assert second == "Training UMT (linear) with 3 seeds ... Below: 1 seed."
    assert progress(Step(answer(), [answer()], 2)) == (
        "Finished with 3 seeds. Training the line: 1 of 2 ..."
    )
    assert progress(Step(answer(), [answer()] * 2, 2)) == "Finished with 3 seeds."


def test_the_sentence_names_the_best_strategy_and_its_gain():
    assert sentence(answer(UMT=0.02)) == (
        "UMT (MLP) has the highest mean accuracy, 74.0%: +2.0 [+2.0, +2.0] points from joint "
        "(MLP), paired over seeds."
    )
    assert sentence(answer(joint=0.01)) == (
        "joint (MLP) has the highest mean accuracy, 73.0%; UME has 72.0%."
    )
    assert "[" not in sentence(answer(UMT=0.02, seeds=1))
    assert not sentence(answer()._replace(test={"UME": [0.7]}))


@pytest.fixture
def widgets() -> dict[str, SimpleNamespace]:
    return {name: SimpleNamespace(value="") for name in ("status", "cell", "line")}


def test_figures_are_drawn_again_only_if_their_numbers_have_changed(widgets, monkeypatch):
    drawn = []
    html = explore_page.html
    monkeypatch.setattr(
        explore_page, "html", lambda figure, alt: drawn.append(alt) or html(figure, alt)
    )
    view = View(world("synthetic"), **widgets)
    view.show(Step(answer("UME", seeds=1), [], 2))
    view.show(Step(answer("joint (linear)", seeds=1), [], 2))
    assert len(drawn) == 1
    view.show(Step(answer(UMT=0.02), [answer(paired=0.0), answer()], 2))
    assert len(drawn) == 3
    assert "UMT (MLP) has the highest mean accuracy" in widgets["cell"].value
    for text in ("best possible without interactions", "training samples 1024", "MLP head"):
        assert text in widgets["cell"].value
    assert "points above UME" in widgets["line"].value
    view.show(Step(answer(paired=0.0), [], 2))
    assert not widgets["line"].value  # that of another cell


def test_a_new_start_replaces_the_items_before():
    shown = []

    async def moves() -> None:
        newest = Newest(shown.append, pytest.fail)
        newest.start(iter("abcdef"))
        await asyncio.sleep(2.5 * explore_page.PAUSE)
        newest.start(iter("xy"))
        await asyncio.sleep(10 * explore_page.PAUSE)

    asyncio.run(moves())
    before = "".join(shown).partition("x")[0]
    assert 0 < len(before) < 6
    assert "".join(shown) == f"{before}xy"


def test_without_an_event_loop_all_items_are_shown_at_once():
    shown = []
    Newest(shown.append, pytest.fail).start(iter("abc"))
    assert shown == [*"abc"]


def test_an_error_in_the_background_is_shown(widgets):
    view = View(world("synthetic"), **widgets)

    def broken():
        raise ValueError("out of memory")
        yield

    async def move() -> None:
        newest = Newest(view.show, view.failed)
        newest.start(broken())
        with pytest.raises(ValueError, match="out of memory"):
            await newest.task

    asyncio.run(move())
    assert "The training failed: out of memory" in widgets["status"].value
