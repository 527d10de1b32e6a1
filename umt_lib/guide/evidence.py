"""Held-out predictions of every strategy to combine the modalities, from one cross-validation.

Everything that is fitted or chosen (regularisation, the rule and weights of UME, early stopping) is
fitted or chosen inside the training part of a fold, from predictions for samples that the predictor
was not trained on. So every sample gets one prediction of each competitor, made without its label.
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
    """What the cross-validation gives.

    Attributes:
        scores: {competitor: (n, 2)}, held-out log-likelihood (nats) and whether the prediction is
            correct.
        rules: UME's best rule, chosen in each fold.
        fits: number of linear classifiers and corrections trained.
    """

    scores: dict[str, np.ndarray]
    rules: tuple[str, ...]
    fits: int


class Linear(NamedTuple):
    """Log-probabilities of one linear classifier, cross-fitted (n, K) and held-out (n', K)."""

    train: np.ndarray
    test: np.ndarray
    fits: int


def gather(inputs: Inputs, seed: int, tick: Callable[[], None] = lambda: None) -> Evidence:
    """Run the cross-validation; ``tick`` is called after each fold.

    Raises:
        StudyError: the training part of a fold has no sample of some class (with groups).
    """
    rules, fits = [], 0
    tests, predicted, train_samples, test_samples = [], [], [], []
    for train, test in _split(inputs, np.arange(len(inputs.y)), inputs.folds, seed):
        x = {m: z[train] for m, z in inputs.features.items()}
        x_test = {m: z[test] for m, z in inputs.features.items()}
        inner = list(_split(inputs, train, INNER, seed))
        unimodal = {m: _linear(x[m], x_test[m], inputs.y[train], inner) for m in x}
        joint = _linear(_concatenated(x), _concatenated(x_test), inputs.y[train], inner)
        prior = np.log(np.bincount(inputs.y[train]) / len(train))
        on_train = _ensembles([f.train for f in unimodal.values()], prior, inputs.y[train])
        on_test = _ensembles([f.test for f in unimodal.values()], prior, None, on_train.weights)
        rule = max(RULES, key=lambda r: _score(on_train.logs[r], inputs.y[train])[:, 0].mean())
        groups = None if inputs.groups is None else inputs.groups[train]
        train_samples.append(Sample(x, inputs.y[train], on_train.logs[rule], groups))
        test_samples.append(Sample(x_test, inputs.y[test], on_test.logs[rule]))
        logs = {f"{m} alone": f.test for m, f in unimodal.items()}
        logs |= {f"UME {r}": on_test.logs[r] for r in RULES}
        predicted.append(logs | {BEST: on_test.logs[rule], LINEAR: joint.test})
        tests.append(test)
        rules.append(rule)
        fits += joint.fits + sum(f.fits for f in unimodal.values()) + 2
        tick()
    corrected = corrections(train_samples, test_samples, seed=seed)
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
    """Pairs (train, test) of positions within ``rows``: stratified, groups kept together."""
    y = inputs.y[rows]
    if inputs.groups is None:
        cut = StratifiedKFold(parts, shuffle=True, random_state=seed).split(y, y)
    else:
        groups = inputs.groups[rows]
        parts = min(parts, len(np.unique(groups)))
        cut = StratifiedGroupKFold(parts, shuffle=True, random_state=seed).split(y, y, groups)
    with warnings.catch_warnings():  # a class in few groups: the error below is clearer
        warnings.filterwarnings("ignore", "The least populated class")
        for train, test in cut:
            if absent := set(range(len(inputs.classes))) - set(y[train].tolist()):
                raise StudyError(
                    f"class {inputs.classes[min(absent)]!r} occurs in too few groups: the training "
                    f"part of a fold has no sample of it; give samples of this class in more "
                    f"groups, or leave the class out"
                )
            yield train, test


def _linear(
    x: np.ndarray,
    x_test: np.ndarray,
    y: np.ndarray,
    inner: list[tuple[np.ndarray, np.ndarray]],
) -> Linear:
    """Multinomial logistic regression on standardised features, C by inner cross-validation.

    C is tried from strong to weak regularisation, and each fit starts from the previous one; the
    search ends at the first C that is no better than the one before.
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
    return Linear(cross_fitted, _Path(x, y, x_test)(chosen), fits)


class _Path:
    """Held-out log-probabilities of one classifier along a path of regularisation strengths."""

    def __init__(self, x: np.ndarray, y: np.ndarray, x_test: np.ndarray):
        scaler = StandardScaler().fit(x)
        self.x, self.y, self.x_test = scaler.transform(x), y, scaler.transform(x_test)
        self.regression = LogisticRegression(max_iter=2000, tol=1e-3, warm_start=True)

    def __call__(self, strength: float) -> np.ndarray:
        self.regression.set_params(C=strength).fit(self.x, self.y)
        scores = self.regression.decision_function(self.x_test)
        if scores.ndim == 1:  # two classes: the log-odds of the second
            scores = np.column_stack([np.zeros_like(scores), scores])
        return log_softmax(scores, axis=1)


class _Ensembles(NamedTuple):
    logs: dict[str, np.ndarray]
    weights: np.ndarray


def _ensembles(
    predictions: list[np.ndarray],
    prior: np.ndarray,
    y: np.ndarray | None,
    weights: np.ndarray | None = None,
) -> _Ensembles:
    """UME by each rule; the product and the weighted rule count the class frequencies once.

    ``weights`` (M + 1,), the last of which belongs to ``prior``, are fitted to ``y`` if given.
    """
    stacked = np.stack(predictions)  # (M, n, K)
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


def _concatenated(x: dict[str, np.ndarray]) -> np.ndarray:
    return np.hstack(list(x.values()))


def _score(logs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, 2): log-likelihood, and whether the most likely class is the correct one."""
    return np.column_stack([logs[np.arange(len(y)), y], logs.argmax(axis=1) == y])
