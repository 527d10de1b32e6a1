"""Weights of an ensemble of uni-modal models, fitted on validation."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.functional import nll_loss


def fit_weights(logs: Tensor, y: Tensor) -> np.ndarray:
    """Weights w (M,) >= 0 of log-probabilities ``logs`` (M, n, K) with the least cross-entropy.

    >>> often_right, always_wrong = [0.9, 0.1, 0.9, 0.9], [0.4, 0.6, 0.4, 0.6]  # p of class 0
    >>> p, y = torch.tensor([often_right, always_wrong]), torch.tensor([0, 1, 0, 1])
    >>> fit_weights(torch.stack([p, 1 - p], dim=2).log(), y).round(2).tolist()
    [0.5, 0.0]
    """
    logs, y = logs.double().cpu(), y.cpu()

    def value_and_gradient(w: np.ndarray) -> tuple[float, np.ndarray]:
        weights = torch.tensor(w, requires_grad=True)
        loss = nll_loss(torch.einsum("m,mnk->nk", weights, logs).log_softmax(1), y)
        loss.backward()
        assert weights.grad is not None
        return loss.item(), weights.grad.numpy()

    bounds = [(0, None)] * len(logs)
    found = minimize(value_and_gradient, np.ones(len(logs)), jac=True, bounds=bounds)
    return found.x
