"""AMCo, adaptive mask co-optimisation: mask logits of a modality that predictions depend on.

    p_m = mean_i of the share of the K logits of m in the softmax over all logits l'_1, ..., l'_M
    l'_m = c l_m for each m that had p_m > sigma on the batch before, else l_m
    c in {0, 1}^K, drawn once a batch, has floor(q K) zeros
    q = sin(pi / 2 min(eps, e b / 10) / eps)
    L = CE(sum_m l'_m, y) + w sum_m CE(l'_m, y)

l_m = W_m z_m + b/M; e is the epoch and b the batch of this epoch, both from 0, and p starts anew in
each epoch. So the mask has no zeros in the first epoch, and soon it has nothing else: with the
default eps it removes a modality completely from the fourth batch of the second epoch on, and from
the second batch of every epoch after the third. Of two modalities, one always has p_m > 0.5: with
sigma = 0.5 most batches then train one modality alone, and the two take turns.

The equations are those of AMCo_trainer.py and avclassify_model.py in balancemm/ of
github.com/GeWu-Lab/BalanceBenchmark (commit c1ce5a8), the toolkit of a survey. We could not read
the paper, so this is not known to be the authors' method. Deviation: the toolkit has one more
linear layer, from the sum of the logits to the fused logits, which it leaves out when it validates;
here it is left out of training too.

Source: Zhou et al., ICASSP 2023, by that toolkit; sigma is 0.5 and eps 0.3 there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.methods.base import Method, Setting
from umt_lib.models import LateFusion, Output


@dataclass
class AMCo(Method):
    """Joint training with uni-modal cross-entropies and masked logits.

    ``threshold`` is sigma, ``ramp`` eps, ``weight`` w; ``threshold`` 1 masks nothing, and with
    ``weight`` 0 as well it is joint training, bit for bit.
    """

    title = "AMCo"
    family = "dropout and sampling"
    year = 2023
    baseline = False

    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    ramp: PositiveFloat = 0.3
    weight: NonNegativeFloat = 1.0
    needs_unimodal_logits: ClassVar[bool] = True

    def start(self, model: LateFusion, setting: Setting) -> None:
        self.on_epoch(model, 0, 1)

    def on_epoch(self, model: LateFusion, epoch: int, epochs: int) -> int:
        self.epoch, self.batches = epoch, 0
        self.masked: set[str] = set()  # the modalities that the last batch depended on
        return 0

    def loss(self, out: Output, batch: Batch) -> Tensor:
        logits, fused = out.unimodal, out.fused
        if self.masked:
            kept = self.mask(fused)
            logits = {m: kept * x if m in self.masked else x for m, x in logits.items()}
            fused = torch.stack(tuple(logits.values())).sum(0)
        unimodal = sum(cross_entropy(x, batch.y) for x in logits.values())
        shares = torch.cat([x.detach() for x in logits.values()], 1).softmax(1)
        found = shares.view(len(batch.y), len(logits), -1).sum(2).mean(0).clamp(max=1)
        self.masked = {m for m, p in zip(logits, found.tolist(), strict=True) if p > self.threshold}
        self.batches += 1
        return cross_entropy(fused, batch.y) + self.weight * unimodal

    def mask(self, logits: Tensor) -> Tensor:
        """Draw c (K,), 0 for masked classes and 1 for the others, for the present batch."""
        classes = logits.shape[1]
        q = math.sin(math.pi / 2 * min(self.ramp, self.epoch * self.batches / 10) / self.ramp)
        kept = torch.ones(classes, device=logits.device)
        kept[torch.randperm(classes, device=logits.device)[: int(q * classes)]] = 0
        return kept
