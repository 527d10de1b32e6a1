"""Scores of predictions: accuracy and cross-entropy."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy


def accuracy(logits: Tensor, y: Tensor) -> float:
    """Top-1 accuracy in [0, 1] of ``logits`` (n, K) for labels ``y`` (n,).

    >>> import torch
    >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 0]))
    0.5
    """
    return (logits.argmax(1) == y).double().mean().item()


def nll(logits: Tensor, y: Tensor) -> float:
    """Mean cross-entropy in nats of ``logits`` (n, K), which need not be normalised.

    >>> import torch
    >>> round(nll(torch.zeros(4, 2), torch.tensor([0, 1, 1, 0])), 4)  # log 2
    0.6931
    """
    return cross_entropy(logits.double(), y).item()
