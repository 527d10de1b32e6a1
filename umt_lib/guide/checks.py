"""Checks of the guide's input: arrays that would lead to a wrong verdict are refused."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import NamedTuple, SupportsIndex

import numpy as np
import pandas as pd

from umt_lib.errors import StudyError
from umt_lib.guide import copies, wide
from umt_lib.guide.copies import Copies

MAX_SAMPLES = 10_000  # of more samples a subset is used: minutes instead of hours
MAX_NUMBERS = 2**26  # rows x columns that are read, over all modalities: half a GB
LARGEST = 1e30  # squares of larger values overflow
FOLDS, FOLDS_OF_MANY = 5, 3  # by default; of so many samples, three folds are as good and faster:
MANY = 5000
INNER = 3  # folds within a training part
LARGER = "use a larger max_samples (--max-samples)"
VALUES = 10  # more different values of labels that are not whole numbers are no classes


class Inputs(NamedTuple):
    """The checked input.

    Attributes:
        features: {modality: (n, d_m)}, float64; of a modality with more columns than samples their
            coordinates (see :mod:`umt_lib.guide.wide`).
        y: labels (n,) in 0..K-1; groups: (n,) in 0..G-1, or None.
        classes: the K values of the labels.
        given: number of samples given, of which n are used.
        folds: number of folds, at most the number of groups.
        rows: (n,), the row numbers of these samples in the given arrays.
        columns: {modality: its number of columns}.
        wide: modalities with more columns than samples.
        farthest: {modality: (distance of its most extreme value from the mean of its column in
            standard deviations, row of that value in the given array)}, of columns in which the
            other values differ.
        grouped: whether groups were given.
        copies: rows that repeat in different groups; ``groups`` has them in one group each.
        searched: whether extra columns are given beside these features.
    """

    features: dict[str, np.ndarray]
    y: np.ndarray
    groups: np.ndarray | None
    classes: tuple[str, ...]
    given: int
    folds: int
    rows: np.ndarray
    columns: dict[str, int]
    wide: frozenset[str]
    farthest: dict[str, tuple[float, int]]
    grouped: bool
    copies: Copies | None
    searched: bool = False


def checked(
    features: Mapping[str, object],
    labels: object,
    groups: object,
    folds: int | None,
    max_samples: int,
    seed: int,
    source: str,
) -> Inputs:
    """Check the input and return the samples to use; a memory-mapped array is never read whole.

    Args:
        folds: None for the default, see :func:`default_folds`.

    Raises:
        StudyError: anything listed in :mod:`umt_lib.guide` under "Refused input".

    >>> x = np.arange(8.0)[:, None]
    >>> checked({"a": x, "b": -x}, ["no", "yes"] * 4, None, 2, 100, 0, "mine").y.tolist()
    [0, 1, 0, 1, 0, 1, 0, 1]
    """
    if not 0 <= seed < 2**32:
        raise StudyError(f"seed is {seed}; give a whole number from 0 to 2**32 - 1")
    if max_samples < 1:
        raise StudyError(f"max_samples is {max_samples}; give how many samples may be used")
    given = named(features, "features", source)
    if len(given) < 2:
        names = ", ".join(map(str, given)) or "none"
        raise StudyError(
            f"{source}: {len(given)} modality given ({names}); "
            f"the guide compares strategies to combine modalities, so give two or more"
        )
    labels = _column(labels, "labels", source)
    groups = None if groups is None else _column(groups, "groups", source)
    arrays = {m: _shaped(m, x, len(labels), source) for m, x in given.items()}
    if groups is not None and len(groups) != len(labels):
        raise StudyError(
            f"{source}: 'groups' has {len(groups)} rows for {len(labels)} labels; give one each"
        )
    if labels.dtype.kind == "f":
        _classes_not_numbers(labels, source)
    classes, y = np.unique(labels, return_inverse=True)
    _foldable(classes, y, groups, default_folds(len(y)) if folds is None else folds, source)
    columns = sum(x.shape[1] for x in arrays.values())
    keep = draw(y, columns, max_samples, seed)
    more = LARGER if max_samples < min(len(y), MAX_NUMBERS // columns) else ""
    y, folds = y[keep], default_folds(len(keep)) if folds is None else folds
    if groups is not None:
        groups = np.unique(groups[keep], return_inverse=True)[1]
    folds = _foldable(classes, y, groups, folds, source, more)
    drawn = {m: _numbers(m, x, keep, source) for m, x in arrays.items()}
    farthest = {m: _farthest(x) for m, x in drawn.items()}
    many = frozenset(m for m, x in drawn.items() if x.shape[1] > len(keep))
    numbers = {
        m: wide.coordinates(x) if m in many else np.asarray(x, dtype=np.float64)
        for m, x in drawn.items()
    }
    repeated = copies.find(list(drawn.values()), y, groups)
    grouped = groups is not None
    if repeated:
        one, other = repeated.pair
        if y[one] != y[other]:
            same = all((x[one] == x[other]).all() for x in drawn.values())
            names = [repr(str(classes[y[row]])) for row in repeated.pair]
            raise StudyError(
                f"{source}: rows {keep[one]} and {keep[other]} (the first is 0) are "
                f"{'' if same else 'nearly '}the same in every modality, but their labels are "
                f"{' and '.join(names)}; correct the labels or drop such rows"
            )
        groups = repeated.groups
        joined = f"{source} (rows that repeat are taken as one group)"
        folds = _foldable(classes, y, groups, folds, joined, more)
    return Inputs(
        features=numbers,
        y=y,
        groups=groups,
        classes=tuple(map(str, classes)),
        given=len(labels),
        folds=folds,
        rows=keep,
        columns={m: x.shape[1] for m, x in drawn.items()},
        wide=many,
        farthest={m: (away, int(keep[row])) for m, (away, row) in farthest.items()},
        grouped=grouped,
        copies=repeated,
    )


def with_extra(inputs: Inputs, extra: Mapping[str, object], source: str) -> Inputs:
    """The same samples with the extra columns (n, c) of each modality appended.

    Raises:
        StudyError: other modalities, other numbers of rows, or no numbers.
    """
    given = named(extra, "extra", source)
    if set(inputs.features) != set(given):
        raise StudyError(
            f"{source}: features are given for {sorted(inputs.features)}, extra columns for "
            f"{sorted(given)}; give both for every modality"
        )
    features, columns = {}, {}
    for m, z in inputs.features.items():
        more = given[m]
        if more.ndim != 2 or len(more) != len(z):
            raise StudyError(
                f"{source}: {m!r} has features of shape {(len(z), inputs.columns[m])} and extra "
                f"columns of shape {more.shape}; give one row per sample in both"
            )
        _shaped(m, more, len(z), source)
        _finite(m, more, inputs.rows, source)
        columns[m] = inputs.columns[m] + more.shape[1]
        alike = wide.standardised(more) if m in inputs.wide else more
        features[m] = np.hstack([alike, z] if m in inputs.wide else [z, alike]).astype(np.float64)
    return inputs._replace(features=features, columns=columns, searched=True)


def whole(value: SupportsIndex, name: str) -> int:
    """An option that is a whole number, of any integer type.

    Raises:
        StudyError: it is something else.

    >>> whole(np.int64(3), "folds")
    3
    """
    try:
        return operator.index(value)
    except TypeError:
        raise StudyError(f"{name} is {value!r}; give a whole number") from None


def named(given: object, name: str, source: str) -> dict[str, np.ndarray]:
    """The arrays of the modalities by their names as text; they may be memory-mapped.

    Raises:
        StudyError: no dictionary, or a value in it that is no array.
    """
    if not isinstance(given, Mapping):
        raise StudyError(
            f"{source}: {name!r} is of type {type(given).__name__}; give a dictionary with the "
            f"array of each modality under its name"
        )
    return {str(m): _array(x, str(m), source) for m, x in given.items()}


def default_folds(samples: int) -> int:
    """The number of folds for so many samples.

    >>> default_folds(5000), default_folds(5001)
    (5, 3)
    """
    return FOLDS if samples <= MANY else FOLDS_OF_MANY


def _column(values: object, name: str, source: str) -> np.ndarray:
    """Labels or groups as an array, one value per sample; any type of value will do."""
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
            f"{source}: {name!r} holds no value, NaN or infinity in row {row}; drop that sample"
        )
    return values.astype(str) if values.dtype.kind == "O" else values


def _array(values: object, name: str, source: str) -> np.ndarray:
    """The values as an array; an array is returned as it is (it may be memory-mapped).

    Raises:
        StudyError: no array, or one with masked values, which would be used as data.
    """
    if isinstance(values, np.ma.MaskedArray):
        if np.ma.is_masked(values):
            masked = np.atleast_1d(np.ma.getmaskarray(values))
            row = int(masked.reshape(len(masked), -1).any(axis=1).argmax())
            raise StudyError(
                f"{source}: {name!r} has masked values, first in row {row}; fill them in or drop "
                f"that sample"
            )
        return values.data
    if isinstance(values, np.ndarray):
        return values
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists, tensors on a GPU
        why = " ".join(str(error).split()).rstrip(".")
        raise StudyError(
            f"{source}: {name!r} is not an array ({why}); give a NumPy array"
        ) from None


def _shaped(modality: str, x: np.ndarray, n: int, source: str) -> np.ndarray:
    if x.dtype.kind not in "biuf":
        held = {"U": "text", "S": "text", "O": "Python objects"}.get(x.dtype.kind, x.dtype)
        raise StudyError(
            f"{source}: {modality!r} holds {held} instead of numbers; leave it out if it is no "
            f"modality, or encode it as numbers first"
        )
    if x.ndim == 2 and x.shape[1] == 0:
        raise StudyError(f"{source}: {modality!r} has no features; leave the modality out")
    if x.ndim != 2:
        fix = "x[:, None]" if x.ndim == 1 else "x.reshape(n, -1)"
        raise StudyError(
            f"{source}: {modality!r} has shape {x.shape}; leave it out if it is no modality, or "
            f"give one row of features per sample, shape (n, d), for example with {fix}"
        )
    if len(x) != n:
        raise StudyError(
            f"{source}: {modality!r} has {len(x)} rows for {n} labels; leave it out if it is no "
            f"modality, or give every modality one row per label, in the same order"
        )
    return x


def _numbers(modality: str, x: np.ndarray, keep: np.ndarray, source: str) -> np.ndarray:
    """The rows that are used, in their own type; all are finite, and not all are the same."""
    x = np.asarray(x[keep])
    _finite(modality, x, keep, source)
    if all((block == block[0]).all() for _, block in wide.blocks(x)):
        raise StudyError(
            f"{source}: {modality!r} is the same for all samples, so it carries no information; "
            f"leave the modality out or extract its features again"
        )
    return x


def _finite(modality: str, x: np.ndarray, keep: np.ndarray, source: str) -> None:
    fine = np.ones(len(x), dtype=bool)
    for _, block in wide.blocks(x):
        fine &= (np.abs(block) < LARGEST).all(axis=1)  # false for NaN as well
    if not fine.all():
        row = int(keep[np.flatnonzero(~fine)[0]])
        raise StudyError(
            f"{source}: {modality!r} holds NaN, infinity or a number beyond {LARGEST:g}, first in "
            f"row {row}; repair or drop that sample"
        )


def _farthest(x: np.ndarray) -> tuple[float, int]:
    """The most extreme value: its distance from its column's mean in standard deviations, its row.

    Columns in which all other values are equal are left out, because nothing is lost beside it.

    >>> x = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [9.0, 0.0], [0.0, 5.0]])
    >>> away, row = _farthest(x)
    >>> f"{away:.2f}", row
    ('1.99', 3)
    """
    found = (0.0, 0)
    for _, block in wide.blocks(x):
        away = np.abs(wide.standardised(block))
        rows, columns = away.argmax(axis=0), np.arange(block.shape[1])
        others = np.array(block)
        others[rows, columns] = others[np.where(rows == 0, 1, 0), columns]
        differ = (others != others[0]).any(axis=0)
        if differ.any():
            column = columns[differ][away[rows, columns][differ].argmax()]
            most = float(away[rows[column], column])
            found = max(found, (most, int(rows[column])), key=lambda f: f[0])
    return found


def draw(y: np.ndarray, columns: int, max_samples: int, seed: int) -> np.ndarray:
    """Row numbers in order: all of them, or a stratified random subset of the size allowed.

    >>> draw(np.array([0, 0, 0, 0, 1, 1]), columns=2, max_samples=3, seed=0).tolist()
    [2, 3, 5]
    """
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
    classes: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray | None,
    folds: int,
    source: str,
    more: str = "",
) -> int:
    """The number of folds: the given one, or the number of groups if that is smaller.

    Args:
        more: how to get more samples, if they are not all that are given.
    """
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
        _classes_not_numbers(classes, source)
        fewer = "use fewer folds " if folds > 2 and counts.min() >= 4 else ""
        raise StudyError(
            f"{source}: class {str(classes[k])!r} of 'labels' has {counts[k]} of the {len(y)} "
            f"samples that can be used, {folds} folds need {2 * folds} (2 in each); "
            f"{more or 'gather more'}, {fewer}or leave the class out"
        )
    if groups is None:
        return folds
    number = len(np.unique(groups))
    if number < INNER:
        raise StudyError(
            f"{source}: 'groups' names {number} group(s), at least {INNER} are needed to predict "
            f"unseen groups; {more or 'give samples from more groups'}"
        )
    for k in rare(y, groups)[:1]:
        within = len(np.unique(groups[y == k]))
        raise StudyError(
            f"{source}: class {str(classes[k])!r} of 'labels' occurs in {within} of {number} "
            f"'groups', so a fold without these groups has no sample of the class; "
            f"{more or f'give samples of it in {INNER} groups or more'}, or leave the class out"
        )
    return min(folds, number)


def _classes_not_numbers(labels: np.ndarray, source: str) -> None:
    """Refuse labels that are values of a continuous quantity instead of classes."""
    try:
        values = np.unique(labels.astype(np.float64))
    except ValueError:  # text
        return
    if len(values) > VALUES and (values != values.round()).any():
        named = "labels as text" if labels.dtype.kind == "f" else "names, such as 'class 0.5',"
        raise StudyError(
            f"{source}: 'labels' look continuous: {len(values)} different values from "
            f"{values[0]:g} to {values[-1]:g}; the guide needs classes, so cut them into bins, for "
            f"example np.digitize(labels, [{np.quantile(values, 0.5):.2g}]), or give {named} if "
            f"each value is a class"
        )


def rare(y: np.ndarray, groups: np.ndarray) -> list[int]:
    """Classes that occur in too few groups: held-out groups could contain all of their samples.

    >>> rare(np.array([0, 0, 0, 1, 1, 1]), np.array([1, 2, 3, 1, 2, 2]))
    [1]
    """
    return [int(k) for k in np.unique(y) if len(np.unique(groups[y == k])) < INNER]
