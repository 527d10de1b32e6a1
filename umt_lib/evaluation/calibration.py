"""Calibration: whether the probability of a prediction is the share of predictions that are right.

Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017: reliability diagrams, the
expected calibration error over bins of equal width, and temperature scaling.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from torch import Tensor

from umt_lib.evaluation.ensemble_weights import fit_weights

BINS = 15


class Reliability(NamedTuple):
    """Bins of confidence that have predictions: mean confidence, accuracy, number of samples."""

    confidence: np.ndarray
    accuracy: np.ndarray
    samples: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: mean distance of accuracy and confidence, in 0..1."""
        return float(np.average(abs(self.accuracy - self.confidence), weights=self.samples))


def reliability(logits: Tensor, y: Tensor, bins: int = BINS) -> Reliability:
    """Accuracy by the probability of the predicted class, in bins of equal width over 0..1.

    >>> import torch
    >>> sure_of_0 = torch.tensor([[0.9, 0.1]] * 4).log()
    >>> found = reliability(sure_of_0, torch.tensor([0, 0, 1, 1]))
    >>> found.confidence.round(2), found.accuracy, found.samples
    (array([0.9]), array([0.5]), array([4]))
    >>> round(found.error, 2)
    0.4
    """
    confidence, predicted = logits.double().softmax(1).max(1)
    right = (predicted == y).double().numpy()
    which = np.minimum((confidence.numpy() * bins).astype(int), bins - 1)
    count = np.bincount(which, minlength=bins)
    used = count > 0
    mean, accuracy = (
        np.bincount(which, values, bins)[used] / count[used]
        for values in (confidence.numpy(), right)
    )
    return Reliability(mean, accuracy, count[used])


def fit_temperature(logits: Tensor, y: Tensor) -> float:
    """The temperature T > 0 for which ``logits / T`` (n, K) have the least cross-entropy.

    >>> import torch
    >>> y = torch.tensor([0, 0, 0, 1] * 50)
    >>> sure = torch.tensor([[3.0, 0.0]] * 200)  # right in 3 of 4 cases: a logit of log 3
    >>> round(3 / fit_temperature(sure, y), 2), round(float(torch.tensor(3.0).log()), 2)
    (1.1, 1.1)
    """
    (weight,) = fit_weights(logits.double().log_softmax(1)[None], y)
    return 1 / float(weight) if weight > 0 else math.inf
