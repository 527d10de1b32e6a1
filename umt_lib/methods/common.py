"""What several methods share: a ratio of modalities, a running mean, a check of encoder widths."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from umt_lib.errors import StudyError
from umt_lib.methods.base import Method, Setting
from umt_lib.models import LateFusion


def ratios(logits: dict[str, Tensor], y: Tensor) -> dict[str, Tensor]:
    """How far each modality is ahead of the others on a batch, {m: scalar without gradient}.

        s_m = mean_i softmax(l_m)[y],   rho_m = s_m / mean of the others' s

    Above 1 for a modality that is ahead. For two modalities it is the ratio of Peng et al., CVPR
    2022; the mean for more than two is ours.

    Args:
        logits: l_m, {m: (B, K)}.
    """
    least = torch.finfo(torch.float32).tiny  # probabilities may underflow: no division by 0
    right = {
        m: x.detach().softmax(1).gather(1, y[:, None]).mean().clamp_min(least)
        for m, x in logits.items()
    }
    others = {m: torch.stack([s for j, s in right.items() if j != m]).mean() for m in right}
    return {m: s / others[m] for m, s in right.items()}


def one_width(model: LateFusion, method: str, why: str) -> int:
    """The feature dimension d that all encoders have, for a method that needs them to be equal.

    Args:
        method: its name in a params file.
        why: what the method does that needs it, for the error.

    Raises:
        StudyError: encoders of different widths.
    """
    dims = {m: encoder.dim for m, encoder in model.encoders.items()}
    if len(set(dims.values())) > 1:
        raise StudyError(
            f"method {method!r} {why}, but encoders are {dims} wide; give all encoders of the "
            f"params file the same width"
        )
    return next(iter(dims.values()))


@dataclass
class RunningMean(Method):
    """A method with a mean over all batches so far, one number per modality, kept in checkpoints.

    A subclass decides what is averaged, and calls :meth:`update_mean` once a batch.
    """

    def start(self, model: LateFusion, setting: Setting) -> None:
        device = setting.train.y.device
        self.mean = torch.zeros(len(model.encoders), device=device)
        self.batches = torch.zeros((), device=device)

    def state(self) -> dict[str, Tensor]:
        return {"mean": self.mean, "batches": self.batches}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.mean.copy_(state["mean"])
        self.batches.copy_(state["batches"])

    def update_mean(self, values: Tensor) -> None:
        """Include the values (M,) of a batch in the mean."""
        self.batches = self.batches + 1
        self.mean = self.mean + (values - self.mean) / self.batches
