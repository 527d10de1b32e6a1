"""Three ways to distil without taking the room for paired features, for the batched loop.

    projected   a student twice as wide, z in R^2d: sum_m MSE(A_m z_m + a_m, t_m), A_m, a_m learned
    fading      the weight falls linearly to 0, over half the epochs ("fading-half") or all of them
    subspace    only what the teacher's head reads: sum_m ||V_m' (z_m - t_m)||^2 / d, the columns
                of V_m an orthonormal basis of what differs between the rows of the head

At weight 0 each is joint training; for the projection that is joint training twice as wide. What a
loss needs beside the teachers' features comes with the batch, under a name of its own.
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

SHARE = "share"  # of the weight that is left, (G,) for every batch


@dataclass
class Projected(UMT):
    """Distil what a learned linear layer makes of the features; ``auxiliary`` is that layer."""

    def loss(self, out: Output, batch: Batch) -> Tensor:
        known = self.targets(batch)
        distance = sum(feature_distillation(z, known[m]) for m, z in out.auxiliary.items())
        return cross_entropy(out.fused, batch.y) + self.weight * distance


@dataclass
class Fading(UMT):
    """UMT with a share of its weight, which is given with the batch."""

    def loss(self, out: Output, batch: Batch) -> Tensor:
        known = self.targets(batch)
        distance = sum(feature_distillation(z, known[m]) for m, z in out.features.items())
        return cross_entropy(out.fused, batch.y) + self.weight * known[SHARE] * distance


@dataclass
class Subspace(UMT):
    """Distil only along the directions (d, K-1) that are given with the teachers' features."""

    def loss(self, out: Output, batch: Batch) -> Tensor:
        known = self.targets(batch)
        distance = sum(
            subspace_distillation(z, known[m], known[basis(m)]) for m, z in out.features.items()
        )
        return cross_entropy(out.fused, batch.y) + self.weight * distance


def basis(modality: str) -> str:
    """The name of a modality's directions beside its teacher's features."""
    return f"{modality}.basis"


def fading(known: Epochs, until: float) -> Epochs:
    """Targets with the share of the weight: from 1 down to 0 at ``until`` of the schedule."""
    shares = [max(0.0, 1 - epoch / (until * len(known))) for epoch in range(len(known))]
    return [
        [b._replace(x={**b.x, SHARE: torch.full((len(b.y),), share)}) for b in batches]
        for share, batches in zip(shares, known, strict=True)
    ]


def with_bases(known: Epochs, teachers: dict[str, Params]) -> Epochs:
    """Targets with an orthonormal basis (G, d, K-1) of what each teacher's head reads."""
    bases = {basis(m): subspace_basis(t[f"head.weights.{m}"]) for m, t in teachers.items()}
    return [[b._replace(x={**b.x, **bases}) for b in batches] for batches in known]
