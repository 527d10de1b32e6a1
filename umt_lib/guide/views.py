"""What the guide sees of each modality: the encoder's features, and the leading parts of its input.

An encoder that was trained on one modality has little reason to keep what speaks only together with
another modality; its last layer then hides the pairs. Where the inputs are at hand, their leading
principal components, beside the features, let the guide look for pairs past the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from umt_lib import params as params_files
from umt_lib import paths
from umt_lib.data.base import Splits
from umt_lib.errors import StudyError
from umt_lib.experiment import finished
from umt_lib.guide.inputs import INNER, rare
from umt_lib.inference import outputs

COMPONENTS = 32  # at most


class Seen(NamedTuple):
    """Validation samples, of classes and in groups that can be held out.

    Attributes:
        features: {m: (n, d_m)}. train, inputs: raw inputs {m: (n', ...)} of training and of these.
        y: (n,). groups: (n,), or None where there are none or too few.
        together: how many groups were taken together, because they are too few; else 0.
        without: classes left out, each in too few groups.
    """

    features: dict[str, np.ndarray]
    train: dict[str, Tensor]
    inputs: dict[str, Tensor]
    y: np.ndarray
    groups: np.ndarray | None
    together: int
    without: tuple[str, ...]


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
    """
    train, asked = (x.reshape(len(x), -1).astype(np.float64) for x in (train, asked))
    rank = min(len(train) - 1, train.shape[1])
    solver = "full" if train.shape[1] <= 4 * COMPONENTS else "randomized"
    fitted = PCA(min(COMPONENTS, rank), svd_solver=solver, random_state=0).fit(train)
    average = train.var(axis=0, ddof=1).sum() / rank
    kept = max(1, int((fitted.explained_variance_ > average).sum()))
    return fitted.transform(asked)[:, :kept]


def last_layer(dataset: str, seed: int) -> tuple[dict[str, np.ndarray], Splits]:
    """Validation features of the uni-modal encoders of ``seed``, finished runs, and the data.

    Raises:
        StudyError: a uni-modal experiment of the data set has not been run, or not for this seed.
    """
    features = {}
    for file in sorted(paths.PARAMS.glob(f"{dataset}-unimodal-*.yaml")):
        params = params_files.read(file)
        if seed not in params["seeds"]:
            raise StudyError(
                f"{dataset}: params/{file.name} has no seed {seed}; give one of {params['seeds']}"
            )
        if modality := params["method"].get("modality"):
            model, splits = finished(file.stem, seed)
            features[modality] = outputs(model, splits.validation).features[modality].numpy()
    return features, splits


def validation(dataset: str, seed: int) -> Seen:
    """:func:`last_layer`, less what the guide would refuse: what is left out is said.

    Raises:
        StudyError: a uni-modal experiment of the data set has not been run, or not for this seed.
    """
    features, splits = last_layer(dataset, seed)
    held = splits.validation
    y, groups, together = held.y.numpy(), held.groups, 0
    if groups is not None and (number := len(np.unique(groups))) < INNER:
        groups, together = None, number
    classes = [] if groups is None else rare(y, groups)
    keep = ~np.isin(y, classes)
    return Seen(
        {m: z[keep] for m, z in features.items()},
        splits.train.x,
        {m: x[torch.from_numpy(keep)] for m, x in held.x.items()},
        y[keep],
        None if groups is None else groups[keep],
        together,
        tuple(splits.classes[k] for k in classes),
    )
