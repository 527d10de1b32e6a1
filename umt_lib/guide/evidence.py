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
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler

from umt_lib.errors import StudyError
from umt_lib.evaluation.residual import Sample, corrections
from umt_lib.guide.checks import INNER, Inputs
from umt_lib.guide.classifiers import (
    NAIVE,
    RULES,
    Combination,
    Linear,
    classifier,
    score,
    unpaired,
)

FREQUENT = "most frequent class"
MEAN, PRODUCT, WEIGHTED, CALIBRATED = (f"UME {rule}" for rule in RULES)
BEST, BETTER = "UME best rule", "UME of better classifiers"
LINEAR, MLP = "frozen linear head", "frozen MLP head"
ADDITIVE, PAIRS = "UME + additive correction", "UME + correction with pairs"
UNPAIRED, PRIOR_OFTEN = "frozen linear head, unpaired", f"UME {NAIVE}"  # for comparison only
LARGE = 2**21  # numbers in a training part
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


def gather(inputs: Inputs, seed: int, tick: Callable[[], None] = lambda: None) -> Evidence:
    """Run the cross-validation; ``tick`` is called after each fold.

    Raises:
        StudyError: the training part of a fold has no sample of some class, or too few samples or
            groups to be divided again (with groups).
    """
    rules, fits, folds, ensembles = [], 0, [], []
    predicted: list[dict[str, np.ndarray]] = []
    offsets: dict[str, list[Linear]] = {m: [] for m in inputs.features}
    for train, test in _split(inputs, np.arange(len(inputs.y)), inputs.folds, seed):
        x, x_test = _scaled(inputs, train, test)
        y, inner = inputs.y[train], list(_split(inputs, train, INNER, seed))
        unimodal = {m: classifier(x[m], x_test[m], y, inner) for m in x}
        joint = classifier(_concatenated(x), _concatenated(x_test), y, inner)
        apart, tried = unpaired(x, _concatenated(x_test), y, inner, seed)
        known = [f.train for f in unimodal.values()]
        combine = Combination.fitted(known, y)
        on_train, on_test = combine(known), combine([f.test for f in unimodal.values()])
        rule = max(RULES, key=lambda r: score(on_train[r], y)[:, 0].mean())
        folds.append(Fold(train, test, on_train[rule], on_test[rule]))
        ensembles.append(combine)
        logs = {f"{m} alone": f.test for m, f in unimodal.items()}
        logs |= {f"UME {r}": on_test[r] for r in (*RULES, NAIVE)}
        predicted.append(logs | {BEST: on_test[rule], LINEAR: joint.test, UNPAIRED: apart})
        for m, f in unimodal.items():
            offsets[m].append(f)
        rules.append(rule)
        fits += joint.fits + tried + sum(f.fits + 1 for f in unimodal.values()) + 3
        tick()
    alone = [  # {modality: corrected classifier}, per fold
        corrections(*_samples(inputs, folds, (m,), [f[:2] for f in offsets[m]]), (False,), seed)
        for m in inputs.features
    ]
    corrected = corrections(*_samples(inputs, folds), seed=seed)
    priors = [
        [np.tile(combine.prior, (len(rows), 1)) for rows in fold[:2]]
        for combine, fold in zip(ensembles, folds, strict=True)
    ]
    heads = corrections(*_samples(inputs, folds, offsets=priors), (True,), seed, head=True)
    scores: dict[str, np.ndarray] = {}
    for i, (fold, logs) in enumerate(zip(folds, predicted, strict=True)):
        better = ensembles[i]([one[i][0] for one in alone])[rules[i]]
        additive, pairs = corrected[i]
        logs |= {BETTER: better, ADDITIVE: additive, PAIRS: pairs, MLP: heads[i][0]}
        for name, held_out in logs.items():
            scores.setdefault(name, np.empty((len(inputs.y), 2)))[fold.test] = score(
                held_out, inputs.y[fold.test]
            )
    shares = np.bincount(inputs.y) / len(inputs.y)
    always = np.broadcast_to(np.log(shares), (len(inputs.y), len(shares)))
    scores[FREQUENT] = score(always, inputs.y)
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
            gain[fold.test] = score(pairs, y) - score(additive, y)
        gains[" and ".join(pair)] = gain
    return gains


def _scaled(
    inputs: Inputs, train: np.ndarray, test: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Features of both parts, standardised by the training part.

    The coordinates of a wide modality are divided by one factor, which keeps their distances. Of
    more than :data:`LARGE` numbers they are float32, which halves time and memory.
    """
    columns = sum(z.shape[1] for z in inputs.features.values())
    kind = np.float32 if len(train) * columns > LARGE else np.float64
    parts: tuple[dict[str, np.ndarray], dict[str, np.ndarray]] = ({}, {})
    for m, z in inputs.features.items():
        scaler = StandardScaler(with_std=m not in inputs.wide).fit(z[train])
        factor = z[train].var(axis=0).mean() ** -0.5 if m in inputs.wide else 1.0
        for part, rows in zip(parts, (train, test), strict=True):
            scaled = scaler.transform(z[rows]) * factor
            part[m] = scaled.astype(kind, copy=False)
    return parts


def _samples(
    inputs: Inputs,
    folds: Sequence[Fold],
    modalities: Sequence[str] = (),
    offsets: Sequence[Sequence[np.ndarray]] = (),
) -> tuple[list[Sample], list[Sample]]:
    """Training and test samples of every fold, for corrections of the offsets (else of UME)."""
    both: tuple[list[Sample], list[Sample]] = ([], [])
    chosen = modalities or tuple(inputs.features)
    for i, fold in enumerate(folds):
        offset = offsets[i] if offsets else (fold.on_train, fold.on_test)
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
        if parts < 2 or np.bincount(y).max() < parts:
            raise StudyError(
                f"the training part of a fold, {len(rows)} samples in {len(np.unique(groups))} "
                f"group(s), is too small to be divided again; give more samples in more groups"
            )
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


def _concatenated(x: dict[str, np.ndarray]) -> np.ndarray:
    return np.hstack(list(x.values()))
