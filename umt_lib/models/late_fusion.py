"""Late fusion: one encoder per modality, one head over their features.

    z_m = encoder_m(x_m),   logits = H(z_1, ..., z_M)

A head that is linear and additive over modalities, H(z) = sum_m W_m z_m + b, also has logits
per modality, l_m = W_m z_m + b/M with sum_m l_m = H(z), as in Peng et al., 2022. Other heads have
none: ``Output.unimodal`` is then empty, and methods that need these logits refuse such a head.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from umt_lib import distributed


class Output(NamedTuple):
    """The result of a forward pass: everything that a method may use."""

    features: dict[str, Tensor]  # {m: (B, d_m)}, after pooling, just before fusion
    fused: Tensor  # (B, K)
    unimodal: dict[str, Tensor]  # {m: (B, K)}, with sum fused; {} for a head that is not additive
    auxiliary: dict[str, Tensor]  # {m: (B, K)} of the head of each modality; {} without these heads


class LateFusion(nn.Module):
    """Late-fusion model: one encoder per modality, a fusion head, optionally a head per modality.

    Args:
        encoders: {modality: module with ``dim``}, (B, ...) -> (B, dim).
        head: a module from :mod:`umt_lib.models.heads`.
        auxiliary: {modality: (B, dim) -> (B, K)}, for methods with uni-modal losses.
        bf16: run the encoders under bfloat16 autocast; heads and outputs are float32 either way.
    """

    def __init__(
        self,
        encoders: dict[str, nn.Module],
        head: nn.Module,
        auxiliary: dict[str, nn.Module] | None = None,
        bf16: bool = False,
    ):
        super().__init__()
        self.encoders: Any = nn.ModuleDict(encoders)  # Any: modules with attributes of their own
        self.head: Any = head
        self.auxiliary: Any = nn.ModuleDict(auxiliary or {})
        self.bf16 = bf16
        self.frozen = False

    def freeze_encoders(self) -> None:
        """Stop training the encoders; their batch statistics no longer change either."""
        self.frozen = True
        self.encoders.requires_grad_(False)
        self.encoders.eval()

    def train(self, mode: bool = True) -> LateFusion:
        """Set training mode; encoders that are frozen stay in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.encoders.eval()
        return self

    def forward(self, x: dict[str, Tensor]) -> Output:
        """{m: (B, ...)} -> Output; modalities without an encoder in this model are ignored."""
        if self.bf16:
            with torch.autocast(next(iter(x.values())).device.type, torch.bfloat16):
                features = {m: encoder(x[m]) for m, encoder in self.encoders.items()}
        else:
            features = {m: encoder(x[m]) for m, encoder in self.encoders.items()}
        return self.fuse({m: distributed.all_gather(z.float()) for m, z in features.items()})

    def fuse(self, features: dict[str, Tensor]) -> Output:
        """Compute everything after the encoders: {m: (B, d_m)} -> Output."""
        own = {m: head(features[m]) for m, head in self.auxiliary.items()}
        if hasattr(self.head, "unimodal_logits"):
            fused, unimodal = self.head(features)
            return Output(features, fused, unimodal, own)
        return Output(features, self.head(features), {}, own)
