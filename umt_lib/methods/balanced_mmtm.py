"""Balanced MMTM: fix the gates of the modality that learns fastest through them, for some steps.

    s_m = log10 of the sum over steps of |g|^2 / |w|^2 of m's gates, over that of m's encoder
    if max s - min s > epsilon: for ``window`` steps the gates of the modality with the largest s_m
    are their mean over all training so far, whatever the input

s_m is the conditional learning speed: how fast m learns through the gates, relative to how fast its
encoder learns. While the gates of m are constant, its encoder has to learn. The squeeze layer of a
gate counts for every modality. No gates are fixed in the first epoch, and steps with fixed gates do
not count in s_m. In evaluation gates are never fixed.

``epsilon`` 0.01 and ``window`` 5 are those of configs/training_guided.gin of
github.com/nyukat/greedy_multimodal_learning (commit cf28c4c). After the first epoch s_m differ by
far more than this epsilon, so values near it train the same model for many epochs; what a sweep
varies is the window.

Deviations: each modality has the mean of its own gates; src/balanced_mmtm.py of the same commit
computes that of the second modality from the first one's. There gates are also averaged, and may be
held, in evaluation, and the speed of a modality includes its own classifier. With more than two
modalities the fastest is compared with the slowest.

Source: Wu et al., ICML 2022; on the gates of MMTM (Joze et al., CVPR 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from umt_lib.data.splits import Batch
from umt_lib.methods.base import Make, Method, Setting, Teachers
from umt_lib.models import Output
from umt_lib.models.intermediate import Gate, Gated, IntermediateFusion


class MeanGate(Gate):
    """A gate with its mean over training, which it returns for the modality ``held``."""

    seen: Tensor

    def __init__(self, widths: dict[str, int], ratio: int = 4):
        super().__init__(widths, ratio)
        self.held: str | None = None
        self.register_buffer("seen", torch.zeros(()))
        for m, c in widths.items():
            self.register_buffer(f"mean_{m}", torch.zeros(c))

    def gates(self, maps: dict[str, Tensor]) -> dict[str, Tensor]:
        gates = super().gates(maps)
        if self.training:
            self.seen += 1
            for m, gate in gates.items():
                mean = getattr(self, f"mean_{m}")
                mean += (gate.detach().mean(0) - mean) / self.seen
                if m == self.held:
                    gates[m] = mean.expand_as(gate).clone()
        return gates


@dataclass
class BalancedMMTM(Method):
    """MMTM whose gates are fixed at times.

    ``epsilon`` infinite is MMTM, bit for bit.
    """

    title = "balanced MMTM"
    family = "intermediate fusion"
    year = 2022
    baseline = False

    epsilon: NonNegativeFloat = 0.01
    window: PositiveInt = 5

    def build(self, make: Make, teachers: Teachers) -> IntermediateFusion:
        model = make()
        return IntermediateFusion(model, Gated(model.encoders, MeanGate))

    def start(self, model: IntermediateFusion, setting: Setting) -> None:
        names, device = list(model.encoders.stages), setting.train.y.device
        self.sums = torch.zeros(2, len(names), device=device)  # of gates, of encoders
        self.left = torch.zeros((), dtype=torch.long)  # steps for which gates stay fixed
        self.who = torch.zeros((), dtype=torch.long)  # index of the modality whose gates are fixed
        self.first = True

    def state(self) -> dict[str, Tensor]:
        return {"sums": self.sums, "left": self.left, "who": self.who}

    def restore(self, state: dict[str, Tensor]) -> None:
        for name, value in self.state().items():
            value.copy_(state[name])

    def on_epoch(self, model: IntermediateFusion, epoch: int, epochs: int) -> int:
        self.first = epoch == 0
        self.hold(model)
        return 0

    def backward(self, model: IntermediateFusion, out: Output, batch: Batch) -> Tensor:
        loss = super().backward(model, out, batch)
        if self.left > 0:
            self.left -= 1
        else:
            self.sums += speeds(model.encoders)
            gates, encoders = self.sums.clamp_min(torch.finfo(torch.float32).tiny).log10()
            s = gates - encoders
            if not self.first and s.max() - s.min() > self.epsilon:
                self.who.copy_(s.argmax())
                self.left.fill_(self.window)
        self.hold(model)
        return loss

    def hold(self, model: IntermediateFusion) -> None:
        """Set in every gate which modality is fixed from now on."""
        names = list(model.encoders.stages)
        for gate in model.encoders.gates:
            gate.held = names[int(self.who)] if self.left > 0 else None


def speeds(trunk: Gated) -> Tensor:
    """Ratios |g|^2 / |w|^2 (2, M) of each modality's gates, and of its encoder."""
    rows: tuple[list[Tensor], ...] = ([], [])
    for m, encoder in trunk.stages.items():
        gates = nn.ModuleList(
            part for gate in trunk.gates for part in (gate.squeeze, gate.excite[m])
        )
        for row, module in zip(rows, (gates, encoder), strict=True):
            learned = [p for p in module.parameters() if p.grad is not None]
            g = sum(p.grad.square().sum() for p in learned)
            row.append(g / sum(p.detach().square().sum() for p in learned))
    return torch.stack([torch.stack(row) for row in rows])
