"""The network of the correction in :mod:`umt_lib.evaluation.residual`, for many models in parallel.

It adds to the offset a linear part, the output of hidden units with one modality as input, and that
of further hidden units whose input is all modalities in the correction with interactions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

HIDDEN = 32
Params = dict[str, Tensor]  # each with the model axis G in front


def start(
    dims: list[int], classes: int, kinds: Sequence[bool], stream: torch.Generator
) -> tuple[Params, Tensor]:
    """Initial parameters, the same for all models, and the mask (G, D, units) of the inputs.

    At first the network adds 0. The first HIDDEN units of each modality are its ``g``; the last
    HIDDEN units are ``h``. In the additive correction each of these has one modality as input. So
    both kinds have the same size and weight decay and differ only in the mask.

    Args:
        dims: number of features of each modality, D in total.
        kinds: for each of the G models, whether it may use interactions.

    >>> params, mask = start([2, 3], 4, (False, True), torch.Generator().manual_seed(0))
    >>> mask.shape
    torch.Size([2, 5, 96])
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


def forward(params: Params, mask: Tensor, x: Tensor) -> Tensor:
    """What the network adds to the offset: (G, B, D) -> (G, B, K).

    >>> params, mask = start([2, 3], 4, (False, True), torch.Generator().manual_seed(0))
    >>> forward(params, mask, torch.ones(2, 7, 5)).shape
    torch.Size([2, 7, 4])
    """
    hidden = torch.baddbmm(params["bias"], x, params["weight"] * mask).relu()
    out = torch.baddbmm(params["constant"], x, params["linear"])
    return torch.baddbmm(out, hidden, params["last"])


def losses(params: Params, mask: Tensor, x: Tensor, y: Tensor, offset: Tensor) -> Tensor:
    """Cross-entropy (G, B) of every sample under the corrected log-probabilities."""
    logits = offset + forward(params, mask, x)
    return cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view_as(y)
