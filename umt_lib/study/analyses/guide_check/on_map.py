"""Check the guide on cells of the map: is the recommended strategy the best on the test split?

The verdicts stand for these strategies:

* ``UME``: the best of mean, product and fitted weights, chosen on validation.
* ``UMT``: a linear head, with the weight chosen on validation.
* ``interactions``: joint training with an MLP head.
* ``no clear winner``: UME, the cheapest, as the guide advises.

The thresholds of the guide were set on a quarter of the map's cells, selected by a hash of the
cell. The other cells are held out, and only they are reported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from umt_lib.errors import StudyError
from umt_lib.evaluation.ensemble_weights import fit_weights
from umt_lib.study.analyses.batched import fit
from umt_lib.study.analyses.guide_check.rules import record, verdicts
from umt_lib.study.analyses.regime_map import lazy_grid, methods
from umt_lib.study.analyses.regime_map.grid import Cell, Grid, grid

AT_ONCE = 30  # models (cells times seeds) trained at once, in 1.5 GB of memory
CHOICES = {  # strategy: the variants of the map among which validation chooses
    "UME": ("ume-mean", "ume-product", "ume-weighted"),
    "UME (mean)": ("ume-mean",),
    "UMT": ("umt-linear@",),
    "UMT (MLP)": ("umt-mlp@",),
    "joint (MLP)": ("joint-mlp",),
}


def held_out(cell: Cell) -> bool:
    """Whether the cell was not used to set thresholds: three quarters of the cells, by a hash."""
    digest = hashlib.sha256(json.dumps(list(cell)).encode()).hexdigest()
    return int(digest, 16) % 4 != 0


def on_map(
    dataset: str,
    cells: int,
    seeds: tuple[int, ...],
    guide_seeds: int = 1,
    n_validation: int = 1000,
    part: str = "held out",
    progress: bool = False,
) -> dict[str, Any]:
    """Compare the verdicts of all rules with the test accuracies of all strategies, cell by cell.

    Args:
        dataset: a key of ``regime_map.grid.GRIDS``, or "lazy" (``lazy_grid.py``).
        cells: number of cells, spread evenly over the grid; 0 for all.
        guide_seeds: number of seeds for whose uni-modal models the guide gives a verdict.
        n_validation: samples of the validation split, which the guide reads and on which methods
            choose.
        part: "held out", or "tuning" for the cells on which thresholds may be set.

    Returns:
        "cases" [{"uni", "paired", "asymmetry", "n_train", "seed", "held_out", "test" {strategy:
        accuracy per seed}, "verdicts" {view: {who: verdict}}, "gains" {view: {gain: interval}},
        "rules" {rule: see :func:`outcome`}}].

    Raises:
        StudyError: the data set has no map, or the part is unknown.
    """
    if part not in ("held out", "tuning"):
        raise StudyError(f"part is {part!r}; give 'held out' or 'tuning'")
    where = replace(
        lazy_grid.GRID if dataset == "lazy" else grid(dataset), n_validation=n_validation
    )
    places = [cell for cell in where.cells if held_out(cell) == (part == "held out")]
    places = spread(places, cells)
    chunk_size = max(1, AT_ONCE // len(seeds))
    cases: list[dict[str, Any]] = []
    with tqdm(
        total=len(places), desc=f"guide on {dataset}", disable=None if progress else True
    ) as bar:
        for n_train in sorted({cell.n_train for cell in places}):
            same = [cell for cell in places if cell.n_train == n_train]
            for start in range(0, len(same), chunk_size):
                chunk = same[start : start + chunk_size]
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
    """``number`` cells, evenly spaced in the order of sample size, asymmetry and strengths."""
    order = sorted(places, key=lambda c: (c.n_train, c.asymmetry, c.paired, c.uni))
    if not 0 < number < len(order):
        return order
    return [order[i] for i in np.linspace(0, len(order) - 1, number).round().astype(int)]


def _cases(
    where: Grid, cells: Sequence[Cell], seeds: Sequence[int], guided: Sequence[int]
) -> list[dict[str, Any]]:
    """The cases of some cells; the guide gives a verdict for the seeds ``guided``."""
    trained = methods.train(where, cells, seeds)
    validation, train = trained.data.validation, trained.data.train
    scores: dict[str, dict[str, np.ndarray]] = {}
    weights = None
    for part in ("validation", "test"):
        split = getattr(trained.data, part)
        logits = methods.predictions(trained, split)
        logs = torch.stack([logits[f"alone-{m}"] for m in split.x])  # (M, G, n, K)
        if weights is None:  # as :class:`umt_lib.methods.ume.UME` fits them, on validation
            fitted = [fit_weights(logs[:, g], split.y[g]) for g in range(len(split.y))]
            weights = torch.from_numpy(np.stack(fitted, axis=1)).float()
        logits["ume-weighted"] = (weights[:, :, None, None] * logs).sum(0)
        for name, value in logits.items():
            right = (value.argmax(2) == split.y).double().mean(1)
            scores.setdefault(part, {})[name] = right.view(len(cells), len(seeds)).numpy()
    features = fit.features(trained.teachers, validation)
    cases = []
    for i, cell in enumerate(cells):
        by_part = {part: {k: v[i] for k, v in found.items()} for part, found in scores.items()}
        accuracy = {name: _chosen(by_part, variants) for name, variants in CHOICES.items()}
        for place, seed in enumerate(guided):
            g = i * len(seeds) + place
            seen = {m: z[g].numpy() for m, z in features.items()}
            known, held = ({m: x[g] for m, x in s.x.items()} for s in (train, validation))
            found = verdicts(seen, (known, held), validation.y[g].numpy())
            case = {**cell._asdict(), "seed": seed, "held_out": held_out(cell), "test": accuracy}
            cases.append(case | record(found, accuracy))
    return cases


def _chosen(by_part: Mapping[str, Mapping[str, np.ndarray]], names: tuple[str, ...]) -> list[float]:
    """Test accuracy per seed of the variant with the best mean validation accuracy."""
    variants = [v for v in by_part["validation"] if v.startswith(names)]
    best = max(variants, key=lambda v: by_part["validation"][v].mean())
    return by_part["test"][best].tolist()
