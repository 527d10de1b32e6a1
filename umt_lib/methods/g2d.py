"""G2D, gradient-guided distillation: UMT with distilled predictions, weak modalities first.

    L = CE(f, y) + lambda sum_m MSE(z_m, sg t_m(x_m)) + beta sum_m KL(p_m || softmax f),  f = H(z)
    rho_m = mean_i p_m[y_i] of a batch,   p_m the prediction of the uni-modal teacher of m

For the first ``lead`` share of the epochs only one encoder gets gradients: that of the modality
whose teacher has the least rho_m on the batch (then, with more than two modalities, the next to
least, and so on, each for an equal part). Afterwards all learn. The head always learns.

With beta = 0 and no lead it is UMT. The ranking is that of each batch, and encoders are held by
gradients of 0, which momentum and weight decay still move: both as in utils/utils.py of
github.com/rAIson-Lab/G2D (commit 8a60cf3). Deviation: there only convolutions are held, here all of
an encoder.

Source: Rakib and Bagavathi, ICCV 2025.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor
from torch.nn.functional import kl_div

from umt_lib.data.splits import Batch
from umt_lib.methods.base import Setting
from umt_lib.methods.umt import UMT
from umt_lib.models import LateFusion, Output


@dataclass
class G2D(UMT):
    """UMT with distilled predictions and a lead for weak modalities.

    ``weight`` is lambda, ``predictions`` beta; all three at 0 is joint training, bit for bit.
    """

    title = "G2D"
    family = "distillation"
    year = 2025
    baseline = False

    predictions: NonNegativeFloat = 1.0
    lead: Annotated[float, Field(ge=0, le=1)] = 0.5

    def start(self, model: LateFusion, setting: Setting) -> None:
        super().start(model, setting)
        self.turn: int | None = None
        self.cached_batch: Batch | None = None

    def on_epoch(self, model: LateFusion, epoch: int, epochs: int) -> int:
        turns = len(model.encoders) - 1
        done = epoch / epochs
        # which of weakest_first is trained; None: all
        self.turn = int(done / self.lead * turns) if done < self.lead else None
        return 0

    def loss(self, out: Output, batch: Batch) -> Tensor:
        log = out.fused.log_softmax(1)
        taught = self.teacher_predictions(batch).values()
        divergence = sum(kl_div(log, p, reduction="batchmean") for p in taught)
        return super().loss(out, batch) + self.predictions * divergence

    def backward(self, model: LateFusion, out: Output, batch: Batch) -> Tensor:
        loss = super().backward(model, out, batch)
        if self.turn is not None:
            leader = self.weakest_first(batch)[self.turn]
            for m, encoder in model.encoders.items():
                for p in encoder.parameters():
                    p.grad *= m == leader
        return loss

    def targets(self, batch: Batch) -> dict[str, Tensor]:
        if self.cached_batch is not batch:  # augmented inputs cost a forward pass of the teachers
            self.cached_batch, self.cached_targets = batch, super().targets(batch)
        return self.cached_targets

    def teacher_predictions(self, batch: Batch) -> dict[str, Tensor]:
        """Probabilities p_m of the teachers, {m: (B, K)}."""
        targets = self.targets(batch)
        with torch.no_grad():
            return {m: t.fuse({m: targets[m]}).fused.softmax(1) for m, t in self.teachers.items()}

    def weakest_first(self, batch: Batch) -> list[str]:
        """Modalities in order of increasing rho_m."""
        taught = self.teacher_predictions(batch)
        rho = {m: p.gather(1, batch.y[:, None]).mean() for m, p in taught.items()}
        return sorted(rho, key=rho.__getitem__)
