"""QMF, quality-aware multimodal fusion: weigh modalities sample by sample by their confidence.

    w_m = 1/10 log sum_k exp l_m[k]            the confidence, minus the energy of m's logits
    f = sum_m w_m l_m
    L = CE(f, y) + sum_m (CE(l_m, y) + lambda R_m)
    R_m = mean over pairs i, j of relu(sign(k_i - k_j) (w_i - w_j) - |k_i - k_j|)

Each modality has an encoder and a head of its own, with logits l_m. k_i is the sum of m's losses on
training sample i over all epochs so far, scaled to [0, 1] over the training split; a pair is a
sample and the next one of its batch. R_m lowers the confidence in samples that are hard to learn:
it is above 0 where the sample with the larger loss is the more confident one, by more than
|k_i - k_j|.

The text of the paper was not available to us. The equations are those of github.com/QingyangZhang/
QMF: f and w of RGBD-scene-recognition/models/QMF.py (commit d7f31dd), L of its train_QMF_nyud2.py
(commit 276b2d7), with lambda 0.1, and R of utils/crl_utils.py (commit e608059) and rank_loss in
text-image-classification/train_qmf.py (commit 91206ec), where k has the losses of this batch in it.

Source: Zhang et al., ICML 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.methods.base import Make, Method, Setting, Teachers
from umt_lib.models import Output


class ConfidenceWeighted(nn.Module):
    """Uni-modal models whose logits are weighted by their confidence; ``unimodal`` are l_m."""

    def __init__(self, members: Teachers):
        super().__init__()
        self.members = nn.ModuleDict(members)

    def forward(self, x: dict[str, Tensor]) -> Output:
        outs = {m: member(x) for m, member in self.members.items()}
        logits = {m: out.fused for m, out in outs.items()}
        weighted = [confidence(x)[:, None] * x for x in logits.values()]
        return Output(
            {m: out.features[m] for m, out in outs.items()},
            torch.stack(weighted).sum(0),
            logits,
            {},
        )


def confidence(logits: Tensor) -> Tensor:
    """Confidence w (B,) of logits (B, K)."""
    return logits.logsumexp(1) / 10


@dataclass
class QMF(Method):
    """Joint training of uni-modal models and their confidence-weighted sum.

    ``weight`` is lambda.
    """

    title = "QMF"
    family = "ensemble"
    year = 2023
    baseline = False

    weight: NonNegativeFloat = 0.1

    def build(self, make: Make, teachers: Teachers) -> ConfidenceWeighted:
        return ConfidenceWeighted({m: make(modalities=(m,)) for m in make().encoders})

    def start(self, model: ConfidenceWeighted, setting: Setting) -> None:
        y = setting.train.y
        self.hard = {m: torch.zeros(len(y), device=y.device) for m in model.members}  # k, unscaled

    def state(self) -> dict[str, Tensor]:
        return self.hard

    def restore(self, state: dict[str, Tensor]) -> None:
        for m, hard in self.hard.items():
            hard.copy_(state[m])

    def loss(self, out: Output, batch: Batch) -> Tensor:
        loss = super().loss(out, batch)
        for m, logits in out.unimodal.items():
            losses = cross_entropy(logits, batch.y, reduction="none")
            self.hard[m][batch.index] += losses.detach()
            low, high = self.hard[m].aminmax()
            least = torch.finfo(high.dtype).tiny  # all are equal: no division by 0
            scaled = (self.hard[m][batch.index] - low) / (high - low).clamp_min(least)
            loss = loss + losses.mean() + self.weight * disorder(confidence(logits), scaled)
        return loss


def disorder(confident: Tensor, hard: Tensor) -> Tensor:
    """R, by how much harder samples are more confident, for w (B,) and k (B,) of a batch."""
    apart = hard - hard.roll(-1)
    wrong = apart.sign() * (confident - confident.roll(-1))
    return (wrong - apart.abs()).relu().mean()
