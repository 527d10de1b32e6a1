"""Measure single cells of a map in seconds, for sliders: few seeds first, nothing twice.

All options of a strategy are trained at once, as copies of the cell. This takes a fifth of the time
of :func:`.measure.explore` and gives the same numbers up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import NamedTuple

import torch

from umt_lib.study.analyses.batched.networks import Params
from umt_lib.study.analyses.regime_map.strategies import RATES, UME, options
from umt_lib.study.analyses.regime_map.train import PARTS, Chunk, Teachers
from umt_lib.study.analyses.regime_map.worlds import Cell, World
from umt_lib.study.analyses.regime_map.worlds import world as world_named

Seeds = tuple[int, ...]
Test = dict[str, list[float]]  # {strategy: test accuracy of every seed}


class Answer(NamedTuple):
    """What is known about a cell.

    Attributes:
        test: the strategies that are finished.
        training: the strategy that is being trained next, "" if all are finished for all seeds.
        seeds: those that it is trained with.
    """

    cell: Cell
    test: Test
    training: str
    seeds: Seeds


class Step(NamedTuple):
    """The answer for a cell, and the finished ones of ``length`` cells on a line through it."""

    answer: Answer
    line: list[Answer]
    length: int


class Explorer:
    """Answers for the cells of one world, kept for as long as the object exists.

    Args:
        world: a key of ``worlds.WORLDS``.
        strategies: which ones are trained, in this order.
        rounds: the seeds of the first answer, of the second, ...

    Raises:
        StudyError: there is no such world.
    """

    def __init__(self, world: str, strategies: Sequence[str], rounds: Sequence[Sequence[int]]):
        named = world_named(world)
        self.world = replace(named, load=cache(named.load))  # copies of a cell have the same data
        self.strategies = tuple(strategies)
        self.rounds = [tuple(seeds) for seeds in rounds]
        self._kept: dict[Cell, list[Test]] = {}  # the rounds that are finished

    def answers(self, cell: Cell) -> Iterator[Answer]:
        """Answers that become better: one before each training, and one at the end.

        The first round shows each strategy when it is trained. The answer of a round stays until
        the next round is finished, because numbers of different seeds are not comparable.
        """
        kept = self._kept.setdefault(cell, [])
        for seeds in self.rounds[len(kept) :]:
            trained, found = Copies(self.world, cell, seeds), Test()
            for name in self.strategies:
                yield Answer(cell, dict(kept[-1] if kept else found), name, seeds)
                found[name] = trained.test(name)
            kept.append(found)
        yield Answer(cell, kept[-1], "", self.rounds[-1])

    def steps(self, cell: Cell, dial: str, values: Sequence[float]) -> Iterator[Step]:
        """The answers for a cell, then those for the cells with other values of one dial."""
        cells = [Cell.at(**{**cell.dials, dial: value}) for value in values]
        for answer in self.answers(cell):
            yield Step(answer, self._finished(cells), len(cells))
        for other in cells:
            for _ in self.answers(other):
                yield Step(answer, self._finished(cells), len(cells))

    def _finished(self, cells: Sequence[Cell]) -> list[Answer]:
        """The answers of those cells that need no more training."""
        kept = {cell: self._kept.get(cell, []) for cell in cells}
        return [
            Answer(cell, tests[-1], "", self.rounds[-1])
            for cell, tests in kept.items()
            if len(tests) == len(self.rounds)
        ]


@dataclass(frozen=True)
class Copies:
    """One cell and its uni-modal models, of which a copy is trained with every option."""

    world: World
    cell: Cell
    seeds: Seeds

    def test(self, name: str) -> list[float]:
        """The test accuracy of every seed, with the option that is best on validation."""
        tried = options(name)
        together = [[option] for option in tried] if name == UME else [tried]
        validation: list[list[float]] = []
        test: list[list[float]] = []
        for part in together:
            chunk = self._chunk(len(part))
            params = {m: self._copied(made, len(part)) for m, made in self.unimodal.items()}
            logits = Teachers(chunk, params).logits_of(name, part)
            for values, split in zip((validation, test), PARTS, strict=True):
                values += chunk.accuracy(logits, split)
        return test[_best(validation)]

    @cached_property
    def unimodal(self) -> dict[str, Params]:
        """The uni-modal models of each modality, with the learning rate best on validation."""
        chunk, found = self._chunk(len(RATES)), {}
        for m in chunk.shapes:
            params = chunk.fit_unimodal(m, chunk.of_seeds(RATES))
            logits = Teachers(chunk, {m: params}).unimodal(0)
            first = _best(chunk.accuracy(logits, "validation")) * len(self.seeds)
            found[m] = {n: v[first : first + len(self.seeds)] for n, v in params.items()}
        return found

    def _chunk(self, copies: int) -> Chunk:
        return Chunk(self.world, [self.cell] * copies, self.seeds)

    def _copied(self, params: Params, copies: int) -> Params:
        return {n: torch.cat([v] * copies) for n, v in params.items()}


def _best(validation: Sequence[Sequence[float]]) -> int:
    """The option with the highest mean accuracy, the first of equals."""
    return int(torch.tensor(validation, dtype=torch.float64).mean(1).argmax())
