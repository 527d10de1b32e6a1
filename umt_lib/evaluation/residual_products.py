"""Products of two directions: where a weak pair hides among many features, and what it says.

Gradient descent from small weights finds a weak pair late or never. The leading singular vectors
of the cross-moments of what a prediction leaves over name the directions whose product speaks most
of it: of two modalities, or, as the control without pairs, of one with itself.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

PRODUCTS = (1, 2, 4, 8)  # of two directions each: how many are tried
SHRUNK = (0.25, 0.5, 1.0)  # what is found on a few samples speaks less of others
ROUNDS = 20  # of fitting what products say
WIDEST = 64  # leading components of a modality among which directions are looked for


class Rows(NamedTuple):
    """Samples of one model, x (n, D), y (n,), offset (n, K), or padded of several, (G, n, ...)."""

    x: Tensor
    y: Tensor
    offset: Tensor

    def take(self, rows: Tensor) -> Rows:
        """Of one model."""
        return Rows(*(part[rows] for part in self))


class Products:
    """Adds to the offset what a few products of two directions say, found on ``rows``.

    As many of them, and as much of what they say, as predicts ``held`` best: often none.
    """

    def __init__(self, rows: Rows, held: Rows, dims: list[int], pairs: bool):
        left = rows.offset.double().softmax(1)
        target = one_hot(rows.y, left.shape[1]).double()
        self.first, self.second = _directions(rows.x.double(), target - left, dims, pairs)
        made = self._made(rows.x)
        mean, spread = made.mean(0), made.std(0).clamp(min=1e-6)
        self.mean, self.spread = mean, spread
        made, asked = (made - mean) / spread, (self._made(held.x) - mean) / spread
        best, self.says = _nll(held.offset.double(), held.y), None
        for number in PRODUCTS:
            says = _fitted(made[:, :number], rows.offset.double(), target)
            for share in SHRUNK:
                loss = _nll(held.offset + share * asked[:, :number] @ says, held.y)
                if loss < best:
                    best, self.says = loss, share * says

    def __call__(self, rows: Rows) -> Rows:
        """``rows`` with the products' part added to their offset."""
        if self.says is None:
            return rows
        made = ((self._made(rows.x) - self.mean) / self.spread)[:, : len(self.says)]
        return rows._replace(offset=rows.offset + (made @ self.says).float())

    def _made(self, x: Tensor) -> Tensor:
        return (x.double() @ self.first) * (x.double() @ self.second)


def _directions(x: Tensor, left: Tensor, dims: list[int], pairs: bool) -> tuple[Tensor, Tensor]:
    """Two directions (D, r) whose product speaks of what is ``left`` over (n, K)."""
    parts = x.split(dims, dim=1)
    axes = [_axes(part) for part in parts]
    leading = [part @ axis for part, axis in zip(parts, axes, strict=True)]
    left = left[:, 1:] if left.shape[1] == 2 else left  # of two classes one says all
    number = len(dims)
    places = combinations(range(number), 2) if pairs else ((m, m) for m in range(number))
    found = []
    for a, b in places:
        noise = math.sqrt(leading[a].shape[1]) + math.sqrt(leading[b].shape[1])
        moments = torch.einsum("nk,ni,nj->kij", left, leading[a], leading[b])
        for u, values, vh in zip(*torch.linalg.svd(moments, full_matrices=False), strict=True):
            for i in range(min(PRODUCTS[-1], len(values))):
                first, second = torch.zeros(2, len(x[0]), dtype=x.dtype)
                first.split(dims)[a].copy_(axes[a] @ u[:, i])
                second.split(dims)[b].copy_(axes[b] @ vh[i])
                found.append((values[i].item() / noise, first, second))
    found = sorted(found, key=lambda f: -f[0])[: PRODUCTS[-1]]
    return torch.stack([f[1] for f in found], dim=1), torch.stack([f[2] for f in found], dim=1)


def _fitted(made: Tensor, offset: Tensor, target: Tensor) -> Tensor:
    """Coefficients (r, K) of logistic regression with an offset (steps of Boehning's bound)."""
    ridge = torch.eye(made.shape[1], dtype=made.dtype)
    says = torch.zeros(made.shape[1], target.shape[1], dtype=made.dtype)
    for _ in range(ROUNDS):
        left = target - (offset + made @ says).softmax(1)
        says = says + 2 * torch.linalg.solve(made.T @ made + 2 * ridge, made.T @ left - says)
    return says


def _nll(logits: Tensor, y: Tensor) -> float:
    return cross_entropy(logits, y).item()


def _axes(x: Tensor) -> Tensor:
    """(d, c): the leading principal axes of standardised x, all of them where there are few."""
    if x.shape[1] <= WIDEST:
        return torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.eigh(x.T @ x)[1][:, -WIDEST:]
