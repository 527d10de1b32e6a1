"""What a training method is: a few hooks around one loop.

A method's dataclass fields are its hyper-parameters, and so the schema of ``method:`` in a params
file. Learnable parameters live in the model; a method holds hyper-parameters and small state.

    loss      what is minimised                       cross-entropy of the fused logits
    backward  how the loss becomes gradients          loss.backward()
    step      how a batch becomes an update           zero_grad, forward, backward, step
    predict   how outputs become a prediction         the fused logits
    build     which model is trained                  encoders + head
    start     what is prepared before the first epoch nothing
    on_epoch  what changes between epochs             nothing
    epochs    how long                                as long as everyone else
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch, Split
from umt_lib.models import LateFusion, Output

Model = Any  # the nn.Module that the method's own ``build`` makes, of whatever class
Teachers = dict[str, LateFusion]
Make = Callable[..., LateFusion]  # make(modalities=None, auxiliary=False): a fresh model
# learn(model, method, train, held out, epochs): in place; returns samples seen
Learn = Callable[[nn.Module, "Method", Split, Split, int], int]


class Setting(NamedTuple):
    """What a method may look at before the first epoch. Never the test split."""

    train: Split
    validation: Split
    teachers: Teachers  # {m: frozen uni-modal model in evaluation mode}; {} unless asked for
    augmented: bool  # whether training inputs differ from epoch to epoch
    learn: Learn | None = None  # train a model further, as the data set's schedule would


@dataclass
class Method:
    """The default of every hook is plain joint training."""

    # What a method is. Each class gives its own; no number depends on them.
    title: ClassVar[str]  # as tables and figures write it
    family: ClassVar[str]  # one of umt_lib.methods.FAMILIES
    year: ClassVar[int]  # of the source
    baseline: ClassVar[bool]  # a reference of this study or a simple choice, not a compared method

    needs_teachers: ClassVar[bool] = False  # the uni-modal runs of the same seed
    needs_unimodal_logits: ClassVar[bool] = False  # logits per modality, hence an additive head
    auxiliary: ClassVar[bool] = False  # an own linear head per modality

    def epochs(self, epochs: int) -> int:
        """How many epochs this method trains when the data set's schedule says ``epochs``."""
        return epochs

    def build(self, make: Make, teachers: Teachers) -> Model:
        """The model to train."""
        return make(auxiliary=self.auxiliary)

    def start(self, model: Model, setting: Setting) -> None:
        """Prepare state before the first epoch (also after a resume: derive, do not accumulate)."""

    def on_epoch(self, model: Model, epoch: int, epochs: int) -> int:
        """Change state before epoch ``epoch`` (from 0) of ``epochs``; returns samples it saw."""
        return 0

    def state(self) -> dict[str, Tensor]:
        """What accumulates from batch to batch, for a checkpoint."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what :meth:`state` gave."""

    def loss(self, out: Output, batch: Batch) -> Tensor:
        """What is minimised, a scalar."""
        return cross_entropy(out.fused, batch.y)

    def backward(self, model: Model, out: Output, batch: Batch) -> Tensor:
        """Leave gradients in ``model``'s parameters and return the loss."""
        loss = self.loss(out, batch)
        loss.backward()
        return loss

    def step(self, model: Model, optimizer: torch.optim.Optimizer, batch: Batch) -> Tensor:
        """Update the model from one batch and return the loss."""
        optimizer.zero_grad()
        loss = self.backward(model, model(batch.x), batch)
        optimizer.step()
        return loss.detach()

    def predict(self, out: Output) -> Tensor:
        """Logits (B, K) the method is judged by."""
        return out.fused


HOOKS = ("build", "start", "on_epoch", "loss", "backward", "step", "predict", "epochs")


def hooks(method: type[Method]) -> dict[str, bool]:
    """{hook: whether ``method`` acts there}: the classification of methods by where they act."""
    return {hook: getattr(method, hook) is not getattr(Method, hook) for hook in HOOKS}
