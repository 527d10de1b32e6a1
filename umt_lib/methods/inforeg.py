"""InfoReg, information acquisition regulation: hold back a leading encoder while it learns fast.

    s_m = mean_i log softmax(l_m)[y]                                          of a batch
    D_m = mean of s_m - s_j over all j with s_j < s_m;  0 if there are none
    T_m(t) = sum over the batches of epoch t of |g_m|^2,   g_m the gradient of L in encoder m
    (T_m(t - 1) - T_m(t - 2)) / T_m(t - 1) > K  and  D_m > 0:
        g_m <- g_m + alpha_m (w_m - w_m(t - 1)),   alpha_m = c exp(beta tanh(D_m))

L = CE(H(z_1, ..., z_M), y). w_m(t - 1) are the weights of encoder m after the epoch before, so the
added gradient is that of alpha_m/2 |w_m - w_m(t - 1)|^2: a leading encoder may move less within an
epoch. T_m is, up to a factor, the trace of its Fisher information; while that grows by more than
the share K, epoch t lies in the prime learning window. In the first two epochs nothing is added.

Deviations: c, which is 1 in the paper. s_m is equation (8) of the paper without its minus sign:
with it s_m is a loss, and the modality that is behind would be held back.

``released`` is what main.py of github.com/GeWu-Lab/InfoReg_CVPR2025 (commit 41d887f) computes
instead, on our encoders, for two modalities:

    L = CE(H(z_1, z_2), y) + sum_m CE(h_m z_m, y),   s_m = sum_i softmax(h_m z_m)[y]
    T_m(t) = sum over weight matrices of the mean entry of the sum over batches of g_m^2,
        g_m with what is added to it;   0 before the first epoch
    s_1 > s_2  and  (T_1(t - 1) - T_1(t - 11)) / (T_1(t - 1) + ... + T_1(t - 10)) > 0.04:
        alpha_1 = 0.95 exp(tanh(s_1 - s_2)),   alpha_2 = 0 always

The condition under which the second modality would be held back repeats that for the first, and is
tested after it. s are sums over a batch, so tanh is nearly 1 for most differences.

Source: Huang et al., CVPR 2025, equations (7) to (16).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import NonNegativeFloat
from torch import Tensor
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.errors import StudyError
from umt_lib.methods.base import Make, Method, Setting, Teachers
from umt_lib.models import LateFusion, Output

PAST = 11  # epochs whose traces are kept; two are needed, and as released eleven


@dataclass
class InfoReg(Method):
    """Joint training that holds back leading encoders in the prime learning window.

    ``strength`` is c; 0 is joint training, bit for bit. ``threshold`` is K.
    """

    title = "InfoReg"
    family = "gradient modulation"
    year = 2025
    baseline = False

    strength: NonNegativeFloat = 1.0
    beta: NonNegativeFloat = 0.9
    threshold: NonNegativeFloat = 0.04
    released: bool = False
    needs_unimodal_logits: ClassVar[bool] = True

    def build(self, make: Make, teachers: Teachers) -> LateFusion:
        return make(auxiliary=self.released)

    def start(self, model: LateFusion, setting: Setting) -> None:
        modalities, device = len(model.encoders), setting.train.y.device
        if self.released and modalities != 2:
            raise StudyError(
                f"method.released of 'inforeg' is of code for two modalities, not {modalities}; "
                f"leave it out"
            )
        self.trace = torch.zeros(modalities, device=device)  # of this epoch so far
        self.past = torch.zeros(PAST, modalities, device=device)  # of the epochs before, last first
        self.on_epoch(model, 0, 0)

    def state(self) -> dict[str, Tensor]:
        return {"trace": self.trace, "past": self.past}

    def restore(self, state: dict[str, Tensor]) -> None:
        for name, tensor in self.state().items():
            tensor.copy_(state[name])

    def on_epoch(self, model: LateFusion, epoch: int, epochs: int) -> int:
        if epoch:
            self.past = torch.cat([self.trace[None], self.past[:-1]])
            self.trace = torch.zeros_like(self.trace)
        if self.released:
            self.acquires = released_growth(self.past) > self.threshold
        else:
            self.acquires = (growth(self.past) > self.threshold) & (epoch >= 2)
        self.before = {
            m: [p.detach().clone() for p in encoder.parameters()]
            for m, encoder in model.encoders.items()
        }
        return 0

    def loss(self, out: Output, batch: Batch) -> Tensor:
        own = [cross_entropy(logits, batch.y) for logits in out.auxiliary.values()]
        return super().loss(out, batch) + sum(own)  # own heads are part of ``released`` only

    def backward(self, model: LateFusion, out: Output, batch: Batch) -> Tensor:
        loss = super().backward(model, out, batch)
        if not self.released:
            self.trace = self.trace + traces(model, squares)
        strengths = self.strengths(out, batch.y)
        for (m, encoder), alpha in zip(model.encoders.items(), strengths, strict=True):
            for p, w in zip(encoder.parameters(), self.before[m], strict=True):
                p.grad += alpha * (p.detach() - w)
        if self.released:
            self.trace = self.trace + traces(model, released_squares)
        return loss

    def strengths(self, out: Output, y: Tensor) -> Tensor:
        """Return alpha (M,) of a batch; 0 for a modality that is not held back."""
        if self.released:
            scores = [x.detach().softmax(1).gather(1, y[:, None]) for x in out.auxiliary.values()]
            lead = scores[0].sum() - scores[1].sum()
            alpha = torch.stack([0.95 * (lead > 0) * lead.tanh().exp(), torch.zeros_like(lead)])
        else:
            logits = out.unimodal.values()
            lead = leads(torch.stack([-cross_entropy(x.detach(), y) for x in logits]))
            alpha = (lead > 0) * (self.beta * lead.tanh()).exp()
        return self.strength * self.acquires * alpha


def leads(scores: Tensor) -> Tensor:
    """D (M,): by how much each score (M,) is above those below it, on average."""
    above = (scores[:, None] - scores).clamp_min(0)
    return above.sum(1) / (above > 0).sum(1).clamp_min(1)


def traces(model: LateFusion, of: Callable[[Tensor], Tensor]) -> Tensor:
    """Sum (M,) of a function of the gradients of each encoder."""
    return torch.stack(
        [
            torch.stack([of(p.grad) for p in encoder.parameters() if p.grad is not None]).sum()
            for encoder in model.encoders.values()
        ]
    )


def squares(gradient: Tensor) -> Tensor:
    """Squared norm of a gradient."""
    return gradient.square().sum()


def released_squares(gradient: Tensor) -> Tensor:
    """Mean square of the entries of a weight matrix's gradient; 0 for other parameters."""
    return gradient.square().mean() * (gradient.ndim > 1)


def growth(past: Tensor) -> Tensor:
    """Share (M,) by which the trace of the last epoch is above that before; ``past`` (11, M)."""
    return (past[0] - past[1]) / past[0]


def released_growth(past: Tensor) -> Tensor:
    """Growth (M,) of a mean of ten epochs that is shifted by one epoch; 1 before the first."""
    last_ten = past[:10].sum(0)
    return torch.where(last_ten > 0, (past[0] - past[10]) / last_ten, 1.0)
