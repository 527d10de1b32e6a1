"""ARL, asymmetric representation learning: the more certain modality learns faster.

    H_m = mean entropy of softmax(l_m) in a batch,   h_m = max(0.6/M, H_m / sum_j H_j)
    a_m = (1/h_m) / sum_j 1/h_j                      the larger, the less m's predictions vary
    d_m = |l_m| / sum_j |l_j|,                       |l_m| the mean absolute logit in the batch
    c_m = softmax over m of T a_m (1 - d_m);         encoder m:  g <- (1 + c_m) g
    L = CE(sum_m l_m, y) + gamma sum_m CE(l_m, y)

The source argues that modalities should not be balanced: a fused prediction has the least variance
where it depends on each modality in inverse proportion to its variance. So a modality whose
predictions vary little (a) is sped up as long as the fused logits depend little on it (d). In the
first ``warmup`` share of the epochs nothing is sped up and gamma is 1. The logits l_m are parts of
the fused ones, so there are no own heads.

Only the abstract of the paper was available to us. The equations are those of
github.com/shicaiwei123/ICCV2025-ARL: main_arl_variance.py (commit 51a9de3) and GradScale in
models/backbone.py (commit 0e851af), which are for two modalities, for which 1 - d_m is the other's
d. Deviations: c_m is that of this batch, not of the batch before; no gradient is clipped; 0.6/M and
1 - d_m for more than two modalities are ours.

Source: Wei et al., ICCV 2025.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.losses import entropy
from umt_lib.methods.base import Method, Setting
from umt_lib.models import LateFusion, Output


@dataclass
class ARL(Method):
    """Joint training with uni-modal cross-entropies and encoders of unequal speed.

    ``temperature`` is T. With a ``warmup`` of 1 and no ``gamma`` it is joint training, bit for bit.
    """

    title = "ARL"
    family = "gradient modulation"
    year = 2025
    baseline = False

    temperature: NonNegativeFloat = 8.0
    gamma: NonNegativeFloat = 4.0
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.06
    needs_unimodal_logits: ClassVar[bool] = True

    def start(self, model: LateFusion, setting: Setting) -> None:
        self.acts = self.warmup == 0

    def on_epoch(self, model: LateFusion, epoch: int, epochs: int) -> int:
        self.acts = epoch >= self.warmup * epochs
        return 0

    def loss(self, out: Output, batch: Batch) -> Tensor:
        weight = self.gamma if self.acts else min(self.gamma, 1.0)
        own = sum(cross_entropy(logits, batch.y) for logits in out.unimodal.values())
        return super().loss(out, batch) + weight * own

    def backward(self, model: LateFusion, out: Output, batch: Batch) -> Tensor:
        loss = super().backward(model, out, batch)
        if self.acts:
            logits = torch.stack(tuple(out.unimodal.values())).detach()
            factors = 1 + coefficients(logits, self.temperature)
            for encoder, factor in zip(model.encoders.values(), factors, strict=True):
                for p in encoder.parameters():
                    p.grad *= factor
        return loss


def coefficients(logits: Tensor, temperature: float) -> Tensor:
    """Return c (M,), which sum to 1, for the logits (M, B, K) of a batch."""
    unsure = shares(entropy(logits.log_softmax(2), (2,)).mean(1))
    sure = shares(1 / unsure.clamp_min(0.6 / len(logits)))
    size = shares(logits.abs().mean((1, 2)))
    return (temperature * sure * (1 - size)).softmax(0)


def shares(values: Tensor) -> Tensor:
    """Values (M,) divided by their sum; 0 where all are 0."""
    return values / values.sum().clamp_min(torch.finfo(values.dtype).tiny)
