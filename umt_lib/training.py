"""fit(): the only training loop. A method may change the update, never copy the loop.

Every epoch draws its order, augmentation and noise from a stream of its own, made of the seed and
the epoch's number: so an interrupted run goes on exactly as if nothing had happened, and one seed
gives the same bytes twice on a CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import nn

from umt_lib import distributed
from umt_lib.data.loader import batches
from umt_lib.data.splits import Split, Splits
from umt_lib.errors import StudyError
from umt_lib.evaluation import metrics
from umt_lib.evaluation.probes import linear_probe
from umt_lib.methods.base import Method
from umt_lib.models.inference import outputs

GLIMPSE = 500  # training samples the curves and the probes along the way look at, the same always
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Training:
    """One schedule for all methods of a data set: SGD, constant rate, then linear decay to 0.

    Attributes:
        epochs: of which the last ``decay`` share lowers the learning rate.
        probe_every: epochs between two linear probes along the way; 0 for none.
        precision: "bf16" runs forward passes under autocast.
        workers: threads that read data which is not in memory; no number depends on it.
        compile: run the encoders through torch.compile.
    """

    epochs: PositiveInt
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 0.05
    momentum: Share = 0.9
    weight_decay: NonNegativeFloat = 1e-4
    decay: Share = 0.3
    probe_every: NonNegativeInt = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    workers: NonNegativeInt = 0
    compile: bool = False


@dataclass
class Progress:
    """How far a run is; what a checkpoint holds beside the tensors. Curves: one entry an epoch."""

    epoch: int = 0  # epochs finished
    best: int = 0  # the epoch (1-based) validation chose; 0 before the first
    curves: dict[str, list] = field(default_factory=dict)
    seconds: float = 0.0  # of the processor on a CPU, of the clock elsewhere
    samples: int = 0

    @property
    def score(self) -> tuple[float, float]:
        """Validation accuracy of the chosen epoch, then minus its cross-entropy."""
        if not self.best:
            return (-1.0, 0.0)
        at = self.best - 1
        return (self.curves["validation_accuracy"][at], -self.curves["validation_nll"][at])


@dataclass
class State:
    """All that a run needs to go on: restored by :func:`fit`, written by ``save``."""

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
    """Train ``model`` in place and leave in it the weights of the epoch validation chose.

    The method must have been started. The test split is not looked at.

    Args:
        state: from where to go on; None begins.
        save: called with the state after each epoch.
        tick: called with a short text after each epoch, for a progress bar.

    Raises:
        StudyError: the loss is NaN or infinite.
    """
    device = next(model.parameters()).device
    train, validation = splits.train.to(device), splits.validation.to(device)
    epochs, progress, best = method.epochs(training.epochs), Progress(), model.state_dict()
    if not epochs:  # a method that only combines finished models
        return progress
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(
        learned, training.learning_rate, training.momentum, weight_decay=training.weight_decay
    )
    if state is not None:
        progress, best = state.progress, state.best
        model.load_state_dict(state.model)
        optimizer.load_state_dict(state.optimizer)
        method.restore(state.method)
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    glimpse = train.take(np.random.default_rng(0).permutation(len(train))[:GLIMPSE])

    for epoch in range(progress.epoch, epochs):
        began = clock()
        progress.samples += method.on_epoch(model, epoch, epochs)
        torch.manual_seed(seed * 100_003 + epoch)
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * _rate(epoch / epochs, training.decay)
        model.train()
        losses = [
            method.step(model, optimizer, batch) * len(batch.y)
            for batch in batches(splits, train, training.batch_size, seed, epoch, training.workers)
        ]
        distributed.broadcast_state(model)
        loss = torch.stack(losses).sum().item() / len(train)
        if not np.isfinite(loss):
            raise StudyError(
                f"the training loss became {loss} in epoch {epoch + 1} (seed {seed}); lower "
                f"training.learning_rate (now {training.learning_rate}) or the method's strength"
            )
        curves = {"train_loss": loss, **_scores("validation", model, method, validation)}
        curves["train_accuracy"] = metrics.accuracy(
            method.predict(outputs(model, glimpse)), glimpse.y
        )
        for name, value in curves.items():
            progress.curves.setdefault(name, []).append(value)
        if training.probe_every and (epoch + 1) % training.probe_every == 0:
            _probe(progress, epoch + 1, model, glimpse, validation)
        progress.epoch, progress.samples = epoch + 1, progress.samples + len(train)
        now = (curves["validation_accuracy"], -curves["validation_nll"])
        if now > progress.score:
            progress.best = epoch + 1
            best = {name: value.clone() for name, value in model.state_dict().items()}
        progress.seconds += clock() - began
        tick(f"loss {loss:.3f}, validation {curves['validation_accuracy']:.1%}")
        if save is not None:
            save(State(progress, model.state_dict(), best, optimizer.state_dict(), method.state()))
    model.load_state_dict(best)
    return progress


def _rate(done: float, decay: float) -> float:
    """Share of the learning rate when ``done`` of the schedule is over."""
    return min(1.0, (1 - done) / decay) if decay else 1.0


def _scores(name: str, model: nn.Module, method: Method, split: Split) -> dict[str, float]:
    logits = method.predict(outputs(model, split))
    return {
        f"{name}_accuracy": metrics.accuracy(logits, split.y),
        f"{name}_nll": metrics.nll(logits, split.y),
    }


def _probe(progress: Progress, epoch: int, model: nn.Module, known: Split, held: Split) -> None:
    """Linear probes on validation at fixed strength: for the saturation curve, not for tables."""
    probes = progress.curves.setdefault("probe", [])
    known_out, held_out = outputs(model, known), outputs(model, held)
    accuracy = {
        m: linear_probe(z, known.y, held_out.features[m], held.y, strength=0.01)
        for m, z in known_out.features.items()
    }
    probes.append({"epoch": epoch, **accuracy})
