"""Scores of predictions, and the intervals every table shows."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy


def accuracy(logits: Tensor, y: Tensor) -> float:
    """Top-1 accuracy in [0, 1] of ``logits`` (n, K) against labels ``y`` (n,)."""
    return (logits.argmax(1) == y).double().mean().item()


def nll(logits: Tensor, y: Tensor) -> float:
    """Mean cross-entropy in nats of ``logits`` (n, K), which need not be normalised."""
    return cross_entropy(logits.double(), y).item()
