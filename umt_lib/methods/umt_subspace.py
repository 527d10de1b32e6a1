r"""UMT, sub-space: distil only the directions that the teacher's own classifier uses.

    L = CE(H(z_1, ..., z_M), y) + lambda sum_m ||V_m' (z_m - sg t_m(x_m))||^2 / d_m

The columns of V_m (d_m, K-1) are an orthonormal basis of the differences between the rows of the
uni-modal classifier. Its decision is distilled and the other directions stay free, for paired
features, which plain UMT suppresses (the trade-off page measures it). The mean is over batch and
all d_m dimensions, so that lambda pulls on a direction as hard as UMT's does.

Source: ours, a remedy for UMT (Du et al., ICML 2023). Feature dimensions beyond the classifier's
K - 1 are not distilled: where they carry the benefit of UMT, it is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from umt_lib.data.splits import Batch
from umt_lib.losses import subspace_basis, subspace_distillation
from umt_lib.methods.base import Method, Setting
from umt_lib.methods.umt import UMT
from umt_lib.models import LateFusion, Output


@dataclass
class UMTSubspace(UMT):
    """Joint training with sub-space distillation.

    ``weight`` is lambda; 0 is joint training, bit for bit.
    """

    title = "UMT, sub-space"
    family = "distillation"
    year = 2026
    baseline = True

    def start(self, model: LateFusion, setting: Setting) -> None:
        super().start(model, setting)
        self.bases = {m: subspace_basis(t.head.weights[m]) for m, t in self.teachers.items()}

    def loss(self, out: Output, batch: Batch) -> Tensor:
        targets = self.targets(batch)
        distance = sum(
            subspace_distillation(z, targets[m], self.bases[m]) for m, z in out.features.items()
        )
        return Method.loss(self, out, batch) + self.weight * distance
