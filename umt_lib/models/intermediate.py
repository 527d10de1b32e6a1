"""Intermediate fusion: modalities are combined inside the encoders, not only in the head.

    z_1, ..., z_M = T(x_1, ..., x_M),   logits = H(z_1, ..., z_M)

A trunk T replaces the M encoders; head, losses and outputs are those of late fusion. So z_m may
contain information from every modality, and neither a probe of z_m nor the logits W_m z_m measure
the uni-modal accuracy of m.

The trunk of MMTM (Joze et al., CVPR 2020) is :class:`Gated`, that of MBT (Nagrani et al., NeurIPS
2021) is :class:`Bottlenecked`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from umt_lib import distributed
from umt_lib.models.late_fusion import LateFusion, Output
from umt_lib.models.stages import pooled, stages, width

GATED = 3  # stages that end in a gate, counted from the last; of a ResNet these are layers 2, 3, 4
HEADS = 4  # of attention


class IntermediateFusion(LateFusion):
    """A model with ``trunk``, {m: (B, ...)} -> {m: (B, d_m)}, in place of the encoders.

    The head and all options are those of ``model``.
    """

    def __init__(self, model: LateFusion, trunk: nn.Module):
        super().__init__({}, model.head, dict(model.auxiliary), model.bf16)
        self.encoders = trunk  # this name: all that is computed before features are gathered

    def forward(self, x: dict[str, Tensor]) -> Output:
        """Apply trunk and head: {m: (B, ...)} -> Output."""
        device = next(iter(x.values())).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.bf16):
            features = self.encoders(x)
        return self.fuse({m: distributed.all_gather(z.float()) for m, z in features.items()})


class Gate(nn.Module):
    """Squeeze-and-excitation gate over all modalities.

    x_m * 2 sigmoid(W_m relu(W_s [pool x_1; ...; pool x_M]))

    Args:
        widths: {m: channels of its maps}.
        ratio: W_s reduces the channels of all maps together to this fraction, 1/ratio.
    """

    def __init__(self, widths: dict[str, int], ratio: int = 4):
        super().__init__()
        joint = max(1, sum(widths.values()) // ratio)
        self.squeeze = nn.Linear(sum(widths.values()), joint)
        self.excite = nn.ModuleDict({m: nn.Linear(joint, c) for m, c in widths.items()})

    def forward(self, maps: dict[str, Tensor]) -> dict[str, Tensor]:
        """Multiply each map {m: (B, C_m, ...)} by its gates."""
        gates = self.gates(maps)
        return {
            m: x * gates[m].reshape(*gates[m].shape, *[1] * (x.ndim - 2)) for m, x in maps.items()
        }

    def gates(self, maps: dict[str, Tensor]) -> dict[str, Tensor]:
        """The gates {m: (B, C_m)}, each between 0 and 2."""
        joint = torch.cat([pooled(maps[m]) for m in self.excite], dim=1)
        joint = self.squeeze(joint).relu()
        return {m: 2 * excite(joint).sigmoid() for m, excite in self.excite.items()}


class Gated(nn.Module):
    """Trunk of encoders with a ``gate`` (:class:`Gate`) after each of their last stages."""

    def __init__(self, encoders: nn.ModuleDict, gate: type[Gate] = Gate, ratio: int = 4):
        super().__init__()
        cut = {m: stages(encoder, m) for m, encoder in encoders.items()}
        self.stages: Any = nn.ModuleDict(cut)
        self.together = min(GATED, *(len(parts) for parts in cut.values()))
        self.gates: Any = nn.ModuleList(
            gate({m: width(parts[i]) for m, parts in cut.items()}, ratio)
            for i in range(-self.together, 0)
        )

    def forward(self, x: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the features: {m: (B, ...)} -> {m: (B, d_m)}."""
        maps = {m: x[m] for m in self.stages}
        for m, parts in self.stages.items():
            for stage in parts[: -self.together]:
                maps[m] = stage(maps[m])
        for i, gate in enumerate(self.gates, -self.together):
            maps = gate({m: parts[i](maps[m]) for m, parts in self.stages.items()})
        return {m: pooled(x) for m, x in maps.items()}


class Bottlenecked(nn.Module):
    """Trunk with one transformer per modality on its encoder, connected by bottleneck tokens.

    In each of the last ``fusion`` layers a modality attends to its own tokens and to the bottleneck
    tokens; the updated bottleneck tokens are averaged over modalities. So information needs two
    such layers to pass from one modality to another.

    Args:
        layers: transformer layers per modality, ``fusion`` of them with ``tokens`` bottlenecks.
        size: width of a token.
    """

    def __init__(self, encoders: nn.ModuleDict, layers: int, fusion: int, tokens: int, size: int):
        super().__init__()
        cut = {m: stages(encoder, m) for m, encoder in encoders.items()}
        self.stages: Any = nn.ModuleDict(cut)
        dims: dict[str, Any] = {m: encoder.dim for m, encoder in encoders.items()}
        self.embed = nn.ModuleDict(
            {
                m: nn.Sequential(nn.Linear(width(parts[-1]), size), nn.LayerNorm(size))
                for m, parts in cut.items()
            }
        )
        self.shared = nn.Parameter(torch.randn(1, tokens, size))
        self.layers: Any = nn.ModuleDict(
            {m: nn.ModuleList(_layer(size) for _ in range(layers)) for m in dims}
        )
        self.give = nn.ModuleDict(
            {m: nn.Sequential(nn.LayerNorm(size), nn.Linear(size, d)) for m, d in dims.items()}
        )
        self.apart = layers - fusion  # layers before the first bottleneck

    def forward(self, x: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the features: {m: (B, ...)} -> {m: (B, d_m)}."""
        tokens = {m: self.tokens(m, x[m]) for m in self.stages}
        shared = self.shared.expand(len(next(iter(tokens.values()))), -1, -1)
        for i in range(len(next(iter(self.layers.values())))):
            if i < self.apart:
                tokens = {m: self.layers[m][i](t) for m, t in tokens.items()}
                continue
            n = shared.shape[1]
            both = {m: self.layers[m][i](torch.cat([shared, t], 1)) for m, t in tokens.items()}
            shared = torch.stack([t[:, :n] for t in both.values()]).mean(0)
            tokens = {m: t[:, n:] for m, t in both.items()}
        return {m: self.give[m](t.mean(1)) for m, t in tokens.items()}

    def tokens(self, m: str, x: Tensor) -> Tensor:
        """Tokens of a modality: (B, ...) -> (B, positions, size); a feature vector is one token."""
        for stage in self.stages[m]:
            x = stage(x)
        x = x.reshape(*x.shape[:2], -1).transpose(1, 2)  # (B, positions, C)
        return self.embed[m](x) + positions(x.shape[1], self.shared.shape[2]).to(x.device)


def positions(n: int, size: int) -> Tensor:
    """Sinusoidal encodings (n, size) of the positions 0..n-1; size is even."""
    rate = 10_000.0 ** (-torch.arange(0, size, 2) / size)
    angle = torch.arange(n)[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], 1)


def _layer(size: int) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(
        size, HEADS, 2 * size, dropout=0.0, batch_first=True, norm_first=True
    )
