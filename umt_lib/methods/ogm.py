"""OGM, on-the-fly gradient modulation: slow down the encoder of the modality that is ahead.

    s_m = mean_i softmax(l_m)[y],   rho_m = s_m / mean of the others' s
    k_m = 1 - tanh(alpha rho_m) where rho_m > 1, else 1;   encoder m:  g <- k_m g

k jumps at rho = 1: the argument is rho, not rho - 1, so a modality that is hardly ahead is already
slowed down. Only kernels of convolutions are scaled, as in main.py of
github.com/GeWu-Lab/OGM-GE_CVPR2022 (commit 0f64793); in encoders without convolutions every weight
matrix is. Under Adam a constant k cancels; the optimiser here is SGD.

Deviations: rho for more than two modalities (for two it is the paper's); modulation does not end
before the schedule does.

Source: Peng et al., CVPR 2022; alpha is 0.8 on CREMA-D and 0.1 on VGGSound there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import NonNegativeFloat, NonNegativeInt
from torch import Tensor, nn

from umt_lib.data.splits import Batch
from umt_lib.methods.base import Method, Setting
from umt_lib.methods.common import ratios
from umt_lib.models import LateFusion, Output


@dataclass
class OGM(Method):
    """Joint training with scaled encoder gradients.

    ``alpha`` 0 is joint training, bit for bit.
    """

    title = "OGM"
    family = "gradient modulation"
    year = 2022
    baseline = False

    alpha: NonNegativeFloat = 0.8
    first: NonNegativeInt = 0  # first epoch, from 0, with modulation
    last: NonNegativeInt | None = None  # last epoch with modulation; None: that of the schedule
    needs_unimodal_logits: ClassVar[bool] = True

    def start(self, model: LateFusion, setting: Setting) -> None:
        self.acts = self.first == 0

    def on_epoch(self, model: LateFusion, epoch: int, epochs: int) -> int:
        self.acts = self.first <= epoch <= (epochs if self.last is None else self.last)
        return 0

    def backward(self, model: LateFusion, out: Output, batch: Batch) -> Tensor:
        loss = super().backward(model, out, batch)
        if self.acts:
            for m, rho in ratios(out.unimodal, batch.y).items():
                k = torch.where(rho > 1, 1 - torch.tanh(self.alpha * rho), 1.0)
                for p in modulated(model.encoders[m]):
                    assert p.grad is not None
                    self.modulate(p.grad, k)
        return loss

    def modulate(self, gradient: Tensor, k: Tensor) -> None:
        """Scale one gradient of an encoder in place by the scalar ``k``."""
        gradient *= k


def modulated(encoder: nn.Module) -> list[nn.Parameter]:
    """Kernels of an encoder's convolutions or, where there are none, its weight matrices."""
    matrices = [p for p in encoder.parameters() if p.ndim >= 2]
    return [p for p in matrices if p.ndim > 2] or matrices
