"""A mean over all batches so far, one number per modality: what AGM and DUS judge a batch by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from umt_lib.methods.base import Method, Setting
from umt_lib.models import LateFusion


@dataclass
class Running(Method):
    """Joint training that keeps such a mean, in checkpoints too; what it is of, a subclass says."""

    def start(self, model: LateFusion, setting: Setting) -> None:
        device = setting.train.y.device
        self.mean = torch.zeros(len(model.encoders), device=device)
        self.batches = torch.zeros((), device=device)

    def state(self) -> dict[str, Tensor]:
        return {"mean": self.mean, "batches": self.batches}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.mean.copy_(state["mean"])
        self.batches.copy_(state["batches"])

    def take_in(self, now: Tensor) -> None:
        """Let the numbers (M,) of a batch count in the mean."""
        self.batches = self.batches + 1
        self.mean = self.mean + (now - self.mean) / self.batches
