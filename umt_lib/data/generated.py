"""What the generated data sets share: codes, noise, scales, and the exact accuracy of rules.

Their inputs are blocks of :data:`~umt_lib.data.synthetic.WIDTH` columns, one per feature. A
discrete feature is the code of its value plus Gaussian noise, as in
:mod:`umt_lib.data.synthetic`; each block is then multiplied by a scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from umt_lib.data.splits import Split, Splits
from umt_lib.data.synthetic import MAX_STATES, WIDTH
from umt_lib.data.synthetic import _codes as codes
from umt_lib.errors import StudyError

TIE = 1e-6  # relative difference of scores that count as equal
Scale = float | tuple[float, ...]  # of a modality, or one per feature
Sample = Callable[[np.random.Generator, int], tuple[np.ndarray, dict[str, np.ndarray]]]


def generate(
    dataset: str,
    sample: Sample,
    draws: Sequence[np.random.Generator],
    sizes: Sequence[int],
    classes: int,
    noise: float,
    scale: Mapping[str, Scale],
) -> Splits:
    """Draw the three splits, with noise and scales.

    Args:
        dataset: name, for messages.
        sample: draws labels (n,) and inputs without noise {modality: (n, features * WIDTH)}.
        draws, sizes: a random generator and a number of samples for train, validation and test.
        noise: standard deviation of every input, before scaling.
        scale: factor on each modality, or one factor per feature; it does not change the
            information, but the gradients.

    Raises:
        StudyError: the noise is negative, or there is not one scale per feature.
    """
    if noise < 0:
        raise StudyError(f"data set {dataset!r}: noise is {noise}; give 0 or more")
    splits = []
    for rng, n in zip(draws, sizes, strict=True):
        y, clean = sample(rng, n)
        x = {}
        for m, values in clean.items():
            factors = _factors(dataset, m, scale[m], values.shape[1] // WIDTH)
            noisy = factors * (values + noise * rng.standard_normal(values.shape))
            x[m] = torch.from_numpy(noisy.astype(np.float32))
        splits.append(Split(x, torch.from_numpy(y)))
    train, validation, test = splits
    return Splits(train, validation, test, tuple(str(k) for k in range(classes)))


def _factors(dataset: str, modality: str, scale: Scale, features: int) -> np.ndarray:
    """The factor on every input of a modality: (features * WIDTH,)."""
    given = np.atleast_1d(np.asarray(scale, dtype=float))
    if isinstance(scale, tuple) and len(given) != features:
        raise StudyError(
            f"data set {dataset!r}: scale_{modality} has {len(given)} factors for {features} "
            f"features; give one per feature, or one number"
        )
    return np.repeat(np.broadcast_to(given, features), WIDTH)


def encode(tables: Sequence[np.ndarray], values: np.ndarray) -> np.ndarray:
    """The codes of discrete features (n, F), side by side: (n, F * WIDTH).

    Args:
        tables: the codes of each feature, (values, WIDTH).
    """
    blocks = [table[v] for table, v in zip(tables, values.T, strict=True)]
    return np.hstack(blocks) if blocks else np.empty((len(values), 0))


def check_reliabilities(dataset: str, classes: int, **reliabilities: Sequence[float]) -> None:
    """Raise a StudyError if there are too many or too few classes, or no probability is given.

    Args:
        reliabilities: by the name of the option.
    """
    if not 2 <= classes <= WIDTH:
        raise StudyError(f"data set {dataset!r}: classes is {classes}; give 2 to {WIDTH}")
    for name, values in reliabilities.items():
        if wrong := [p for p in values if not 0 <= p <= 1]:
            raise StudyError(
                f"data set {dataset!r}: {name} has {wrong[0]}, which is outside 0..1; give "
                f"probabilities"
            )


def facts(joint: np.ndarray) -> dict[str, float]:
    """Best possible accuracies in 0..1, from the probabilities of all patterns and labels.

    "a" and "b" are those of each modality, "all" that of both. "additive" is the accuracy of the
    product of the two posteriors, divided by the prior (which each of them contains), with ties
    broken at random: the best combination if the modalities are independent given the label.

    Args:
        joint: P(y, pattern of a, pattern of b), (K, A, B).
    """
    a, b, prior = joint.sum(2), joint.sum(1), joint.sum((1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = a[:, :, None] * b[:, None, :] / prior[:, None, None]
    return {
        "a": float(a.max(axis=0).sum()),
        "b": float(b.max(axis=0).sum()),
        "additive": _accuracy(joint, score),
        "all": float(joint.max(axis=0).sum()),
    }


def additive_fit(joint: np.ndarray) -> float:
    """Accuracy of the logits f_y(pattern of a) + g_y(pattern of b) with the least cross-entropy.

    A linear head on the features of any two encoders computes such a sum, so this is what it
    reaches with unlimited data. It is "additive" of :func:`facts` if the modalities are independent
    given the label; otherwise it can be more, since the product of posteriors counts twice what
    both modalities show, or less, since cross-entropy is not accuracy.

    Args:
        joint: P(y, pattern of a, pattern of b), (K, A, B).
    """
    classes, a, b = joint.shape
    seen = joint.sum(axis=0)

    def loss(effects: np.ndarray) -> tuple[float, np.ndarray]:
        f, g = np.split(effects.reshape(classes, a + b), [a], axis=1)
        logs = log_softmax(f[:, :, None] + g[:, None, :], axis=0)
        rest = seen * np.exp(logs) - joint
        gradient = np.concatenate([rest.sum(axis=2), rest.sum(axis=1)], axis=1)
        return -float((joint * logs).sum()), gradient.ravel()

    found = minimize(
        loss,
        np.zeros(classes * (a + b)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "ftol": 1e-13, "gtol": 1e-9},
    )
    f, g = np.split(found.x.reshape(classes, a + b), [a], axis=1)
    return _accuracy(joint, softmax(f[:, :, None] + g[:, None, :], axis=0))


def _accuracy(joint: np.ndarray, score: np.ndarray) -> float:
    """The accuracy of the label with the largest score (K, A, B), with ties broken at random."""
    best = score >= score.max(axis=0) * (1 - TIE)
    return float(((joint * best).sum(axis=0) / best.sum(axis=0)).sum())


def check_states(dataset: str, *patterns: int, most: int = MAX_STATES) -> None:
    """Raise a StudyError if all combinations of so many patterns are too many to enumerate."""
    if (states := math.prod(patterns)) > most:
        raise StudyError(
            f"data set {dataset!r}: {states} patterns of features are too many to enumerate; give "
            f"fewer features"
        )


def patterns(conditionals: Sequence[np.ndarray], classes: int) -> np.ndarray:
    """P(pattern | y) of independent discrete features: (K, patterns), the last feature fastest.

    Args:
        conditionals: P(value | y) of each feature, (K, values).
    """
    found = np.ones((classes, 1))
    for given in conditionals:
        found = (found[:, :, None] * given[:, None, :]).reshape(classes, -1)
    return found


__all__ = [
    "Scale",
    "additive_fit",
    "check_reliabilities",
    "check_states",
    "codes",
    "encode",
    "facts",
    "generate",
    "patterns",
]
