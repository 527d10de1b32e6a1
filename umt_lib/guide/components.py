"""What the guide sees of each modality: the encoder's features, and the leading parts of its input.

An encoder that was trained on one modality has little reason to keep what speaks only together with
another modality; its last layer then hides the pairs. Where the inputs are at hand, their leading
principal components, beside the features, let the guide look for pairs past the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.decomposition import PCA
from torch import Tensor

COMPONENTS = 32  # at most


def of_inputs(train: Mapping[str, Tensor], asked: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """{modality: (n, c)}: :func:`components` of every modality's raw inputs.

    Args:
        train: {modality: (n', ...)}, the inputs that the components are fitted on.
        asked: {modality: (n, ...)}, the inputs of the samples the guide will see.
    """
    return {m: components(train[m].numpy(), x.numpy()) for m, x in asked.items()}


def components(train: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(n, c): those leading components that vary more than the average one, 1 to 32 of them.

    Noise of equal size in all directions is left out: every column the guide need not look at makes
    pairs easier to find among the rest.

    >>> x = np.random.default_rng(0).standard_normal((100, 5)) * [9, 1, 1, 1, 1]
    >>> components(x, x[:10]).shape
    (10, 1)
    """
    train, asked = (x.reshape(len(x), -1).astype(np.float64) for x in (train, asked))
    rank = min(len(train) - 1, train.shape[1])
    solver = "full" if train.shape[1] <= 4 * COMPONENTS else "randomized"
    fitted = PCA(min(COMPONENTS, rank), svd_solver=solver, random_state=0).fit(train)
    average = train.var(axis=0, ddof=1).sum() / rank
    kept = max(1, int((fitted.explained_variance_ > average).sum()))
    return fitted.transform(asked)[:, :kept]
