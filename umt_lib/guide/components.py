"""Principal components of the raw inputs, used to detect interactions that the features lack.

An encoder that was trained on one modality has little reason to keep information that is useful
only together with another modality; its last layer may then contain no interaction. Where the raw
inputs are available, their leading principal components, as extra columns of the features, let the
guide detect interactions that the encoders have lost.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.decomposition import PCA
from torch import Tensor

COMPONENTS = 32  # at most


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

    >>> rng = np.random.default_rng(0)
    >>> signal = 5 * rng.normal(size=(50, 1)) * [1.0, 1.0, 1.0, 1.0]  # in one direction
    >>> inputs = signal + rng.normal(size=(50, 4))
    >>> components(inputs[:40], inputs[40:]).shape
    (10, 1)
    """
    train, samples = (x.reshape(len(x), -1).astype(np.float64) for x in (train, samples))
    rank = min(len(train) - 1, train.shape[1])
    solver = "full" if train.shape[1] <= 4 * COMPONENTS else "randomized"
    fitted = PCA(min(COMPONENTS, rank), svd_solver=solver, random_state=0).fit(train)
    average = train.var(axis=0, ddof=1).sum() / rank
    kept = max(1, int((fitted.explained_variance_ > average).sum()))
    return fitted.transform(samples)[:, :kept]
