"""What the guide is given, checked: arrays that would lead to a wrong verdict are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

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
    rows: np.ndarray  # numbers of these samples among the given ones

    def farthest(self) -> dict[str, tuple[float, int]]:
        """{m: (standard deviations from its column's mean, row as given)} of the oddest value."""
        found = {}
        for m, x in self.features.items():
            mean, spread = x.mean(axis=0), x.std(axis=0)
            away = np.maximum(x.max(axis=0) - mean, mean - x.min(axis=0))
            away = away / np.where(spread > 0, spread, np.inf)
            column = away.argmax()
            row = np.abs(x[:, column] - mean[column]).argmax()
            found[m] = float(away[column]), int(self.rows[row])
        return found


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
    if not 0 <= seed < 2**32:
        raise StudyError(f"seed is {seed}; give a whole number from 0 to 2**32 - 1")
    if max_samples < 1:
        raise StudyError(f"max_samples is {max_samples}; give how many samples may be used")
    if len(features) < 2:
        there = ", ".join(map(str, features)) or "none"
        raise StudyError(
            f"{source}: {len(features)} modality given ({there}); "
            f"the guide compares ways to join modalities, so give two or more"
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
        keep,
    )


def _column(values: object, name: str, source: str) -> np.ndarray:
    """Labels or groups: any values that can be told apart, one per sample."""
    values = _array(values, name, source)
    if values.ndim != 1:
        raise StudyError(
            f"{source}: {name!r} has shape {values.shape}; give one value per sample, shape (n,)"
        )
    if len(values) == 0:
        raise StudyError(f"{source}: {name!r} is empty; give one value per sample")
    bad = pd.isna(values)
    if values.dtype.kind in "fc":
        bad |= np.isinf(values)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise StudyError(
            f"{source}: {name!r} holds nothing, NaN or infinity in row {row}; drop that sample"
        )
    return values.astype(str) if values.dtype.kind == "O" else values


def _array(values: object, name: str, source: str) -> np.ndarray:
    """An array as it is (it may be memory-mapped), anything else made into one."""
    if isinstance(values, np.ndarray):
        return values
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists, tensors on a GPU
        why = " ".join(str(error).split()).rstrip(".")
        raise StudyError(f"{source}: {name!r} is no array ({why}); give a NumPy array") from None


def _shaped(modality: str, x: object, n: int, source: str) -> np.ndarray:
    x = _array(x, modality, source)
    if x.dtype.kind not in "biuf":
        held = {"U": "text", "S": "text", "O": "Python objects"}.get(x.dtype.kind, x.dtype)
        raise StudyError(
            f"{source}: {modality!r} holds {held} instead of numbers; encode it as numbers first"
        )
    if x.ndim == 2 and x.shape[1] == 0:
        raise StudyError(f"{source}: {modality!r} has no features; leave the modality out")
    if x.ndim != 2:
        mend = "x[:, None]" if x.ndim == 1 else "x.reshape(n, -1)"
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
    order = np.random.default_rng(seed).permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]  # class by class, in random order
    counts = np.bincount(y)
    place = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = (place + 0.5) / counts[y[order]]  # of its class, up to this sample
    return np.sort(order[np.argsort(share, kind="stable")[:most]])


def _foldable(
    classes: np.ndarray, y: np.ndarray, groups: np.ndarray | None, folds: int, source: str
) -> int:
    """How many folds there can be: as many as asked for, fewer where there are fewer groups."""
    if folds < 2:
        raise StudyError(f"folds is {folds}; give 2 or more")
    if len(classes) < 2:
        raise StudyError(
            f"{source}: all {len(y)} values of 'labels' are {str(classes[0])!r}; give samples of "
            f"two classes or more"
        )
    counts = np.bincount(y, minlength=len(classes))
    if counts.min() < 2 * folds:
        k = int(counts.argmin())
        raise StudyError(
            f"{source}: class {str(classes[k])!r} of 'labels' has {counts[k]} of the {len(y)} "
            f"samples that can be used, {folds} folds need {2 * folds} (2 in each); gather more, "
            f"use fewer folds or leave the class out"
        )
    if groups is None:
        return folds
    number = len(np.unique(groups))
    if number < INNER:
        raise StudyError(
            f"{source}: 'groups' names {number} group(s), at least {INNER} are needed to predict "
            f"unseen groups; give samples of more groups"
        )
    for k in rare(y, groups)[:1]:
        within = len(np.unique(groups[y == k]))
        raise StudyError(
            f"{source}: class {str(classes[k])!r} of 'labels' occurs in {within} of {number} "
            f"'groups', so leaving groups out leaves the class out; give it in {INNER} groups "
            f"or more, or leave it out"
        )
    return min(folds, number)


def rare(y: np.ndarray, groups: np.ndarray) -> list[int]:
    """Classes in fewer groups than it takes to hold groups out and keep the class."""
    return [int(k) for k in np.unique(y) if len(np.unique(groups[y == k])) < INNER]
