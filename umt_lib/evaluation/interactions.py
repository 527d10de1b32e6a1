r"""Diagnostics of interactions: what a trained model gains from using modalities together.

With late fusion the encoders need to run only once; everything here runs the head on features
:math:`z_m` (n, d_m) and treats it as a function :math:`f` from features to logits (n, K).

**EMAP** is the best additive approximation of the model. For two modalities

.. math:: \hat f(z_{1i}, z_{2i}) = \frac1n\sum_j f(z_{1i}, z_{2j}) + \frac1n\sum_j f(z_{1j}, z_{2i})
          - \frac1{n^2}\sum_{jk} f(z_{1j}, z_{2k})

The gain of the model from interactions is its accuracy minus that of :math:`\hat f`. With more
modalities, each modality m is separated from the others, which stay together as they occur:
:math:`f_m(i)` is the mean over j of f with m from sample i and all others from sample j, and
:math:`\hat f = \sum_m f_m - (M-1)\bar f`. This is exact and needs no random draws; an additive
model is returned unchanged, and for M = 2 it equals the formula above.

Sources: Hessel and Lee, EMNLP 2020 (EMAP; on logits, as there); Wu et al., ICML 2022 (utilisation).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from umt_lib.errors import StudyError, nearest
from umt_lib.evaluation.bootstrap import bootstrap, difference, within_classes
from umt_lib.evaluation.intervals import Interval
from umt_lib.models import LateFusion

Features = Mapping[str, Tensor]
Head = Callable[[dict[str, Tensor]], Tensor]  # {m: (B, d_m)} -> logits (B, K)
ROWS = 2**16  # rows of one call of the head: bounds the memory of the n^2 evaluations


@torch.no_grad()
def emap(model: LateFusion | Head, features: Features, rows: int = ROWS) -> Tensor:
    """Logits (n, K), float64, of the model's additive approximation on these samples.

    The head is evaluated on n^2 rows for two modalities and on M n^2 for more, at most ``rows`` at
    a time.

    Raises:
        StudyError: fewer than two modalities, or features that do not match.

    >>> signs = torch.tensor([[1.0], [-1.0]])
    >>> z = {"a": signs.repeat_interleave(2, dim=0), "b": signs.repeat(2, 1)}
    >>> emap(lambda z: z["a"] + z["b"], z).flatten().tolist()  # additive: returned unchanged
    [2.0, 0.0, 0.0, -2.0]
    >>> emap(lambda z: z["a"] * z["b"], z).flatten().tolist()  # nothing but interaction
    [0.0, 0.0, 0.0, 0.0]
    """
    head, n = _head(model), _samples(features)
    names = tuple(features)
    parts: dict[str, Tensor] = {}  # f_m
    for m in names if len(names) > 2 else names[:1]:
        row, column = _means(head, features, m, n, rows)
        parts[m] = row
    if len(names) == 2:
        parts[names[1]] = column
    means = torch.stack(tuple(parts.values()))
    return means.sum(0) - (len(names) - 1) * means.mean(dim=(0, 1))


def emap_gap(
    model: LateFusion | Head,
    features: Features,
    y: Tensor,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Interval:
    """Accuracy of the model minus that of its EMAP, in [-1, 1], with a paired bootstrap interval.

    Labels ``y`` (n,) are class indices; ``groups`` (n,) are resampled as a whole.

    Raises:
        StudyError: see :func:`emap`.

    >>> signs = torch.tensor([[1.0], [-1.0]])
    >>> z = {"a": signs.repeat_interleave(2, dim=0), "b": signs.repeat(2, 1)}
    >>> equal_signs = lambda z: torch.cat([torch.zeros(len(z["a"]), 1), z["a"] * z["b"]], dim=1)
    >>> emap_gap(equal_signs, z, torch.tensor([1, 0, 0, 1])).mean
    0.5
    """
    with torch.no_grad():
        logits = _head(model)(dict(features))
    correct = [_correct(logits, y), _correct(emap(model, features), y)]
    return bootstrap(np.column_stack(correct), groups=groups, seed=seed)


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

    After the shuffle, modalities have only the class in common. A drop means that the model uses
    more than that: interactions (paired features), or noise that the modalities share. The drop is
    averaged over ``repeats`` shuffles.

    Raises:
        StudyError: an unknown modality, or features that do not match.

    >>> signs = torch.tensor([[1.0], [-1.0]])
    >>> z = {"a": signs.repeat_interleave(2, dim=0), "b": signs.repeat(2, 1)}
    >>> additive = lambda z: torch.cat([-z["a"] - z["b"], z["a"] + z["b"]], dim=1)
    >>> permutation_drop(additive, z, torch.tensor([1, 1, 0, 0]), "a").mean
    0.0
    """
    head, n = _head(model), _samples(features, modality)
    rng, truth = np.random.default_rng(seed), y.cpu().numpy()
    shuffled = np.zeros(n)
    for _ in range(repeats):
        order = torch.from_numpy(within_classes(truth, rng))
        moved = features[modality][order]
        shuffled += _correct(head({**features, modality: moved}), y)
    correct = [_correct(head(dict(features)), y), shuffled / repeats]
    return bootstrap(np.column_stack(correct), groups=groups, seed=seed)


