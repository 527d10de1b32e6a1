"""LFM: align the features of the modalities first, then gradually fit the labels.

    L = a_t A + (1 - a_t) CE(H(z_1, ..., z_M), y),   a_t = min(most, max(least, exp(-rate t)))
    A = mean over pairs m, j of 1/2 (NCE(z_m, z_j) + NCE(z_j, z_m))
    NCE(u, v) = mean_i -log softmax_k(cos(u_i, v_k) / tau)[k = i]

Modalities fall behind because labels are easier to fit for one than for the other; a contrastive
loss, which has no labels, trains both at one pace. t is the epoch, from 0.

This is the heuristic strategy; the paper also learns a_t by second-order gradients on held-out
data, which is not done here. Deviation: several modalities are compared in pairs.

Source: Yang et al., NeurIPS 2024.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor
from torch.nn.functional import normalize

from umt_lib.data.splits import Batch
from umt_lib.losses import info_nce
from umt_lib.methods.base import Make, Method, Setting, Teachers
from umt_lib.methods.common import one_width
from umt_lib.models import LateFusion, Output

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass
class LFM(Method):
    """Joint training with a decreasing share of feature alignment.

    ``most`` and ``least`` 0 is joint training, bit for bit.
    """

    title = "LFM"
    family = "auxiliary losses"
    year = 2024
    baseline = False

    rate: NonNegativeFloat = 0.3
    most: Share = 0.95
    least: Share = 0.05
    temperature: PositiveFloat = 0.1

    def build(self, make: Make, teachers: Teachers) -> LateFusion:
        model = super().build(make, teachers)
        one_width(model, "lfm", "compares features of modalities")
        return model

    def start(self, model: LateFusion, setting: Setting) -> None:
        self.share = self.most

    def on_epoch(self, model: LateFusion, epoch: int, epochs: int) -> int:
        self.share = min(self.most, max(self.least, math.exp(-self.rate * epoch)))
        return 0

    def loss(self, out: Output, batch: Batch) -> Tensor:
        pairs = list(combinations([normalize(z) for z in out.features.values()], 2))
        tau = self.temperature
        alignment = sum(info_nce(u, v, tau) + info_nce(v, u, tau) for u, v in pairs)
        alignment = alignment / (2 * len(pairs))
        return self.share * alignment + (1 - self.share) * super().loss(out, batch)
