"""MMLoRA: adapt frozen uni-modal encoders to each other by low-rank updates.

    W <- W + B A of every layer W of the encoders t_m,   A (r, inputs), B (outputs, r), B = 0 first
    L = CE(H(z_1, ..., z_M), y), only A, B and H learn

It lies between frozen encoders (no adaptation) and joint training from uni-modal initialisation
(any adaptation): one of rank r cannot undo all that an encoder has learned in uni-modal training. A
convolution is the matrix of its output channels by everything else. Batch statistics and biases
stay frozen.

Deviation: every linear layer and convolution is adapted, without a scale before B A; the paper
adapts attention layers of large pre-trained transformers.

Source: Du et al., 2023 (arXiv:2310.05193); low-rank adaptation: Hu et al., ICLR 2022.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from umt_lib.methods.base import Make, Teachers
from umt_lib.methods.frozen import Frozen
from umt_lib.models import LateFusion


class LowRank(nn.Module):
    """Low-rank update of a weight, W -> W + B A; at first W itself."""

    def __init__(self, weight: Tensor, rank: int):
        super().__init__()
        self.a = nn.Parameter(torch.empty(rank, weight[0].numel()))
        self.b = nn.Parameter(torch.zeros(len(weight), rank))
        nn.init.kaiming_uniform_(self.a, math.sqrt(5))  # as in a linear layer

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.b @ self.a).view_as(weight)


@dataclass
class MMLoRA(Frozen):
    """Frozen encoders with low-rank updates.

    ``rank`` is r; before the first step it is ``frozen``.
    """

    title = "MMLoRA"
    family = "uni-modal initialisation"
    year = 2023
    baseline = False

    rank: PositiveInt = 4

    def build(self, make: Make, teachers: Teachers) -> LateFusion:
        model = super().build(make, teachers)
        for layer in list(model.encoders.modules()):
            weight = getattr(layer, "weight", None)
            if weight is not None and weight.ndim > 1:  # batch norms have vectors
                register_parametrization(layer, "weight", LowRank(weight, self.rank))
        return model
