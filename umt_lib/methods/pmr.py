"""PMR, Prototypical Modal Rebalance: pull features of the slower modality towards prototypes.

    sim_m[k] = -|z_m - P_m[k]|,   s_m = mean_i softmax(sim_m)[y],   rho_m = s_m / mean of others' s
    L = CE(H(z_1, ..., z_M), y) + alpha sum_m clip(1/rho_m - 1, 0, 1) CE(sim_m, y)
                                - mu sum_m clip(rho_m - 1, 0, 1) entropy(softmax(sim_m))

The last term (PER) acts in the first ``early`` share of the epochs: it keeps the faster modality
from being certain too soon. P_m[k] is the mean feature of class k, computed in evaluation mode:
over the whole training split at first, then before every epoch a momentum average with that of
``samples`` others drawn at random. A class that is not among them keeps its prototype.

Deviations: rho for more than two modalities (for two it is the paper's); PER's mu and its epochs,
not known to us, are ours. No option is the loss of main_Prototype_grad.py in
github.com/fanyunfeng-bit/Modal-Imbalance-PMR (commit 1e5c79b): CE + alpha CE(sim_m, y) for the
slower modality m, without the factor clip(1/rho_m - 1, 0, 1) and without PER.

Source: Fan et al., CVPR 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.losses import class_means, entropy, prototype_logits
from umt_lib.methods.base import Method, Setting
from umt_lib.methods.common import ratios
from umt_lib.models import Output
from umt_lib.models.inference import outputs

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass
class PMR(Method):
    """Joint training with losses on class prototypes.

    ``alpha`` weighs the pull, ``entropy`` is mu; both 0 is joint training, bit for bit.
    """

    title = "PMR"
    family = "auxiliary losses"
    year = 2023
    baseline = False

    alpha: NonNegativeFloat = 1.0
    entropy: NonNegativeFloat = 0.1
    early: Share = 0.2  # of the epochs
    momentum: Share = 0.2  # weight of the prototypes of the previous epoch
    samples: PositiveInt = 2000  # training samples for the prototypes of an epoch

    def start(self, model: nn.Module, setting: Setting) -> None:
        self.train, self.is_early = setting.train, self.early > 0
        y = setting.train.y
        features = outputs(model, setting.train).features
        empty = {m: z.new_zeros(int(y.max()) + 1, z.shape[1]) for m, z in features.items()}
        self.prototypes = {m: class_means(z, y, empty[m]) for m, z in features.items()}

    def on_epoch(self, model: nn.Module, epoch: int, epochs: int) -> int:
        self.is_early = epoch < self.early * epochs
        if epoch == 0:
            return 0
        stream = torch.Generator().manual_seed(epoch)
        seen = self.train.take(torch.randperm(len(self.train), generator=stream)[: self.samples])
        for m, z in outputs(model, seen).features.items():
            self.prototypes[m] = class_means(z, seen.y, self.prototypes[m], self.momentum)
        return len(seen)

    def state(self) -> dict[str, Tensor]:
        return self.prototypes

    def restore(self, state: dict[str, Tensor]) -> None:
        for m, prototypes in self.prototypes.items():
            prototypes.copy_(state[m])

    def loss(self, out: Output, batch: Batch) -> Tensor:
        loss = super().loss(out, batch)
        sim = {m: prototype_logits(z, self.prototypes[m]) for m, z in out.features.items()}
        for m, rho in ratios(sim, batch.y).items():
            pull = (1 / rho - 1).clamp(0, 1)
            loss = loss + self.alpha * pull * cross_entropy(sim[m], batch.y)
            if self.is_early:
                unsure = entropy(sim[m].log_softmax(1)).mean()
                loss = loss - self.entropy * (rho - 1).clamp(0, 1) * unsure
        return loss
