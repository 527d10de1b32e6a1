"""The base class of training methods: a few hooks in the one training loop.

A method's dataclass fields are its hyper-parameters, and so the schema of ``method:`` in a params
file. Learnable parameters belong to the model; a method holds hyper-parameters and a little state.

    hook      decides                                 default
    build     the model that is trained               encoders + head
    start     what is prepared before the first epoch nothing
    on_epoch  what changes between epochs             nothing
    loss      the loss that is minimised              cross-entropy of the fused logits
    backward  how the loss becomes gradients          loss.backward()
    step      how a batch becomes an update           zero_grad, forward, backward, step
    predict   how outputs become a prediction         the fused logits
    validate  the prediction on validation            that of ``predict``
    epochs    the number of epochs                    that of the data set's schedule
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
from umt_lib.ranges import check_fields

Model = Any  # the nn.Module that the method's own ``build`` makes, of whatever class
Teachers = dict[str, LateFusion]
Make = Callable[..., LateFusion]  # make(modalities=None, auxiliary=False): a fresh model
# learn(model, method, train, held out, epochs) trains in place, returns the number of samples seen
Learn = Callable[[nn.Module, "Method", Split, Split, int], int]


class Setting(NamedTuple):
    """What a method may use before the first epoch; the test split is not part of it."""

    train: Split
    validation: Split
    teachers: Teachers  # {m: frozen uni-modal model in evaluation mode}; {} if not needed
    augmented: bool  # whether training inputs differ from epoch to epoch
    learn: Learn | None = None  # trains a model further, by the data set's schedule


@dataclass
class Method:
    """A training method; the default of every hook is that of plain joint training."""

    # What a method is. Each class gives its own; no number depends on them.
    title: ClassVar[str]  # as tables and figures write it
    family: ClassVar[str]  # one of umt_lib.methods.FAMILIES
    year: ClassVar[int]  # of the source
    baseline: ClassVar[bool]  # a reference of this study or a simple choice, not a compared method

    needs_teachers: ClassVar[bool] = False  # uni-modal models of the same seed
    needs_unimodal_logits: ClassVar[bool] = False  # logits per modality, hence an additive head
    auxiliary: ClassVar[bool] = False  # the model has a linear head per modality as well
    selects: ClassVar[bool] = True  # validation chooses the epoch; False leaves the last one

    def __post_init__(self) -> None:
        """Raise StudyError for a hyper-parameter that is out of its range."""
        check_fields(self)

    def epochs(self, epochs: int) -> int:
        """Return the number of epochs to train, given that of the data set's schedule."""
        return epochs

    def build(self, make: Make, teachers: Teachers) -> Model:
        """Return the model to train."""
        return make(auxiliary=self.auxiliary)

    def start(self, model: Model, setting: Setting) -> None:
        """Prepare state before the first epoch, and after a resume: derive, do not accumulate."""

    def on_epoch(self, model: Model, epoch: int, epochs: int) -> int:
        """Change state before epoch ``epoch`` (from 0) of ``epochs``; return the samples seen."""
        return 0

    def state(self) -> dict[str, Tensor]:
        """Return the state that accumulates over batches, for a checkpoint."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set the state to what :meth:`state` returned."""

    def loss(self, out: Output, batch: Batch) -> Tensor:
        """Return the loss that is minimised, a scalar."""
        return cross_entropy(out.fused, batch.y)

    def backward(self, model: Model, out: Output, batch: Batch) -> Tensor:
        """Set the gradients of ``model``'s parameters and return the loss."""
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
        """Return the logits (B, K) that are evaluated."""
        return out.fused

    def validate(self, out: Output, split: Split) -> Tensor:
        """Return the logits (n, K) of the validation split whose score chooses a hyper-parameter.

        A method that fits something to this split predicts each sample from the others.
        """
        return self.predict(out)


HOOKS = ("build", "start", "on_epoch", "loss", "backward", "step", "predict", "validate", "epochs")


def hooks(method: type[Method]) -> dict[str, bool]:
    """Return which hooks ``method`` overrides, {hook: bool}: where in the training loop it acts."""
    return {hook: getattr(method, hook) is not getattr(Method, hook) for hook in HOOKS}
