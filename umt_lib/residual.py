r"""The residual test: is there something in pairs that no combination of uni-modal predictions has?

Out-of-fold log-probabilities :math:`o` (n, K) of the uni-modal ensemble stay fixed, and a
correction of them is trained by cross-entropy on the features:

.. math::
    \log p = o + V z + \sum_m g_m(z_m) \;[\, + h(z_1, \dots, z_M) \,] + \text{const}

Without :math:`h` the correction is additive over modalities and can repair anything but pairs: a
poor rule of combining, a uni-modal classifier that was too simple, noise shared by the modalities.
With it, it can use pairs as well. Both start at exactly :math:`o`, from the same weights and with
the same batches. So the held-out gain of the second over the first is what pairs add.

Gradient descent from small weights finds a weak pair late or never among many features. So before
that, both kinds take in a few products of two directions: those whose product speaks most of what
:math:`o` leaves over (the leading singular vectors of their cross-moments), of two modalities with
pairs and of one without. How many, and how much of each, is decided where the stopping is.

The offset must come from models that did not see the sample's label: with offsets fitted to their
own samples nothing seems left to learn.

All folds, with pairs and without, are trained side by side, a model axis in front of every tensor:
on one core that takes a fraction of the time of one after the other.

Source: ours; the projection it is checked against is EMAP, :mod:`umt_lib.interactions`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from umt_lib.bootstrap import bootstrap
from umt_lib.metrics import Interval

HIDDEN = 32
RATE = 3e-3
DECAY = 6.0  # of all but the linear part: pairs have many ways to fit noise
LINEAR_DECAY = 0.01
BATCH = 128
STEPS = 2000  # at most; a pair can be invisible for hundreds of steps before it is learned
PATIENCE = 500  # steps without a better validation loss
EVERY = 25  # steps between two looks at the validation loss
PRODUCTS = (1, 2, 4, 8)  # of two directions each: how many are tried
SHRUNK = (0.25, 0.5, 1.0)  # what is found on a few samples speaks less of others
ROUNDS = 20  # of fitting what products say
WIDEST = 64  # leading components of a modality among which directions are looked for
PARTS = 5  # one of them decides when to stop
TOGETHER = 2**24  # numbers of the training samples of folds that are trained side by side: 64 MB
Params = dict[str, Tensor]  # every one with the model axis G in front


class Sample(NamedTuple):
    """Features {m: (n, d_m)}, labels (n,) in 0..K-1, UME log-probabilities (n, K), groups (n,)."""

    features: Mapping[str, np.ndarray]
    y: np.ndarray
    offset: np.ndarray
    groups: np.ndarray | None = None


class Rows(NamedTuple):
    """Samples of one model, x (n, D), y (n,), offset (n, K), or padded of several, (G, n, ...)."""

    x: Tensor
    y: Tensor
    offset: Tensor

    def take(self, rows: Tensor) -> Rows:
        """Of one model."""
        return Rows(*(part[rows] for part in self))


def correct(train: Sample, test: Sample, pairs: bool, seed: int = 0) -> np.ndarray:
    """Log-probabilities (n_test, K), float64, of the corrected ensemble; test labels are not used.

    A fifth of the training samples, whole groups where there are any, decides when to stop.

    Args:
        pairs: whether the correction may use modalities together.
    """
    return corrections([train], [test], (pairs,), seed)[0][0]


def corrections(
    train: Sequence[Sample],
    test: Sequence[Sample],
    kinds: tuple[bool, ...] = (False, True),
    seed: int = 0,
) -> list[tuple[np.ndarray, ...]]:
    """:func:`correct` of every fold, {one per entry of ``train`` and ``test``}, for every kind."""
    size = max(sum(z.size for z in sample.features.values()) for sample in train)
    step = max(1, TOGETHER // size)
    done = []
    for start in range(0, len(train), step):
        part = slice(start, start + step)
        done += _together(train[part], test[part], kinds, seed)
    return done


def residual_gain(train: Sample, test: Sample, seed: int = 0) -> Interval:
    """What pairs add on ``test``: the gain in mean log-likelihood (nats per sample) of the
    correction with pairs over the one without, with its paired bootstrap interval.
    """
    rows = np.arange(len(test.y))
    without, with_pairs = (
        logs[rows, test.y] for logs in corrections([train], [test], seed=seed)[0]
    )
    return bootstrap(np.column_stack([with_pairs, without]), groups=test.groups, seed=seed)


def _together(
    train: Sequence[Sample], test: Sequence[Sample], kinds: tuple[bool, ...], seed: int
) -> list[tuple[np.ndarray, ...]]:
    """The models run over folds, then kinds."""
    stream = torch.Generator().manual_seed(seed)
    scalers = [StandardScaler().fit(_stacked(sample)) for sample in train]
    cuts = [_cut(sample, seed) for sample in train]
    dims = [z.shape[1] for z in train[0].features.values()]
    params, seen = _start(dims, train[0].offset.shape[1], kinds * len(train), stream)
    plain = [_rows(s, sample) for s, sample in zip(scalers, train, strict=True)]
    products = [
        Products(rows.take(rest), rows.take(part), dims, pairs)
        for rows, (rest, part) in zip(plain, cuts, strict=True)
        for pairs in kinds
    ]
    cuts = [cut for cut in cuts for _ in kinds]
    plain = [rows for rows in plain for _ in kinds]
    ready = [more(rows) for more, rows in zip(products, plain, strict=True)]
    held = _padded([rows.take(part) for rows, (_, part) in zip(ready, cuts, strict=True)])
    known, counted = _padded(ready), _ones([len(part) for _, part in cuts])
    curved = [value for name, value in params.items() if name != "linear"]
    groups = [{"params": curved}, {"params": [params["linear"]], "weight_decay": LINEAR_DECAY}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, weight_decay=DECAY, fused=True)

    def held_loss() -> Tensor:
        with torch.no_grad():
            losses = _losses(params, seen, held.x, held.y, held.offset)
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
        rows = rows.repeat_interleave(len(kinds), dim=0)  # the same batches with and without
        x, y, offset = (part[models, rows] for part in known)
        optimizer.zero_grad()
        _losses(params, seen, x, y, offset).mean(1).sum().backward()  # models share nothing
        optimizer.step()
        if step % EVERY == 0:
            loss = held_loss()
            better = (loss < best) & (step - found <= PATIENCE)
            best, found = torch.where(better, loss, best), torch.where(better, step, found)
            for name, value in params.items():
                chosen[name][better] = value.detach()[better]
            if (step - found >= PATIENCE).all():
                break
    asked = [_rows(s, t) for s, t in zip(scalers, test, strict=True) for _ in kinds]
    asked = _padded([more(rows) for more, rows in zip(products, asked, strict=True)])
    added = _forward(chosen, seen, asked.x).double()
    logs = (asked.offset.double() + added).log_softmax(2).numpy()
    return [
        tuple(logs[i * len(kinds) + k, : len(sample.y)] for k in range(len(kinds)))
        for i, sample in enumerate(test)
    ]


class Products:
    """Adds to the offset what a few products of two directions say, found on ``rows``.

    As many of them, and as much of what they say, as predicts ``held`` best: often none.
    """

    def __init__(self, rows: Rows, held: Rows, dims: list[int], pairs: bool):
        left = rows.offset.double().softmax(1)
        target = one_hot(rows.y, left.shape[1]).double()
        self.first, self.second = _directions(rows.x.double(), target - left, dims, pairs)
        made = self._made(rows.x)
        mean, spread = made.mean(0), made.std(0).clamp(min=1e-6)
        self.mean, self.spread = mean, spread
        made, asked = (made - mean) / spread, (self._made(held.x) - mean) / spread
        best, self.says = _nll(held.offset.double(), held.y), None
        for number in PRODUCTS:
            says = _fitted(made[:, :number], rows.offset.double(), target)
            for share in SHRUNK:
                loss = _nll(held.offset + share * asked[:, :number] @ says, held.y)
                if loss < best:
                    best, self.says = loss, share * says

    def __call__(self, rows: Rows) -> Rows:
        if self.says is None:
            return rows
        made = ((self._made(rows.x) - self.mean) / self.spread)[:, : len(self.says)]
        return rows._replace(offset=rows.offset + (made @ self.says).float())

    def _made(self, x: Tensor) -> Tensor:
        return (x.double() @ self.first) * (x.double() @ self.second)


def _directions(x: Tensor, left: Tensor, dims: list[int], pairs: bool) -> tuple[Tensor, Tensor]:
    """Two directions (D, r) whose product speaks of what is ``left`` over (n, K)."""
    parts = x.split(dims, dim=1)
    axes = [_axes(part) for part in parts]
    leading = [part @ axis for part, axis in zip(parts, axes, strict=True)]
    left = left[:, 1:] if left.shape[1] == 2 else left  # of two classes one says all
    number = len(dims)
    places = combinations(range(number), 2) if pairs else ((m, m) for m in range(number))
    found = []
    for a, b in places:
        noise = math.sqrt(leading[a].shape[1]) + math.sqrt(leading[b].shape[1])
        moments = torch.einsum("nk,ni,nj->kij", left, leading[a], leading[b])
        for u, values, vh in zip(*torch.linalg.svd(moments, full_matrices=False), strict=True):
            for i in range(min(PRODUCTS[-1], len(values))):
                first, second = torch.zeros(2, len(x[0]), dtype=x.dtype)
                first.split(dims)[a].copy_(axes[a] @ u[:, i])
                second.split(dims)[b].copy_(axes[b] @ vh[i])
                found.append((values[i].item() / noise, first, second))
    found = sorted(found, key=lambda f: -f[0])[: PRODUCTS[-1]]
    return torch.stack([f[1] for f in found], dim=1), torch.stack([f[2] for f in found], dim=1)


def _fitted(made: Tensor, offset: Tensor, target: Tensor) -> Tensor:
    """Coefficients (r, K) of logistic regression with an offset (steps of Boehning's bound)."""
    ridge = torch.eye(made.shape[1], dtype=made.dtype)
    says = torch.zeros(made.shape[1], target.shape[1], dtype=made.dtype)
    for _ in range(ROUNDS):
        left = target - (offset + made @ says).softmax(1)
        says = says + 2 * torch.linalg.solve(made.T @ made + 2 * ridge, made.T @ left - says)
    return says


def _nll(logits: Tensor, y: Tensor) -> float:
    return cross_entropy(logits, y).item()


def _axes(x: Tensor) -> Tensor:
    """(d, c): the leading principal axes of standardised x, all of them where there are few."""
    if x.shape[1] <= WIDEST:
        return torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.eigh(x.T @ x)[1][:, -WIDEST:]


def _start(
    dims: list[int], classes: int, kinds: Sequence[bool], stream: torch.Generator
) -> tuple[Params, Tensor]:
    """Parameters that add nothing yet, the same for all models, and what hidden units see.

    The first HIDDEN units of each modality are its ``g``; the last HIDDEN are ``h``, of which
    without pairs each sees one modality only. So both kinds have the same size and decay, and
    differ in nothing else.
    """
    whole, parts = sum(dims), len(dims)
    column = torch.arange(parts).repeat_interleave(torch.tensor(dims))
    unit = torch.cat([torch.arange(parts).repeat_interleave(HIDDEN), torch.arange(HIDDEN) % parts])
    own = (unit[:, None] == column).float()
    with_pairs = own.clone()
    with_pairs[parts * HIDDEN :] = 1
    inputs = torch.tensor([*dims, whole]).repeat_interleave(HIDDEN)
    bound = inputs.rsqrt()[:, None]
    weight = bound * (2 * torch.rand(len(unit), whole, generator=stream) - 1)
    bias = bound * (2 * torch.rand(len(unit), 1, generator=stream) - 1)
    params = {
        "weight": weight.T,
        "bias": bias.T,
        "last": torch.zeros(len(unit), classes),
        "linear": torch.zeros(whole, classes),
        "constant": torch.zeros(1, classes),
    }
    params = {k: v.repeat(len(kinds), 1, 1).requires_grad_() for k, v in params.items()}
    return params, torch.stack([(with_pairs if pairs else own).T for pairs in kinds])


def _forward(params: Params, seen: Tensor, x: Tensor) -> Tensor:
    """(G, B, D) -> (G, B, K), what is added to the offset."""
    hidden = torch.baddbmm(params["bias"], x, params["weight"] * seen).relu()
    out = torch.baddbmm(params["constant"], x, params["linear"])
    return torch.baddbmm(out, hidden, params["last"])


def _losses(params: Params, seen: Tensor, x: Tensor, y: Tensor, offset: Tensor) -> Tensor:
    """Cross-entropy of every sample, (G, B)."""
    logits = offset + _forward(params, seen, x)
    return cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view_as(y)


def _cut(train: Sample, seed: int) -> tuple[Tensor, Tensor]:
    """Rows to train on and rows that decide when to stop."""
    folds = StratifiedKFold if train.groups is None else StratifiedGroupKFold
    parts = PARTS if train.groups is None else min(PARTS, len(np.unique(train.groups)))
    cut = folds(parts, shuffle=True, random_state=seed).split(train.y, train.y, train.groups)
    rest, held = map(torch.from_numpy, next(cut))
    return rest, held


def _stacked(sample: Sample) -> np.ndarray:
    return np.hstack(list(sample.features.values()))


def _rows(scaler: StandardScaler, sample: Sample) -> Rows:
    """One model's samples, standardised as the training samples are; float32 but for labels."""
    x = torch.from_numpy(scaler.transform(_stacked(sample)).astype(np.float32))
    return Rows(x, torch.from_numpy(sample.y), torch.from_numpy(sample.offset).float())


def _padded(samples: Sequence[Rows]) -> Rows:
    return Rows(
        *(
            torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
            for parts in zip(*samples, strict=True)
        )
    )


def _ones(lengths: Sequence[int]) -> Tensor:
    """(G, longest): 1 for the samples there are, 0 for padding."""
    return (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).float()
