"""The rules of UME for many ensembles at once; pi are the log-frequencies of the classes.

    mean              p = 1/M sum_m p_m
    product           log p = sum_m log p_m
    product, prior    log p = pi + sum_m (log p_m - pi): the class prior counts once
    temperature       as before, with log p_m / T_m normalised, T_m fitted on validation
    weighted          log p = w_0 pi + sum_m w_m (log p_m - pi), w >= 0 fitted on validation

What is fitted is cross-fitted for the predictions of validation: each sample is predicted by what
was fitted to the others, so that rules can be compared on it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from sklearn.model_selection import KFold
from torch import Tensor

from umt_lib.evaluation.calibration import fit_temperature
from umt_lib.evaluation.ensemble_weights import fit_weights

PARTS = 5
FIXED = ("mean", "product", "product, prior")
FITTED = ("temperature", "weighted")
RULES = (*FIXED, *FITTED)


def prior(y: Tensor, classes: int) -> Tensor:
    """The log-frequencies of the classes, (G, K), from labels (G, n); an absent class counts 1/2.

    >>> prior(torch.tensor([[0, 0, 0, 1]]), 2).exp()
    tensor([[0.7500, 0.2500]])
    """
    counts = torch.nn.functional.one_hot(y, classes).sum(1).double().clamp_min(0.5)
    return (counts / counts.sum(1, keepdim=True)).log().float()


def predict(rule: str, logs: Tensor, pi: Tensor, validation: Tensor, y: Tensor) -> Tensor:
    """Combine log-probabilities (G, M, n, K) to logits (G, n, K).

    Args:
        pi: (G, K).
        validation: log-probabilities (G, M, v, K) of the samples on which a rule is fitted.
        y: their labels, (G, v).
    """
    if rule == "mean":
        return logs.logsumexp(1)
    if rule == "product":
        return logs.sum(1)
    models = range(len(logs))
    if rule == "product, prior":
        return torch.stack([_combined(logs[g], pi[g], _product(logs.shape[1])) for g in models])
    fit = _FITS[rule]
    weights = [fit(validation[g], pi[g], y[g]) for g in models]
    return torch.stack([_combined(logs[g], pi[g], weights[g]) for g in models])


def cross_fitted(rule: str, logs: Tensor, pi: Tensor, y: Tensor) -> Tensor:
    """The prediction of the samples themselves, cross-fitted where the rule is fitted."""
    if rule in FIXED:
        return predict(rule, logs, pi, logs, y)
    made = torch.empty_like(logs[:, 0])
    folds = KFold(PARTS, shuffle=True, random_state=0).split(np.empty(y.shape[1]))
    for known, held in folds:
        made[:, held] = predict(rule, logs[:, :, held], pi, logs[:, :, known], y[:, known])
    return made


def _parts(logs: Tensor, pi: Tensor) -> Tensor:
    """What is weighted, (M + 1, n, K): log p_m - pi of each modality, and pi."""
    return torch.cat([logs - pi, pi.expand_as(logs[:1])])


def _combined(logs: Tensor, pi: Tensor, weights: Tensor) -> Tensor:
    return torch.einsum("m,mnk->nk", weights, _parts(logs, pi))


def _product(modalities: int) -> Tensor:
    return torch.ones(modalities + 1)


def _fit_temperature(logs: Tensor, pi: Tensor, y: Tensor) -> Tensor:
    """sum_m log p_m / T_m - (M - 1) pi, written with weights of the parts."""
    inverse = torch.tensor([1 / fit_temperature(log, y) for log in logs])
    return torch.cat([inverse, inverse.sum()[None] - len(logs) + 1])


def _fit_weights(logs: Tensor, pi: Tensor, y: Tensor) -> Tensor:
    return torch.from_numpy(fit_weights(_parts(logs, pi), y)).float()


_FITS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "temperature": _fit_temperature,
    "weighted": _fit_weights,
}
