"""Held-out predictions of every strategy to combine the modalities, from one cross-validation.

Everything that is fitted or chosen (regularisation, the rule and weights of UME, early stopping) is
fitted or chosen inside the training part of a fold, from predictions for samples that the predictor
was not trained on. So every sample gets one prediction of each competitor, made without its label.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
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
BETTER = "UME of better classifiers"
LEADING = 128  # coordinates of a wide modality that the corrections use, the longest axes


class Fold(NamedTuple):
    """One fold: row positions, and log-probabilities (n, K) of the best rule of UME for them."""

    train: np.ndarray
    test: np.ndarray
    on_train: np.ndarray
    on_test: np.ndarray


class Evidence(NamedTuple):
    """What the cross-validation gives.

    Attributes:
        scores: {competitor: (n, 2)}, held-out log-likelihood (nats) and whether the prediction is
            correct.
        rules: UME's best rule, chosen in each fold.
        fits: number of linear classifiers and corrections trained.
        folds: the folds.
    """

    scores: dict[str, np.ndarray]
    rules: tuple[str, ...]
    fits: int
    folds: tuple[Fold, ...]


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
    rules, fits, folds, ensembles = [], 0, [], []
    predicted: list[dict[str, np.ndarray]] = []
    offsets: dict[str, list[Linear]] = {m: [] for m in inputs.features}
    for train, test in _split(inputs, np.arange(len(inputs.y)), inputs.folds, seed):
        x, x_test = _scaled(inputs, train, test)
        inner = list(_split(inputs, train, INNER, seed))
        unimodal = {m: _linear(x[m], x_test[m], inputs.y[train], inner) for m in x}
        joint = _linear(_concatenated(x), _concatenated(x_test), inputs.y[train], inner)
        prior = np.log(np.bincount(inputs.y[train]) / len(train))
        on_train = _ensembles([f.train for f in unimodal.values()], prior, inputs.y[train])
        on_test = _ensembles([f.test for f in unimodal.values()], prior, None, on_train.weights)
        rule = max(RULES, key=lambda r: _score(on_train.logs[r], inputs.y[train])[:, 0].mean())
        folds.append(Fold(train, test, on_train.logs[rule], on_test.logs[rule]))
        ensembles.append((prior, on_train.weights))
        logs = {f"{m} alone": f.test for m, f in unimodal.items()}
        logs |= {f"UME {r}": on_test.logs[r] for r in RULES}
        predicted.append(logs | {BEST: on_test.logs[rule], LINEAR: joint.test})
        for m, f in unimodal.items():
            offsets[m].append(f)
        rules.append(rule)
        fits += joint.fits + sum(f.fits + 1 for f in unimodal.values()) + 2
        tick()
    alone = [  # {modality: corrected classifier}, per fold
        corrections(*_samples(inputs, folds, (m,), offsets[m]), kinds=(False,), seed=seed)
        for m in inputs.features
    ]
    corrected = corrections(*_samples(inputs, folds), seed=seed)
    scores: dict[str, np.ndarray] = {}
    for i, (fold, logs) in enumerate(zip(folds, predicted, strict=True)):
        prior, weights = ensembles[i]
        better = _ensembles([one[i][0] for one in alone], prior, None, weights).logs[rules[i]]
        additive, pairs = corrected[i]
        logs |= {BETTER: better, ADDITIVE: additive, PAIRS: pairs}
        for name, held_out in logs.items():
            scores.setdefault(name, np.empty((len(inputs.y), 2)))[fold.test] = _score(
                held_out, inputs.y[fold.test]
            )
    return Evidence(scores, tuple(rules), fits, tuple(folds))


def interacting(inputs: Inputs, folds: Sequence[Fold], seed: int) -> dict[str, np.ndarray]:
    """Scores of each pair of modalities: the gain (n, 2) from interactions within it alone.

    Both corrections get the features of these two modalities only, so an interaction of a pair with
    a third modality does not count.
    """
    gains = {}
    for pair in combinations(inputs.features, 2):
        gain = np.empty((len(inputs.y), 2))
        corrected = corrections(*_samples(inputs, folds, pair), seed=seed)
        for fold, (additive, pairs) in zip(folds, corrected, strict=True):
            y = inputs.y[fold.test]
            gain[fold.test] = _score(pairs, y) - _score(additive, y)
        gains[" and ".join(pair)] = gain
    return gains


def _scaled(
    inputs: Inputs, train: np.ndarray, test: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Features of both parts, standardised by the training part.

    The coordinates of a wide modality are divided by one factor, which keeps their distances.
    """
    parts: tuple[dict[str, np.ndarray], dict[str, np.ndarray]] = ({}, {})
    for m, z in inputs.features.items():
        scaler = StandardScaler(with_std=m not in inputs.wide).fit(z[train])
        factor = z[train].var(axis=0).mean() ** -0.5 if m in inputs.wide else 1.0
        for part, rows in zip(parts, (train, test), strict=True):
            part[m] = scaler.transform(z[rows]) * factor
    return parts


def _samples(
    inputs: Inputs,
    folds: Sequence[Fold],
    modalities: Sequence[str] = (),
    offsets: Sequence[Linear] = (),
) -> tuple[list[Sample], list[Sample]]:
    """Training and test samples of every fold, for corrections of the offsets (else of UME)."""
    both: tuple[list[Sample], list[Sample]] = ([], [])
    chosen = modalities or tuple(inputs.features)
    for i, fold in enumerate(folds):
        offset = offsets[i][:2] if offsets else (fold.on_train, fold.on_test)
        for samples, x, rows, logs in zip(
            both, _scaled(inputs, fold.train, fold.test), fold[:2], offset, strict=True
        ):
            used = {m: x[m][:, :LEADING] if m in inputs.wide else x[m] for m in chosen}
            groups = None if inputs.groups is None else inputs.groups[rows]
            samples.append(
                Sample(
                    {m: z.astype(np.float32) for m, z in used.items()}, inputs.y[rows], logs, groups
                )
            )
    return both


def _split(
    inputs: Inputs, rows: np.ndarray, parts: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs (train, test) of positions within ``rows``: stratified, groups kept together."""
    y = inputs.y[rows]
    if inputs.groups is None:
        parts = min(parts, int(np.bincount(y).min()))
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
    """Multinomial logistic regression on scaled features, C by inner cross-validation.

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
        self.x, self.y, self.x_test = x, y, x_test
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
