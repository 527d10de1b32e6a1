"""Principal components of the raw inputs, used to detect interactions that the features lack.

An encoder that was trained on one modality has little reason to keep information that is useful
only together with another modality; its last layer may then contain no interaction. Where the raw
inputs are available, their leading principal components, as extra columns of the features, let the
guide detect interactions that the encoders have lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from torch import Tensor

COMPONENTS = 32  # at most
SPARE = 10  # further directions in which the leading components are searched
PASSES = 6  # over the data
BLOCK = 2**19  # numbers converted to float64 at once: 4 MB


def of_inputs(train: Mapping[str, Tensor], samples: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Principal components {modality: (n, c)} of the raw inputs; see :func:`components`.

    Args:
        train: {modality: (n', ...)}, the inputs that the components are fitted on.
        samples: {modality: (n, ...)}, the inputs of the samples given to the guide.

    >>> import torch
    >>> images = {"left": torch.rand(8, 3, 4, 4), "right": torch.rand(8, 3, 4, 4)}
    >>> {m: len(z) for m, z in of_inputs(images, images).items()}
    {'left': 8, 'right': 8}
    """
    return {m: components(train[m].numpy(), x.numpy()) for m, x in samples.items()}


def components(train: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """The leading principal components (n, c) of ``samples``, fitted on ``train``; c is 1 to 32.

    Kept are the components with more variance than the average component. So noise of equal size in
    all directions is left out: the fewer columns there are, the easier an interaction is to detect.
    The arrays are read in blocks of rows, so no copy of them in float64 is made.

    >>> rng = np.random.default_rng(0)
    >>> signal = 5 * rng.normal(size=(50, 1)) * [1.0, 1.0, 1.0, 1.0]  # in one direction
    >>> inputs = signal + rng.normal(size=(50, 4))
    >>> components(inputs[:40], inputs[40:]).shape
    (10, 1)
    """
    train, samples = (x.reshape(len(x), -1) for x in (train, samples))
    n, d = train.shape
    mean = sum(block.sum(axis=0) for block in _blocks(train)) / n
    total = sum(((block - mean) ** 2).sum() for block in _blocks(train))
    searched = d if d <= 4 * COMPONENTS else min(COMPONENTS + SPARE, n)
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(d, searched)))[0]
    for _ in range(PASSES):
        basis = np.linalg.qr(_times_scatter(train, mean, basis))[0]
    values, vectors = np.linalg.eigh(basis.T @ _times_scatter(train, mean, basis))
    kept = int((values[-COMPONENTS:] > total / min(n - 1, d)).sum())
    axes = basis @ vectors[:, ::-1][:, : max(1, kept)]
    return np.concatenate([(block - mean) @ axes for block in _blocks(samples)])


def _times_scatter(x: np.ndarray, mean: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The scatter matrix (d, d) of x times a basis (d, k), without the matrix."""
    return sum((block - mean).T @ ((block - mean) @ basis) for block in _blocks(x))


def _blocks(x: np.ndarray) -> Iterator[np.ndarray]:
    """Blocks of rows in float64."""
    step = max(1, BLOCK // x.shape[1])
    for start in range(0, len(x), step):
        yield x[start : start + step].astype(np.float64)
