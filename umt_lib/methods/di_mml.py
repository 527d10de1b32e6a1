"""DI-MML, detached and interactive: uni-modal training with a shared head, alignment and a vote.

    L = sum_m CE(h_m(z_m), y) + omega sum_m CE(h(z_m), y) + mu sum_m sum_j DUC(m <- j)
        + CE(H(sg z_1, ..., sg z_M), y)
    DUC(m <- j) = mean_i -log softmax_k(z_m,i . sg z_j,k / tau over the dimensions of D)[k = i]
    D: dimensions that are effective in j and not in m
    test: sum_v w_v l_v over h_1(z_1), ..., h_M(z_M) and H(z),  w = softmax_v(max softmax(l_v))

No encoder gets a gradient of the fused loss, so none can rely on another. They share the head h,
which gives features one meaning, and m learns the dimensions that are of no use in m from j. A
dimension is effective if the nearest class mean in this dimension alone classifies more training
samples correctly than in the average dimension of its encoder. This is computed once, after
``warmup`` of the epochs.

Deviation: github.com/fanyunfeng-bit/DI-MML (commit 83b9b7a) trains H afterwards, on finished
encoders (main_CFT_stage2.py); here it is trained at the same time on features without gradient,
within the same epochs as every other method. The method's page compares the constants.

Source: Fan et al., ACM Multimedia 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.losses import info_nce
from umt_lib.methods.base import Make, Method, Model, Setting, Teachers
from umt_lib.methods.common import one_width
from umt_lib.models import LateFusion, Output
from umt_lib.models.inference import outputs


@dataclass
class DIMML(Method):
    """Uni-modal training with interaction.

    ``align`` is omega, ``contrast`` mu; with both 0 the encoders' training is uni-modal.
    """

    title = "DI-MML"
    family = "auxiliary losses"
    year = 2024
    baseline = False

    align: NonNegativeFloat = 1.0
    contrast: NonNegativeFloat = 1.0
    temperature: PositiveFloat = 1.0
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.13
    auxiliary: ClassVar[bool] = True

    def build(self, make: Make, teachers: Teachers) -> LateFusion:
        model = make(auxiliary=True)
        dim = one_width(model, "di-mml", "has a head that all modalities share")
        classes = next(iter(model.auxiliary.values())).out_features
        model.shared = nn.Linear(dim, classes)
        return model

    def start(self, model: Model, setting: Setting) -> None:
        self.train = setting.train
        dim, device = model.shared.in_features, setting.train.y.device
        self.effective = {m: torch.zeros(dim, device=device) for m in model.encoders}

    def state(self) -> dict[str, Tensor]:
        return self.effective

    def restore(self, state: dict[str, Tensor]) -> None:
        for m, known in self.effective.items():
            known.copy_(state[m])

    def on_epoch(self, model: LateFusion, epoch: int, epochs: int) -> int:
        if epoch != round(self.warmup * epochs):
            return 0
        features = outputs(model, self.train).features
        self.effective = {m: effective(z, self.train.y).float() for m, z in features.items()}
        return len(self.train)

    def backward(self, model: Model, out: Output, batch: Batch) -> Tensor:
        y, loss = (
            batch.y,
            self.loss(model.fuse({m: z.detach() for m, z in out.features.items()}), batch),
        )
        for m, z in out.features.items():
            loss = loss + cross_entropy(out.auxiliary[m], y)
            loss = loss + self.align * cross_entropy(model.shared(z), y)
            for j, other in out.features.items():
                if j != m:
                    chosen = self.effective[j] * (1 - self.effective[m])  # D; at first empty
                    duc = info_nce(z * chosen, other.detach(), self.temperature)
                    loss = loss + self.contrast * duc
        loss.backward()
        return loss

    def predict(self, out: Output) -> Tensor:
        votes = torch.stack([*out.auxiliary.values(), out.fused])  # (M + 1, B, K)
        certainty = votes.softmax(2).amax(2, keepdim=True)
        return (certainty.softmax(0) * votes).sum(0)


def effective(z: Tensor, y: Tensor) -> Tensor:
    """Which dimensions (d,) of z (n, d) classify better by themselves than the average one."""
    labels = y.unique()
    means = torch.stack([z[y == k].mean(0) for k in labels])  # (K, d)
    right = torch.stack(
        [
            labels[(x[:, None] - mean).abs().argmin(1)] == y
            for x, mean in zip(z.T, means.T, strict=True)
        ]
    )
    accuracy = right.float().mean(1)
    return accuracy > accuracy.mean()
