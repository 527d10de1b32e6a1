r"""UMT along the teacher's head: distil only the directions a teacher's own classifier reads.

    L = CE(H(z_1, ..., z_M), y) + lambda sum_m ||V_m' (z_m - sg t_m(x_m))||^2 / d_m

The columns of V_m (d_m, K-1) are an orthonormal basis of what differs between the rows of the
uni-modal classifier. Its decision is distilled and the other directions stay free, for features
that speak only in a pair, which plain UMT pushes out (the trade-off page measures it). The mean is
over batch and all d_m dimensions, so that lambda pulls on a direction as hard as UMT's does.

Source: ours, a remedy for UMT (Du et al., ICML 2023). Feature dimensions beyond the classifier's
K - 1 are held by nothing: where they carry what UMT is for, this loses it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from umt_lib.data.splits import Batch
from umt_lib.methods.base import Method, Setting
from umt_lib.methods.umt import UMT
from umt_lib.models import LateFusion, Output


@dataclass
class UMTSubspace(UMT):
    """``weight`` is lambda; 0 is joint training, bit for bit."""

    title = "UMT, sub-space"
    family = "distillation"
    year = 2026
    baseline = True

    def start(self, model: LateFusion, setting: Setting) -> None:
        super().start(model, setting)
        self.bases = {m: basis(t.head.weights[m]) for m, t in self.teachers.items()}

    def loss(self, out: Output, batch: Batch) -> Tensor:
        targets = self.targets(batch)
        gaps = {m: (z - targets[m]) @ self.bases[m] for m, z in out.features.items()}
        distance = sum(g.square().sum() / out.features[m].numel() for m, g in gaps.items())
        return Method.loss(self, out, batch) + self.weight * distance


def basis(rows: Tensor) -> Tensor:
    """An orthonormal basis (d, K-1) of what differs between the rows (K, d) of a classifier."""
    rows = rows.detach() - rows.detach().mean(0)  # what all classes share changes no prediction
    return torch.linalg.svd(rows, full_matrices=False).Vh[: len(rows) - 1].T.contiguous()
