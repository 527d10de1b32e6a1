r"""The residual test: do interactions add to every combination of uni-modal predictions?

The out-of-fold log-probabilities :math:`o` (n, K) of the uni-modal ensemble stay fixed, and a
correction to them is trained on the features by cross-entropy:

.. math::
    \log p = o + V z + \sum_m g_m(z_m) \;[\, + h(z_1, \dots, z_M) \,] + \text{const}

Without :math:`h` the correction is additive over modalities. It can repair everything except
interactions: a poor rule of combining, a uni-modal classifier that is too simple, noise shared by
the modalities. With :math:`h` it can also use interactions (paired features). Both corrections
start by adding exactly 0, from the same weights and with the same batches. So the held-out gain of
the second over the first is what interactions add.

Gradient descent from small weights finds a weak interaction late, and among many features never.
Therefore both corrections first include a few products of two directions (``residual_products``):
of directions in two modalities, or, for the additive correction, in one.

The offset must come from models that were not trained on the label of the sample: with offsets
fitted to their own samples there would seem to be nothing left to learn.

All folds and both kinds of correction are trained in parallel, with a model axis in front of every
tensor: on one core this takes a fraction of the time of training one after the other.

Source: ours. It is checked against the EMAP projection of :mod:`umt_lib.evaluation.interactions`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from torch import Tensor

from umt_lib.evaluation import residual_network
from umt_lib.evaluation.bootstrap import bootstrap
from umt_lib.evaluation.intervals import Interval
from umt_lib.evaluation.residual_products import Products, Rows, leading_axes

RATE = 3e-3
DECAY = 6.0  # of all but the linear part: interactions can fit noise in many ways
HEAD_DECAY = 1.0  # the same for a head, which has to learn more than a correction
LINEAR_DECAY = 0.01
BATCH = 128
STEPS = 2000  # at most; an interaction may need hundreds of steps before the loss shows it
PATIENCE = 500  # steps without a better validation loss
EVERY = 25  # steps between two evaluations of the validation loss
PARTS = 5  # parts of the training samples, one of which is the validation part
TOGETHER = 2**24  # numbers in the training samples of folds that are trained in parallel: 64 MB


class Sample(NamedTuple):
    """Samples of one fold.

    Attributes:
        features: {modality: (n, d_m)}, standardised (mean 0 and variance near 1).
        y: labels (n,) in 0..K-1.
        offset: log-probabilities (n, K) of the uni-modal ensemble.
        groups: (n,), or None.
    """

    features: Mapping[str, np.ndarray]
    y: np.ndarray
    offset: np.ndarray
    groups: np.ndarray | None = None


def correct(train: Sample, test: Sample, pairs: bool, seed: int = 0) -> np.ndarray:
    """Log-probabilities (n_test, K), float64, of the corrected ensemble; test labels are not used.

    Training stops early on a fifth of the training samples (whole groups where there are groups).

    Args:
        pairs: whether the correction may use interactions between modalities.
    """
    return corrections([train], [test], (pairs,), seed)[0][0]


def corrections(
    train: Sequence[Sample],
    test: Sequence[Sample],
    kinds: tuple[bool, ...] = (False, True),
    seed: int = 0,
    head: bool = False,
) -> list[tuple[np.ndarray, ...]]:
    """Apply :func:`correct` to every fold: one tuple per fold, with one entry per kind.

    Args:
        train, test: the samples of each fold.
        kinds: values of ``pairs``; see :func:`correct`.
        head: train the same network as a head on the features, without products and with less
            weight decay; the offset is then the class frequencies.
    """
    size = max(sum(z.size for z in sample.features.values()) for sample in train)
    step = max(1, TOGETHER // size)
    done = []
    for start in range(0, len(train), step):
        part = slice(start, start + step)
        done += _together(train[part], test[part], kinds, seed, head)
    return done


def residual_gain(train: Sample, test: Sample, seed: int = 0) -> Interval:
    """The gain from interactions on ``test``, in mean log-likelihood (nats per sample).

    It is the gain of the correction with interactions over the additive one, with its paired
    bootstrap interval.
    """
    rows = np.arange(len(test.y))
    without, with_pairs = (
        logs[rows, test.y] for logs in corrections([train], [test], seed=seed)[0]
    )
    return bootstrap(np.column_stack([with_pairs, without]), groups=test.groups, seed=seed)


def _together(
    train: Sequence[Sample],
    test: Sequence[Sample],
    kinds: tuple[bool, ...],
    seed: int,
    head: bool,
) -> list[tuple[np.ndarray, ...]]:
    """:func:`corrections` of a few folds, trained in parallel; the model axis is folds x kinds."""
    stream = torch.Generator().manual_seed(seed)
    cuts = [_cut(sample, seed) for sample in train]
    dims = [z.shape[1] for z in train[0].features.values()]
    params, mask = residual_network.start(
        dims, train[0].offset.shape[1], kinds * len(train), stream
    )
    plain = [_rows(sample) for sample in train]
    add: list[Callable[[Rows], Rows]] = []
    for rows, (rest, part) in zip(plain, cuts, strict=True):
        fitted, held_out = rows.take(rest), rows.take(part)
        axes = [] if head else leading_axes(fitted.x, dims)
        add += [_unchanged if head else Products(fitted, held_out, axes, pairs) for pairs in kinds]
    cuts = [cut for cut in cuts for _ in kinds]
    plain = [rows for rows in plain for _ in kinds]
    ready = [change(rows) for change, rows in zip(add, plain, strict=True)]
    held = _padded([rows.take(part) for rows, (_, part) in zip(ready, cuts, strict=True)])
    training, counted = _padded(ready), _ones([len(part) for _, part in cuts])
    others = [value for name, value in params.items() if name != "linear"]
    groups: list[dict[str, Any]] = [
        {"params": others},
        {"params": [params["linear"]], "weight_decay": LINEAR_DECAY},
    ]
    decay = HEAD_DECAY if head else DECAY
    optimizer = torch.optim.AdamW(groups, lr=RATE, weight_decay=decay, fused=True)

    def held_loss() -> Tensor:
        with torch.no_grad():
            losses = residual_network.losses(params, mask, held.x, held.y, held.offset)
        return (losses * counted).sum(1) / counted.sum(1)

    best, found = held_loss(), torch.zeros(len(counted), dtype=torch.long)
    chosen = {name: value.detach().clone() for name, value in params.items()}
    models = torch.arange(len(counted))[:, None]
    size = min(BATCH, *(len(rest) for rest, _ in cuts))
    rests = [rest for rest, _ in cuts[:: len(kinds)]]
    orders = [torch.empty(0, dtype=torch.long)] * len(rests)
    for step in range(1, STEPS + 1):
        for i, rest in enumerate(rests):
            if len(orders[i]) < size:
                orders[i] = rest[torch.randperm(len(rest), generator=stream)]
        rows = torch.stack([order[:size] for order in orders])
        orders = [order[size:] for order in orders]
        rows = rows.repeat_interleave(len(kinds), dim=0)  # the same batches for all kinds
        x, y, offset = (part[models, rows] for part in training)
        optimizer.zero_grad()
        losses = residual_network.losses(params, mask, x, y, offset)
        losses.mean(1).sum().backward()  # models share no parameter
        optimizer.step()
        if step % EVERY == 0:
            loss = held_loss()
            better = (loss < best) & (step - found <= PATIENCE)
            best, found = torch.where(better, loss, best), torch.where(better, step, found)
            for name, value in params.items():
                chosen[name][better] = value.detach()[better]
            if (step - found >= PATIENCE).all():
                break
    plain = [_rows(sample) for sample in test for _ in kinds]
    tested = _padded([change(rows) for change, rows in zip(add, plain, strict=True)])
    added = residual_network.forward(chosen, mask, tested.x).double()
    logs = (tested.offset.double() + added).log_softmax(2).numpy()
    return [
        tuple(logs[i * len(kinds) + k, : len(sample.y)] for k in range(len(kinds)))
        for i, sample in enumerate(test)
    ]


def _cut(train: Sample, seed: int) -> tuple[Tensor, Tensor]:
    """Rows to train on, and rows of the validation part."""
    counts = np.bincount(train.y)
    parts = min(PARTS, max(2, int(counts[counts > 0].min())))
    folds = StratifiedKFold if train.groups is None else StratifiedGroupKFold
    if train.groups is not None:
        parts = min(parts, len(np.unique(train.groups)))
    cut = folds(parts, shuffle=True, random_state=seed).split(train.y, train.y, train.groups)
    with warnings.catch_warnings():  # a class with one sample is then missing in one of the parts
        warnings.filterwarnings("ignore", "The least populated class")
        rest, held = map(torch.from_numpy, next(cut))
    return rest, held


def _unchanged(rows: Rows) -> Rows:
    return rows


def _rows(sample: Sample) -> Rows:
    """The samples of one model as float32 tensors."""
    x = np.hstack([z.astype(np.float32) for z in sample.features.values()])
    return Rows(
        torch.from_numpy(x), torch.from_numpy(sample.y), torch.from_numpy(sample.offset).float()
    )


def _padded(samples: Sequence[Rows]) -> Rows:
    return Rows(
        *(
            torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True)
            for parts in zip(*samples, strict=True)
        )
    )


def _ones(lengths: Sequence[int]) -> Tensor:
    """(G, longest): 1 for samples, 0 for padding."""
    return (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).float()
