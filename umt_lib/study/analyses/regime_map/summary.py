"""Read a measured map: the accuracy of each strategy, and which strategies are best in each cell.

The free choices of a *strategy* (the rule of UME, the weight of UMT, the head) are made for each
cell on validation, by the mean over seeds. Differences are paired over seeds; there is no clear
difference if the 95% t-interval contains 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

STRATEGIES: dict[str, tuple[str, ...]] = {  # name: the prefixes of its variants' names
    "UME": ("ume-",),
    "joint (linear)": ("joint-linear",),
    "joint (MLP)": ("joint-mlp",),
    "UMT (linear)": ("umt-linear",),
    "UMT (MLP)": ("umt-mlp",),
    "frozen (linear)": ("frozen-linear",),
    "frozen (MLP)": ("frozen-mlp",),
}
FAMILIES: dict[str, tuple[str, ...]] = {  # the strategies that the study compares
    "UME": ("ume-",),
    "joint": ("joint-",),
    "UMT": ("umt-",),
}
PLACES = ("uni", "paired", "asymmetry")


@dataclass(frozen=True)
class Map:
    """Test accuracy of every strategy and family on C cells of one sample size.

    Attributes:
        where: {"uni", "paired", "asymmetry": (C,)}.
        accuracy: {strategy or family: (C, seeds)}.
        chosen: {strategy or family: the variant that validation chose in each cell}.
        bayes: {"additive", "all": (C,)}, the best possible for an additive model, for any.
    """

    dataset: str
    n_train: int
    where: dict[str, np.ndarray]
    accuracy: dict[str, np.ndarray]
    chosen: dict[str, list[str]]
    bayes: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.where["uni"])


def read(measured: Mapping[str, Any]) -> Map:
    """The map that :func:`.measure.regime_map` measured, by strategies and families."""
    cells = measured["cells"]
    accuracy, chosen = {}, {}
    for name, prefixes in {**STRATEGIES, **FAMILIES}.items():
        picks = [_choose(cell["validation"], prefixes) for cell in cells]
        rows = [cell["test"][variant] for cell, variant in zip(cells, picks, strict=True)]
        accuracy[name], chosen[name] = np.array(rows), picks
    where = {axis: np.array([cell[axis] for cell in cells]) for axis in PLACES}
    bayes = {k: np.array([cell["bayes"][k] for cell in cells]) for k in ("additive", "all")}
    return Map(measured["dataset"], measured["n_train"], where, accuracy, chosen, bayes)


def _choose(validation: Mapping[str, Sequence[float]], prefixes: tuple[str, ...]) -> str:
    """The variant with the best mean validation accuracy."""
    names = [name for name in validation if name.startswith(prefixes)]
    return max(names, key=lambda name: np.mean(validation[name]))  # the first of equals


def gap(found: Map, a: str, b: str) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy of ``a`` minus that of ``b``: mean (C,) and half the width of its interval (C,)."""
    difference = found.accuracy[a] - found.accuracy[b]
    seeds = difference.shape[1]
    error = difference.std(axis=1, ddof=1) / np.sqrt(seeds)
    return difference.mean(axis=1), stats.t.ppf(0.975, seeds - 1) * error


def unbeaten(
    found: Map, among: Sequence[str] = tuple(FAMILIES)
) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """For each cell the strategies that are not clearly worse than the best one, and their lead.

    The lead (C,) is the difference between the best strategy and the best of those that are clearly
    worse; 0 if none is.
    """
    means = np.stack([found.accuracy[name].mean(axis=1) for name in among])
    sets, leads = [], np.zeros(len(found))
    gaps = {(a, b): gap(found, a, b) for a in among for b in among if a != b}
    for c in range(len(found)):
        best = among[int(means[:, c].argmax())]
        worse = {b: m[c] for (a, b), (m, half) in gaps.items() if a == best and m[c] > half[c]}
        sets.append(tuple(name for name in among if name not in worse))
        leads[c] = min(worse.values(), default=0.0)
    return sets, leads


def regret(found: Map, strategy: str, among: Sequence[str] = tuple(FAMILIES)) -> np.ndarray:
    """Accuracy of the best of ``among`` minus that of ``strategy`` in each cell, (C,)."""
    means = np.stack([found.accuracy[name].mean(axis=1) for name in among])
    return means.max(axis=0) - found.accuracy[strategy].mean(axis=1)
