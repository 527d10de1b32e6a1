"""UMT, Uni-Modal Teacher: joint training plus distillation of features of uni-modal teachers.

    L = CE(H(z_1, ..., z_M), y) + lambda sum_m MSE(z_m, sg t_m(x_m))

t_m is the encoder of the uni-modal run of the same seed: frozen, in evaluation mode, with the same
augmented view as input that the student has. MSE is the mean over batch and feature dimension, so
lambda does not change its meaning with the width. The student starts from its own initialisation.

Deviation: lambda is chosen on validation (the paper's value is not known to us); where the input is
not augmented the teacher's features are computed once, which changes no number.

Source: Du et al., ICML 2023, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from umt_lib.data.splits import Batch
from umt_lib.losses import feature_distillation
from umt_lib.methods.base import Method, Setting
from umt_lib.models import LateFusion, Output
from umt_lib.models.inference import outputs


@dataclass
class UMT(Method):
    """Joint training with feature distillation.

    ``weight`` is lambda; 0 is joint training, bit for bit.
    """

    title = "UMT"
    family = "distillation"
    year = 2023
    baseline = True

    weight: NonNegativeFloat = 1.0
    needs_teachers: ClassVar[bool] = True

    def start(self, model: LateFusion, setting: Setting) -> None:
        self.teachers = setting.teachers
        self.cache = None
        if not setting.augmented:
            seen = {m: outputs(t, setting.train) for m, t in self.teachers.items()}
            self.cache = {m: out.features[m] for m, out in seen.items()}

    def targets(self, batch: Batch) -> dict[str, Tensor]:
        """Features sg t_m(x_m) of the teachers, {m: (B, d_m)}."""
        if self.cache is not None:
            return {m: z.index_select(0, batch.index) for m, z in self.cache.items()}
        with torch.no_grad():
            return {m: t(batch.x).features[m] for m, t in self.teachers.items()}

    def loss(self, out: Output, batch: Batch) -> Tensor:
        loss, targets = super().loss(out, batch), self.targets(batch)
        for m, z in out.features.items():  # torch.add: one operation less per step
            loss = torch.add(loss, feature_distillation(z, targets[m]), alpha=self.weight)
        return loss
