"""Laziness in encoders that other people trained: probes of the released AVE features.

The encoders are those of :mod:`umt_lib.data.ave_features`. Linear probes by repeated stratified
cross-validation measure each encoder and both together, on the clips and folds that all methods
share, and the guide reads the features of each method. Features of training clips were not
released, so a probe is trained on one part of AVE's test clips and tested on the rest.

Rows are compared by clip only if they are the same clips. The files name no clips, so this is
tested: the labels must be the same, and within a class the clips must be similar to each other in
the same way for two methods (:func:`agreement`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold
from tqdm import tqdm

from umt_lib.data import ave_features as data
from umt_lib.data.ave_features import Released
from umt_lib.errors import StudyError
from umt_lib.evaluation.bootstrap import within_classes
from umt_lib.evaluation.probes import linear_probe
from umt_lib.guide import recommend
from umt_lib.study.analyses.values import Folds, Seeds

BOTH = " and ".join(data.MODALITIES)
PERMUTATIONS = 99  # of clips within classes, for comparison with the agreement of the given order


def ave_features(seeds: Seeds, folds: Folds = 5, guide_folds: Folds = 3) -> dict[str, Any]:
    """Probe the released encoders of every method, and apply the guide to their features.

    Args:
        seeds: each divides the clips into folds anew.
        folds: of the cross-validation of probes; guide_folds: of the guide, which needs two clips
            of every class in each.

    Returns:
        "seeds", "folds", "clips", "classes", "smallest" and "largest" (the clips of a class), and
        "methods" {method: {"clips": in its files, "mean": {modality: of its features}, "agreement":
        see :func:`aligned`, "coordinates": {modality: :func:`same_coordinates` with UME}, "probes":
        {modality or :data:`BOTH`: [accuracy of every fold of every seed]}, "guide": a
        recommendation}}.

    Raises:
        StudyError: a file is missing or altered, the methods have other clips or another order of
            clips, or a class has too few clips for the folds.
    """
    released = data.load()
    shared = common(released)
    agreements = aligned(shared)
    unimodal = shared["UME"]
    y = unimodal.y
    counts = np.unique(y, return_counts=True)[1]
    for key, given, most in (
        ("folds", folds, counts.min()),
        ("guide_folds", guide_folds, counts.min() // 2),
    ):
        if given > most:
            raise StudyError(
                f"{key} is {given}, but a class has {counts.min()} clips; give 2 to {most}"
            )
    splits = [StratifiedKFold(folds, shuffle=True, random_state=s).split(y, y) for s in seeds]
    cuts = [cut for split in splits for cut in split]
    methods: dict[str, Any] = {}
    steps = len(shared) * (len(data.MODALITIES) + 2)
    with tqdm(total=steps, desc="ave-features", disable=None) as bar:
        for method, (features, _) in shared.items():
            probes = {}
            for name, x in {**features, BOTH: np.hstack(list(features.values()))}.items():
                probes[name] = [probe(x, y, *cut) for cut in cuts]
                bar.update()
            source = f"the features of {method}"
            guide = recommend(features, y, folds=guide_folds, source=source).numbers()
            bar.update()
            given = released[method]
            methods[method] = {
                "clips": len(given.y),
                "mean": {m: float(x.mean()) for m, x in given.features.items()},
                "agreement": agreements[method],
                "coordinates": {
                    m: same_coordinates(x, unimodal.features[m]) for m, x in features.items()
                },
                "probes": probes,
                "guide": guide,
            }
    return {
        "seeds": list(seeds),
        "folds": folds,
        "clips": len(y),
        "classes": len(counts),
        "smallest": int(counts.min()),
        "largest": int(counts.max()),
        "methods": methods,
    }


def probe(x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    """Accuracy on the rows ``test`` of a linear probe trained on the rows ``train``."""
    features, labels = torch.from_numpy(x), torch.from_numpy(y)
    return linear_probe(features[train], labels[train], features[test], labels[test])


def common(released: dict[str, Released]) -> dict[str, Released]:
    """The first rows of every method, as many as all have."""
    n = min(len(part.y) for part in released.values())
    return {
        method: Released({m: x[:n] for m, x in part.features.items()}, part.y[:n])
        for method, part in released.items()
    }


def aligned(shared: dict[str, Released]) -> dict[str, dict[str, list[float]]]:
    """Check that equal rows of all methods are the same clips.

    Args:
        shared: equally many rows of every method, see :func:`common`.

    Returns:
        {method: {modality: [agreement with the first method, the largest one of the clips of this
        method permuted within classes]}}; nothing for the first method.

    Raises:
        StudyError: a label differs, or an agreement is not above all those of permutations.
    """
    (first, reference), *others = shared.items()
    y, rng = reference.y, np.random.default_rng(0)
    found: dict[str, dict[str, list[float]]] = {first: {}}
    for method, part in others:
        if (part.y != y).any():
            row = int(np.flatnonzero(part.y != y)[0])
            raise StudyError(
                f"row {row} (the first is 0) is of class {y[row]} in {first} and of "
                f"class {part.y[row]} in {method}, so their rows are not the same clips and cannot "
                f"be paired; leave {method} out"
            )
        found[method] = {}
        for m, x in part.features.items():
            a, b = (similarities(z, y) for z in (reference.features[m], x))
            given = agreement(a, b, y)
            orders = (within_classes(y, rng) for _ in range(PERMUTATIONS))
            chance = max(agreement(a, b[np.ix_(order, order)], y) for order in orders)
            if given <= chance:
                raise StudyError(
                    f"the clips of a class are in another order in {method} than in "
                    f"{first} ({m}: agreement {given:.2f}, {chance:.2f} by chance), so that they "
                    f"cannot be paired; leave {method} out"
                )
            found[method][m] = [given, chance]
    return found


def similarities(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cosines (n, n) between standardised features (n, d) minus the mean of their class."""
    z = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-12)
    for k in np.unique(y):
        z[y == k] -= z[y == k].mean(axis=0)
    z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    return z @ z.T


def agreement(a: np.ndarray, b: np.ndarray, y: np.ndarray) -> float:
    """Correlation of two matrices of :func:`similarities` over the pairs of clips of one class."""
    pairs = np.triu(y[:, None] == y, k=1)
    return float(np.corrcoef(a[pairs], b[pairs])[0, 1])


def same_coordinates(x: np.ndarray, z: np.ndarray) -> float:
    """Mean correlation of equal columns of two arrays (n, d); constant columns do not count.

    It is near 0 for networks of different initialisation, because their coordinates are in no
    common order, and high for a network that started from the other one or was distilled from it.
    """
    varies = (x.std(axis=0) > 0) & (z.std(axis=0) > 0)
    columns = zip(x.T[varies], z.T[varies], strict=True)
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in columns]))
