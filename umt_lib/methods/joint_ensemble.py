"""Ensemble of joint models: a budget control of UMT.

    log p = log 1/2 sum_i softmax(H_i(z^i_1, ..., z^i_M)),   each member trained by CE on its own

Two joint models cost as much as UMT where its teachers train for as many epochs as the student.
They also show how much any ensemble gains. Members differ in initialisation only and share no
parameter, so training them in one loop is the same as training them separately.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.methods.base import Make, Method, Teachers
from umt_lib.models import LateFusion, Output


class Members(nn.Module):
    """Several joint models; features are concatenated, probabilities averaged."""

    def __init__(self, members: list[LateFusion]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: dict[str, Tensor]) -> Output:
        outs = [member(x) for member in self.members]
        features = {m: torch.cat([out.features[m] for out in outs], 1) for m in outs[0].features}
        logs = torch.stack([out.fused.log_softmax(1) for out in outs])
        return Output(features, logs.logsumexp(0), {}, {})


@dataclass
class JointEnsemble(Method):
    """An ensemble of ``size`` joint models."""

    title = "two joint models"
    family = "ensemble"
    year = 2026
    baseline = True

    size: PositiveInt = 2

    def build(self, make: Make, teachers: Teachers) -> Members:
        return Members([make() for _ in range(self.size)])

    def step(self, model: Members, optimizer: torch.optim.Optimizer, batch: Batch) -> Tensor:
        optimizer.zero_grad()
        losses = [cross_entropy(member(batch.x).fused, batch.y) for member in model.members]
        torch.stack(losses).sum().backward()
        optimizer.step()
        return torch.stack(losses).mean().detach()
