"""Linear classifiers, and UME of them by every rule.

Every classifier is multinomial logistic regression. It predicts only rows that it was not trained
on: those of a test part, and by cross-fitting those of its own training part. UME combines the
log-probabilities of the classifiers of M modalities by

    mean        p = 1/M sum_m p_m
    product     log p = pi + sum_m (log p_m - pi)
    weighted    log p = w_0 pi + sum_m w_m (log p_m - pi)             w >= 0, fitted
    calibrated  log p = pi + sum_m (log q_m - pi), q_m ~ p_m^(1/T_m)  T_m fitted to modality m

p is normalised afterwards; pi are the log-frequencies of the classes in the training part, which
the product and the calibrated product count once, the weighted rule with a fitted weight. The
product without this correction, sum_m log p_m, counts them M times (:data:`NAIVE`); it is measured
for comparison, and never chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import log_softmax, logsumexp
from sklearn.linear_model import LogisticRegression

from umt_lib.evaluation.bootstrap import within_classes
from umt_lib.evaluation.ensemble_weights import fit_weights

STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # inverse regularisation C of a linear classifier
MANY = 4000  # training rows of which one inner part suffices to choose C
RULES = ("mean", "product", "weighted", "calibrated")
NAIVE = "naive product"
Cut = tuple[np.ndarray, np.ndarray]  # rows of a training part and of a held-out part


class Linear(NamedTuple):
    """Log-probabilities of one linear classifier, cross-fitted (n, K) and held-out (n', K)."""

    train: np.ndarray
    test: np.ndarray
    strength: float
    fits: int


def classifier(x: np.ndarray, x_test: np.ndarray, y: np.ndarray, inner: Sequence[Cut]) -> Linear:
    """A linear classifier of scaled features, C chosen by inner cross-validation.

    C is tried from strong to weak regularisation, and each fit starts from the previous one; the
    search ends at the first C that is no better than the one before. Of more than :data:`MANY` rows
    only the first inner part chooses C.

    Args:
        x: (n, d), labels y (n,); x_test: (n', d).
        inner: cuts of the n rows, whose held-out parts are all rows.
    """
    first = inner if len(y) <= MANY else inner[:1]
    strength, logs, fits = _search(x, x, y, first)
    for train, held in inner[len(first) :]:
        logs[held] = _Path(x[train], y[train], x[held])(strength)
    fits += len(inner) - len(first) + 1
    return Linear(logs, _Path(x, y, x_test)(strength), strength, fits)


def unpaired(
    x: dict[str, np.ndarray],
    x_test: np.ndarray,
    y: np.ndarray,
    inner: Sequence[Cut],
    seed: int,
) -> tuple[np.ndarray, int]:
    """Log-probabilities (n', K) of a linear classifier trained on rows without pairing, and fits.

    The rows of each modality but the first are shuffled within every class. This keeps all that a
    modality says about the class, and removes all that modalities say only together.
    """
    rng = np.random.default_rng(seed)
    first, *others = x.values()
    apart = np.hstack([first, *(z[within_classes(y, rng)] for z in others)])
    together = np.hstack([first, *others])
    strength, _, fits = _search(apart, together, y, inner[:1])
    return _Path(apart, y, x_test)(strength), fits + 1


def score(logs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, 2): log-likelihood, and whether the most likely class is the correct one.

    >>> score(np.log([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1])).round(2).tolist()
    [[-0.11, 1.0], [-1.61, 0.0]]
    """
    return np.column_stack([logs[np.arange(len(y)), y], logs.argmax(axis=1) == y])


def _search(
    x: np.ndarray, x_held: np.ndarray, y: np.ndarray, cuts: Sequence[Cut]
) -> tuple[float, np.ndarray, int]:
    """The best C, the held-out log-probabilities (n, K) for it, and the number of fits.

    Classifiers are trained on rows of ``x`` and predict rows of ``x_held``.
    """
    paths = [_Path(x[train], y[train], x_held[held]) for train, held in cuts]
    rows = np.concatenate([held for _, held in cuts])
    best, found, chosen, fits = -np.inf, np.empty(0), STRENGTHS[0], 0
    for strength in STRENGTHS:
        logs = np.empty((len(y), y.max() + 1))
        for path, (_, held) in zip(paths, cuts, strict=True):
            logs[held] = path(strength)
        fits += len(cuts)
        value = score(logs[rows], y[rows])[:, 0].mean()
        if value <= best:
            break
        best, chosen, found = value, strength, logs
    return chosen, found, fits


class _Path:
    """Held-out log-probabilities of one classifier along a path of regularisation strengths."""

    def __init__(self, x: np.ndarray, y: np.ndarray, x_test: np.ndarray):
        self.x, self.y, self.x_test = x, y, x_test
        self.regression = LogisticRegression(max_iter=2000, tol=1e-3, warm_start=True)

    def __call__(self, strength: float) -> np.ndarray:
        self.regression.set_params(C=strength).fit(self.x, self.y)
        scores = self.regression.decision_function(self.x_test).astype(np.float64)
        if scores.ndim == 1:  # two classes: the log-odds of the second
            scores = np.column_stack([np.zeros_like(scores), scores])
        return log_softmax(scores, axis=1)


class Combination(NamedTuple):
    """What the rules need besides predictions.

    Attributes:
        prior: log-frequencies of the classes (K,).
        weights: (M + 1,), the last of which belongs to ``prior``.
        inverse: 1 / T of every modality (M,).
    """

    prior: np.ndarray
    weights: np.ndarray
    inverse: np.ndarray

    @classmethod
    def fitted(cls, logs: Sequence[np.ndarray], y: np.ndarray) -> Combination:
        """Fit weights and temperatures to log-probabilities (n, K) of M modalities and labels."""
        prior, labels = np.log(np.bincount(y) / len(y)), torch.from_numpy(y)
        weights = fit_weights(torch.from_numpy(_above(logs, prior)), labels)
        alone = [fit_weights(torch.from_numpy(log[None]), labels) for log in logs]
        return cls(prior, weights, np.concatenate(alone))

    def __call__(self, logs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Log-probabilities (n, K) of the ensemble by each rule.

        >>> logs = [np.log([[0.8, 0.2]]), np.log([[0.6, 0.4]])]
        >>> combine = Combination(np.log([0.5, 0.5]), np.array([1.0, 0.0, 1.0]), np.array([1, 0]))
        >>> {rule: np.exp(p).round(2).tolist() for rule, p in combine(logs).items()}
        ... # doctest: +NORMALIZE_WHITESPACE
        {'mean': [[0.7, 0.3]], 'product': [[0.86, 0.14]], 'weighted': [[0.8, 0.2]],
         'calibrated': [[0.8, 0.2]], 'naive product': [[0.86, 0.14]]}
        """
        calibrated = [
            log_softmax(t * log, axis=1) for t, log in zip(self.inverse, logs, strict=True)
        ]
        combined = {
            "mean": logsumexp(np.stack(logs), axis=0),
            "product": _above(logs, self.prior).sum(axis=0),
            "weighted": np.tensordot(self.weights, _above(logs, self.prior), axes=1),
            "calibrated": _above(calibrated, self.prior).sum(axis=0),
            NAIVE: np.sum(logs, axis=0),
        }
        return {rule: log_softmax(value, axis=1) for rule, value in combined.items()}


def _above(logs: Sequence[np.ndarray], prior: np.ndarray) -> np.ndarray:
    """What is weighted, (M + 1, n, K): log p_m - pi of each modality, and pi."""
    stacked = np.stack(logs)
    return np.concatenate([stacked - prior, np.broadcast_to(prior, stacked[:1].shape)])
