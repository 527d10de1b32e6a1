"""Train, validation and test splits of named modalities, with the checks all data sets pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit
from torch import Tensor

from umt_lib.data.memory_mapped import MemoryMapped
from umt_lib.errors import StudyError

SPLIT_SEED = 20230  # of all splits that are drawn here: the same for all training seeds
FOLDS = 5  # of a small data set: the split of training seed s is fold s mod 5
Rows = dict[str, Any]  # tensors, or MemoryMapped where they do not fit in memory
Augment = Callable[[Rows, torch.Generator], dict[str, Tensor]]
Transform = Callable[[dict[str, Tensor]], dict[str, Tensor]]


class Batch(NamedTuple):
    """One training batch: inputs {modality: (B, ...)}, labels (B,), row numbers in the split (B,).

    With several processes ``x`` holds this process's shard of the rows, ``y`` and ``index`` all.
    """

    x: dict[str, Tensor]
    y: Tensor
    index: Tensor  # type: ignore[assignment]  # tuple.index is not missed


@dataclass(frozen=True)
class Split:
    """One split: ``x`` {modality: (n, ...)}, labels ``y`` (n,) int64, optional ``groups`` (n,).

    A modality is a tensor, or a :class:`.memory_mapped.MemoryMapped` if it does not fit in memory.
    ``transform`` turns raw rows into the network's input without randomness (e.g. a centre crop);
    None if the raw rows are the input.
    """

    x: Rows
    y: Tensor
    groups: np.ndarray | None = None
    transform: Transform | None = None

    def __len__(self) -> int:
        return len(self.y)

    def to(self, device: torch.device) -> Split:
        """Return the split with its tensors on ``device``."""
        moved = {m: x.to(device) for m, x in self.x.items()}
        return replace(self, x=moved, y=self.y.to(device))

    def inputs(self, index: Tensor | slice) -> dict[str, Tensor]:
        """Return the network's input {modality: (B, ...)} at ``index``, without augmentation."""
        x = {m: x[index] for m, x in self.x.items()}
        return x if self.transform is None else self.transform(x)

    def raw(self, index: Tensor) -> Rows:
        """Return the raw rows at ``index`` (B,); memory-mapped ones are not read yet."""
        return {
            m: x.take(index) if isinstance(x, MemoryMapped) else x[index] for m, x in self.x.items()
        }

    def take(self, index: np.ndarray | Tensor) -> Split:
        """Return a split of the samples at ``index`` (k,), in that order."""
        index = torch.as_tensor(np.asarray(index), dtype=torch.long)
        groups = None if self.groups is None else self.groups[index.numpy()]
        return Split(self.raw(index), self.y[index], groups, self.transform)


@dataclass(frozen=True)
class Splits:
    """Train, validation and test split of one data set.

    Attributes:
        classes: class names by label.
        source: digest of the raw data that the splits were made from; "" for generated data, which
            depends on the options alone. A result is out of date if it changes.
        augment: turns raw rows of a training batch into the network's input, with random
            augmentation; shapes are those of ``transform``. None for no augmentation.
    """

    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    source: str = ""
    augment: Augment | None = field(default=None, compare=False)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(self.train.x)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of the network's input per modality, without the batch dimension."""
        return {m: tuple(x.shape[1:]) for m, x in self.train.inputs(slice(0, 1)).items()}


