"""MLB, multi-loss balanced: own heads decide how much each encoder is sped up or slowed.

    L = CE(H(z_1, ..., z_M), y) + w sum_m CE(H_m z_m, y)
    s_m = mean_i softmax(H_m z_m)[y],   r_m = mean of the others' s / s_m
    k_m = 1 + tanh(alpha (r_m - 1));   encoder m:  g <- k_m g,  g the gradient of all of L

The ratio is the inverse of OGM's: a modality that is ahead has r < 1 and is slowed down (k between
0 and 1), one that is behind has r > 1 and is sped up (k between 1 and 2). When all are equally good
k is 1, so that the balancing ends by itself. s is that of the own heads, so any fusion head can be
used. Heads keep their plain gradient.

Deviations from Bias_Infusion.py of github.com/kkontras/MLB (commit 68ad48d): it also scales each
modality's own head and its block of a linear fusion head, and its ``tanh_mode`` has options with
which the speed-up grows beyond 2; k is that of the paper only.

Source: Kontras et al., BMVC 2024.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from umt_lib.data.splits import Batch
from umt_lib.methods.common import ratios
from umt_lib.methods.joint_auxiliary import JointAuxiliary
from umt_lib.models import LateFusion, Output


@dataclass
class MLB(JointAuxiliary):
    """Joint training with uni-modal cross-entropies and scaled gradients.

    ``alpha`` 0 is joint-auxiliary, bit for bit; ``weight`` is w.
    """

    title = "MLB"
    family = "gradient modulation"
    year = 2024
    baseline = False

    alpha: NonNegativeFloat = 1.0

    def backward(self, model: LateFusion, out: Output, batch: Batch) -> Tensor:
        loss = super().backward(model, out, batch)
        for m, ahead in ratios(out.auxiliary, batch.y).items():
            k = 1 + torch.tanh(self.alpha * (1 / ahead - 1))
            for p in model.encoders[m].parameters():
                p.grad *= k
        return loss