@torch.no_grad()
def utilisation(
    model: LateFusion | Head,
    features: Features,
    y: Tensor,
    modality: str,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Interval:
    """Conditional utilisation rate of ``modality``: the share of the accuracy that it contributes.

    It is the share of the accuracy that is lost when the features of the modality are replaced by
    their mean over these samples. It may be negative.

    Raises:
        StudyError: an unknown modality, features that do not match, or a model that predicts no
            sample correctly.

    >>> signs = torch.tensor([[1.0], [-1.0]])
    >>> z = {"a": signs.repeat_interleave(2, dim=0), "b": signs.repeat(2, 1)}
    >>> only_a = lambda z: torch.cat([-z["a"], z["a"]], dim=1)
    >>> y = torch.tensor([1, 1, 0, 0])
    >>> utilisation(only_a, z, y, "a").mean, utilisation(only_a, z, y, "b").mean
    (0.5, 0.0)
    """
    head, n = _head(model), _samples(features, modality)
    mean = features[modality].mean(dim=0).expand(n, -1)
    correct = [_correct(head(dict(features)), y), _correct(head({**features, modality: mean}), y)]
    if not correct[0].any():
        raise StudyError(
            "the utilisation rate of a model that predicts no sample correctly is not defined; "
            "train the model"
        )

    def rate(means: np.ndarray) -> np.ndarray:
        return difference(means) / np.maximum(means[..., 0], 1 / n)  # not 0 in any resample

    return bootstrap(np.column_stack(correct), rate, groups, seed)


def _head(model: LateFusion | Head) -> Head:
    if isinstance(model, LateFusion):
        return lambda features: model.fuse(features).fused
    return model


def _samples(features: Features, modality: str | None = None) -> int:
    """The number of samples, after the checks that every diagnostic here needs."""
    if modality is not None and modality not in features:
        raise StudyError(f"unknown modality {modality!r}{nearest(modality, features)}")
    if len(features) < 2:
        raise StudyError(f"interactions need two modalities; {list(features)} were given")
    rows = {m: len(z) for m, z in features.items()}
    for m, z in features.items():
        if z.ndim != 2:
            raise StudyError(f"features of {m!r} have shape {tuple(z.shape)}; give (n, d_m)")
        if not torch.isfinite(z).all():
            raise StudyError(
                f"features of {m!r} contain NaN or infinity; repair or drop the samples"
            )
    if len(set(rows.values())) > 1:
        raise StudyError(f"features have {rows} rows; give every modality one row per sample")
    return next(iter(rows.values()))


def _means(
    head: Head, features: Features, modality: str, n: int, rows: int
) -> tuple[Tensor, Tensor]:
    """Means of f with ``modality`` from i and the others from j: over j (n, K), over i (n, K)."""
    row: list[Tensor] = []
    column: Any = 0.0
    wide = min(n, rows)  # samples j of one call
    tall = max(1, rows // wide)  # samples i of one call
    for start in range(0, n, tall):
        of_i = features[modality][start : start + tall]
        sums: Any = 0.0
        parts = []
        for other in range(0, n, wide):
            of_j = {m: z[other : other + wide] for m, z in features.items()}
            b = len(of_j[modality])
            grid = {m: z.repeat(len(of_i), 1) for m, z in of_j.items()}
            grid[modality] = of_i.repeat_interleave(b, dim=0)
            out = head(grid).double().view(len(of_i), b, -1)
            sums = sums + out.sum(1)
            parts.append(out.sum(0))
        row.append(sums / n)
        column = torch.cat(parts) / n + column
    return torch.cat(row), column


def _correct(logits: Tensor, y: Tensor) -> np.ndarray:
    return (logits.argmax(1) == y).cpu().numpy().astype(float)