def check(splits: Splits, name: str) -> Splits:
    """Return ``splits`` if they are valid.

    Args:
        name: the data set's name, for error messages.

    Raises:
        StudyError: there is one modality, or splits have different ones; labels or inputs are no
            tensors, numbers of rows differ, a value is NaN or infinite, a class has no sample in a
            split, a label is out of range, or a group is in two splits.
    """
    parts = {f.name: getattr(splits, f.name) for f in fields(Splits)[:3]}
    if len(splits.modalities) < 2:
        raise StudyError(
            f"data set {name!r} has the modalities {list(splits.modalities)}; give two or more"
        )
    for part, split in parts.items():
        if set(split.x) != set(splits.modalities):
            raise StudyError(
                f"data set {name!r}, {part}: the modalities are {list(split.x)}, those of train "
                f"are {list(splits.modalities)}; give every split the same ones"
            )
        if not isinstance(split.y, Tensor) or (split.y.dtype, split.y.dim()) != (torch.int64, 1):
            raise StudyError(
                f"data set {name!r}, {part}: labels are no tensor (n,) of int64; "
                "convert them with torch.as_tensor(labels, dtype=torch.int64)"
            )
        for modality, x in split.x.items():
            if not isinstance(x, Tensor | MemoryMapped):
                raise StudyError(
                    f"data set {name!r}, {part}: modality {modality!r} is a {type(x).__name__}; "
                    f"give a tensor (torch.from_numpy converts an array)"
                )
            if len(x) != len(split):
                raise StudyError(
                    f"data set {name!r}, {part}: modality {modality!r} has {len(x)} rows for "
                    f"{len(split)} labels; give every modality one row per label"
                )
            if isinstance(x, Tensor) and not torch.isfinite(x).all():  # files: when prepared
                bad = int((~torch.isfinite(x.flatten(1)).all(1)).nonzero()[0])
                raise StudyError(
                    f"data set {name!r}, {part}: modality {modality!r} holds NaN or infinity, "
                    f"first in row {bad}; repair or drop that sample"
                )
        present = set(split.y.tolist())
        if wrong := present - set(range(len(splits.classes))):
            raise StudyError(
                f"data set {name!r}, {part}: label {min(wrong)} is outside "
                f"0..{len(splits.classes) - 1}; give one class name per label"
            )
        if absent := [c for k, c in enumerate(splits.classes) if k not in present]:
            raise StudyError(
                f"data set {name!r}, {part}: no sample of class {absent[0]!r}; choose another "
                f"split or leave the class out"
            )
    seen: dict[object, str] = {}
    for part, split in parts.items():
        for group in set([] if split.groups is None else split.groups.tolist()):
            if group in seen:
                raise StudyError(
                    f"data set {name!r}: group {group!r} is in {seen[group]} and in {part}; keep "
                    f"every group within one split"
                )
            seen[group] = part
    return splits


def holdout(split: Split, fraction: float, seed: int = SPLIT_SEED) -> tuple[Split, Split]:
    """Split off a stratified ``fraction`` of the samples: (rest, held out). Groups stay whole.

    With groups the held-out part is about ``fraction`` of the samples, at least one group.

    Args:
        fraction: more than 0, at most 0.5.
        seed: of the random split.

    Raises:
        StudyError: the fraction is out of range, or all samples are of one group.
    """
    if not 0 < fraction <= 0.5:
        raise StudyError(f"cannot hold out a fraction of {fraction}; give more than 0, at most 0.5")
    y = split.y.numpy()
    if split.groups is None:
        cut = StratifiedShuffleSplit(1, test_size=fraction, random_state=seed)
        rest, held = next(cut.split(y, y))
    else:
        groups = len(np.unique(split.groups))
        if groups < 2:
            raise StudyError("cannot hold out part of a single group; give samples of two or more")
        folds = StratifiedGroupKFold(
            min(round(1 / fraction), groups), shuffle=True, random_state=seed
        )
        rest, held = next(folds.split(y, y, split.groups))
    return split.take(np.sort(rest)), split.take(np.sort(held))


def fold_of(seed: int) -> int:
    """The fold of a small data set that the training seed ``seed`` is trained and tested on."""
    return seed % FOLDS


def five_folds(
    y: np.ndarray, groups: np.ndarray, fold: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of train, validation and test (in rising order) of a grouped, stratified five-fold.

    The folds are fixed. Fold ``fold`` is the test split, the next one the validation split, and the
    other three the training split; so over five folds every sample is tested once.

    Args:
        y: labels (n,).
        groups: (n,); a group is in one fold.
        fold: 0 to 4.

    Raises:
        StudyError: ``fold`` is out of range, or there are fewer than five groups.

    >>> y, people = np.array([0, 1] * 5), np.repeat([7, 3, 8, 1, 2], 2)
    >>> train, validation, test = five_folds(y, people, 0)
    >>> set(people[train]) & set(people[test]), len(train), len(validation), len(test)
    (set(), 6, 2, 2)
    """
    if not 0 <= fold < FOLDS:
        raise StudyError(f"fold is {fold}; give 0 to {FOLDS - 1}")
    if (found := len(np.unique(groups))) < FOLDS:
        raise StudyError(f"{found} groups are too few for {FOLDS} folds; give {FOLDS} or more")
    cut = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SPLIT_SEED)
    held = [rows for _, rows in cut.split(y, y, groups)]
    test, validation = held[fold], held[(fold + 1) % FOLDS]
    train = np.setdiff1d(np.arange(len(y)), np.concatenate([test, validation]))
    return train, np.sort(validation), np.sort(test)
