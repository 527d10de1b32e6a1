"""Train many models at once, as :func:`umt_lib.training.fit` trains one.

Batches, schedule, choice of the epoch on validation and the loss of the method are the same, so the
result for every model is that of ``fit`` up to floating-point rounding. All models see their
samples in the order of seed 0; each model has its own data, and may have its own learning rate and
its own weight of distillation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.func import vmap
from torch.nn.functional import cross_entropy

from umt_lib import training
from umt_lib.data.splits import Batch, Split, Splits
from umt_lib.errors import StudyError
from umt_lib.methods.base import Method
from umt_lib.methods.joint import Joint
from umt_lib.models import Output
from umt_lib.study.analyses.batched.networks import Params, forward
from umt_lib.training import Training

ORDER = 0  # the seed of the order of the samples
APART = 1_000_003  # between the seeds of joint models and of their teachers
BLOCK = 500  # samples in one forward pass: their activations stay in the processor's cache
SHARE = "share"  # the name of ``Targets.share`` among what a loss is given


@dataclass(frozen=True)
class Targets:
    """What the losses of G models use beside their outputs and labels.

    Attributes:
        features: of the teachers on the training samples, {m: (G, n, d)}.
        share: a factor (G,) of the weight of the method, given the finished part of the schedule.
        fixed: what is the same for all batches, {name: (G, ...)}.
    """

    features: dict[str, Tensor] = field(default_factory=dict)
    share: Callable[[float], Tensor] | None = None
    fixed: dict[str, Tensor] = field(default_factory=dict)

    def at(self, rows: Tensor, done: float) -> dict[str, Tensor]:
        """For the batch of ``rows``, when a part ``done`` (0..1) of the schedule is finished."""
        share = {} if self.share is None else {SHARE: self.share(done)}
        return {m: z.index_select(1, rows) for m, z in self.features.items()} | self.fixed | share


NO_TARGETS = Targets()


def order(n: int, schedule: Training, epoch: int) -> list[Tensor]:
    """The samples of every batch of an epoch: those of :func:`umt_lib.training.fit`, seed 0."""
    index = Split({}, torch.arange(n))
    splits = Splits(index, index, index, ())
    drawn = training.batches(splits, index, schedule.batch_size, ORDER, epoch)
    return [rows for _, _, rows in drawn]


def fit_teachers(
    fresh: Callable[[str, list[int]], Params],
    starts: Sequence[int],
    train: Split,
    validation: Split,
    schedule: Training,
) -> dict[str, Params]:
    """Train the uni-modal models of each modality.

    As in experiments, they start from other weights than the joint models of the same seed.

    Args:
        fresh: initialises the models of a modality from one seed each.
        starts: the seeds from which joint models are initialised.
    """
    return {
        m: fit(
            fresh(m, teacher_starts(starts, position)),
            Joint(),
            only(train, m),
            only(validation, m),
            schedule,
        )
        for position, m in enumerate(validation.x)
    }


def teacher_starts(starts: Sequence[int], position: int) -> list[int]:
    """The seeds from which the uni-modal models of the modality at ``position`` are initialised."""
    return [s + APART * (1 + position) for s in starts]


def fit(
    params: Params,
    method: Method,
    train: Split,
    validation: Split,
    schedule: Training,
    targets: Targets = NO_TARGETS,
    rates: Tensor | None = None,
    strict: bool = True,
    every: int = 1,
) -> Params:
    """Train stacked models; return the parameters of each at the epoch with the best validation.

    Args:
        params: (G, ...). Without encoders, the inputs are features and only a head is trained.
        method: its hooks other than ``loss`` are not called.
        train, validation: x {m: (G, n, ...)}, y (G, n).
        targets: for methods that distil, the features of the teachers.
        rates: the learning rate of every model (G,); that of the schedule by default.
        strict: whether to refuse a training that diverges. Otherwise the parameters of such a model
            are NaN.
        every: epochs between two looks at validation, of which the last epoch is one.

    Raises:
        StudyError: the loss of a model is NaN or infinite, and ``strict``.
    """
    params = {name: value.detach().clone().requires_grad_() for name, value in params.items()}
    learned = list(params.values())
    velocity = [torch.zeros_like(value) for value in learned]
    models, n = train.y.shape
    rates = torch.full((models,), schedule.learning_rate) if rates is None else rates
    best = {name: value.detach().clone() for name, value in params.items()}
    score = torch.full((2, models), -torch.inf, dtype=torch.float64)
    diverged = torch.zeros(models, dtype=torch.bool)
    for epoch in range(schedule.epochs):
        done = epoch / schedule.epochs
        now_rates = rates * training._rate(done, schedule.decay)
        for rows in order(n, schedule, epoch):
            out = forward(params, {m: x.index_select(1, rows) for m, x in train.x.items()})
            y = train.y.index_select(1, rows)  # ten times as fast as train.y[:, rows]
            losses = _losses(method, out, y, targets.at(rows, done))
            # each model gets the gradient of its own loss
            gradients = torch.autograd.grad(losses.sum(), learned)
            _step(learned, velocity, gradients, now_rates, schedule)
        diverged |= ~torch.isfinite(losses.detach())
        if strict and diverged.any():
            raise StudyError(
                f"{method}: the training loss of a model became NaN or infinite in epoch "
                f"{epoch + 1}; lower its learning rate (now {rates[diverged].max():g})"
            )
        if (schedule.epochs - epoch - 1) % every:
            continue
        now = torch.stack(scores(outputs(params, validation), validation.y))
        better = (now[0] > score[0]) | ((now[0] == score[0]) & (now[1] > score[1]))
        score = torch.where(better, now, score)
        for name, value in params.items():
            best[name][better] = value.detach()[better]
    for value in best.values():
        value[diverged] = torch.nan
    return best


@torch.no_grad()
def _step(
    learned: Sequence[Tensor],
    velocity: Sequence[Tensor],
    gradients: Sequence[Tensor],
    rates: Tensor,
    schedule: Training,
) -> None:
    """One step of SGD with momentum and weight decay, with a learning rate for each model."""
    for value, moving, gradient in zip(learned, velocity, gradients, strict=True):
        moving.mul_(schedule.momentum).add_(gradient).add_(value, alpha=schedule.weight_decay)
        value.addcmul_(moving, rates.view(-1, *[1] * (value.dim() - 1)), value=-1)


def _losses(method: Method, out: Output, y: Tensor, targets: dict[str, Tensor]) -> Tensor:
    """The loss of the method for every model, (G,)."""

    def loss(out: Output, y: Tensor, targets: dict[str, Tensor]) -> Tensor:
        # the features of UMT's teachers
        method.targets = lambda batch: targets  # type: ignore[attr-defined]
        return method.loss(out, Batch({}, y, slice(None)))  # type: ignore[arg-type]

    return vmap(loss)(out, y, targets)


@torch.no_grad()
def outputs(params: Params, split: Split) -> Output:
    """The :class:`Output` of the models on a split: features {m: (G, n, d)}, fused (G, n, K)."""
    parts = [
        forward(params, {m: x[:, start : start + BLOCK] for m, x in split.x.items()})
        for start in range(0, split.y.shape[1], BLOCK)
    ]
    features = {m: torch.cat([p.features[m] for p in parts], 1) for m in parts[0].features}
    return Output(features, torch.cat([p.fused for p in parts], 1), {}, {})


def scores(out: Output, y: Tensor) -> tuple[Tensor, Tensor]:
    """Accuracy (G,) and minus the mean cross-entropy (G,) of ``out.fused``, in float64."""
    logits = out.fused.double()
    nll = cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view_as(y)
    return (logits.argmax(2) == y).double().mean(1), -nll.mean(1)


def only(split: Split, modality: str) -> Split:
    """The split with only one modality."""
    return Split({modality: split.x[modality]}, split.y)


def features(teachers: dict[str, Params], split: Split) -> dict[str, Tensor]:
    """The features of the teachers' encoders on a split, {m: (G, n, d)}."""
    return {m: outputs(t, only(split, m)).features[m] for m, t in teachers.items()}
