"""The correction of :mod:`umt_lib.evaluation.residual` as a network, many models side by side.

What is added to the offset: a linear part, hidden units that see one modality each, and units that
with pairs see all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

HIDDEN = 32
Params = dict[str, Tensor]  # every one with the model axis G in front


def start(
    dims: list[int], classes: int, kinds: Sequence[bool], stream: torch.Generator
) -> tuple[Params, Tensor]:
    """Parameters that add nothing yet, the same for all models, and what hidden units see.

    The first HIDDEN units of each modality are its ``g``; the last HIDDEN are ``h``, of which
    without pairs each sees one modality only. So both kinds have the same size and decay, and
    differ in nothing else.
    """
    whole, parts = sum(dims), len(dims)
    column = torch.arange(parts).repeat_interleave(torch.tensor(dims))
    unit = torch.cat([torch.arange(parts).repeat_interleave(HIDDEN), torch.arange(HIDDEN) % parts])
    own = (unit[:, None] == column).float()
    with_pairs = own.clone()
    with_pairs[parts * HIDDEN :] = 1
    inputs = torch.tensor([*dims, whole]).repeat_interleave(HIDDEN)
    bound = inputs.rsqrt()[:, None]
    weight = bound * (2 * torch.rand(len(unit), whole, generator=stream) - 1)
    bias = bound * (2 * torch.rand(len(unit), 1, generator=stream) - 1)
    params = {
        "weight": weight.T,
        "bias": bias.T,
        "last": torch.zeros(len(unit), classes),
        "linear": torch.zeros(whole, classes),
        "constant": torch.zeros(1, classes),
    }
    params = {k: v.repeat(len(kinds), 1, 1).requires_grad_() for k, v in params.items()}
    return params, torch.stack([(with_pairs if pairs else own).T for pairs in kinds])


def forward(params: Params, seen: Tensor, x: Tensor) -> Tensor:
    """(G, B, D) -> (G, B, K), what is added to the offset."""
    hidden = torch.baddbmm(params["bias"], x, params["weight"] * seen).relu()
    out = torch.baddbmm(params["constant"], x, params["linear"])
    return torch.baddbmm(out, hidden, params["last"])


def losses(params: Params, seen: Tensor, x: Tensor, y: Tensor, offset: Tensor) -> Tensor:
    """Cross-entropy of every sample, (G, B)."""
    logits = offset + forward(params, seen, x)
    return cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view_as(y)
