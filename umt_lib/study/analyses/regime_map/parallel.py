"""Measure the chunks of a map in several processes, each on one thread.

A chunk is computed in the same way wherever it runs, so no number depends on the processes.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import groupby, pairwise
from typing import TypeVar

import torch

from umt_lib.study.analyses.regime_map.worlds import Cell, World

CHUNK = 12  # cells trained at once: large matrix products in a bounded memory
Job = TypeVar("Job")
Made = TypeVar("Made")


def chunks(cells: Sequence[Cell], world: World, size: int = CHUNK) -> list[list[Cell]]:
    """Divide cells into chunks of at most ``size``, of nearly one size, with the same schedule."""

    def alike(cell: Cell) -> tuple[int, int]:
        return cell["n_train"], world.training(cell).epochs

    made = []
    for _, group in groupby(sorted(cells, key=alike), alike):
        same = list(group)
        number = -(-len(same) // size)
        ends = [round(i * len(same) / number) for i in range(number + 1)]
        made += [same[a:b] for a, b in pairwise(ends)]
    return made


def in_processes(
    function: Callable[[Job], Made],
    jobs: Sequence[Job],
    work: Sequence[float],
    workers: int,
    name: str,
) -> list[Made]:
    """``function`` of every job, in their order; prints how long all will take after the first.

    Args:
        work: the expected work of each job, in any unit; jobs with the most work start first.
        name: what is measured, in the message.
    """
    began = time.monotonic()
    made: dict[int, Made] = {}
    order = sorted(range(len(jobs)), key=lambda i: -work[i])
    workers = min(workers, len(jobs))

    def note(i: int, result: Made) -> None:
        made[i] = result
        if len(made) == 1:
            seconds = (time.monotonic() - began) * sum(work) / work[i] / workers
            print(
                f"{name}: {len(jobs)} chunks of settings, {workers} at once: "
                f"about {seconds / 60:.0f} minutes",
                file=sys.stderr,
                flush=True,
            )

    if workers == 1:
        for i in order:
            note(i, _alone(function, jobs[i]))
        return [made[i] for i in range(len(jobs))]
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context)
    try:
        waiting = {pool.submit(_alone, function, jobs[i]): i for i in order}
        for future in as_completed(waiting):
            note(waiting[future], future.result())
    finally:  # after an error, chunks that have not started are not measured
        pool.shutdown(cancel_futures=True)
    return [made[i] for i in range(len(jobs))]


def _alone(function: Callable[[Job], Made], job: Job) -> Made:
    """``function`` of one job, on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return function(job)
    finally:
        torch.set_num_threads(before)
