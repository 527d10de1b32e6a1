"""Joint training with an additional uni-modal cross-entropy on every encoder's own head.

    L = CE(H(z_1, ..., z_M), y) + w sum_m CE(H_m z_m, y)

It is the fair control of methods that contain uni-modal losses (MMPareto, MLB, token-wise MBT):
they have to improve on this. The own heads are not used at test.

Source: the uniform baseline of Wei & Hu, ICML 2024 (MMPareto), with w = 1 there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import NonNegativeFloat
from torch import Tensor
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.methods.base import Method
from umt_lib.models import Output


@dataclass
class JointAuxiliary(Method):
    """Joint training with uni-modal cross-entropies.

    ``weight`` is w; 0 is joint training.
    """

    title = "joint + uni-modal CE"
    family = "auxiliary losses"
    year = 2024
    baseline = True

    weight: NonNegativeFloat = 1.0
    auxiliary: ClassVar[bool] = True

    def loss(self, out: Output, batch: Batch) -> Tensor:
        unimodal = sum(cross_entropy(logits, batch.y) for logits in out.auxiliary.values())
        return super().loss(out, batch) + self.weight * unimodal
