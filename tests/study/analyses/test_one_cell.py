"""One cell, trained with all options at once, has the numbers of the map."""

from __future__ import annotations

from dataclasses import replace

import pytest

from umt_lib.errors import StudyError
from umt_lib.study.analyses.regime_map import one_cell
from umt_lib.study.analyses.regime_map.measure import best, explore
from umt_lib.study.analyses.regime_map.one_cell import Copies, Explorer
from umt_lib.study.analyses.regime_map.train import Chunk
from umt_lib.study.analyses.regime_map.worlds import WORLDS, Cell

NAMES = ("UME", "joint (linear)", "UMT (MLP)", "frozen (linear)")
CELL = Cell.at(uni=0.5, paired=0.5, asymmetry=0.0, n_train=128)
SMALL = replace(WORLDS["synthetic"], n_validation=100, n_test=200, updates=20)


@pytest.fixture
def trainings(monkeypatch) -> list[tuple]:
    """The cells, seeds and strategies that are trained, in order; every accuracy is 0.5."""
    done: list[tuple] = []

    def test(copies: Copies, name: str) -> list[float]:
        done.append((copies.cell["paired"], copies.seeds, name))
        return [0.5] * len(copies.seeds)

    monkeypatch.setattr(Copies, "test", test)
    return done


def test_the_accuracies_are_those_of_the_map():
    _, tuned = explore(Chunk(SMALL, [CELL], (0, 1)), NAMES)
    copies = Copies(SMALL, CELL, (0, 1))
    for name in NAMES:
        expected = tuned[name][best(tuned[name])[0]].test[0]
        assert copies.test(name) == pytest.approx(expected, abs=0.011), name  # two of 200 samples


def test_the_first_round_grows_and_stays_until_the_next_is_finished(trainings):
    answers = list(Explorer("synthetic", NAMES, [(0,), (0, 1)]).answers(CELL))
    assert [(len(a.test), a.training, a.seeds) for a in answers] == [
        *((number, name, (0,)) for number, name in enumerate(NAMES)),
        *((len(NAMES), name, (0, 1)) for name in NAMES),
        (len(NAMES), "", (0, 1)),
    ]
    assert {len(values) for a in answers[:-1] for values in a.test.values()} == {1}
    assert {len(values) for values in answers[-1].test.values()} == {2}


def test_an_answer_is_trained_once_and_an_abandoned_round_again(trainings):
    explorer = Explorer("synthetic", NAMES, [(0,), (0, 1)])
    half = explorer.answers(CELL)
    for _ in range(len(NAMES) + 2):  # all of the first round, one strategy of the second
        next(half)
    half.close()
    assert [seeds for _, seeds, _ in trainings] == [(0,)] * len(NAMES) + [(0, 1)]
    trainings.clear()
    list(explorer.answers(CELL))
    assert [seeds for _, seeds, _ in trainings] == [(0, 1)] * len(NAMES)
    trainings.clear()
    assert [a.training for a in explorer.answers(CELL)] == [""]
    assert not trainings


def test_a_line_follows_the_cell_and_contains_it(trainings):
    explorer = Explorer("synthetic", NAMES[:1], [(0,)])
    steps = list(explorer.steps(CELL, "paired", [0.25, 0.5, 1.0]))
    assert [paired for paired, _, _ in trainings] == [0.5, 0.25, 1.0]
    assert {step.answer.cell for step in steps} == {CELL}
    assert [[a.cell["paired"] for a in step.line] for step in (steps[0], steps[-1])] == [
        [],
        [0.25, 0.5, 1.0],
    ]


def test_the_data_of_a_cell_are_drawn_once_for_all_copies(monkeypatch):
    drawn = []
    world = replace(SMALL, load=lambda **options: drawn.append(options) or SMALL.load(**options))
    monkeypatch.setitem(one_cell.world_named.__globals__["WORLDS"], "synthetic", world)
    list(Explorer("synthetic", NAMES[:2], [(0, 1)]).answers(CELL))
    assert len(drawn) == 2  # one for each seed


def test_an_unknown_world_is_refused():
    with pytest.raises(StudyError, match="there is no map of 'sinthetic'; did you mean 'synth"):
        Explorer("sinthetic", NAMES, [(0,)])
