"""ReconBoost: train modalities in turn, as stages of boosting, then all of them together.

    l_m = W_m z_m + b/M,   p_m = softmax(l_m),   p_r = sg softmax(sum of the others' logits)
    a stage of m:     L = mean_i (1 - lambda p_r[y]) CE(l_m, y) + mu MSE(p_m, p_r)
    rectification:    L = CE(sum_m l_m, y)

In its stage only encoder m learns, its block of the head and the common bias; other encoders stay
in evaluation mode. The first term is cross-entropy less the agreement with the rest: what the rest
already predicts right counts less. The second (memory consolidation) keeps m near the prediction of
the rest; the first stage, whose rest is untrained, has neither. Then all learn for ``rectify``
epochs, and it is the next modality's turn. All stages share the schedule's epochs.

``released`` changes one thing: the second term is computed from values without gradient and so has
no effect, as in train.py of github.com/huacong/ReconBoost (commit 441eb51, ``ga_loss``).

Deviations, all from that code: its commands start from pre-trained uni-modal encoders, all
modalities share one head of two layers, and a turn is 4 + 4 epochs. Its first term is w1/K times
ours, lambda being w2/w1: the constant factor w1/K (5/6 on CREMA-D) is left out here, so that
lambda = mu = 0 is plain cross-entropy. Its other encoders run in training mode in a stage, so that
their batch statistics change, and every stage starts with new optimisers. With more than two
modalities "the rest" are all others.

Source: Hua et al., ICML 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from umt_lib.data.splits import Batch
from umt_lib.errors import StudyError
from umt_lib.methods.base import Method, Setting
from umt_lib.models import LateFusion, Output


@dataclass
class ReconBoost(Method):
    """Alternating stages of one modality and of joint training.

    ``stage`` and ``rectify`` are epochs; ``stage`` 0 is joint training, bit for bit.
    """

    title = "ReconBoost"
    family = "alternating training"
    year = 2024
    baseline = False

    stage: NonNegativeInt = 2
    rectify: NonNegativeInt = 2
    reconcile: Annotated[float, Field(ge=0, le=1)] = 0.2  # lambda
    consolidate: NonNegativeFloat = 0.1  # mu
    released: bool = False
    needs_unimodal_logits: ClassVar[bool] = True

    def start(self, model: LateFusion, setting: Setting) -> None:
        self.current, self.first = None, True
        if self.stage + self.rectify == 0:
            raise StudyError("method.stage and method.rectify are both 0; train one epoch or more")

    def on_epoch(self, model: LateFusion, epoch: int, epochs: int) -> int:
        turn, at = divmod(epoch, self.stage + self.rectify)
        names = list(model.encoders)
        self.current = names[turn % len(names)] if at < self.stage else None
        self.first = turn == 0
        return 0

    def loss(self, out: Output, batch: Batch) -> Tensor:
        if self.current is None:
            return super().loss(out, batch)
        own = out.unimodal[self.current]
        if self.first:
            return cross_entropy(own, batch.y)
        rest = torch.stack([x for m, x in out.unimodal.items() if m != self.current])
        rest = rest.detach().sum(0).softmax(1)
        known = rest.gather(1, batch.y[:, None]).squeeze(1)
        boost = (1 - self.reconcile * known) * cross_entropy(own, batch.y, reduction="none")
        agreed = own.detach() if self.released else own
        return boost.mean() + self.consolidate * mse_loss(agreed.softmax(1), rest)

    def step(self, model: LateFusion, optimizer: torch.optim.Optimizer, batch: Batch) -> Tensor:
        for m, encoder in model.encoders.items():
            encoder.train(self.current in (None, m))
        return super().step(model, optimizer, batch)
