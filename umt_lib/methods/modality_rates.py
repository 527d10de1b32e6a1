"""Per-modality learning rates: train each encoder at a rate of its own, chosen by their ratio.

    encoder k:  eta_k = eta r^(1 - 1/M),   all others:  eta_m = eta r^(-1/M)
    L = CE(H(z_1, ..., z_M), y)

r is how many times faster k learns than each of the others; the geometric mean of the rates is
always eta, that of joint training. The block W_m of a linear head has the rate of its encoder,
everything else the rate eta. A rate multiplies weight decay and momentum as it does the gradient,
so this is more than a scaled gradient. Nothing adapts during training: it is the simplest control
of all methods that slow an encoder down or speed it up.

The source is about modalities whose uni-modal models need very different rates, and has three
strategies to set them (MSLR). Only its abstract was available to us, so none of the three is built.
Instead of the rates of uni-modal models, the ratio is chosen on validation, for the joint model.

Source: the idea of Yao and Mihalcea, Findings of ACL 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import PositiveFloat
from torch import Tensor, nn

from umt_lib.data.splits import Batch
from umt_lib.errors import StudyError, nearest
from umt_lib.methods.base import Method, Setting
from umt_lib.models import LateFusion


@dataclass
class ModalityRates(Method):
    """Joint training with a learning rate per modality.

    ``ratio`` is r; 1 is joint training, bit for bit. ``modality_of_ratio`` is k, by default the
    first modality of the params file.
    """

    title = "per-modality learning rates"
    family = "gradient modulation"
    year = 2022
    baseline = False

    ratio: PositiveFloat = 1.0
    modality_of_ratio: str | None = None

    def start(self, model: LateFusion, setting: Setting) -> None:
        names = list(model.encoders)
        k = names[0] if self.modality_of_ratio is None else self.modality_of_ratio
        if k not in names:
            raise StudyError(
                f"method.modality_of_ratio {k!r} of 'modality-rates' has no encoder"
                f"{nearest(k, names)}"
            )
        blocks = getattr(model.head, "weights", {})  # of a linear head
        share = 1 / len(names)
        self.parts: list[tuple[float, list[nn.Parameter]]] = [
            (
                self.ratio ** (1 - share if m == k else -share),
                [*encoder.parameters(), *([blocks[m]] if m in blocks else [])],
            )
            for m, encoder in model.encoders.items()
        ]
        divided = {id(p) for _, part in self.parts for p in part}
        self.parts.append((1.0, [p for p in model.parameters() if id(p) not in divided]))

    def step(self, model: LateFusion, optimizer: torch.optim.Optimizer, batch: Batch) -> Tensor:
        (whole,) = optimizer.param_groups  # one group between steps, as in checkpoints
        optimizer.param_groups = [
            {**whole, "params": part, "lr": factor * whole["lr"]} for factor, part in self.parts
        ]
        loss = super().step(model, optimizer, batch)
        optimizer.param_groups = [whole]
        return loss
