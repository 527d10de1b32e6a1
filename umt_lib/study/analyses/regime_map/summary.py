"""Reading a finished map: strategies instead of variants, who wins where, and where ties are.

A *strategy* is what a person could follow: its free choices (UME's rule, UMT's weight, the head)
are made per cell on validation, by the mean over seeds. Differences are paired over seeds; one
whose 95% t-interval holds 0 is a tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

STRATEGIES: dict[str, tuple[str, ...]] = {  # name: how its variants' names begin
    "UME": ("ume-",),
    "joint (linear)": ("joint-linear",),
    "joint (MLP)": ("joint-mlp",),
    "UMT (linear)": ("umt-linear",),
    "UMT (MLP)": ("umt-mlp",),
    "frozen (linear)": ("frozen-linear",),
    "frozen (MLP)": ("frozen-mlp",),
}
FAMILIES: dict[str, tuple[str, ...]] = {  # how to train: the question of the study
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
        chosen: {strategy or family: the variant validation chose, per cell}.
        bayes: {"additive", "all": (C,)}, the best possible with uni-modal predictions, with all.
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
    """What :func:`.measure.regime_map` returned, as strategies and families."""
    cells = measured["cells"]
    accuracy, chosen = {}, {}
    for name, beginnings in {**STRATEGIES, **FAMILIES}.items():
        picks = [_choose(cell["validation"], beginnings) for cell in cells]
        rows = [cell["test"][variant] for cell, variant in zip(cells, picks, strict=True)]
        accuracy[name], chosen[name] = np.array(rows), picks
    where = {axis: np.array([cell[axis] for cell in cells]) for axis in PLACES}
    bayes = {k: np.array([cell["bayes"][k] for cell in cells]) for k in ("additive", "all")}
    return Map(measured["dataset"], measured["n_train"], where, accuracy, chosen, bayes)


def _choose(validation: Mapping[str, Sequence[float]], beginnings: tuple[str, ...]) -> str:
    names = [name for name in validation if name.startswith(beginnings)]
    return max(names, key=lambda name: np.mean(validation[name]))  # the first of equals


def gap(found: Map, a: str, b: str) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy of ``a`` less that of ``b``: mean (C,) and half the width of its t-interval (C,)."""
    difference = found.accuracy[a] - found.accuracy[b]
    seeds = difference.shape[1]
    error = difference.std(axis=1, ddof=1) / np.sqrt(seeds)
    return difference.mean(axis=1), stats.t.ppf(0.975, seeds - 1) * error


def unbeaten(
    found: Map, among: Sequence[str] = tuple(FAMILIES)
) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """Per cell the strategies the best one does not clearly beat, itself included, and their lead.

    The lead (C,) is that of the best over the best one that is beaten; 0 where none is.
    """
    means = np.stack([found.accuracy[name].mean(axis=1) for name in among])
    sets, leads = [], np.zeros(len(found))
    gaps = {(a, b): gap(found, a, b) for a in among for b in among if a != b}
    for c in range(len(found)):
        best = among[int(means[:, c].argmax())]
        beaten = {b: m[c] for (a, b), (m, half) in gaps.items() if a == best and m[c] > half[c]}
        sets.append(tuple(name for name in among if name not in beaten))
        leads[c] = min(beaten.values(), default=0.0)
    return sets, leads


def regret(found: Map, strategy: str, among: Sequence[str] = tuple(FAMILIES)) -> np.ndarray:
    """What always following ``strategy`` loses to the best of ``among`` in each cell, (C,)."""
    means = np.stack([found.accuracy[name].mean(axis=1) for name in among])
    return means.max(axis=0) - found.accuracy[strategy].mean(axis=1)
