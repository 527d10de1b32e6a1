"""Products of two directions in feature space: find weak interactions among many features.

Gradient descent from small weights finds a weak interaction late or never. The leading singular
vectors of the cross-moments between features and the residual of a prediction give the directions
whose product is most correlated with that residual: one direction in each of two modalities, or, as
the additive control, both directions in the same modality.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

PRODUCTS = (1, 2, 4, 8)  # numbers of products that are tried
SHRINKAGE = (0.25, 0.5, 1.0)  # factors of the coefficients: on few samples these are too large
ROUNDS = 20  # iterations of fitting the coefficients
WIDEST = 64  # leading components of a modality among which directions are searched


class Rows(NamedTuple):
    """Samples of one model, x (n, D), y (n,), offset (n, K), or of several, padded (G, n, ...)."""

    x: Tensor
    y: Tensor
    offset: Tensor

    def take(self, rows: Tensor) -> Rows:
        """The samples ``rows`` of one model.

        >>> samples = Rows(torch.ones(3, 2), torch.tensor([0, 1, 1]), torch.zeros(3, 2))
        >>> samples.take(torch.tensor([2, 0])).y
        tensor([1, 0])
        """
        return Rows(*(part[rows] for part in self))


class Products:
    """A correction of the offset by products of two directions, fitted on ``rows``.

    The number of products and the shrinkage of their coefficients are those that predict ``held``
    best; often no product is used.
    """

    def __init__(self, rows: Rows, held: Rows, axes: list[Tensor], pairs: bool):
        predicted = rows.offset.double().softmax(1)
        target = one_hot(rows.y, predicted.shape[1]).double()
        self.first, self.second = _directions(rows.x.double(), target - predicted, axes, pairs)
        products = self._products(rows.x)
        mean, spread = products.mean(0), products.std(0).clamp(min=1e-6)
        self.mean, self.spread = mean, spread
        products, on_held = (products - mean) / spread, (self._products(held.x) - mean) / spread
        best, self.coefficients = _nll(held.offset.double(), held.y), None
        for number in PRODUCTS:
            fitted = _fitted(products[:, :number], rows.offset.double(), target)
            for factor in SHRINKAGE:
                loss = _nll(held.offset + factor * on_held[:, :number] @ fitted, held.y)
                if loss < best:
                    best, self.coefficients = loss, factor * fitted

    def __call__(self, rows: Rows) -> Rows:
        """The samples with the correction added to their offset."""
        if self.coefficients is None:
            return rows
        products = (self._products(rows.x) - self.mean) / self.spread
        products = products[:, : len(self.coefficients)]
        return rows._replace(offset=rows.offset + (products @ self.coefficients).float())

    def _products(self, x: Tensor) -> Tensor:
        return (x.double() @ self.first) * (x.double() @ self.second)


def leading_axes(x: Tensor, dims: list[int]) -> list[Tensor]:
    """The leading principal axes (d_m, c) of each modality, among which directions are searched."""
    return [_axes(part) for part in x.double().split(dims, dim=1)]


def _directions(
    x: Tensor, residual: Tensor, axes: list[Tensor], pairs: bool
) -> tuple[Tensor, Tensor]:
    """Two sets of directions (D, r) whose products are most correlated with ``residual`` (n, K)."""
    dims = [len(axis) for axis in axes]
    parts = x.split(dims, dim=1)
    leading = [part @ axis for part, axis in zip(parts, axes, strict=True)]
    residual = residual[:, 1:] if residual.shape[1] == 2 else residual  # the other is its negative
    number = len(dims)
    places = combinations(range(number), 2) if pairs else ((m, m) for m in range(number))
    found = []
    for a, b in places:
        noise = math.sqrt(leading[a].shape[1]) + math.sqrt(leading[b].shape[1])
        moments = torch.einsum("nk,ni,nj->kij", residual, leading[a], leading[b])
        for u, values, vh in zip(*torch.linalg.svd(moments, full_matrices=False), strict=True):
            for i in range(min(PRODUCTS[-1], len(values))):
                first, second = torch.zeros(2, len(x[0]), dtype=x.dtype)
                first.split(dims)[a].copy_(axes[a] @ u[:, i])
                second.split(dims)[b].copy_(axes[b] @ vh[i])
                found.append((values[i].item() / noise, first, second))
    found = sorted(found, key=lambda f: -f[0])[: PRODUCTS[-1]]
    return torch.stack([f[1] for f in found], dim=1), torch.stack([f[2] for f in found], dim=1)


def _fitted(products: Tensor, offset: Tensor, target: Tensor) -> Tensor:
    """Coefficients (r, K) of logistic regression with an offset, by steps of Boehning's bound."""
    ridge = torch.eye(products.shape[1], dtype=products.dtype)
    fitted = torch.zeros(products.shape[1], target.shape[1], dtype=products.dtype)
    for _ in range(ROUNDS):
        residual = target - (offset + products @ fitted).softmax(1)
        step = torch.linalg.solve(products.T @ products + 2 * ridge, products.T @ residual - fitted)
        fitted = fitted + 2 * step
    return fitted


def _nll(logits: Tensor, y: Tensor) -> float:
    return cross_entropy(logits, y).item()


def _axes(x: Tensor) -> Tensor:
    """(d, c): the leading principal axes of standardised x, all axes where there are few."""
    n, d = x.shape
    if d <= WIDEST:
        return torch.eye(d, dtype=x.dtype)
    if d <= n:
        return torch.linalg.eigh(x.T @ x)[1][:, -WIDEST:]
    values, vectors = torch.linalg.eigh(x @ x.T)  # n x n instead of d x d
    kept = torch.arange(n)[values > 1e-10 * values[-1]][-WIDEST:]
    return x.T @ vectors[:, kept] / values[kept].sqrt()
