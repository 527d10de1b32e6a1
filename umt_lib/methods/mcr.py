"""MCR, multimodal competition regularizer: reward each modality for its influence.

    L = CE(H(z), y) + sum_m CE(h_m(z_m), y) + lambda sum_m U_m + mu C
    U_m = -JSD(softmax H(z), softmax H(z with z_m of another sample)), mean over samples and draws
    C = mean over pairs m, j of SupCon(z_m, z_j), the supervised contrastive loss

U_m is lower the more the prediction depends on z_m: a bound of what m alone knows of the label. The
gradient that encoder m gets is grad U_m + k sum_j grad U_j: with k = 0 each raises its own
influence, with k = 1 that of all, with k = -1 it also lowers that of the others. The head gets the
gradient of all U_m.

Deviations: a third term of the paper, which removes what modalities share besides the label, is
left out. Encoders start from random weights, as those of every method here; the settings in
configs/CREMA_D/release/res/MCR.json of github.com/kkontras/MCR (commit 338d370) start from
uni-modal ones.

Source: Kontras et al., NeurIPS 2025.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import normalize

from umt_lib.data.splits import Batch
from umt_lib.losses import jensen_shannon, supervised_contrastive
from umt_lib.methods.base import Make, Teachers
from umt_lib.methods.common import one_width
from umt_lib.methods.joint_auxiliary import JointAuxiliary
from umt_lib.models import LateFusion, Output


@dataclass
class MCR(JointAuxiliary):
    """Joint training with uni-modal cross-entropies, influence and contrast.

    ``compete`` is lambda, ``contrast`` mu; with both 0 it is joint training + uni-modal CE.
    """

    title = "MCR"
    family = "auxiliary losses"
    year = 2025
    baseline = False

    compete: NonNegativeFloat = 0.1
    contrast: NonNegativeFloat = 1.0
    k: Literal[-1, 0, 1] = -1
    draws: PositiveInt = 4
    temperature: PositiveFloat = 0.1

    def build(self, make: Make, teachers: Teachers) -> LateFusion:
        model = super().build(make, teachers)
        one_width(model, "mcr", "compares features of modalities")
        return model

    def backward(self, model: LateFusion, out: Output, batch: Batch) -> Tensor:
        loss = self.loss(out, batch)
        for m in out.features:
            loss = loss + self.compete * self.influence(model, out.features, m)
        pairs = list(combinations([normalize(z) for z in out.features.values()], 2))
        apart = sum(supervised_contrastive(u, v, batch.y, self.temperature) for u, v in pairs)
        loss = loss + self.contrast * apart / len(pairs)
        loss.backward()
        return loss

    def influence(self, model: LateFusion, features: dict[str, Tensor], m: str) -> Tensor:
        """Return U_m, at most 0; encoders other than m's get k times its gradient."""
        seen = {
            j: z if j == m else self.k * z + (1 - self.k) * z.detach() for j, z in features.items()
        }
        fused = model.fuse(seen).fused
        total: Any = 0
        for _ in range(self.draws):
            other = torch.randperm(len(fused), device=fused.device)
            total = total - jensen_shannon(fused, model.fuse({**seen, m: seen[m][other]}).fused)
        return total / self.draws
