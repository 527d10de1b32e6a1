"""MLA, Multimodal Learning with Alternating unimodal adaptation: train modalities in turn.

    for each batch, for m = 1..M:   CE(h(z_m), y), backward, dW <- dW P_m, step
    for the others j:  k = P_j r_m,  P_j <- P_j - k k^T / (alpha + r_m^T k),  r_m = mean z_m (batch)
    test:  p = sum_m w_m h(z_m),  w = softmax over modalities of -entropy(softmax(h(z_m))), a sample

P_j projects onto the directions that the other modalities' mean features leave free, so that a step
of j does not undo what the shared head h has learned for them. It starts as the identity and is
updated during the whole training. The bias of h is not projected; with momentum a past step of
another modality still moves h a little.

Deviations: one P for each modality, made of all others; the paper has two modalities. alpha is a
constant and P is as it is updated; see the method's page for the schedule and the normalisation of
the released code.

``released`` is what that code computes instead (github.com/Cecile-hi/Multimodal-Learning-with-
Alternating-Unimodal-Adaptation, commit 11ae1ee). The projection never runs: utils/utils.py looks
for a parameter "module.weight" of a layer whose parameters are "weight" and "bias". At test,
main.py has two ways to weigh the modalities, which are the two values of ``released``:

    fixed     1/M each, near its default: there 0.55 and 0.45, or 0.35, 0.25 and 0.4
    dynamic   its option --dynamic: the weights above, but with the softmax over the samples of a
              batch of 64, for each class, and the entropy over samples and classes; here 64 samples
              in the order of the split

Source: Zhang et al., CVPR 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import PositiveFloat
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from umt_lib import distributed
from umt_lib.data.splits import Batch
from umt_lib.losses import entropy
from umt_lib.methods.base import Make, Method, Setting, Teachers
from umt_lib.methods.common import one_width
from umt_lib.models import LateFusion, Output

BATCH = 64  # samples that share their weights in the released code


class SharedHead(nn.Module):
    """Encoders of equal width with one linear head for all; ``fused`` is the sum of its logits."""

    def __init__(self, model: LateFusion, dim: int, classes: int):
        super().__init__()
        self.encoders, self.bf16 = model.encoders, model.bf16
        self.head = nn.Linear(dim, classes)

    def encode(self, m: str, x: Tensor) -> Tensor:
        """Features z_m (B, d) of the whole batch."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
            z = self.encoders[m](x)
        return distributed.all_gather(z.float())

    def forward(self, x: dict[str, Tensor]) -> Output:
        features = {m: self.encode(m, x[m]) for m in self.encoders}
        logits = {m: self.head(z) for m, z in features.items()}
        return Output(features, torch.stack(tuple(logits.values())).sum(0), logits, {})


@dataclass
class MLA(Method):
    """Alternating training with a shared head.

    ``alpha``: the larger, the less of a direction is projected out at once; infinite: nothing.
    """

    title = "MLA"
    family = "alternating training"
    year = 2024
    baseline = False

    alpha: PositiveFloat = 1.0
    released: Literal[False, "fixed", "dynamic"] = False
    needs_unimodal_logits: ClassVar[bool] = True

    def build(self, make: Make, teachers: Teachers) -> SharedHead:
        model = make()
        dim = one_width(model, "mla", "has one head for all modalities")
        return SharedHead(model, dim, len(model.head.bias))

    def start(self, model: SharedHead, setting: Setting) -> None:
        weight = model.head.weight
        self.free = {m: torch.eye(weight.shape[1], device=weight.device) for m in model.encoders}

    def state(self) -> dict[str, Tensor]:
        return self.free

    def restore(self, state: dict[str, Tensor]) -> None:
        for m, free in self.free.items():
            free.copy_(state[m])

    def step(self, model: SharedHead, optimizer: torch.optim.Optimizer, batch: Batch) -> Tensor:
        losses, kept = [], []
        for m, encoder in model.encoders.items():
            optimizer.zero_grad()  # to None: decay and momentum do not move the other encoders
            z = model.encode(m, batch.x[m])
            losses.append(cross_entropy(model.head(z), batch.y))
            losses[-1].backward()
            if not self.released:
                weight = model.head.weight
                assert weight.grad is not None
                weight.grad @= self.free[m]
                self.project_out(m, z.detach().mean(0))
            optimizer.step()
            kept += [(p, p.grad) for p in encoder.parameters()]
        for p, gradient in kept:
            p.grad = gradient  # as after a step of any other method
        return torch.stack(losses).mean().detach()

    def project_out(self, m: str, r: Tensor) -> None:
        """Remove the direction r (d,), a feature of m, from the projections of all others."""
        for j, free in self.free.items():
            if j != m:
                k = free @ r
                self.free[j] = free - torch.outer(k, k) / (self.alpha + r @ k)

    def predict(self, out: Output) -> Tensor:
        logits = torch.stack(tuple(out.unimodal.values()))  # (M, B, K)
        if self.released == "fixed":
            return logits.mean(0)
        if self.released == "dynamic":
            return torch.cat([weighted(part, (1, 2)) for part in logits.split(BATCH, 1)])
        return weighted(logits, (2,))


def weighted(logits: Tensor, over: tuple[int, ...]) -> Tensor:
    """Logits (B, K) of all modalities, weighed by the entropies of their logits (M, B, K).

    Args:
        over: the axes of an entropy: (2,) for one per sample, (1, 2) for one per batch, of
            probabilities that sum to 1 over the first of these axes.
    """
    unsure = entropy(logits.log_softmax(over[0]), over)  # (M, B) or (M,)
    weights = (-unsure).softmax(0)
    return (weights.view(len(logits), -1, 1) * logits).sum(0)
