"""The true values behind generated samples, and rules that classify by the true probabilities."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from umt_lib.data.generated import codes
from umt_lib.data.synthetic import WIDTH, generators


def decoded(
    x: dict[str, Tensor], features: dict[str, int], values: int, data_seed: int = 0
) -> dict[str, np.ndarray]:
    """The value of every discrete feature, {m: (n, F)}: that of the nearest code.

    Args:
        features: number of discrete features by modality; they are the first ones.
        values: number of values of each.
    """
    *_, shared = generators(data_seed)
    tables = {m: [codes(shared, values) for _ in range(n)] for m, n in features.items()}
    found = {}
    for m, own in tables.items():
        blocks = x[m].split(WIDTH, dim=1)
        nearest = [
            ((block.numpy()[:, None] - table) ** 2).sum(2).argmin(1)
            for block, table in zip(blocks, own, strict=False)
        ]
        found[m] = np.stack(nearest, axis=1)
    return found


def classified(joint: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Accuracy of the true posteriors of a, of b, of their product over the prior, and of both.

    Args:
        joint: P(y, pattern of a, pattern of b); a, b: the patterns of the samples (n,).
    """
    one, two, prior = joint.sum(2), joint.sum(1), joint.sum((1, 2))
    scores = {
        "a": one[:, a],
        "b": two[:, b],
        "additive": one[:, a] * two[:, b] / prior[:, None],
        "all": joint[:, a, b],
    }
    noise = 1e-9 * np.random.default_rng(0).random(joint[:, a, b].shape)  # ties at random
    return {
        seen: float(((score / score.max() + noise).argmax(0) == y).mean())
        for seen, score in scores.items()
    }


def cramers_v(y: np.ndarray, values: np.ndarray) -> float:
    """Dependence of two categorical variables, from 0 (none) to 1."""
    table = np.zeros((y.max() + 1, values.max() + 1))
    np.add.at(table, (y, values), 1)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / len(y)
    chi2 = ((table - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi2 / (len(y) * (min(table.shape) - 1))))
