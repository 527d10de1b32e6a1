"""Weights of an ensemble of uni-modal models, fitted on held-out predictions."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.functional import nll_loss


def fit_weights(logs: Tensor, y: Tensor) -> np.ndarray:
    """Fit weights w (M,) >= 0 of log-probabilities ``logs`` (M, n, K) by cross-entropy on ``y``.

    >>> y = torch.tensor([0, 0, 0, 1, 1, 1, 1, 0])
    >>> useful = torch.tensor([[0.8, 0.2]] * 4 + [[0.2, 0.8]] * 4)  # correct for 6 samples
    >>> misleading = torch.tensor([[0.4, 0.6], [0.6, 0.4]])[y]  # correct for none
    >>> fit_weights(torch.stack([useful, misleading]).log(), y).round(2)
    array([0.79, 0.  ])
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
