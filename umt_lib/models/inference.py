"""Inference: features and predictions for a whole split, in evaluation mode."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from umt_lib import distributed
from umt_lib.data.splits import Split
from umt_lib.models import Output

BATCH = 512  # large enough to be fast, small enough for any encoder here on any machine


@torch.no_grad()
def outputs(model: nn.Module, split: Split) -> Output:
    """Compute the model's :class:`Output` for every sample of ``split``, in order."""
    was_training, device = model.training, split.y.device
    model.eval()
    parts = []
    for start in range(0, len(split), BATCH):
        rows = distributed.shard(slice(start, min(start + BATCH, len(split))))
        parts.append(model({m: x.to(device) for m, x in split.inputs(rows).items()}))
    model.train(was_training)

    def joined(dicts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        return {m: torch.cat([d[m] for d in dicts]) for m in dicts[0]}

    return Output(
        joined([p.features for p in parts]),
        torch.cat([p.fused for p in parts]),
        joined([p.unimodal for p in parts]),
        joined([p.auxiliary for p in parts]),
    )
