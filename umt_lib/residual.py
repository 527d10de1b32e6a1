r"""The residual test: is there something in pairs that no combination of uni-modal predictions has?

Out-of-fold log-probabilities :math:`o` (n, K) of the uni-modal ensemble stay fixed, and a
correction of them is trained by cross-entropy on the features:

.. math::
    \log p = o + V z + \sum_m g_m(z_m) \;[\, + h(z_1, \dots, z_M) \,] + \text{const}

Without :math:`h` the correction is additive over modalities and can repair anything but pairs: a
poor rule of combining, a uni-modal classifier that was too simple, noise shared by the modalities.
With it, it can use pairs as well. Both start at exactly :math:`o`, from the same weights and with
the same batches. So the held-out gain of the second over the first is what pairs add.

The offset must come from models that did not see the sample's label: with offsets fitted to their
own samples nothing seems left to learn.

Source: ours; the projection it is checked against is EMAP, :mod:`umt_lib.interactions`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from umt_lib.bootstrap import bootstrap
from umt_lib.metrics import Interval

HIDDEN = 32
DECAY = 6.0  # of all but the linear part: pairs have many ways to fit noise
BATCH = 128
STEPS = 2000  # at most; a pair can be invisible for hundreds of steps before it is learned
PATIENCE = 500  # steps without a better validation loss
EVERY = 25  # steps between two looks at the validation loss
PARTS = 5  # one of them decides when to stop


class Sample(NamedTuple):
    """Features {m: (n, d_m)}, labels (n,) in 0..K-1, UME log-probabilities (n, K), groups (n,)."""

    features: Mapping[str, np.ndarray]
    y: np.ndarray
    offset: np.ndarray
    groups: np.ndarray | None = None


class Correction(nn.Module):
    """What is added to the offset: (B, D) -> (B, K); zero before training.

    Without pairs each hidden unit of ``shared`` sees one modality only. So both kinds have the same
    size and decay, and differ in nothing else.
    """

    def __init__(self, dims: list[int], classes: int, pairs: bool):
        super().__init__()
        self.dims = dims
        self.linear = _zero(nn.Linear(sum(dims), classes))
        self.own = nn.ModuleList(_network(d, classes) for d in dims)
        self.shared = nn.Linear(sum(dims), HIDDEN)
        self.last = _zero(nn.Linear(HIDDEN, classes))
        unit = torch.arange(HIDDEN) % len(dims)
        column = torch.arange(len(dims)).repeat_interleave(torch.tensor(dims))
        seen = torch.ones(HIDDEN, sum(dims)) if pairs else (unit[:, None] == column).float()
        self.register_buffer("seen", seen)

    def forward(self, x: Tensor) -> Tensor:
        hidden = nn.functional.linear(x, self.shared.weight * self.seen, self.shared.bias)
        out = self.linear(x) + self.last(hidden.relu())
        for g, z in zip(self.own, x.split(self.dims, dim=1), strict=True):
            out = out + g(z)
        return out


def correct(train: Sample, test: Sample, pairs: bool, seed: int = 0) -> np.ndarray:
    """Log-probabilities (n_test, K), float64, of the corrected ensemble; test labels are not used.

    A fifth of the training samples, whole groups where there are any, decides when to stop.

    Args:
        pairs: whether the correction may use modalities together.
    """
    scaler = StandardScaler().fit(_stacked(train))
    known, asked = (_tensor(scaler, sample) for sample in (train, test))
    y, offset = torch.from_numpy(train.y), torch.from_numpy(train.offset).float()
    folds = StratifiedKFold if train.groups is None else StratifiedGroupKFold
    parts = PARTS if train.groups is None else min(PARTS, len(np.unique(train.groups)))
    cut = folds(parts, shuffle=True, random_state=seed).split(train.y, train.y, train.groups)
    rest, held = map(torch.from_numpy, next(cut))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        dims = [z.shape[1] for z in train.features.values()]
        model = Correction(dims, train.offset.shape[1], pairs)
    stream = torch.Generator().manual_seed(seed)
    curved = [p for name, p in model.named_parameters() if not name.startswith("linear")]
    groups = [{"params": curved}, {"params": model.linear.parameters(), "weight_decay": 0.01}]
    optimizer = torch.optim.AdamW(groups, lr=3e-3, weight_decay=DECAY)

    def held_loss() -> float:
        with torch.no_grad():
            return cross_entropy(offset[held] + model(known[held]), y[held]).item()

    best, chosen, found = held_loss(), copy.deepcopy(model.state_dict()), 0
    order = torch.empty(0, dtype=torch.long)
    for step in range(1, STEPS + 1):
        if len(order) < min(BATCH, len(rest)):
            order = rest[torch.randperm(len(rest), generator=stream)]
        batch, order = order[:BATCH], order[BATCH:]
        optimizer.zero_grad()
        cross_entropy(offset[batch] + model(known[batch]), y[batch]).backward()
        optimizer.step()
        if step % EVERY == 0:
            loss = held_loss()
            if loss < best:
                best, chosen, found = loss, copy.deepcopy(model.state_dict()), step
            elif step - found >= PATIENCE:
                break
    model.load_state_dict(chosen)
    with torch.no_grad():
        corrected = torch.from_numpy(test.offset) + model(asked).double()
    return corrected.log_softmax(1).numpy()


def residual_gain(train: Sample, test: Sample, seed: int = 0) -> Interval:
    """What pairs add on ``test``: the gain in mean log-likelihood (nats per sample) of the
    correction with pairs over the one without, with its paired bootstrap interval.
    """
    rows = np.arange(len(test.y))
    with_pairs, without = (correct(train, test, p, seed)[rows, test.y] for p in (True, False))
    return bootstrap(np.column_stack([with_pairs, without]), groups=test.groups, seed=seed)


def _network(inputs: int, classes: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(), _zero(nn.Linear(HIDDEN, classes)))


def _zero(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _stacked(sample: Sample) -> np.ndarray:
    return np.hstack(list(sample.features.values()))


def _tensor(scaler: StandardScaler, sample: Sample) -> Tensor:
    """(n, D) float32, standardised as the training samples are."""
    return torch.from_numpy(scaler.transform(_stacked(sample)).astype(np.float32))
