"""Measure one map: the accuracy of every method on every cell of a grid, for all seeds."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm

from umt_lib.errors import StudyError
from umt_lib.study.analyses.regime_map import methods
from umt_lib.study.analyses.regime_map.grid import grid

CHUNK = 12  # cells trained at once: large matrix products in a bounded memory


def regime_map(
    dataset: str, n_train: int, seeds: tuple[int, ...], cells: int = 0, progress: bool = False
) -> dict[str, Any]:
    """Accuracy of every variant on validation and test, by cell and seed.

    Args:
        dataset: a key of ``grid.GRIDS``; n_train: one of its sample sizes.
        cells: number of cells to measure, from the first; 0 for all.

    Returns:
        ``cells`` [{"uni", "paired", "asymmetry", "bayes", "validation" and "test" {variant:
        [accuracy per seed]}}], the sizes of the splits and the weights of UMT.

    Raises:
        StudyError: the data set has no map, or the map does not have this sample size.
    """
    chosen = grid(dataset)
    sizes = chosen.axes["n_train"]
    if n_train not in sizes:
        raise StudyError(f"the map of {dataset!r} has n_train {sizes}, not {n_train}; give one")
    places = [cell for cell in chosen.cells if cell.n_train == n_train][: cells or None]
    records = []
    with tqdm(
        total=len(places), desc=f"map of {dataset}", disable=None if progress else True
    ) as bar:
        for start in range(0, len(places), CHUNK):
            part = places[start : start + CHUNK]
            for cell, scores in zip(part, methods.measure(chosen, part, seeds), strict=True):
                where = {"uni": cell.uni, "paired": cell.paired, "asymmetry": cell.asymmetry}
                records.append({**where, "bayes": cell.bayes, **scores})
            bar.update(len(part))
    return {
        "dataset": dataset,
        "n_train": n_train,
        "n_validation": chosen.n_validation,
        "n_test": chosen.n_test,
        "updates": chosen.updates,
        "weights": methods.WEIGHTS,
        "cells": records,
    }
