"""Per-modality early stopping: freeze each encoder when its own head stops improving.

    L = CE(H(z_1, ..., z_M), y) + w sum_m CE(H_m z_m, y)
    a_m(t) = accuracy of H_m z_m on validation after epoch t
    a_m(t - p + 1), ..., a_m(t) <= max of a_m before:   encoder m <- that of its best epoch, frozen

A modality that overfits early keeps its best features, and the others and the head keep learning.
A frozen encoder gets no gradient, no weight decay and no momentum, and its batch statistics no
longer change; its own head keeps learning but is not used at test. Validation decides, as it does
about the epoch of the whole model.

Only the abstract of the source was available to us. It trains classifiers of single modalities
together with the fused one, detects overfitting with them and stops each modality early. The
criterion, the return to the best epoch and w are ours.

Source: the idea of Fujimori et al., ACPR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import PositiveInt
from torch import Tensor

from umt_lib.data.splits import Batch
from umt_lib.evaluation import metrics
from umt_lib.methods.base import Setting
from umt_lib.methods.joint_auxiliary import JointAuxiliary
from umt_lib.models import LateFusion
from umt_lib.models.inference import outputs


@dataclass
class ModalityEarlyStopping(JointAuxiliary):
    """Joint training with uni-modal cross-entropies and encoders that stop early.

    ``patience`` is p, in epochs; no less than the schedule has is joint training with uni-modal
    cross-entropies, bit for bit. ``weight`` is w.
    """

    title = "per-modality early stopping"
    family = "gradient modulation"
    year = 2019
    baseline = False

    patience: PositiveInt = 4

    def start(self, model: LateFusion, setting: Setting) -> None:
        self.validation = setting.validation
        self.best = {m: torch.tensor(-1.0, dtype=torch.double) for m in model.encoders}
        self.waited = {m: torch.tensor(0) for m in model.encoders}
        self.kept = {m: self.copy_of(model, m) for m in model.encoders}

    def copy_of(self, model: LateFusion, m: str) -> dict[str, Tensor]:
        """Weights and batch statistics of an encoder as they are now."""
        return {name: x.detach().clone() for name, x in model.encoders[m].state_dict().items()}

    def stopped(self, m: str) -> bool:
        """Whether encoder m is frozen."""
        return bool(self.waited[m] >= self.patience)

    def on_epoch(self, model: LateFusion, epoch: int, epochs: int) -> int:
        own = outputs(model, self.validation).auxiliary if epoch else {}
        for m, logits in own.items():
            if self.stopped(m):
                continue
            accuracy = metrics.accuracy(logits, self.validation.y)
            if accuracy > self.best[m]:
                self.best[m].fill_(accuracy)
                self.waited[m].zero_()
                self.kept[m] = self.copy_of(model, m)
            else:
                self.waited[m] += 1
            if self.stopped(m):
                model.encoders[m].load_state_dict(self.kept[m])
        for m, encoder in model.encoders.items():
            encoder.requires_grad_(not self.stopped(m))
        return 0

    def step(self, model: LateFusion, optimizer: torch.optim.Optimizer, batch: Batch) -> Tensor:
        for m, encoder in model.encoders.items():
            encoder.train(not self.stopped(m))
        return super().step(model, optimizer, batch)

    def state(self) -> dict[str, Tensor]:
        kept = {f"kept.{m}.{n}": x for m, part in self.kept.items() for n, x in part.items()}
        best = {f"best.{m}": x for m, x in self.best.items()}
        return {**kept, **best, **{f"waited.{m}": x for m, x in self.waited.items()}}

    def restore(self, state: dict[str, Tensor]) -> None:
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
