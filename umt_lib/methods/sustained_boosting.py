"""Sustained boosting: modalities in turn, with more classifiers for those that are behind.

    f_m,t = V relu(U_m,t z_m) + d,   F_m,t = f_m,1 + ... + f_m,t;   m has n classifiers, at first 1
    for each batch, for m = 1..M:   L_m = CE(F_m,n, y), and for n > 1 also
        + CE(F_m,n-1, y) + mean_i (1 - lambda p_i) CE(f_m,n, y)_i,   p = sg softmax(F_m,n-1)[y]
    s_m = mean_i softmax(F_m,n)[y] over an epoch
    m gets one more classifier if the mean of the others' s > (1 + tau) s_m
    test:  sum_m F_m,n / M

The second sum is cross-entropy with the residual label y - lambda y p: the newest classifier learns
what those before it do not predict yet. All of them keep learning, each with weights U of its own,
while V and d are shared by all classifiers of all modalities. Whether m is behind is decided after
the first epoch and after every tenth of the epochs.

The equations are those of train_CREMAD.py (commit 4bf3c9a) and model/AudioVideo.py (commit ced44c6)
of github.com/njustkmg/NeurIPS25-AUG. ``released`` changes one thing: the optimiser of that code
takes its parameters before any classifier is added, so U_m,t stays as it was initialised for t > 1.

Deviations from that code: it weighs two modalities by 0.4 and 0.6 at test; for three, in
train_NVGesture.py, m gets a classifier if its s is less than 0.8 of the mean of the others', and
here the rule is that for two.

Source: Jiang et al., NeurIPS 2025; lambda is 0.5 in that code, in an older version 0.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.methods.base import Make, Method, Setting, Teachers
from umt_lib.methods.mla import SharedHead
from umt_lib.models import LateFusion, Output


class BoostedHeads(SharedHead):
    """Encoders with several classifiers each, whose last layer is one for all.

    ``counts`` (M,) says how many classifiers of each modality are in use.

    Args:
        more: the number of classifiers of each modality that can be added to the first one.
        fixed: whether the first layers of added classifiers are not trained.
    """

    layers: Any  # {modality: [first layer of each classifier]}
    counts: Tensor

    def __init__(self, model: LateFusion, hidden: int, classes: int, more: int, fixed: bool):
        super().__init__(model, hidden, classes)
        dims = {m: encoder.dim for m, encoder in model.encoders.items()}
        first = {m: nn.ModuleList([nn.Linear(dim, hidden)]) for m, dim in dims.items()}
        self.layers = nn.ModuleDict(first)
        for m, dim in dims.items():
            for _ in range(more):
                layer = nn.Linear(dim, hidden).requires_grad_(not fixed)
                nn.init.xavier_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
                self.layers[m].append(layer)
        self.register_buffer("counts", torch.ones(len(self.layers), dtype=torch.long))

    def parts(self, m: str, z: Tensor) -> Tensor:
        """Logits f_m,1 ... f_m,n of the classifiers in use, (n, B, K)."""
        used = int(self.counts[list(self.layers).index(m)])
        return torch.stack([self.head(layer(z).relu()) for layer in self.layers[m][:used]])

    def forward(self, x: dict[str, Tensor]) -> Output:
        features = {m: self.encode(m, x[m]) for m in self.encoders}
        logits = {m: self.parts(m, z).sum(0) for m, z in features.items()}
        return Output(features, torch.stack(tuple(logits.values())).sum(0), logits, {})


@dataclass
class SustainedBoosting(Method):
    """Alternating training with classifiers that are added to modalities which are behind.

    ``smoothing`` is lambda, ``margin`` tau, ``more`` the most classifiers that a modality can get;
    ``more`` 0 is alternating training with one classifier each.
    """

    title = "sustained boosting"
    family = "alternating training"
    year = 2025
    baseline = False

    smoothing: Annotated[float, Field(ge=0, le=1)] = 0.5
    margin: NonNegativeFloat = 0.01
    more: NonNegativeInt = 10
    hidden: PositiveInt = 256
    released: bool = False
    needs_unimodal_logits: ClassVar[bool] = True

    def build(self, make: Make, teachers: Teachers) -> BoostedHeads:
        model = make()
        return BoostedHeads(model, self.hidden, len(model.head.bias), self.more, self.released)

    def start(self, model: BoostedHeads, setting: Setting) -> None:
        self.scores = torch.zeros(len(model.encoders), device=setting.train.y.device)

    def state(self) -> dict[str, Tensor]:
        return {"scores": self.scores}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.scores.copy_(state["scores"])

    def on_epoch(self, model: BoostedHeads, epoch: int, epochs: int) -> int:
        if epoch == 1 or (epoch > 0 and epoch % max(1, epochs // 10) == 0):
            others = (self.scores.sum() - self.scores) / (len(self.scores) - 1)
            model.counts += others > (1 + self.margin) * self.scores
            model.counts.clamp_(max=1 + self.more)
        self.scores = torch.zeros_like(self.scores)
        return 0

    def step(self, model: BoostedHeads, optimizer: torch.optim.Optimizer, batch: Batch) -> Tensor:
        losses, scores, kept = [], [], []
        for m, encoder in model.encoders.items():
            optimizer.zero_grad()  # to None: decay and momentum do not move the other modalities
            parts = model.parts(m, model.encode(m, batch.x[m]))
            losses.append(self.boosted(parts, batch.y))
            losses[-1].backward()
            optimizer.step()
            right = parts.detach().sum(0).softmax(1).gather(1, batch.y[:, None])
            scores.append(right.sum())
            kept += [(p, p.grad) for part in (encoder, model.layers[m]) for p in part.parameters()]
        self.scores = self.scores + torch.stack(scores)
        for p, gradient in kept:  # as after a step of any other method
            p.grad = torch.zeros_like(p) if gradient is None else gradient
        return torch.stack(losses).mean().detach()

    def boosted(self, parts: Tensor, y: Tensor) -> Tensor:
        """L_m, of the logits (n, B, K) of a modality's classifiers."""
        loss = cross_entropy(parts.sum(0), y)
        if len(parts) > 1:
            before = parts[:-1].sum(0)
            known = before.detach().softmax(1).gather(1, y[:, None]).squeeze(1)
            residual = (1 - self.smoothing * known) * cross_entropy(parts[-1], y, reduction="none")
            loss = loss + cross_entropy(before, y) + residual.mean()
        return loss

    def predict(self, out: Output) -> Tensor:
        return out.fused / len(out.unimodal)
