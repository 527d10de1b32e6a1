"""What every data set gives: three splits of named modalities, checked before anything trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import NamedTuple

import numpy as np
import torch
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit
from torch import Tensor

from umt_lib.data.memory_mapped import Stored
from umt_lib.errors import StudyError

SPLIT_SEED = (
    20230  # one fixed cut for every seed of every experiment: a seed never moves the test set
)
Rows = dict[str, Tensor | Stored]
Augment = Callable[[Rows, torch.Generator], dict[str, Tensor]]
View = Callable[[dict[str, Tensor]], dict[str, Tensor]]


class Batch(NamedTuple):
    """What one training step sees: ``index`` (B,) are rows of the split it was drawn from.

    With several processes ``x`` holds this process's share of the rows, the rest all of them.
    """

    x: dict[str, Tensor]
    y: Tensor
    index: Tensor


@dataclass(frozen=True)
class Split:
    """One split: ``x`` {modality: (n, ...)}, labels ``y`` (n,) int64, optional ``groups`` (n,).

    Modalities are tensors, or :class:`.memory_mapped.Stored` where they do not fit in memory.
    ``view`` makes the network's input of stored rows, the same whenever it is asked (a fixed crop);
    None where they are the input.
    """

    x: Rows
    y: Tensor
    groups: np.ndarray | None = None
    view: View | None = None

    def __len__(self) -> int:
        return len(self.y)

    def to(self, device: torch.device) -> Split:
        """The same split with its tensors on ``device``."""
        moved = {m: x.to(device) for m, x in self.x.items()}
        return replace(self, x=moved, y=self.y.to(device))

    def rows(self, index: Tensor | slice) -> dict[str, Tensor]:
        """The network's input at ``index`` as it is looked at, not as it is trained on."""
        x = {m: x[index] for m, x in self.x.items()}
        return x if self.view is None else self.view(x)

    def at(self, index: Tensor) -> Rows:
        """The samples at ``index`` as they are kept: copied if in memory, not read if in files."""
        return {m: x.take(index) if isinstance(x, Stored) else x[index] for m, x in self.x.items()}

    def take(self, index: np.ndarray | Tensor) -> Split:
        """The samples at ``index``, in that order."""
        index = torch.as_tensor(np.asarray(index), dtype=torch.long)
        groups = None if self.groups is None else self.groups[index.numpy()]
        return Split(self.at(index), self.y[index], groups, self.view)


@dataclass(frozen=True)
class Splits:
    """Train, validation and test of one data set.

    ``source`` is a digest of the raw bytes the splits were made from ("" where they are generated
    from options alone): with the options and the code it says whether a result is still current.
    ``augment`` makes a training batch of rows, which may still be in their file (shapes as those of
    ``view``); None where a batch is looked at as in the other splits.
    """

    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    source: str = ""
    augment: Augment | None = field(default=None, compare=False)

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.train.x)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one sample per modality, without the batch dimension."""
        return {m: tuple(x.shape[1:]) for m, x in self.train.rows(slice(0, 1)).items()}


def check(splits: Splits, name: str) -> Splits:
    """Refuse splits that would train to a wrong number.

    Raises:
        StudyError: rows that do not match, NaN or infinity, a class absent from a split, a label
            out of range, or a group in two splits.
    """
    parts = {f.name: getattr(splits, f.name) for f in fields(Splits)[:3]}
    for part, split in parts.items():
        for modality, x in split.x.items():
            if len(x) != len(split):
                raise StudyError(
                    f"data set {name!r}, {part}: modality {modality!r} has {len(x)} rows for "
                    f"{len(split)} labels; give every modality one row per label"
                )
            if isinstance(x, Tensor) and not torch.isfinite(x).all():  # stored: when prepared
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
    """Cut a stratified ``fraction`` off ``split``: (rest, held out). Groups are never divided.

    With groups the fraction is about ``fraction``, and at least one whole group.

    Raises:
        StudyError: a fraction outside 0..0.5, or a single group.
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
