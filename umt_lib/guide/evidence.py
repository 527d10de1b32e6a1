"""Held-out predictions of every way to join the modalities, from one cross-validation.

Everything that is fitted or chosen (regularisation, UME's rule and weights, when to stop) is fitted
or chosen inside the training part of a fold, from predictions of samples the predictor has not
seen. So every sample gets one prediction of each competitor, made without its label.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import log_softmax, logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler

from umt_lib.errors import StudyError
from umt_lib.evaluation.ensemble_weights import fit_weights
from umt_lib.evaluation.residual import Sample, corrections
from umt_lib.guide.checks import INNER, Inputs

STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # inverse regularisation C of a linear classifier
RULES = ("mean", "product", "weighted")
MEAN, BEST, LINEAR = "UME mean", "UME best rule", "linear joint head"
ADDITIVE, PAIRS = "UME + additive correction", "UME + correction with pairs"


class Evidence(NamedTuple):
    """Held-out scores {competitor: (n, 2)}: log-likelihood (nats) and whether it was right."""

    scores: dict[str, np.ndarray]
    rules: tuple[str, ...]  # UME's best rule, chosen in each fold
    fits: int  # linear classifiers and corrections trained


class Linear(NamedTuple):
    """Log-probabilities of one linear classifier: cross-fitted (n, K) and held-out (n', K)."""

    train: np.ndarray
    test: np.ndarray
    fits: int


def gather(inputs: Inputs, seed: int, tick: Callable[[], None] = lambda: None) -> Evidence:
    """Run the cross-validation; ``tick`` is called after each fold.

    Raises:
        StudyError: a training part of a fold has no sample of some class (with groups).
    """
    rules, fits = [], 0
    tests, predicted, past, future = [], [], [], []
    for train, test in _split(inputs, np.arange(len(inputs.y)), inputs.folds, seed):
        x = {m: z[train] for m, z in inputs.features.items()}
        asked = {m: z[test] for m, z in inputs.features.items()}
        inner = list(_split(inputs, train, INNER, seed))
        alone = {m: _linear(x[m], asked[m], inputs.y[train], inner) for m in x}
        joint = _linear(_beside(x), _beside(asked), inputs.y[train], inner)
        prior = np.log(np.bincount(inputs.y[train]) / len(train))
        known = _ensembles([f.train for f in alone.values()], prior, inputs.y[train])
        unseen = _ensembles([f.test for f in alone.values()], prior, None, known.weights)
        rule = max(RULES, key=lambda r: _score(known.logs[r], inputs.y[train])[:, 0].mean())
        groups = None if inputs.groups is None else inputs.groups[train]
        past.append(Sample(x, inputs.y[train], known.logs[rule], groups))
        future.append(Sample(asked, inputs.y[test], unseen.logs[rule]))
        logs = {f"{m} alone": f.test for m, f in alone.items()}
        logs |= {f"UME {r}": unseen.logs[r] for r in RULES}
        predicted.append(logs | {BEST: unseen.logs[rule], LINEAR: joint.test})
        tests.append(test)
        rules.append(rule)
        fits += joint.fits + sum(f.fits for f in alone.values()) + 2
        tick()
    corrected = corrections(past, future, seed=seed)
    scores: dict[str, np.ndarray] = {}
    for test, logs, (additive, pairs) in zip(tests, predicted, corrected, strict=True):
        for name, held_out in (logs | {ADDITIVE: additive, PAIRS: pairs}).items():
            scores.setdefault(name, np.empty((len(inputs.y), 2)))[test] = _score(
                held_out, inputs.y[test]
            )
    return Evidence(scores, tuple(rules), fits)


def _split(
    inputs: Inputs, rows: np.ndarray, parts: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(train, test) positions within ``rows``: stratified, groups whole."""
    y = inputs.y[rows]
    if inputs.groups is None:
        cut = StratifiedKFold(parts, shuffle=True, random_state=seed).split(y, y)
    else:
        groups = inputs.groups[rows]
        parts = min(parts, len(np.unique(groups)))
        cut = StratifiedGroupKFold(parts, shuffle=True, random_state=seed).split(y, y, groups)
    with warnings.catch_warnings():  # a class in few groups: the sentence below says it better
        warnings.filterwarnings("ignore", "The least populated class")
        for train, test in cut:
            if absent := set(range(len(inputs.classes))) - set(y[train].tolist()):
                raise StudyError(
                    f"class {inputs.classes[min(absent)]!r} is in too few groups: a training part "
                    f"without some groups has none of it; give it in more groups or leave it out"
                )
            yield train, test


def _linear(
    x: np.ndarray,
    asked: np.ndarray,
    y: np.ndarray,
    inner: list[tuple[np.ndarray, np.ndarray]],
) -> Linear:
    """Multinomial logistic regression on standardised features, C by inner cross-validation.

    From strong to weak regularisation, each fit starts where the last one ended; the search ends
    at the first C that predicts worse than the one before.
    """
    paths = [_Path(x[train], y[train], x[test]) for train, test in inner]
    best, cross_fitted, chosen, fits = -np.inf, None, STRENGTHS[0], 1
    for strength in STRENGTHS:
        logs = np.empty((len(y), y.max() + 1))
        for path, (_, test) in zip(paths, inner, strict=True):
            logs[test] = path(strength)
        fits += len(inner)
        value = _score(logs, y)[:, 0].mean()
        if value <= best:
            break
        best, chosen, cross_fitted = value, strength, logs
    assert cross_fitted is not None  # the first is better than -inf
    return Linear(cross_fitted, _Path(x, y, asked)(chosen), fits)


class _Path:
    """Held-out log-probabilities of one classifier, for one regularisation after the other."""

    def __init__(self, x: np.ndarray, y: np.ndarray, asked: np.ndarray):
        scaler = StandardScaler().fit(x)
        self.x, self.y, self.asked = scaler.transform(x), y, scaler.transform(asked)
        self.regression = LogisticRegression(max_iter=2000, tol=1e-3, warm_start=True)

    def __call__(self, strength: float) -> np.ndarray:
        self.regression.set_params(C=strength).fit(self.x, self.y)
        scores = self.regression.decision_function(self.asked)
        if scores.ndim == 1:  # two classes: the log-odds of the second
            scores = np.column_stack([np.zeros_like(scores), scores])
        return log_softmax(scores, axis=1)


class _Ensembles(NamedTuple):
    logs: dict[str, np.ndarray]
    weights: np.ndarray


def _ensembles(
    alone: list[np.ndarray],
    prior: np.ndarray,
    y: np.ndarray | None,
    weights: np.ndarray | None = None,
) -> _Ensembles:
    """UME by each rule; the product and the weighted rule count the class frequencies once.

    ``weights`` (M + 1,), the last that of ``prior``, are fitted to ``y`` where it is given.
    """
    stacked = np.stack(alone)  # (M, n, K)
    above = np.concatenate([stacked - prior, np.broadcast_to(prior, stacked[:1].shape)])
    if y is not None:
        weights = fit_weights(torch.from_numpy(above), torch.from_numpy(y))
    assert weights is not None  # one of the two is given
    logs = {
        "mean": logsumexp(stacked, axis=0),
        "product": above.sum(axis=0),
        "weighted": np.tensordot(weights, above, axes=1),
    }
    return _Ensembles({r: log_softmax(v, axis=1) for r, v in logs.items()}, weights)


def _beside(x: dict[str, np.ndarray]) -> np.ndarray:
    return np.hstack(list(x.values()))


def _score(logs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, 2): log-likelihood, and whether the likeliest class is right."""
    return np.column_stack([logs[np.arange(len(y)), y], logs.argmax(axis=1) == y])
