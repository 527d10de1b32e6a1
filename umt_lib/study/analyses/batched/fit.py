"""Train many models at once, as :func:`umt_lib.training.fit` trains one.

Batches, schedule, choice of the epoch on validation and the loss of the method are the same, so the
result for every model is that of ``fit`` up to floating-point rounding. All models see their
samples in the order of seed 0; each model has its own data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
Epochs = list[list[Batch]]  # the batches of every epoch: x {m: (G, B, ...)}, y (G, B), index (B,)


def epochs(train: Split, schedule: Training) -> Epochs:
    """The batches of all epochs, made once for all methods."""
    index = Split({}, torch.arange(train.y.shape[1]))
    order = Splits(index, index, index, ())
    return [
        [
            Batch({m: x[:, rows] for m, x in train.x.items()}, train.y[:, rows], rows)
            for _, _, rows in training.batches(order, index, schedule.batch_size, ORDER, epoch)
        ]
        for epoch in range(schedule.epochs)
    ]


def with_inputs(batches: Epochs, x: dict[str, Tensor]) -> Epochs:
    """The same samples in the same order, with other inputs {m: (G, n, ...)}."""
    return [
        [b._replace(x={m: value[:, b.index] for m, value in x.items()}) for b in epoch]
        for epoch in batches
    ]


def fit_teachers(
    fresh: Callable[[str, list[int]], Params],
    starts: Sequence[int],
    batches: Epochs,
    validation: Split,
    schedule: Training,
) -> dict[str, Params]:
    """Train the uni-modal models of each modality.

    As in experiments, they start from other weights than the joint models of the same seed.

    Args:
        fresh: initialises the models of a modality from one seed each.
        starts: the seeds from which joint models are initialised.
    """
    teachers = {}
    for position, m in enumerate(validation.x):
        start = fresh(m, [s + APART * (1 + position) for s in starts])
        own = [[b._replace(x={m: b.x[m]}) for b in epoch] for epoch in batches]
        teachers[m] = fit(start, Joint(), own, only(validation, m), schedule)
    return teachers


def fit(
    params: Params,
    method: Method,
    batches: Epochs,
    validation: Split,
    schedule: Training,
    targets: Epochs | None = None,
) -> Params:
    """Train stacked models; return the parameters of each at the epoch with the best validation.

    Args:
        params: (G, ...). Without encoders, the inputs are features and only a head is trained.
        method: joint training or UMT; its hooks other than ``loss`` are not called.
        batches: the training batches of every epoch.
        validation: x {m: (G, n, ...)}, y (G, n).
        targets: for UMT, the same batches with the features of its teachers as inputs.

    Raises:
        StudyError: the loss of a model is NaN or infinite.
    """
    params = {name: value.detach().clone().requires_grad_() for name, value in params.items()}
    optimizer = torch.optim.SGD(
        list(params.values()),
        schedule.learning_rate,
        schedule.momentum,
        weight_decay=schedule.weight_decay,
    )
    best = {name: value.detach().clone() for name, value in params.items()}
    score = torch.full((2, len(validation.y)), -torch.inf, dtype=torch.float64)
    for epoch, pairs in enumerate(zip(batches, targets or batches, strict=True)):
        for group in optimizer.param_groups:
            rate = training._rate(epoch / schedule.epochs, schedule.decay)
            group["lr"] = schedule.learning_rate * rate
        for batch, target in zip(*pairs, strict=True):
            optimizer.zero_grad()
            losses = _losses(method, forward(params, batch.x), batch.y, target.x)
            losses.sum().backward()  # each model gets the gradient of its own loss
            optimizer.step()
        if not torch.isfinite(losses).all():
            raise StudyError(
                f"{method}: the training loss of a model became NaN or infinite in epoch "
                f"{epoch + 1}; lower the grid's learning_rate (now {schedule.learning_rate})"
            )
        now = torch.stack(scores(outputs(params, validation), validation.y))
        better = (now[0] > score[0]) | ((now[0] == score[0]) & (now[1] > score[1]))
        score = torch.where(better, now, score)
        for name, value in params.items():
            best[name][better] = value.detach()[better]
    return best


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
