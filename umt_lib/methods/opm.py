"""OPM, on-the-fly prediction modulation: drop features of the modality that is ahead.

    s_m = mean_i softmax(l_m)[y],   r_m = tanh(relu(s_m / mean of the others' s - 1))
    q_m = clip(q (1 + lambda r_m), 0, 1) where r_m > 0, else 0
    z_m <- z_m b_m / (1 - theta),   b_m ~ Bernoulli(1 - q_m) a sample
    theta = sum_m d_m q_m / sum_m d_m,   d_m the width of z_m

In each batch this happens with probability ``execute``, and in training only. The backward pass is
the plain one of this forward pass. The paper leaves out samples of which nothing is left; there are
none, because nothing is ever dropped of the modality with the least s.

Deviation: r for more than two modalities (for two it is the paper's).

Source: Wei et al., TPAMI 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from umt_lib.data.splits import Batch
from umt_lib.methods.base import Method
from umt_lib.methods.common import ratios
from umt_lib.models import LateFusion, Output

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass
class OPM(Method):
    """Joint training with dropped features.

    ``base`` is q, ``more`` is lambda; ``base`` or ``execute`` 0 is joint training.
    """

    title = "OPM"
    family = "dropout and sampling"
    year = 2024
    baseline = False

    base: Share = 0.5
    more: NonNegativeFloat = 0.5
    execute: Share = 0.7
    needs_unimodal_logits: ClassVar[bool] = True

    def backward(self, model: LateFusion, out: Output, batch: Batch) -> Tensor:
        if torch.rand(()) < self.execute:
            out = model.fuse(self.dropped(out, batch.y))
        return super().backward(model, out, batch)

    def dropped(self, out: Output, y: Tensor) -> dict[str, Tensor]:
        """Return features {m: (B, d_m)} after dropping and scaling."""
        q = self.probabilities(out, y)
        width = {m: z.shape[1] for m, z in out.features.items()}
        theta = sum(width[m] * q[m] for m in q) / sum(width.values())
        kept = {m: torch.rand(len(z), 1, device=z.device) >= q[m] for m, z in out.features.items()}
        return {m: z * kept[m] / (1 - theta) for m, z in out.features.items()}

    def probabilities(self, out: Output, y: Tensor) -> dict[str, Tensor]:
        """Return the dropping probabilities q_m, {m: scalar}."""
        r = {m: torch.tanh((s - 1).relu()) for m, s in ratios(out.unimodal, y).items()}
        return {m: (x > 0) * (self.base * (1 + self.more * x)).clamp(0, 1) for m, x in r.items()}
