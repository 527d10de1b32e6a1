"""Modality dropout: leave out the features of one random modality in some training samples.

    z_m <- 0 for one m drawn at random, with probability p a sample;   L = CE(H(z_1, ..., z_M), y)

Features are dropped, not inputs, and never more than one, so that M - 1 modalities are left. At
test nothing is dropped. Kept features are not scaled up.

Source: the idea of ModDrop (Neverova et al., TPAMI 2016), which drops each modality on its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from umt_lib.data.splits import Batch
from umt_lib.methods.base import Method
from umt_lib.models import LateFusion, Output


@dataclass
class ModalityDropout(Method):
    """Joint training with dropped features.

    ``p`` 0 is joint training, bit for bit.
    """

    title = "modality dropout"
    family = "dropout and sampling"
    year = 2016
    baseline = False

    p: Annotated[float, Field(ge=0, le=1)] = 0.3

    def backward(self, model: LateFusion, out: Output, batch: Batch) -> Tensor:
        kept = self.kept(len(batch.y), len(out.features), batch.y.device)
        features = {m: z * k for (m, z), k in zip(out.features.items(), kept, strict=True)}
        return super().backward(model, model.fuse(features), batch)

    def kept(self, samples: int, modalities: int, device: torch.device) -> Tensor:
        """Which features are kept, boolean (M, B, 1): all of a sample, or all but one."""
        lost = torch.randint(modalities, (samples,), device=device)
        lost[torch.rand(samples, device=device) >= self.p] = -1
        return lost[:, None] != torch.arange(modalities, device=device)[:, None, None]
