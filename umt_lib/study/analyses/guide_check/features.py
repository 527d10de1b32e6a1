"""Features of finished uni-modal experiments, in the form that the guide reads.

The uni-modal encoders of one seed encode the validation split, and leading components of the inputs
are added (:mod:`umt_lib.guide.components`). The training split is not used, because the encoders
have fitted its labels. Classes with too few samples, or in too few groups, for held-out folds are
left out; the name of the source states which.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from umt_lib import paths
from umt_lib.data import DATASETS
from umt_lib.data.splits import Splits
from umt_lib.errors import StudyError, nearest
from umt_lib.guide import components, readers
from umt_lib.guide.checks import FOLDS, INNER, rare
from umt_lib.guide.readers import Source
from umt_lib.models.inference import outputs
from umt_lib.study.experiments import params as params_files
from umt_lib.study.experiments.experiment import finished


class Seen(NamedTuple):
    """Validation samples of classes and groups that can be held out.

    Attributes:
        features: {m: (n, d_m)}.
        train: raw inputs of the training split, {m: (n', ...)}.
        inputs: raw inputs of these samples, {m: (n, ...)}.
        y: (n,).
        groups: (n,), or None if there are none or too few.
        together: the number of groups if they are too few and were therefore ignored, else 0.
        without: classes left out because they have too few samples or occur in too few groups.
    """

    features: dict[str, np.ndarray]
    train: dict[str, Tensor]
    inputs: dict[str, Tensor]
    y: np.ndarray
    groups: np.ndarray | None
    together: int
    without: tuple[str, ...]


def unimodal(dataset: str) -> list[Path]:
    """The params files of the uni-modal experiments."""
    return sorted(paths.PARAMS.glob(f"{dataset}-unimodal-*.yaml"))


def offered() -> list[str]:
    """The data sets that have uni-modal experiments."""
    return [dataset for dataset in DATASETS if unimodal(dataset)]


def modalities(dataset: str) -> list[str]:
    """The modalities that have a uni-modal experiment."""
    methods = (params_files.read(file)["method"] for file in unimodal(dataset))
    return [method["modality"] for method in methods if "modality" in method]


def last_layer(dataset: str, seed: int) -> tuple[dict[str, np.ndarray], Splits]:
    """Features of the validation split by the uni-modal encoders of ``seed``, and the data.

    Raises:
        StudyError: the data set has no uni-modal experiments, or one has not been run, or not for
            this seed.
    """
    features = {}
    if not (files := unimodal(dataset)):
        raise StudyError(
            f"{dataset}: the data set has no uni-modal experiments (params/{dataset}-unimodal-*"
            f".yaml), whose features the guide reads; give a file of features, or one of "
            f"{', '.join(offered())}"
        )
    for file in files:
        params = params_files.read(file)
        if seed not in params["seeds"]:
            raise StudyError(
                f"{dataset}: params/{file.name} has no seed {seed}; give one of {params['seeds']}"
            )
        if modality := params["method"].get("modality"):
            model, splits = finished(file.stem, seed)
            features[modality] = outputs(model, splits.validation).features[modality].numpy()
    return features, splits


def validation(dataset: str, seed: int, folds: int = FOLDS) -> Seen:
    """The samples of :func:`last_layer` without the classes and groups that the guide refuses.

    Args:
        folds: the number of folds of the guide, which needs two samples of each class in each.

    Raises:
        StudyError: a uni-modal experiment of the data set has not been run, or not for this seed.
    """
    features, splits = last_layer(dataset, seed)
    held = splits.validation
    y, groups, together = held.y.numpy(), held.groups, 0
    if groups is not None and (number := len(np.unique(groups))) < INNER:
        groups, together = None, number
    present, counts = np.unique(y, return_counts=True)
    classes = set(present[counts < 2 * folds].tolist())
    if len(classes) == len(present):
        classes = set()  # the guide asks for fewer folds
    if groups is not None:
        classes |= set(rare(y, groups))
    keep = ~np.isin(y, sorted(classes))
    return Seen(
        {m: z[keep] for m, z in features.items()},
        splits.train.x,
        {m: x[torch.from_numpy(keep)] for m, x in held.x.items()},
        y[keep],
        None if groups is None else groups[keep],
        together,
        tuple(splits.classes[k] for k in sorted(classes)),
    )


def load(source: str, seed: int = 0, folds: int = FOLDS) -> Source:
    """Read a file or folder of features, or the experiments of a data set for one ``seed``.

    Args:
        folds: of a data set, classes with too few samples for so many folds are left out.

    Raises:
        StudyError: there is no such file or data set, or what :func:`runs` and the readers raise.
    """
    path = Path(source)
    if source in DATASETS and not path.exists():
        return runs(source, seed, folds)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return readers.load(source)
    raise StudyError(f"{source}: no such file, folder or data set{nearest(source, offered())}")


def runs(dataset: str, seed: int, folds: int = FOLDS) -> Source:
    """Validation features of the uni-modal encoders of ``seed``, with components of the inputs.

    Raises:
        StudyError: a uni-modal experiment of the data set has not been run.
    """
    seen = validation(dataset, seed, folds)
    name = f"{dataset}, validation split, uni-modal encoders of seed {seed}"
    if seen.together:  # the verdict then holds for these groups only
        name = f"{name}, {seen.together} groups taken together"
    if seen.without:  # the verdict holds for the other classes
        name = f"{name}, without {', '.join(seen.without)} (too few samples or groups)"
    extra = components.of_inputs(seen.train, seen.inputs)
    return Source(seen.features, seen.y, seen.groups, name, extra)
