"""What the guide is given, checked: arrays that would lead to a wrong verdict are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from umt_lib.errors import StudyError

MAX_SAMPLES = 10_000  # more are thinned out: minutes instead of hours, and bounded memory
MAX_NUMBERS = 2**26  # rows x columns read, over all modalities: half a GB
LARGEST = 1e30  # squares of larger values overflow
INNER = 3  # folds inside a training part


class Inputs(NamedTuple):
    """Features {m: (n, d_m)} float64, labels (n,) in 0..K-1, groups (n,) in 0..G-1 or None."""

    features: dict[str, np.ndarray]
    y: np.ndarray
    groups: np.ndarray | None
    classes: tuple[str, ...]
    given: int  # samples before thinning out
    folds: int


def checked(
    features: Mapping[str, object],
    labels: object,
    groups: object,
    folds: int,
    max_samples: int,
    seed: int,
    source: str,
) -> Inputs:
    """The rows the guide works with. A memory-mapped array is never read whole.

    Raises:
        StudyError: anything listed in :mod:`umt_lib.guide` under "What is refused".
    """
    if seed < 0:
        raise StudyError(f"seed is {seed}; give a whole number from 0")
    if len(features) < 2:
        raise StudyError(
            f"{source}: {len(features)} modality given ({', '.join(features) or 'none'}); the "
            f"guide compares ways to join modalities, so give two or more"
        )
    labels = _column(labels, "labels", source)
    groups = None if groups is None else _column(groups, "groups", source)
    arrays = {m: _shaped(m, x, len(labels), source) for m, x in features.items()}
    if groups is not None and len(groups) != len(labels):
        raise StudyError(
            f"{source}: 'groups' has {len(groups)} rows for {len(labels)} labels; give one each"
        )
    classes, y = np.unique(labels, return_inverse=True)
    folds = _foldable(classes, y, groups, folds, source)
    keep = _thinned(y, sum(x.shape[1] for x in arrays.values()), max_samples, seed)
    folds = _foldable(classes, y[keep], None if groups is None else groups[keep], folds, source)
    return Inputs(
        {m: _numbers(m, x, keep, source) for m, x in arrays.items()},
        y[keep],
        None if groups is None else np.unique(groups[keep], return_inverse=True)[1],
        tuple(map(str, classes)),
        len(y),
        folds,
    )


def _column(values: object, name: str, source: str) -> np.ndarray:
    """Labels or groups: any values that can be told apart, one per sample."""
    values = np.asarray(values)
    if values.ndim != 1:
        raise StudyError(
            f"{source}: {name!r} has shape {values.shape}; give one value per sample, shape (n,)"
        )
    if values.dtype.kind == "O":
        values = values.astype(str)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise StudyError(f"{source}: {name!r} holds NaN or infinity in row {row}; drop that sample")
    return values


def _shaped(modality: str, x: object, n: int, source: str) -> np.ndarray:
    x = x if isinstance(x, np.ndarray) else np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise StudyError(
            f"{source}: {modality!r} holds {x.dtype} instead of numbers; encode it as numbers first"
        )
    if x.ndim != 2 or x.shape[1] == 0:
        mend = "x[:, None]" if x.ndim == 1 else "x.reshape(len(x), -1)"
        raise StudyError(
            f"{source}: {modality!r} has shape {x.shape}; give one row of features per sample, "
            f"shape (n, d), for example with {mend}"
        )
    if len(x) != n:
        raise StudyError(
            f"{source}: {modality!r} has {len(x)} rows for {n} labels; give every modality one row "
            f"per label, in the same order"
        )
    return x


def _numbers(modality: str, x: np.ndarray, keep: np.ndarray, source: str) -> np.ndarray:
    x = np.asarray(x[keep], dtype=np.float64)
    fine = (np.abs(x) < LARGEST).all(axis=1)  # false for NaN as well
    if not fine.all():
        row = int(keep[np.flatnonzero(~fine)[0]])
        raise StudyError(
            f"{source}: {modality!r} holds NaN, infinity or a number beyond {LARGEST:g}, first in "
            f"row {row}; repair or drop that sample"
        )
    if (x == x[0]).all():
        raise StudyError(
            f"{source}: {modality!r} is the same for all samples, so it says nothing; leave the "
            f"modality out or extract its features again"
        )
    return x


def _thinned(y: np.ndarray, columns: int, max_samples: int, seed: int) -> np.ndarray:
    """Row numbers in order: all, or a stratified draw of as many as may be read."""
    most = min(max_samples, MAX_NUMBERS // columns)
    if len(y) <= most:
        return np.arange(len(y))
    classes = len(np.unique(y))
    if most < 2 * classes:
        raise StudyError(
            f"{columns} columns leave room for {most} samples of {classes} classes; reduce the "
            f"features, for example by PCA"
        )
    return np.sort(
        train_test_split(np.arange(len(y)), train_size=most, stratify=y, random_state=seed)[0]
    )


def _foldable(
    classes: np.ndarray, y: np.ndarray, groups: np.ndarray | None, folds: int, source: str
) -> int:
    """How many folds there can be: as many as asked for, fewer where there are fewer groups."""
    if folds < 2:
        raise StudyError(f"folds is {folds}; give 2 or more")
    if len(classes) < 2:
        raise StudyError(
            f"{source}: all {len(y)} labels are of one class; give samples of two classes or more"
        )
    counts = np.bincount(y, minlength=len(classes))
    if counts.min() < 2 * folds:
        k = int(counts.argmin())
        raise StudyError(
            f"{source}: class {str(classes[k])!r} has {counts[k]} samples that can be used, "
            f"{folds} folds need {2 * folds} (2 in each); gather more, use fewer folds or leave "
            f"the class out"
        )
    if groups is None:
        return folds
    number = len(np.unique(groups))
    if number < INNER:
        raise StudyError(
            f"{source}: 'groups' names {number} group(s), at least {INNER} are needed to predict "
            f"unseen groups; give samples of more groups"
        )
    for k, name in enumerate(classes):
        within = len(np.unique(groups[y == k]))
        if within < INNER:
            raise StudyError(
                f"{source}: class {str(name)!r} occurs in {within} of {number} groups, so leaving "
                f"groups out leaves the class out; at least {INNER} groups must have it"
            )
    return min(folds, number)
