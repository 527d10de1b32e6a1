"""MMPareto: combine the gradients of fused and uni-modal losses so that neither loss gets worse.

    L = CE(H(z_1, ..., z_M), y) + sum_m CE(H_m z_m, y)
    g1, g2        gradients of the two losses that reach encoder m
    c             1/2 where g1 . g2 > 0, else that of the point of least norm, c g1 + (1 - c) g2
    n = 2 c g1 + 2 (1 - c) g2,   scaled up to |g1 + g2|,   encoder m gets gamma n

Heads keep the plain gradient of L. Where g1 and g2 point into opposite directions n is nothing but
rounding errors, so it is not scaled up: no step reduces one loss without raising the other.
Deviation: the lengths are those of a whole encoder's gradient; code/MMPareto.py of
github.com/GeWu-Lab/MMPareto_ICML2024 (commit cc923ec) scales each parameter tensor by itself.

``released`` is what the toolkit of a survey computes instead, in MMPareto_trainer.py and
avclassify_model.py under balancemm/ of github.com/GeWu-Lab/BalanceBenchmark (commit 39ed569). Its
uni-modal logits are the parts of the fused ones, l_m = W_m z_m + b/M, so there are no own heads. It
does not clear gradients between its backward passes, so g1 and g2 are both the gradient of all of
L, and encoders get 2 gamma times that: with its gamma of 1.5, three times the plain gradient.

The fair control is joint-auxiliary, also at gamma times the learning rate.

Source: Wei & Hu, ICML 2024; ``released``: Xu et al., 2025.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.errors import StudyError
from umt_lib.methods.base import Make, Method, Setting, Teachers
from umt_lib.models import LateFusion, Output

LOST = 1e-6  # of the plain norm: below it a combined gradient is rounding error


@dataclass
class MMPareto(Method):
    """Joint training with uni-modal cross-entropies and combined encoder gradients.

    ``gamma`` scales the encoders' gradients; 1 where the losses agree is joint-auxiliary.
    """

    title = "MMPareto"
    family = "gradient modulation"
    year = 2024
    baseline = False

    gamma: PositiveFloat = 1.5
    released: bool = False
    auxiliary: ClassVar[bool] = True

    def build(self, make: Make, teachers: Teachers) -> LateFusion:
        return make(auxiliary=not self.released)

    def start(self, model: LateFusion, setting: Setting) -> None:
        if self.released and not hasattr(model.head, "unimodal_logits"):
            raise StudyError(
                "method.released of 'mmpareto' needs logits per modality; give head: linear"
            )

    def backward(self, model: LateFusion, out: Output, batch: Batch) -> Tensor:
        if self.released:
            return self.backward_released(model, out, batch)
        own = torch.stack([cross_entropy(logits, batch.y) for logits in out.auxiliary.values()])
        losses = (self.loss(out, batch), own.sum())  # own heads share no encoder: one pass for all
        learned = [p for p in model.parameters() if p.requires_grad]
        first, second = (
            dict(zip(learned, found, strict=True))
            for found in (
                torch.autograd.grad(x, learned, retain_graph=True, materialize_grads=True)
                for x in losses
            )
        )
        for p in learned:
            p.grad = first[p] + second[p]
        for encoder in model.encoders.values():
            mine = [p for p in encoder.parameters() if p.requires_grad]
            g1, g2 = [first[p] for p in mine], [second[p] for p in mine]
            for p, n in zip(mine, combined(g1, g2), strict=True):
                p.grad = self.gamma * n
        return losses[0] + losses[1]

    def backward_released(self, model: LateFusion, out: Output, batch: Batch) -> Tensor:
        """Set the gradients that the toolkit's code sets."""
        own = [cross_entropy(logits, batch.y) for logits in out.unimodal.values()]
        loss = self.loss(out, batch) + torch.stack(own).sum()
        loss.backward()
        for p in model.encoders.parameters():
            p.grad *= 2 * self.gamma
        return loss


def combined(g1: Sequence[Tensor], g2: Sequence[Tensor]) -> list[Tensor]:
    """Weighted sum n of two gradients, tensor by tensor, not shorter than their plain sum."""
    c = torch.where(inner(g1, g2) > 0, 0.5, min_norm_weight(g1, g2))
    n = [2 * c * a + 2 * (1 - c) * b for a, b in zip(g1, g2, strict=True)]
    plain = [a + b for a, b in zip(g1, g2, strict=True)]
    whole, short = inner(plain, plain).sqrt(), inner(n, n).sqrt()
    scale = torch.where(short > LOST * whole, (whole / short).clamp_min(1), 1.0)
    return [scale * x for x in n]


def min_norm_weight(g1: Sequence[Tensor], g2: Sequence[Tensor]) -> Tensor:
    """Weight c of g1 in the shortest c g1 + (1 - c) g2, a scalar in [0.001, 0.999]."""
    product, second = inner(g1, g2), inner(g2, g2)
    length = inner(g1, g1) + second - 2 * product  # |g1 - g2|^2
    shortest = (second - product) / length.clamp_min(torch.finfo(length.dtype).tiny)
    return shortest.clamp(0.001, 0.999)


def inner(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Inner product of two gradients, each a list of tensors."""
    return torch.stack([(x * y).sum() for x, y in zip(a, b, strict=True)]).sum()
