"""AGM, adaptive gradient modulation: scale the gradient through each modality's contribution.

    phi_m = Shapley value of m for the logits f(S), the others' inputs replaced by zeros, f({}) = 0
            (M = 2:  phi_1 = 1/2 (f(x_1, x_2) - f(0, x_2) + f(x_1, 0)));  sum_m phi_m = f(x)
    s_m = CE(phi_m, y),   S_m = mean of s_m over all batches so far
    r_m = exp(mean of the others' s - s_m),   R_m = exp(mean of the others' S - S_m)
    kappa_m = exp(alpha min(R_m - r_m, 10)) multiplies dL/dphi_m,   L = CE(f(x), y)

A modality whose lead over the others is larger than its average lead so far has r > R and is slowed
down, one whose lead is smaller is sped up: AGM balances the rate of learning, not the accuracy. Any
head can be used. The head is run 2^M - 1 more times on the batch, and the encoders and the head on
one sample of zeros, because the features of zeros are the same for all samples.

As in the authors' code (model/CREMAD_net.py, commit b8b3a43; run/CREMAD_main.py, commit 77670a4; of
github.com/lihong2303/AGM), zeros are processed in evaluation mode, so that batch statistics stay
those of data, and probabilities below 1e-8 count as 1e-8 in s, which keeps exp finite. Deviations:
there the kept modality is in evaluation mode too in these passes, modulation stops after epoch 20,
and the gradient is clipped. The running mean includes the current batch, so kappa is 1 for the
first batch.

Source: Li et al., ICCV 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from umt_lib.data.splits import Batch
from umt_lib.methods.common import RunningMean
from umt_lib.models import LateFusion, Output


@dataclass
class AGM(RunningMean):
    """Joint training with modulated gradients.

    ``alpha`` 0 is joint training, bit for bit.
    """

    title = "AGM"
    family = "gradient modulation"
    year = 2023
    baseline = False

    alpha: NonNegativeFloat = 1.0

    def backward(self, model: LateFusion, out: Output, batch: Batch) -> Tensor:
        phi = contributions(model, out.features, blanks(model, batch.x))
        change = self.kappa(phi.detach(), batch.y) - 1
        zero = torch.einsum("m,mbk->bk", change, phi - phi.detach())  # it has a gradient
        return super().backward(model, out._replace(fused=out.fused + zero), batch)

    def kappa(self, phi: Tensor, y: Tensor) -> Tensor:
        """Return kappa (M,) for contributions (M, B, K) of a batch, and include it in S."""
        right = phi.softmax(2)[:, torch.arange(len(y), device=y.device), y]  # (M, B)
        s = -right.clamp_min(1e-8).log().mean(1)
        self.update_mean(s)
        return torch.exp(self.alpha * (ahead(self.mean) - ahead(s)).clamp_max(10))


def ahead(s: Tensor) -> Tensor:
    """Lead of each modality, exp(mean of the others' s - s_m), (M,): above 1 for a lower s_m."""
    others = (s.sum() - s) / (len(s) - 1)
    return torch.exp(others - s)


def contributions(
    model: LateFusion, features: dict[str, Tensor], blank: dict[str, Tensor]
) -> Tensor:
    """Shapley values phi (M, B, K); features of absent modalities are replaced by ``blank``."""
    M = len(features)
    subsets = [frozenset(s) for n in range(1, M + 1) for s in combinations(features, n)]
    f = {
        s: model.fuse({m: z if m in s else blank[m].expand_as(z) for m, z in features.items()})
        for s in subsets
    }
    phi: list[Any] = []
    for m in features:
        value = 0
        for s in subsets:
            if m in s:
                gain = f[s].fused - f[s - {m}].fused if len(s) > 1 else f[s].fused
                value = value + gain / (M * comb(M - 1, len(s) - 1))
        phi.append(value)
    return torch.stack(phi)


def blanks(model: LateFusion, x: dict[str, Tensor]) -> dict[str, Tensor]:
    """Features of an input of zeros, {m: (1, d_m)}, from encoders in evaluation mode."""
    was_training = model.training
    model.eval()
    z = model({m: torch.zeros_like(v[:1]) for m, v in x.items()}).features
    model.train(was_training)
    return {m: v.mean(0, keepdim=True) for m, v in z.items()}  # one row of every process
