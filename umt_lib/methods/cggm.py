"""CGGM, classifier-guided gradient modulation: classifiers per modality guide encoder gradients.

    D_m = max(0, accuracy of classifier m on this batch - on the batch before)
    B_m = rho (sum_j D_j - D_m) / sum_j D_j          encoder m gets B_m times its gradient
    L = CE(H(z_1, ..., z_M), y) + lambda/M sum_m B_m (1 - cos(G_m, G_m^H))

G_m = (softmax(l_m) - y)^T z_m is the gradient of CE in the weights of m's linear classifier, G_m^H
that with the fused prediction's error: of a linear head the gradient of W_m. So the last term
changes features until the gradients of each classifier and of the head have the same direction.

Where no modality improved (and for the first batch) all B_m are rho (M - 1)/M, as for equal
improvements: with rho = M/(M - 1) and lambda = 0 that is joint training. Batches differ, so most of
D_m is chance when batches are small.

Deviations: differences are clamped at 0, for B_m may otherwise be negative or explode (the paper
takes |B_m| in the loss). Classifiers do not train the encoders: they learn from features without
gradient and are constants in the last term.

``released`` is what the authors' code does: the classifiers' losses train the encoders as well, and
the last term compares the weights of classifier and head themselves, not gradients.

Source: Guo et al., NeurIPS 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, linear, one_hot

from umt_lib.data.splits import Batch
from umt_lib.errors import StudyError
from umt_lib.methods.base import Method, Setting
from umt_lib.models import LateFusion, Output


@dataclass
class CGGM(Method):
    """Joint training with encoder gradients guided by classifiers.

    ``rho`` scales the encoders' gradients, ``direction`` is lambda.
    """

    title = "CGGM"
    family = "gradient modulation"
    year = 2024
    baseline = False

    rho: PositiveFloat = 2.0
    direction: NonNegativeFloat = 0.1
    released: bool = False
    auxiliary: ClassVar[bool] = True

    def start(self, model: LateFusion, setting: Setting) -> None:
        if self.released and not hasattr(model.head, "unimodal_logits"):
            raise StudyError("method.released of 'cggm' compares linear heads; give head: linear")
        self.before = torch.full((len(model.encoders),), torch.inf, device=setting.train.y.device)

    def state(self) -> dict[str, Tensor]:
        return {"before": self.before}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.before.copy_(state["before"])

    def backward(self, model: LateFusion, out: Output, batch: Batch) -> Tensor:
        y, M = batch.y, len(model.encoders)
        right = [(logits.argmax(1) == y).float().mean() for logits in out.auxiliary.values()]
        now = torch.stack(right)
        balance = balances(now - self.before, self.rho)
        self.before = now
        loss = self.loss(out, batch)
        classifiers = loss.new_zeros(())  # their own loss
        for (m, z), b in zip(out.features.items(), balance, strict=True):
            own = model.auxiliary[m]
            if self.released:
                classifiers = classifiers + cross_entropy(out.auxiliary[m], y)
                one, other = own.weight.flatten(), model.head.weights[m].flatten()
            else:
                classifiers = classifiers + cross_entropy(own(z.detach()), y)
                logits = linear(z, own.weight.detach(), own.bias.detach())
                one, other = head_gradient(logits, z, y), head_gradient(out.fused, z, y)
            cosine = cosine_similarity(one, other, 0)
            loss = loss + self.direction / M * b * (1 - cosine)
        (loss + classifiers).backward()
        for encoder, b in zip(model.encoders.values(), balance, strict=True):
            for p in encoder.parameters():
                p.grad *= b
        return loss


def balances(gains: Tensor, rho: float) -> Tensor:
    """Factors B (M,) from differences of accuracies (M,); their sum is always rho (M - 1)."""
    gains = gains.clamp_min(0)
    gains = torch.where(gains.sum() > 0, gains, 1.0)
    return rho * (1 - gains / gains.sum())


def head_gradient(logits: Tensor, z: Tensor, y: Tensor) -> Tensor:
    """Gradient (K * d,) of CE in the weights of a linear layer from z (B, d) to logits (B, K)."""
    error = logits.softmax(1) - one_hot(y, logits.shape[1])
    return (error.T @ z / len(y)).flatten()
