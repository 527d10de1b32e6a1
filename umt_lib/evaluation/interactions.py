r"""Paired features in a trained model: what it gains from modalities together.

With late fusion the encoders are done once; everything here runs the head on features
:math:`z_m` (n, d_m) and takes it as a function :math:`f` from features to logits (n, K).

**EMAP** is the best additive approximation of the model. For two modalities

.. math:: \hat f(z_{1i}, z_{2i}) = \frac1n\sum_j f(z_{1i}, z_{2j}) + \frac1n\sum_j f(z_{1j}, z_{2i})
          - \frac1{n^2}\sum_{jk} f(z_{1j}, z_{2k})

and what the model gains from interactions is its accuracy less that of :math:`\hat f`. With more
modalities, modality m is set against the others as they occur together: :math:`f_m(i)` is the mean
over j of f with m from sample i and all others from sample j, and
:math:`\hat f = \sum_m f_m - (M-1)\bar f`. This is exact and needs no random draws; it gives an
additive model back unchanged, and equals the formula above for M = 2.

Sources: Hessel and Lee, EMNLP 2020 (EMAP; on logits, as there); Wu et al., ICML 2022 (utilisation).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from umt_lib.errors import StudyError, nearest
from umt_lib.evaluation.bootstrap import bootstrap, difference
from umt_lib.evaluation.intervals import Interval
from umt_lib.models import LateFusion

Features = Mapping[str, Tensor]
Head = Callable[[dict[str, Tensor]], Tensor]  # {m: (B, d_m)} -> logits (B, K)
PAIRS = 2**16  # rows of one head call: bounds the memory of the n^2 pass


@torch.no_grad()
def emap(model: LateFusion | Head, features: Features, pairs: int = PAIRS) -> Tensor:
    """Logits (n, K), float64, of the model's additive approximation on these samples.

    The head runs on n^2 rows for two modalities and M n^2 for more, at most ``pairs`` at a time.

    Raises:
        StudyError: fewer than two modalities, or features that do not match.

    A sum is its own approximation; of a product of independent signs nothing is left:

    >>> signs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> z = {"a": signs[:, :1], "b": signs[:, 1:]}
    >>> emap(lambda z: z["a"] + z["b"], z).squeeze(1).tolist()
    [2.0, 0.0, 0.0, -2.0]
    >>> emap(lambda z: z["a"] * z["b"], z).squeeze(1).tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    head, n = _head(model), _samples(features)
    names = tuple(features)
    alone: dict[str, Tensor] = {}  # f_m
    for m in names if len(names) > 2 else names[:1]:
        row, column = _means(head, features, m, n, pairs)
        alone[m] = row
    if len(names) == 2:
        alone[names[1]] = column
    means = torch.stack(tuple(alone.values()))
    return means.sum(0) - (len(names) - 1) * means.mean(dim=(0, 1))


def emap_gap(
    model: LateFusion | Head,
    features: Features,
    y: Tensor,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Interval:
    """Accuracy of the model less that of its EMAP, in [-1, 1], with a paired bootstrap interval.

    Labels ``y`` (n,) are class indices; ``groups`` (n,) are resampled whole.

    Raises:
        StudyError: see :func:`emap`.
    """
    with torch.no_grad():
        whole = _head(model)(dict(features))
    right = [_right(whole, y), _right(emap(model, features), y)]
    return bootstrap(np.column_stack(right), groups=groups, seed=seed)


@torch.no_grad()
def permutation_drop(
    model: LateFusion | Head,
    features: Features,
    y: Tensor,
    modality: str,
    repeats: int = 10,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Interval:
    """Accuracy lost when ``modality`` is shuffled among samples of the same class.

    What is left of the pairing after that is the class alone. A drop means the model uses more of
    it: paired features, or noise that the modalities share. Averaged over ``repeats`` shuffles.

    Raises:
        StudyError: an unknown modality, or features that do not match.
    """
    head, n = _head(model), _samples(features, modality)
    rng, truth = np.random.default_rng(seed), y.cpu().numpy()
    shuffled = np.zeros(n)
    for _ in range(repeats):
        order = np.arange(n)
        for k in np.unique(truth):
            order[truth == k] = rng.permutation(order[truth == k])
        moved = features[modality][torch.from_numpy(order)]
        shuffled += _right(head({**features, modality: moved}), y)
    right = [_right(head(dict(features)), y), shuffled / repeats]
    return bootstrap(np.column_stack(right), groups=groups, seed=seed)


@torch.no_grad()
def utilisation(
    model: LateFusion | Head,
    features: Features,
    y: Tensor,
    modality: str,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Interval:
    """Conditional utilisation rate of ``modality``: the share of the accuracy that is lost when its
    features are replaced by their mean over these samples. It may be negative.

    Raises:
        StudyError: an unknown modality, features that do not match, or a model that is never right.
    """
    head, n = _head(model), _samples(features, modality)
    mean = features[modality].mean(dim=0).expand(n, -1)
    right = [_right(head(dict(features)), y), _right(head({**features, modality: mean}), y)]
    if not right[0].any():
        raise StudyError("a utilisation rate was asked of a model that is never right; train it")

    def rate(means: np.ndarray) -> np.ndarray:
        return difference(means) / np.maximum(means[..., 0], 1 / n)  # a resample may miss them all

    return bootstrap(np.column_stack(right), rate, groups, seed)


def _head(model: LateFusion | Head) -> Head:
    if isinstance(model, LateFusion):
        return lambda features: model.fuse(features).fused
    return model


def _samples(features: Features, modality: str | None = None) -> int:
    """n, after the checks that every diagnostic here needs."""
    if modality is not None and modality not in features:
        raise StudyError(f"unknown modality {modality!r}{nearest(modality, features)}")
    if len(features) < 2:
        raise StudyError(f"interactions need two modalities; {list(features)} were given")
    rows = {m: len(z) for m, z in features.items()}
    for m, z in features.items():
        if z.ndim != 2:
            raise StudyError(f"features of {m!r} have shape {tuple(z.shape)}; give (n, d_m)")
        if not torch.isfinite(z).all():
            raise StudyError(f"features of {m!r} hold NaN or infinity; repair or drop the samples")
    if len(set(rows.values())) > 1:
        raise StudyError(f"features have {rows} rows; give every modality one row per sample")
    return next(iter(rows.values()))


def _means(
    head: Head, features: Features, modality: str, n: int, pairs: int
) -> tuple[Tensor, Tensor]:
    """Means of f with ``modality`` from i and the rest from j: over j (n, K), over i (n, K)."""
    row: list[Tensor] = []
    column: Any = 0.0
    wide = min(n, pairs)  # samples j of one call
    tall = max(1, pairs // wide)  # samples i of one call
    for start in range(0, n, tall):
        mine = features[modality][start : start + tall]
        sums: Any = 0.0
        parts = []
        for other in range(0, n, wide):
            rest = {m: z[other : other + wide] for m, z in features.items()}
            b = len(rest[modality])
            grid = {m: z.repeat(len(mine), 1) for m, z in rest.items()}
            grid[modality] = mine.repeat_interleave(b, dim=0)
            out = head(grid).double().view(len(mine), b, -1)
            sums = sums + out.sum(1)
            parts.append(out.sum(0))
        row.append(sums / n)
        column = torch.cat(parts) / n + column
    return torch.cat(row), column


def _right(logits: Tensor, y: Tensor) -> np.ndarray:
    return (logits.argmax(1) == y).cpu().numpy().astype(float)
