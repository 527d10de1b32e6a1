"""G-Blend, gradient blending: weigh the losses by how well their gradients generalise.

    L = sum_k w_k CE_k,   k: each modality's own head and the fused one;   sum_k w_k = 1
    w_k ~ |G_k| / O_k^2
    G_k = L^V_0 - L^V_1,   O_k = (L^V_1 - L^T_1) - (L^V_0 - L^T_0)

Weights are estimated: branch k (encoder m with its own head; all encoders with the fusion head) is
trained by itself from the current weights, and its mean loss is computed before (0) and after its
last epoch (1), on the samples it learned from (T) and on others held out of the training split (V).
Offline, once: before the first epoch, over the whole schedule. Online: every ``super_epoch``
epochs, over as many. A branch is not left at its best epoch on the held-out samples, as the models
of all other trainings are: that would remove the overfitting which is to be measured.

Deviations: |O| below 0.01 counts as 0.01, since an O of 0 would give its branch all the weight.
Online, the schedule of a branch is a shortened one of the data set, and held-out samples must be
new to the current weights, so the blended model does not learn them; offline it learns all. The
cost is M + 1 more trainings.

The authors' code (facebookresearch/VMZ, c2/lib/models/loss/loss_creator.py, commit da212a3) takes
the weights as given numbers; we found none there that computes them, so the estimate follows the
paper alone.

Source: Wang et al., CVPR 2020.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field, NonNegativeInt
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from umt_lib import distributed
from umt_lib.data.splits import Batch, Split, holdout
from umt_lib.errors import StudyError
from umt_lib.methods.base import Method, Setting
from umt_lib.models import LateFusion, Output
from umt_lib.models.inference import outputs

LEAST = 0.01  # nats; overfitting of a smaller size counts as this


@dataclass
class Branch(Method):
    """Training of one branch: that of modality ``k``, or the fused one for None."""

    k: str | None
    selects: ClassVar[bool] = False  # the overfitting of the last epoch is measured

    def loss(self, out: Output, batch: Batch) -> Tensor:
        return cross_entropy(branches(out)[self.k], batch.y)

    def predict(self, out: Output) -> Tensor:
        return branches(out)[self.k]


@dataclass
class GBlend(Method):
    """Joint training with uni-modal cross-entropies, all losses weighted.

    Equal weights are joint-auxiliary, at a rate divided by the number of branches.
    """

    title = "G-Blend"
    family = "auxiliary losses"
    year = 2020
    baseline = False

    super_epoch: NonNegativeInt = 0  # epochs between two estimates; 0 estimates offline
    held_out: Annotated[float, Field(gt=0, le=0.5)] = 0.2  # share of the training split
    auxiliary: ClassVar[bool] = True

    def start(self, model: LateFusion, setting: Setting) -> None:
        train, device = setting.train, setting.train.y.device
        rest, held = cut(train, self.held_out)
        self.rest, self.held, self.learn = train.take(rest), train.take(held), setting.learn
        self.learned = torch.ones(len(train), device=device)  # 0 for what the model must not learn
        if self.super_epoch:
            self.learned[held.to(device)] = 0
        count = len(model.encoders) + 1
        self.weights = torch.full((count,), 1 / count, device=device)

    def on_epoch(self, model: LateFusion, epoch: int, epochs: int) -> int:
        if epoch % (self.super_epoch or epochs):
            return 0
        length = min(self.super_epoch or epochs, epochs - epoch)
        assert self.learn is not None
        before, after, seen = self.losses(model), {}, len(self.rest)
        for k in before:
            branch = distributed.prepare_model(copy.deepcopy(model))  # a copy has lost its hooks
            seen += self.learn(branch, Branch(k), self.rest, self.held, length) + len(self.rest)
            after[k] = self.losses(branch)[k]
        both = (torch.stack(tuple(x.values())) for x in (before, after))
        self.weights = blended(*both)
        return seen

    def losses(self, model: nn.Module) -> dict[str | None, Tensor]:
        """Mean losses of every branch, {k: (2,)}: on samples it learns from, and held out."""
        seen = [(branches(outputs(model, part)), part.y) for part in (self.rest, self.held)]
        return {k: torch.stack([cross_entropy(out[k], y) for out, y in seen]) for k in seen[0][0]}

    def state(self) -> dict[str, Tensor]:
        return {"weights": self.weights}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.weights.copy_(state["weights"])

    def loss(self, out: Output, batch: Batch) -> Tensor:
        learned = self.learned[batch.index]
        each = [cross_entropy(x, batch.y, reduction="none") for x in branches(out).values()]
        means = torch.stack(each) @ learned / learned.sum().clamp_min(1)
        return self.weights @ means


def branches(out: Output) -> dict[str | None, Tensor]:
    """Logits of each modality's own head, and the fused ones under None, {k: (B, K)}."""
    return {**out.auxiliary, None: out.fused}  # type: ignore[dict-item]


def blended(before: Tensor, after: Tensor) -> Tensor:
    """Weights (k,) from losses (k, 2) before and after, on samples learned from and held out."""
    gain = before[:, 1] - after[:, 1]
    overfit = (after[:, 1] - after[:, 0]) - (before[:, 1] - before[:, 0])
    weights = gain.abs() / overfit.abs().clamp_min(LEAST) ** 2
    weights = weights.clamp_min(torch.finfo(weights.dtype).tiny)  # equal where no branch gained
    return weights / weights.sum()


def cut(train: Split, share: float) -> tuple[Tensor, Tensor]:
    """Split the rows of ``train`` into those to learn from and a stratified ``share`` held out."""
    rows = Split({"row": torch.arange(len(train))}, train.y.cpu(), train.groups)
    try:
        rest, held = holdout(rows, share)
    except ValueError as error:
        raise StudyError(
            f"method.held_out: no {share} of the training split can be held out ({error}); give a "
            f"larger share or more samples of every class"
        ) from None
    return rest.x["row"], held.x["row"]
