"""Find features, labels and groups among the variables of a .mat file."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from scipy.io.matlab import MatlabFunction, MatlabObject, MatlabOpaque
from scipy.sparse import issparse

from umt_lib.errors import StudyError
from umt_lib.guide import hdf5

LABELS, GROUPS = ("labels", "label"), ("groups", "group")
OTHER_LABELS = ("y", "gt", "gnd", "truth", "truelabel", "truelabels")
NUMBERS = "biuf"
LEAVE = "leave it out if it is no modality"


def arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a .mat file; the fields of a single struct are taken for variables.

    A cell ``X`` of M arrays gives the modalities X1 to XM. Labels may have another usual name, and
    be equal cells or indicators of classes. Arrays (d, n) are transposed where the labels show that
    n is second.

    Raises:
        StudyError: what is no array, or an array whose samples cannot be told from its features.
    """
    with path.open("rb") as file:
        start = file.read(max(len(hdf5.MATLAB), len(hdf5.START)))
    if start == hdf5.MATLAB or start.startswith(hdf5.START):
        content = hdf5.variables(path)
    else:
        read = scipy.io.loadmat(path)
        content = {k: _fields(x) for k, x in read.items() if not str(k).startswith("__")}
    names = (*LABELS, *OTHER_LABELS)
    content = opened(path, content, names)
    label = next((name for name in LABELS if name in content), None)
    others = [name for name in content if name.lower() in names]
    if label is None and len(others) == 1:
        label = others[0]
    if label is None:  # which the reader reports with the names that were found
        return {name: np.asarray(x, dtype=object) for name, x in content.items()}
    labels = _class_numbers(_column(path, label, content.pop(label)))
    found = {label if label in LABELS else LABELS[0]: labels}
    for name in GROUPS:
        if name in content:
            found[name] = _column(path, name, content.pop(name))
    for name, value in content.items():
        if isinstance(value, np.ndarray) and value.dtype == object:
            cells = [_dense(cell) for cell in value.ravel()]
            if not all(_numeric(cell) for cell in cells):
                raise StudyError(f"{path}: {name!r} is a cell of other things than arrays; {LEAVE}")
            new = {f"{name}{i}": x for i, x in enumerate(cells, start=1)}
        else:
            x = _checked(path, name, value)
            alone = x.ndim == 2 and 1 in x.shape and x.size == len(labels)
            new = {name: x.ravel() if alone else x}  # one value per sample is no modality
        _once(path, new, {*found, *content} - {name})
        found |= new
    if labels.ndim != 1:
        return found
    return {name: _rows(path, name, x, len(labels)) for name, x in found.items()}


def opened(path: Path, content: dict[str, Any], labels: Iterable[str]) -> dict[str, Any]:
    """The variables; the only dictionary is replaced by its content if no labels are beside it.

    Raises:
        StudyError: two variables of one name, or several dictionaries.
    """
    nested = [name for name, value in content.items() if isinstance(value, dict)]
    beside = any(name.lower() in labels for name in content)
    if len(nested) == 1 and not beside:
        outside = {name: value for name, value in content.items() if name not in nested}
        inside = {str(name): _fields(value) for name, value in content[nested[0]].items()}
        _once(path, inside, outside)
        return inside | outside
    if nested and not beside:
        raise StudyError(nested_sentence(path, nested[0], content[nested[0]]))
    return content


def nested_sentence(path: Path, name: str, fields: Iterable[str]) -> str:
    """What is reported about a struct or a group in place of an array."""
    return (
        f"{path}: {name!r} is no array but contains others ({', '.join(fields) or 'none'}); "
        f"{LEAVE}, or save what it contains as arrays of the file"
    )


def _once(path: Path, new: Iterable[str], others: Collection[str]) -> None:
    for name in new:
        if name in others:
            raise StudyError(f"{path}: there are two arrays {name!r}; leave one out")


def _fields(value: Any) -> Any:
    """A struct as a dictionary; anything else as it is."""
    if type(value) is np.ndarray and value.dtype.names and value.size == 1:
        return {name: value[name].item() for name in value.dtype.names}
    return value


def _dense(value: Any) -> np.ndarray:
    return value.toarray() if issparse(value) else np.asarray(value)


def _numeric(x: np.ndarray) -> bool:
    return x.dtype.kind in NUMBERS


def _checked(path: Path, name: str, value: Any) -> np.ndarray:
    """The array of a variable; text is refused later, with that of other files."""
    if isinstance(value, MatlabFunction | MatlabObject | MatlabOpaque):
        raise StudyError(f"{path}: {name!r} is an object of MATLAB and no array; {LEAVE}")
    fields = value if isinstance(value, dict) else getattr(value, "dtype", value).names
    if fields:
        raise StudyError(nested_sentence(path, name, fields))
    return _dense(value)


def _column(path: Path, name: str, value: Any) -> np.ndarray:
    """Labels or groups as (n,): numbers, the text of cells, or what all cells contain alike."""
    column = _dense(_checked(path, name, value))
    if column.dtype == object:
        cells = [_dense(cell) for cell in column.ravel()]
        empty = [i for i, cell in enumerate(cells) if cell.size == 0]
        if empty or not cells:
            raise StudyError(f"{path}: {name!r} has empty cells; give one value per sample")
        if len(cells) > 1 and all(cell.size == 1 for cell in cells):
            return np.array([str(cell.ravel()[0]) for cell in cells])
        columns = [_column(path, name, cell) for cell in cells]
        if not all(np.array_equal(columns[0], other) for other in columns):
            raise StudyError(
                f"{path}: the {len(cells)} cells of {name!r} differ, so they are not one column; "
                f"save one value per sample, shape (n, 1)"
            )
        return columns[0]
    column = column.ravel() if 1 in column.shape else column
    return np.char.rstrip(column) if column.dtype.kind == "U" else column


def _class_numbers(labels: np.ndarray) -> np.ndarray:
    """Indicators of K classes, (n, K) or (K, n), as numbers of classes from 1.

    >>> _class_numbers(np.array([[1, 1, 0], [0, 0, 1]])).tolist()
    [1, 1, 2]
    """
    if labels.ndim == 2 and _numeric(labels) and np.isin(labels, (0, 1)).all():
        single = [bool((labels.sum(axis=axis) == 1).all()) for axis in (0, 1)]
        if single[0] != single[1]:
            return labels.argmax(axis=0 if single[0] else 1) + 1
    return labels


def _rows(path: Path, name: str, x: np.ndarray, n: int) -> np.ndarray:
    """The array with one row per label."""
    if x.ndim != 2 or not _numeric(x):
        return x
    if n not in x.shape:
        raise StudyError(
            f"{path}: {name!r} has shape {x.shape} for {n} labels; {LEAVE}, or give every "
            f"modality one row per label, in the same order"
        )
    if x.shape == (n, n) and not np.array_equal(x, x.T, equal_nan=True):
        raise StudyError(
            f"{path}: {name!r} has shape {x.shape} for {n} labels, so rows or columns may be the "
            f"samples; save one row per sample with np.savez"
        )
    return x if len(x) == n else x.T
