"""The training loop of all methods: :func:`fit`. A method may change the update, not the loop.

The sample order, augmentation and noise of an epoch come from a random stream that depends only on
the seed and the epoch. So an interrupted run resumes exactly as if it had not been interrupted, and
on a CPU two runs with the same seed give identical results.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat
from torch import nn

from umt_lib import distributed
from umt_lib.data.loader import batches
from umt_lib.data.splits import Splits
from umt_lib.errors import StudyError
from umt_lib.evaluation import metrics
from umt_lib.evaluation.probes import linear_probe
from umt_lib.fused_sgd import FusedSGD
from umt_lib.methods.base import Method
from umt_lib.models import HEADS
from umt_lib.models.inference import outputs
from umt_lib.ranges import check_fields

CURVE_SAMPLES = 500  # training samples for curves and for probes during training: a fixed subset
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0, lt=2**31)]


class Diverged(StudyError):
    """The training loss, or a feature that is probed during training, became NaN or infinite."""


@dataclass(frozen=True)
class Training:
    """The training schedule of a data set: SGD with a constant rate, then linear decay to 0.

    Attributes:
        epochs: number of epochs; in the last share ``decay`` of them the learning rate decreases.
        probe_every: epochs between two linear probes during training; 0 for none.
        precision: "bf16" runs encoders under bfloat16 autocast; heads and losses stay float32.
        workers: threads that read data which is not in memory; results do not depend on it.
        compile: apply torch.compile to the encoders.
    """

    epochs: Count
    batch_size: Count = 64
    learning_rate: PositiveFloat = 0.05
    momentum: Share = 0.9
    weight_decay: NonNegativeFloat = 1e-4
    decay: Share = 0.3
    probe_every: NonNegativeInt = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    workers: NonNegativeInt = 0
    compile: bool = False

    def __post_init__(self) -> None:
        """Raise StudyError for a value that is out of its range."""
        check_fields(self)


@dataclass
class Progress:
    """The progress of a run: all that a checkpoint contains except tensors.

    Curves have one entry per epoch.
    """

    epoch: int = 0  # epochs finished
    best: int = 0  # the epoch (from 1) with the best validation score; 0 before the first
    curves: dict[str, list] = field(default_factory=dict)
    seconds: float = 0.0  # processor time on a CPU, elapsed time elsewhere
    samples: int = 0

    @property
    def score(self) -> tuple[float, float]:
        """Validation accuracy of the best epoch, and its negative cross-entropy to break ties."""
        if not self.best:
            return (-1.0, 0.0)
        at = self.best - 1
        return (self.curves["validation_accuracy"][at], -self.curves["validation_nll"][at])


@dataclass
class State:
    """Everything that a run needs to resume: read by :func:`fit`, written by ``save``."""

    progress: Progress
    model: dict[str, torch.Tensor]
    best: dict[str, torch.Tensor]
    optimizer: dict
    method: dict[str, torch.Tensor] = field(default_factory=dict)


def fit(
    model: nn.Module,
    method: Method,
    splits: Splits,
    training: Training,
    seed: int,
    state: State | None = None,
    save: Callable[[State], None] | None = None,
    tick: Callable[[str], None] = lambda text: None,
) -> Progress:
    """Train ``model`` in place and restore the weights of the epoch with the best validation score.

    A method that does not select (``Method.selects``) keeps the weights of the last epoch.

    The method must have been started. The test split is not used.

    Args:
        state: where to resume; None to start from the beginning.
        save: called with the state after each epoch.
        tick: called with a short text after each epoch, for a progress bar.

    Raises:
        Diverged: the loss, or a feature that is probed, is NaN or infinite.
        StudyError: the method needs logits of each modality, which the head does not have.
    """
    head = getattr(model, "head", None)
    # a method's own model may have no head, or one that is made for the method
    additive = hasattr(head, "unimodal_logits") or type(head) not in HEADS.values()
    if method.needs_unimodal_logits and not additive:
        raise StudyError(f"{method.title} needs logits of each modality; give a linear head")
    device = next(model.parameters()).device
    train, validation = splits.train.to(device), splits.validation.to(device)
    epochs, progress, best = method.epochs(training.epochs), Progress(), model.state_dict()
    if not epochs:  # a method that only combines trained models
        return progress
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = FusedSGD(learned, training.learning_rate, training.momentum, training.weight_decay)
    if state is not None:
        progress, best = state.progress, state.best
        model.load_state_dict(state.model)
        optimizer.load_state_dict(state.optimizer)
        method.restore(state.method)
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    subset = train.take(np.random.default_rng(0).permutation(len(train))[:CURVE_SAMPLES])

    for epoch in range(progress.epoch, epochs):
        began = clock()
        progress.samples += method.on_epoch(model, epoch, epochs)
        torch.manual_seed(seed * 100_003 + epoch)
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * _rate(epoch / epochs, training.decay)
        model.train()
        losses, sizes = [], []
        for batch in batches(splits, train, training.batch_size, seed, epoch, training.workers):
            losses.append(method.step(model, optimizer, batch))
            sizes.append(len(batch.y))
        distributed.broadcast_state(model)
        loss = float(np.dot(torch.stack(losses).tolist(), sizes)) / len(train)
        at = f"in epoch {epoch + 1} (seed {seed})"
        lower = f"lower the learning rate (now {training.learning_rate}) or the method's strength"
        if not np.isfinite(loss):
            raise Diverged(f"the training loss became {loss} {at}; {lower}")
        known, held = outputs(model, subset), outputs(model, validation)
        logits = method.predict(held)
        curves = {
            "train_loss": loss,
            "validation_accuracy": metrics.accuracy(logits, validation.y),
            "validation_nll": metrics.nll(logits, validation.y),
            "train_accuracy": metrics.accuracy(method.predict(known), subset.y),
        }
        for name, value in curves.items():
            progress.curves.setdefault(name, []).append(value)
        if training.probe_every and (epoch + 1) % training.probe_every == 0:
            features = [*known.features.values(), *held.features.values()]
            if not all(z.isfinite().all() for z in features):  # the last step can cause it
                raise Diverged(f"the features became infinite or NaN {at}; {lower}")
            probed = {  # at a fixed regularisation strength: for the curve, not for tables
                m: linear_probe(z, subset.y, held.features[m], validation.y, strength=0.01)
                for m, z in known.features.items()
            }
            progress.curves.setdefault("probe", []).append({"epoch": epoch + 1, **probed})
        progress.epoch, progress.samples = epoch + 1, progress.samples + len(train)
        now = (curves["validation_accuracy"], -curves["validation_nll"])
        if now > progress.score:
            progress.best = epoch + 1
            best = {name: value.clone() for name, value in model.state_dict().items()}
        progress.seconds += clock() - began
        tick(f"loss {loss:.3f}, validation {curves['validation_accuracy']:.1%}")
        if save is not None:
            save(State(progress, model.state_dict(), best, optimizer.state_dict(), method.state()))
    if method.selects:
        model.load_state_dict(best)
    return progress


def _rate(done: float, decay: float) -> float:
    """Factor of the learning rate after the share ``done`` of the schedule."""
    return min(1.0, (1 - done) / decay) if decay else 1.0
