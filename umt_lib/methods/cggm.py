"""CGGM, classifier-guided gradient modulation: classifiers per modality guide encoder gradients.

    D_m = max(0, accuracy of classifier m on this batch - on the batch before)
    B_m = rho (sum_j D_j - D_m) / sum_j D_j          encoder m gets B_m times its gradient
    L = CE(H(z_1, ..., z_M), y) + lambda/M sum_m B_m (1 - cos(G_m, G_m^H))

G_m = (softmax(l_m) - y)^T z_m is the gradient of CE in the weights of m's linear classifier, G_m^H
that with the fused prediction's error: of a linear head the gradient of W_m. So the last term
changes features until the gradients of each classifier and of the head have the same direction.
Classifiers do not train the encoders: they learn from features without gradient and are constants
in the last term.

Where no modality improved (and for the first batch) all B_m are rho (M - 1)/M, as for equal
improvements: with rho = M/(M - 1) and lambda = 0 that is joint training. Batches differ, so most of
D_m is chance when batches are small.

Deviations: differences are clamped at 0, for B_m may otherwise be negative or very large. No
gradient is clipped. A classifier is one linear layer, trained like everything else.

``released`` is what src/msatrain.py and src/foodtrain.py of github.com/zrguo/CGGM (commit d7890a8)
compute instead, on our classifiers and head:

    D_m = accuracy of classifier m on this batch - on the batch before (0 before the first)
    C_m = (S - D_m) / S,  S = sum_j D_j + 1e-8       encoder m gets rho C_m times its gradient
    L = CE(H(z_1, ..., z_M), y) + lambda/M sum_m (|C_m| - C_m cos(V_m, W_m))
    then the gradient of encoders and head is clipped to a norm of 0.8

V_m and W_m are the weights of classifier and head, not their gradients, and the last term is that
of the batch before: it trains the head only. No loss of a classifier reaches an encoder, as above.

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

CLIP = 0.8  # norm of the gradient in the released code


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
        before = 0.0 if self.released else torch.inf
        device = setting.train.y.device
        self.before = torch.full((len(model.encoders),), before, device=device)
        # of the released code: the gradient of the last term in the head, for the next batch
        blocks = model.head.weights if self.released else {}
        self.late = {m: torch.zeros_like(w) for m, w in blocks.items()}

    def state(self) -> dict[str, Tensor]:
        return {"before": self.before, **{f"late.{m}": g for m, g in self.late.items()}}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.before.copy_(state["before"])
        for m, gradient in self.late.items():
            gradient.copy_(state[f"late.{m}"])

    def backward(self, model: LateFusion, out: Output, batch: Batch) -> Tensor:
        right = [(x.argmax(1) == batch.y).float().mean() for x in out.auxiliary.values()]
        now = torch.stack(right)
        gains, self.before = now - self.before, now
        for m, own in model.auxiliary.items():
            cross_entropy(own(out.features[m].detach()), batch.y).backward()
        if self.released:
            return self.backward_released(model, out, batch, gains)
        balance = balances(gains, self.rho)
        loss = self.loss(out, batch)
        for (m, z), b in zip(out.features.items(), balance, strict=True):
            own = model.auxiliary[m]
            logits = linear(z, own.weight.detach(), own.bias.detach())
            one, other = head_gradient(logits, z, batch.y), head_gradient(out.fused, z, batch.y)
            cosine = cosine_similarity(one, other, 0)
            loss = loss + self.direction / len(balance) * b * (1 - cosine)
        loss.backward()
        scale_encoders(model, balance)
        return loss

    def backward_released(
        self, model: LateFusion, out: Output, batch: Batch, gains: Tensor
    ) -> Tensor:
        """Set the gradients of encoders and head as the released code does."""
        loss = self.loss(out, batch)
        loss.backward()
        total = gains.sum() + 1e-8
        balance = (total - gains) / total
        for (m, w), c in zip(model.head.weights.items(), balance, strict=True):
            w.grad += self.late[m]
            cosine = cosine_similarity(model.auxiliary[m].weight.flatten(), w.flatten(), 0)
            (gradient,) = torch.autograd.grad(cosine, w)
            self.late[m] = -self.direction / len(balance) * c * gradient
        scale_encoders(model, self.rho * balance)
        parts = [*model.encoders.parameters(), *model.head.parameters()]
        torch.nn.utils.clip_grad_norm_(parts, CLIP)
        return loss


def scale_encoders(model: LateFusion, factors: Tensor) -> None:
    """Multiply the gradients of each encoder by its factor, of (M,)."""
    for encoder, factor in zip(model.encoders.values(), factors, strict=True):
        for p in encoder.parameters():
            p.grad *= factor


def balances(gains: Tensor, rho: float) -> Tensor:
    """Factors B (M,) from differences of accuracies (M,); their sum is always rho (M - 1)."""
    gains = gains.clamp_min(0)
    gains = torch.where(gains.sum() > 0, gains, 1.0)
    return rho * (1 - gains / gains.sum())


def head_gradient(logits: Tensor, z: Tensor, y: Tensor) -> Tensor:
    """Gradient (K * d,) of CE in the weights of a linear layer from z (B, d) to logits (B, K)."""
    error = logits.softmax(1) - one_hot(y, logits.shape[1])
    return (error.T @ z / len(y)).flatten()
