"""Losses for the batched loop, whose weight may differ from model to model and from time to time.

    auxiliary   a uni-modal cross-entropy of every encoder's own head
    distilled   UMT: sum_m MSE(z_m[:d], t_m), the first features of the student, all of them if it
                is as wide as its teacher (d features); the others stay free
    projected   sum_m MSE(A_m z_m + a_m, t_m), with learned A_m and a_m, for a wider student
    subspace    only the directions that the teacher's head uses: sum_m ||V_m' (z_m - t_m)||^2 / d,
                the columns of V_m an orthonormal basis of the differences between its rows

The weight of each is that of the method times ``Targets.share``. At weight 0 each equals joint
training, that of a wider student joint training of that width. What a loss needs in addition to the
teachers' features is in :class:`Targets`, under its own name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.losses import feature_distillation, subspace_basis, subspace_distillation
from umt_lib.methods.joint_auxiliary import JointAuxiliary
from umt_lib.methods.umt import UMT
from umt_lib.models import Output
from umt_lib.study.analyses.batched.fit import SHARE
from umt_lib.study.analyses.batched.networks import Params


@dataclass
class Auxiliary(JointAuxiliary):
    """Joint training with uni-modal cross-entropies."""

    def loss(self, out: Output, batch: Batch) -> Tensor:
        share = self.targets(batch)[SHARE]  # type: ignore[attr-defined]
        unimodal = sum(cross_entropy(logits, batch.y) for logits in out.auxiliary.values())
        return cross_entropy(out.fused, batch.y) + self.weight * share * unimodal


@dataclass
class Distilled(UMT):
    """Distil into the first features; ``weight`` is multiplied by ``Targets.share``."""

    def loss(self, out: Output, batch: Batch) -> Tensor:
        targets = self.targets(batch)
        distance = torch.stack([self.distance(m, out, targets) for m in out.features]).sum()
        return cross_entropy(out.fused, batch.y) + self.weight * targets[SHARE] * distance

    def distance(self, m: str, out: Output, targets: dict[str, Tensor]) -> Tensor:
        """The distance of the student's features of a modality from its teacher's, a scalar."""
        return feature_distillation(out.features[m][:, : targets[m].shape[1]], targets[m])


class Projected(Distilled):
    """Distil into a learned linear function of the features; ``auxiliary`` is its output."""

    def distance(self, m: str, out: Output, targets: dict[str, Tensor]) -> Tensor:
        return feature_distillation(out.auxiliary[m], targets[m])


class Subspace(Distilled):
    """Distil only the directions (d, K-1) that are given with the teachers' features."""

    def distance(self, m: str, out: Output, targets: dict[str, Tensor]) -> Tensor:
        return subspace_distillation(out.features[m], targets[m], targets[basis(m)])


def constant(weights: Tensor) -> Callable[[float], Tensor]:
    """A share that stays the same, (G,)."""
    return lambda done: weights


def fading(weights: Tensor, until: float = 1.0) -> Callable[[float], Tensor]:
    """A share that falls linearly from ``weights`` (G,) to 0 at the part ``until`` of a schedule.

    >>> [fading(torch.tensor([2.0]), 0.5)(done).item() for done in (0, 0.25, 0.5, 0.75)]
    [2.0, 1.0, 0.0, 0.0]
    """
    return lambda done: weights * max(0.0, 1 - done / until)


def basis(modality: str) -> str:
    """The name under which the directions of a modality are given."""
    return f"{modality}.basis"


def bases(teachers: dict[str, Params]) -> dict[str, Tensor]:
    """For each modality an orthonormal basis (G, d, K-1) of what its teacher's head uses."""
    return {basis(m): subspace_basis(t[f"head.weights.{m}"]) for m, t in teachers.items()}
