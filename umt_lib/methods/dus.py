"""DUS, data-aware uni-modal sampling: a modality that is ahead learns from fewer samples.

    s_m = mean_i softmax(h_m z_m)[y],   S_m = mean of s_m over all batches so far
    n_m = ceil(B (1 - tanh(lambda relu(S_m / mean of the others' S - 1)))),   at least 1
    L = CE(H(z_1, ..., z_M), y) over the first min_m n_m samples
        + sum_m CE(h_m z_m, y) over the first n_m samples

The order of a batch is random, so its first n samples are a random draw. The fused logits learn
from the samples that all modalities have. The modality with the lowest S has every sample.

Only s and S are the paper's. Its rules from S to n (a heuristic and a learned policy) and its
objective were not available to us: n, in the manner of OPM's r, and L, that of joint training with
uni-modal cross-entropies, are ours. So this tests the idea, not the authors' method.

Source: Jiang et al., 2025.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import NonNegativeFloat
from torch import Tensor
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.methods.common import RunningMean
from umt_lib.models import Output


@dataclass
class DUS(RunningMean):
    """Joint training with uni-modal cross-entropies on a part of each batch.

    ``strength`` is lambda; 0 is joint training with uni-modal cross-entropies, bit for bit.
    """

    title = "DUS"
    family = "dropout and sampling"
    year = 2025
    baseline = False

    strength: NonNegativeFloat = 1.0
    auxiliary: ClassVar[bool] = True

    def loss(self, out: Output, batch: Batch) -> Tensor:
        logits, y = out.auxiliary.values(), batch.y
        right = [x.detach().softmax(1).gather(1, y[:, None]).mean() for x in logits]
        self.update_mean(torch.stack(right))
        counts = self.counts(len(y))
        own = sum(cross_entropy(x[:n], y[:n]) for x, n in zip(logits, counts, strict=True))
        shared = min(counts)
        return cross_entropy(out.fused[:shared], y[:shared]) + own

    def counts(self, samples: int) -> list[int]:
        """Numbers n_m of samples that each modality learns from, in a batch of ``samples``."""
        others = (self.mean.sum() - self.mean) / (len(self.mean) - 1)
        lead = (self.mean / others.clamp_min(torch.finfo(others.dtype).tiny) - 1).relu()
        kept = samples * (1 - torch.tanh(self.strength * lead))
        return kept.ceil().long().clamp_min(1).tolist()
