"""Three variants of UMT that leave capacity for paired features, for the batched loop.

    projected   a student of twice the width, z in R^2d: sum_m MSE(A_m z_m + a_m, t_m), with learned
                A_m and a_m
    fading      the weight falls linearly to 0, over half the epochs ("fading-half") or all of them
    subspace    only the directions that the teacher's head uses: sum_m ||V_m' (z_m - t_m)||^2 / d,
                the columns of V_m an orthonormal basis of the differences between its rows

At weight 0 each equals joint training, the projection joint training of twice the width. What a
loss needs in addition to the teachers' features is in the batch, under its own name.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.losses import feature_distillation, subspace_basis, subspace_distillation
from umt_lib.methods.umt import UMT
from umt_lib.models import Output
from umt_lib.study.analyses.batched.fit import Epochs
from umt_lib.study.analyses.batched.networks import Params

SHARE = "share"  # the remaining share of the weight, (G,) for every batch


@dataclass
class Projected(UMT):
    """Distil a learned linear function of the features; ``auxiliary`` is its output."""

    def loss(self, out: Output, batch: Batch) -> Tensor:
        targets = self.targets(batch)
        distance = sum(feature_distillation(z, targets[m]) for m, z in out.auxiliary.items())
        return cross_entropy(out.fused, batch.y) + self.weight * distance


@dataclass
class Fading(UMT):
    """UMT with a share of its weight that is given with the batch."""

    def loss(self, out: Output, batch: Batch) -> Tensor:
        targets = self.targets(batch)
        distance = sum(feature_distillation(z, targets[m]) for m, z in out.features.items())
        return cross_entropy(out.fused, batch.y) + self.weight * targets[SHARE] * distance


@dataclass
class Subspace(UMT):
    """Distil only the directions (d, K-1) that are given with the teachers' features."""

    def loss(self, out: Output, batch: Batch) -> Tensor:
        targets = self.targets(batch)
        distance = sum(
            subspace_distillation(z, targets[m], targets[basis(m)]) for m, z in out.features.items()
        )
        return cross_entropy(out.fused, batch.y) + self.weight * distance


def basis(modality: str) -> str:
    """The name under which the directions of a modality are in the batch."""
    return f"{modality}.basis"


def fading(targets: Epochs, until: float) -> Epochs:
    """Targets with a share of the weight that falls from 1 to 0 at ``until`` of the schedule."""
    shares = [max(0.0, 1 - epoch / (until * len(targets))) for epoch in range(len(targets))]
    return [
        [b._replace(x={**b.x, SHARE: torch.full((len(b.y),), share)}) for b in batches]
        for share, batches in zip(shares, targets, strict=True)
    ]


def with_bases(targets: Epochs, teachers: dict[str, Params]) -> Epochs:
    """Targets with an orthonormal basis (G, d, K-1) of what each teacher's head uses."""
    bases = {basis(m): subspace_basis(t[f"head.weights.{m}"]) for m, t in teachers.items()}
    return [[b._replace(x={**b.x, **bases}) for b in batches] for batches in targets]
