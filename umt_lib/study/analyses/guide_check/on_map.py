"""Check the guide on cells of the map: is the recommended strategy the best on the test split?

The verdicts stand for these strategies:

* ``UME``: the best of all rules, chosen on validation.
* ``UMT``: a linear head.
* ``interactions``: joint training with an MLP head.
* ``no clear winner``: UME, the cheapest, as the guide advises.

Learning rates and weights are chosen on validation, by the mean over seeds.

The thresholds in accuracy of the guide were set on a quarter of the cells, selected by a hash of
the cell. The other cells are held out, and only they are reported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import NonNegativeInt, PositiveInt
from tqdm import tqdm

from umt_lib.errors import StudyError
from umt_lib.study.analyses.guide_check.rules import record, verdicts
from umt_lib.study.analyses.regime_map.measure import Tried, best, explore, unimodal
from umt_lib.study.analyses.regime_map.parallel import chunks
from umt_lib.study.analyses.regime_map.strategies import UME
from umt_lib.study.analyses.regime_map.train import Chunk
from umt_lib.study.analyses.regime_map.worlds import Cell, World, world
from umt_lib.study.analyses.values import Samples, Seeds

AT_ONCE = 30  # models (cells times seeds) trained at once, in 1.5 GB of memory
STRATEGIES = {  # of the guide: those of the map
    "UME": UME,
    "UMT": "UMT (linear)",
    "UMT (MLP)": "UMT (MLP)",
    "joint (MLP)": "joint (MLP)",
    "frozen": "frozen (linear)",
    "frozen (MLP)": "frozen (MLP)",
}


def held_out(cell: Cell) -> bool:
    """Whether the cell was not used to set thresholds: three quarters of the cells, by a hash."""
    digest = hashlib.sha256(json.dumps(cell.key).encode()).hexdigest()
    return int(digest, 16) % 4 != 0


def on_map(
    dataset: str,
    cells: NonNegativeInt,
    seeds: Seeds,
    guide_seeds: PositiveInt = 1,
    n_validation: Samples = 1000,
    part: Literal["held out", "tuning"] = "held out",
) -> dict[str, Any]:
    """Compare the verdicts of all rules with the test accuracies of all strategies, cell by cell.

    Args:
        dataset: a key of ``regime_map.worlds.WORLDS``.
        cells: number of cells, spread evenly over the grid; 0 for all.
        guide_seeds: number of ``seeds`` for whose uni-modal models the guide gives a verdict.
        n_validation: samples of the validation split, which the guide reads and on which methods
            choose.
        part: "held out", or "tuning" for the cells on which thresholds may be set.

    Returns:
        "cases" [{every dial, "bayes" (best possible accuracies), "seed", "held_out", "test"
        {strategy: accuracy per seed}, "verdicts" {view: {who: verdict}}, "gains" {view: {gain:
        interval}}, "rules" {rule: see :func:`outcome`}}].

    Raises:
        StudyError: the data set has no map, or there are more ``guide_seeds`` than seeds.
    """
    if guide_seeds > len(seeds):
        raise StudyError(f"guide_seeds is {guide_seeds}; there are {len(seeds)} seeds, give fewer")
    where = replace(world(dataset), n_validation=n_validation)
    places = [cell for cell in where.cells if held_out(cell) == (part == "held out")]
    places = spread(places, cells)
    chunk_size = max(1, AT_ONCE // len(seeds))
    cases: list[dict[str, Any]] = []
    with tqdm(total=len(places), desc=f"guide on {dataset}", disable=None) as bar:
        for chunk in chunks(places, where, chunk_size):
            cases += _cases(where, chunk, seeds, seeds[:guide_seeds])
            bar.update(len(chunk))
    return {
        "dataset": dataset,
        "part": part,
        "seeds": len(seeds),
        "n_validation": n_validation,
        "n_test": where.n_test,
        "cells": len(places),
        "cases": cases,
    }


def spread(places: Sequence[Cell], number: int) -> list[Cell]:
    """``number`` cells, evenly spaced in the order of the dials, the last first."""
    order = sorted(places, key=lambda cell: cell.key[::-1])
    if not 0 < number < len(order):
        return order
    return [order[i] for i in np.linspace(0, len(order) - 1, number).round().astype(int)]


def _cases(
    where: World, cells: Sequence[Cell], seeds: Sequence[int], guided: Sequence[int]
) -> list[dict[str, Any]]:
    """The cases of some cells; the guide gives a verdict for the seeds ``guided``."""
    chunk = Chunk(where, cells, seeds)
    teachers, tuned = explore(chunk, tuple(STRATEGIES.values()))
    train, validation, _ = chunk.data
    features = teachers.splits.validation.x
    cases = []
    for i, cell in enumerate(cells):
        accuracy = {name: _chosen(tuned[strategy], i) for name, strategy in STRATEGIES.items()}
        accuracy["UME (mean)"] = tuned[UME][0].test[i]
        accuracy |= {f"{m} alone": _chosen(tuned[unimodal(m)], i) for m in features}
        facts = {**cell.dials, "bayes": where.bayes(cell.dials)}
        for place, seed in enumerate(guided):
            g = i * len(seeds) + place
            seen = {m: z[g].numpy() for m, z in features.items()}
            known, held = ({m: x[g] for m, x in s.x.items()} for s in (train, validation))
            found = verdicts(seen, (known, held), validation.y[g].numpy())
            case = {**facts, "seed": seed, "held_out": held_out(cell), "test": accuracy}
            cases.append(case | record(found, accuracy))
    return cases


def _chosen(tried: Sequence[Tried], cell: int) -> list[float]:
    """Test accuracy per seed of the option with the best mean validation accuracy."""
    return tried[best(tried)[cell]].test[cell]
