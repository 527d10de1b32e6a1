"""Measure one map: the accuracy of every strategy in every cell of a world.

Two sets of seeds, with other data, are never mixed. On the *tuning* seeds every strategy is trained
with all its options; the option with the best mean validation accuracy is chosen for each cell, and
the search reads the test accuracies of these seeds. On the *report* seeds every strategy is trained
once, with the chosen option, and tested once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from umt_lib.errors import StudyError, nearest
from umt_lib.study.analyses.regime_map.parallel import chunks, in_processes
from umt_lib.study.analyses.regime_map.strategies import RATES, STRATEGIES, Option, options, passes
from umt_lib.study.analyses.regime_map.train import PARTS, Chunk, Teachers
from umt_lib.study.analyses.regime_map.worlds import Axes, Cell, World
from umt_lib.study.analyses.regime_map.worlds import world as world_named
from umt_lib.study.analyses.values import TwoSeeds, Values


class Tried(NamedTuple):
    """One option of a strategy, and the accuracy of every cell and seed with it."""

    option: Option
    validation: list[list[float]]
    test: list[list[float]]


class Job(NamedTuple):
    """Some cells that are measured at once."""

    world: World
    cells: list[Cell]
    tuning: tuple[int, ...]
    report: tuple[int, ...]
    strategies: tuple[str, ...]


def regime_map(
    world: str,
    dials: Axes,
    tuning: TwoSeeds,
    report: TwoSeeds,
    cells: NonNegativeInt = 0,
    strategies: Values[str] = STRATEGIES,
    workers: PositiveInt = 1,
) -> dict[str, Any]:
    """Search a world on the tuning seeds, and report all its cells on the report seeds.

    Args:
        world: a key of ``worlds.WORLDS``.
        dials: the values of every dial.
        tuning, report: seeds, no one in both.
        cells: number of cells, drawn at random from all combinations of ``dials``; 0 for all.
        workers: processes; the numbers do not depend on it.

    Returns:
        ``cells`` [{"dials", "bayes", "tried" {strategy: [[validation accuracy of every tuning seed]
        for every option]}, "chosen" {strategy: position of the option}, "search" {strategy: [test
        accuracy of every tuning seed with the chosen option]}, "test" {strategy: [that of every
        report seed]}}], ``options`` and ``passes`` of the strategies, and the sizes of the splits.

    Raises:
        StudyError: a world, dial or strategy is unknown, or a seed is in both sets.
    """
    chosen = world_named(world)
    if both := set(tuning) & set(report):
        raise StudyError(f"seed {min(both)} is a tuning seed and a report seed; give other seeds")
    for name in strategies:
        if name not in STRATEGIES:
            raise StudyError(f"there is no strategy {name!r}{nearest(name, STRATEGIES)}")
    places = chosen.among(dials, cells)
    jobs = [Job(chosen, part, tuning, report, strategies) for part in chunks(places, chosen)]
    work = [_work(job) for job in jobs]
    records = [r for part in in_processes(measured, jobs, work, workers, world) for r in part]
    return {
        "world": world,
        "axes": dials,
        "tuning": list(tuning),
        "report": list(report),
        "n_validation": chosen.n_validation,
        "n_test": chosen.n_test,
        "options": {name: [o._asdict() for o in options(name)] for name in strategies},
        "passes": {name: passes(name) for name in strategies},
        "cells": records,
    }


def _work(job: Job) -> float:
    """The training samples that the models of a job see."""
    cell = job.cells[0]
    return len(job.cells) * job.world.training(cell).epochs * cell["n_train"]


def measured(job: Job) -> list[dict[str, Any]]:
    """The records of some cells."""
    _, tuned = explore(Chunk(job.world, job.cells, job.tuning), job.strategies)
    positions = {name: best(tried) for name, tried in tuned.items()}
    chosen = {n: [tuned[n][p].option for p in found] for n, found in positions.items()}
    tested = report(Chunk(job.world, job.cells, job.report), chosen)
    return [
        {
            "dials": cell.dials,
            "bayes": job.world.bayes(cell.dials),
            "tried": {name: [t.validation[c] for t in tried] for name, tried in tuned.items()},
            "chosen": {name: found[c] for name, found in positions.items()},
            "search": {name: tried[positions[name][c]].test[c] for name, tried in tuned.items()},
            "test": {name: found[c] for name, found in tested.items()},
        }
        for c, cell in enumerate(job.cells)
    ]


def best(tried: Sequence[Tried]) -> list[int]:
    """For each cell the position of the option with the best mean validation accuracy."""
    means = torch.tensor([t.validation for t in tried], dtype=torch.float64).mean(2)  # (O, C)
    return means.argmax(0).tolist()  # the first of equals


def explore(chunk: Chunk, strategies: Sequence[str]) -> tuple[Teachers, dict[str, list[Tried]]]:
    """Train and test the uni-modal models, then the strategies, with all their options.

    The teachers of a cell are the uni-modal models with the learning rate that is best there. The
    names of uni-modal models are those of :func:`unimodal`.
    """
    tuned, params = {}, {}
    for m in chunk.shapes:
        runs = [chunk.fit_unimodal(m, chunk.of_seeds([rate] * len(chunk.cells))) for rate in RATES]
        tuned[unimodal(m)] = [
            _tried(chunk, Option(rate), Teachers(chunk, {m: run}).unimodal(0))
            for rate, run in zip(RATES, runs, strict=True)
        ]
        positions = chunk.of_seeds(best(tuned[unimodal(m)]))
        models = torch.arange(len(positions))
        params[m] = {n: torch.stack([run[n] for run in runs])[positions, models] for n in runs[0]}
    teachers = Teachers(chunk, params)
    for name in strategies:
        tuned[name] = [
            _tried(chunk, option, teachers.logits_of(name, [option] * len(chunk.cells)))
            for option in options(name)
        ]
    return teachers, tuned


def report(chunk: Chunk, chosen: dict[str, list[Option]]) -> dict[str, list[list[float]]]:
    """The test accuracy of every cell and seed, each strategy with one option for each cell."""
    params = {
        m: chunk.fit_unimodal(m, chunk.of_seeds([o.rate for o in chosen[unimodal(m)]]))
        for m in chunk.shapes
    }
    teachers = Teachers(chunk, params)
    tested = {
        unimodal(m): chunk.accuracy(teachers.unimodal(position), "test")
        for position, m in enumerate(chunk.shapes)
    }
    for name in chosen:
        if name not in tested:
            tested[name] = chunk.accuracy(teachers.logits_of(name, chosen[name]), "test")
    return tested


def unimodal(m: str) -> str:
    """The name of the uni-modal model of a modality among the strategies."""
    return f"uni-modal {m}"


def _tried(chunk: Chunk, option: Option, logits: dict[str, Tensor]) -> Tried:
    return Tried(option, *(chunk.accuracy(logits, part) for part in PARTS))
