"""Fusion heads: map the features of all modalities, {m: (B, d_m)}, to logits (B, K)."""

from __future__ import annotations

from functools import reduce
from operator import add

import torch
from torch import Tensor, nn


class LinearHead(nn.Module):
    """Linear layer on the concatenated features, stored as one block W_m per modality.

    It is the only additive head, hence the only one with logits per modality. It cannot represent
    an interaction between modalities: a change of z_2 adds the same to the logits for every z_1.
    """

    def __init__(self, dims: dict[str, int], classes: int):
        super().__init__()
        whole = nn.Linear(sum(dims.values()), classes)  # initialised as one layer
        blocks = whole.weight.detach().split(list(dims.values()), dim=1)
        self.weights = nn.ParameterDict(
            {m: block.clone() for m, block in zip(dims, blocks, strict=True)}
        )
        self.bias = nn.Parameter(whole.bias.detach().clone())

    def forward(self, features: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """{m: (B, d_m)} -> logits sum_m W_m z_m + b, (B, K), and their :meth:`unimodal_logits`."""
        terms = {m: nn.functional.linear(features[m], w) for m, w in self.weights.items()}
        share = self.bias / len(terms)
        return reduce(add, terms.values()) + self.bias, {m: t + share for m, t in terms.items()}

    def unimodal_logits(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Logits l_m = W_m z_m + b/M, {m: (B, K)}, whose sum is the fused prediction."""
        return self(features)[1]


class MLPHead(nn.Module):
    """Network with one hidden layer on the concatenated features; it can represent interactions."""

    def __init__(self, dims: dict[str, int], classes: int, hidden: int = 128):
        super().__init__()
        self.modalities = tuple(dims)
        self.layers = nn.Sequential(
            nn.Linear(sum(dims.values()), hidden), nn.ReLU(), nn.Linear(hidden, classes)
        )

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """{m: (B, d_m)} -> logits (B, K)."""
        return self.layers(torch.cat([features[m] for m in self.modalities], dim=1))


class AttentionHead(nn.Module):
    """Self-attention block over M feature tokens and a CLS token, which is classified."""

    def __init__(self, dims: dict[str, int], classes: int, width: int = 64, heads: int = 4):
        super().__init__()
        self.tokens = nn.ModuleDict({m: nn.Linear(d, width) for m, d in dims.items()})
        self.cls = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.block = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.classify = nn.Linear(width, classes)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """{m: (B, d_m)} -> logits (B, K)."""
        tokens = torch.stack([to(features[m]) for m, to in self.tokens.items()], dim=1)
        cls = self.cls.expand(len(tokens), -1, -1)
        return self.classify(self.block(torch.cat([cls, tokens], dim=1))[:, 0])
