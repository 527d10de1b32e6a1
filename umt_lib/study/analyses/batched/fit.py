"""The batched loop: :func:`umt_lib.training.fit` for many models at once.

Same batches, same schedule, same choice of the epoch on validation, and the loss is that of the
method object itself: for every model the result is that of ``fit`` up to the rounding of floats.
The order of the samples is that of seed 0 for all models; their data are their own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import vmap
from torch.nn.functional import cross_entropy

from umt_lib import training
from umt_lib.data.splits import Batch, Split, Splits
from umt_lib.errors import StudyError
from umt_lib.methods.base import Method
from umt_lib.models import Output
from umt_lib.study.analyses.batched.networks import Params, forward
from umt_lib.training import Training

ORDER = 0  # the seed of the order of the samples
BLOCK = 500  # samples looked at at once: their activations stay in the processor's cache
Epochs = list[list[Batch]]  # per epoch its batches: x {m: (G, B, ...)}, y (G, B), index (B,)


def epochs(train: Split, schedule: Training) -> Epochs:
    """All batches of a training, gathered once for all the methods that will see them."""
    index = Split({}, torch.arange(train.y.shape[1]))
    order = Splits(index, index, index, ())
    return [
        [
            Batch({m: x[:, rows] for m, x in train.x.items()}, train.y[:, rows], rows)
            for _, _, rows in training.batches(order, index, schedule.batch_size, ORDER, epoch)
        ]
        for epoch in range(schedule.epochs)
    ]


def with_inputs(seen: Epochs, x: dict[str, Tensor]) -> Epochs:
    """The same samples in the same order, with other inputs {m: (G, n, ...)}."""
    return [
        [b._replace(x={m: value[:, b.index] for m, value in x.items()}) for b in batches]
        for batches in seen
    ]


def fit(
    params: Params,
    method: Method,
    seen: Epochs,
    validation: Split,
    schedule: Training,
    targets: Epochs | None = None,
) -> Params:
    """Train stacked models; the result holds, for each, the epoch its validation split chose.

    Args:
        params: (G, ...). Without encoders the inputs are features: only a head is trained.
        method: joint training, or UMT; its hooks other than ``loss`` are not asked.
        seen: the training batches of every epoch.
        validation: x {m: (G, n, ...)}, y (G, n).
        targets: for UMT, the same batches with its teachers' features as inputs.

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
    for epoch, (batches, taught) in enumerate(zip(seen, targets or seen, strict=True)):
        for group in optimizer.param_groups:
            rate = training._rate(epoch / schedule.epochs, schedule.decay)
            group["lr"] = schedule.learning_rate * rate
        for batch, teaching in zip(batches, taught, strict=True):
            optimizer.zero_grad()
            losses = _losses(method, forward(params, batch.x), batch.y, teaching.x)
            losses.sum().backward()  # models share nothing: each gets the gradient of its own loss
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
    """The method's own loss of every model, (G,)."""

    def loss(out: Output, y: Tensor, targets: dict[str, Tensor]) -> Tensor:
        # what UMT asks its teachers for
        method.targets = lambda batch: targets  # type: ignore[attr-defined]
        return method.loss(out, Batch({}, y, slice(None)))  # type: ignore[arg-type]

    return vmap(loss)(out, y, targets)


@torch.no_grad()
def outputs(params: Params, split: Split) -> Output:
    """The models' :class:`Output` on every sample: features {m: (G, n, d)}, fused (G, n, K)."""
    parts = [
        forward(params, {m: x[:, start : start + BLOCK] for m, x in split.x.items()})
        for start in range(0, split.y.shape[1], BLOCK)
    ]
    features = {m: torch.cat([p.features[m] for p in parts], 1) for m in parts[0].features}
    return Output(features, torch.cat([p.fused for p in parts], 1), {}, {})


def scores(out: Output, y: Tensor) -> tuple[Tensor, Tensor]:
    """Accuracy (G,) and minus the mean cross-entropy (G,) of ``out.fused`` (G, n, K), float64."""
    logits = out.fused.double()
    nll = cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view_as(y)
    return (logits.argmax(2) == y).double().mean(1), -nll.mean(1)


def only(split: Split, modality: str) -> Split:
    """The split with one modality alone."""
    return Split({modality: split.x[modality]}, split.y)


def features(teachers: dict[str, Params], split: Split) -> dict[str, Tensor]:
    """What the teachers' encoders say of a split, {m: (G, n, d)}."""
    return {m: outputs(t, only(split, m)).features[m] for m, t in teachers.items()}
