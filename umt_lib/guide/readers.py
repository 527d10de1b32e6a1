"""Read features, labels and groups from an npz, csv or parquet file or a folder of npy files."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from umt_lib.errors import StudyError
from umt_lib.guide import components

FORMATS = """\
file formats:
  .npz            one array (n, d) per modality, named after the modality;
                  labels (n,); optionally groups (n,), such as persons or videos
  folder          the same arrays as NAME.npy; they are memory-mapped, so they
                  may be larger than memory
  .csv, .parquet  a column "label" or "labels", optionally "group" or "groups";
                  every other column is named MODALITY.ANYTHING (the modality is
                  the part before the first dot) or MODALITY_NUMBER; parquet
                  needs pyarrow
  --inputs        a .npz file or a folder with one array (n, ...) per modality,
                  under the names of the features and with the same rows"""

LABELS, GROUPS = ("labels", "label"), ("groups", "group")
DAMAGED = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


class Source(NamedTuple):
    """The arguments of :func:`umt_lib.guide.recommend`, and the name of where they were read."""

    features: dict[str, np.ndarray]
    labels: np.ndarray
    groups: np.ndarray | None
    name: str
    extra: dict[str, np.ndarray] | None = None


def load(source: str) -> Source:
    """Read a file or a folder; :data:`FORMATS` describes what is understood.

    Raises:
        StudyError: nothing of that name, a file that cannot be read, no labels, or a column that
            belongs to no modality.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/mine.npz", audio=np.zeros((3, 2)), labels=[0, 1, 1])
    ...     load(f"{folder}/mine.npz").labels.tolist()
    [0, 1, 1]
    """
    path = Path(source)
    if path.is_dir():
        return _named(path, _folder(path))
    if path.exists():
        kinds = {".npz": _npz, ".csv": _table, ".parquet": _table}
        if path.suffix not in kinds:
            fix = "its folder" if path.suffix == ".npy" else "a folder of npy files"
            raise StudyError(
                f"{path}: the guide does not know this kind of file; give {', '.join(kinds)} or "
                f"{fix}"
            )
        return _named(path, kinds[path.suffix](path))
    raise StudyError(f"{path}: no such file or folder; check the path")


def inputs(source: str, like: Source) -> dict[str, np.ndarray]:
    """Principal components {modality: (n, c)} of the raw inputs in an npz file or a folder.

    Args:
        like: the features of the same samples.

    Raises:
        StudyError: a file that cannot be read, a modality or rows that are missing, no numbers.
    """
    path = Path(source)
    if not path.exists():
        raise StudyError(f"{path}: no such file or folder of inputs; check the path")
    arrays = _folder(path) if path.is_dir() else _npz(path)
    if set(arrays) != set(like.features):
        raise StudyError(
            f"{path}: holds inputs of {sorted(arrays)}, {like.name} features of "
            f"{sorted(like.features)}; give one array of each by the same names"
        )
    for m, x in arrays.items():
        if x.dtype.kind not in "biuf" or x.ndim < 2 or len(x) != len(like.labels):
            raise StudyError(
                f"{path}: {m!r} has shape {x.shape} and holds {x.dtype}; give numbers, one row for "
                f"each of the {len(like.labels)} labels, shape (n, ...)"
            )
        if not np.isfinite(x).all():
            row = int(np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))[0])
            raise StudyError(f"{path}: {m!r} holds NaN or infinity, first in row {row}; repair it")
    return {m: components.components(x, x) for m, x in arrays.items()}


def _npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                why = "it is truncated or not an npz archive"
                raise StudyError(_unreadable(path, why, "save it again with np.savez"))
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            return {
                name: _read(path, name, lambda key=name: archive[key]) for name in archive.files
            }
    except DAMAGED as error:
        raise StudyError(_unreadable(path, error, "save it again with np.savez")) from None


def _folder(path: Path) -> dict[str, np.ndarray]:
    files = sorted(path.glob("*.npy"))
    if not files:
        raise StudyError(
            f"{path}: the folder holds no npy files; save one per modality, and labels.npy"
        )
    return {
        f.stem: _read(f, f.stem, lambda f=f: np.load(f, mmap_mode="r", allow_pickle=False))
        for f in files
    }


def _read(path: Path, name: str, read) -> np.ndarray:
    try:
        return read()
    except MemoryError:
        raise StudyError(
            f"{path}: array {name!r} does not fit into memory; save the arrays as a folder of npy "
            f"files, which are read in parts"
        ) from None
    except DAMAGED as error:
        if "pickle" in str(error):
            why = "it holds Python objects or is not an array"
            fix = "save plain numbers, and labels as numbers or str"
            raise StudyError(_unreadable(path, why, fix, name)) from None
        raise StudyError(_unreadable(path, error, "save it again with numpy", name)) from None


def _table(path: Path) -> dict[str, np.ndarray]:
    try:
        if path.suffix == ".csv":
            frame = pd.read_csv(path, low_memory=False)
            header = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0]
            if header.duplicated().any():
                twice = str(header[header.duplicated()].iloc[0])
                raise StudyError(
                    f"{path}: column {twice!r} occurs twice; rename one or leave it out"
                )
        else:
            frame = pd.read_parquet(path)
    except ImportError:
        raise StudyError(
            f"{path}: reading parquet needs pyarrow; run pip install -e '.[parquet]', or save a csv"
        ) from None
    except MemoryError:
        raise StudyError(
            f"{path}: does not fit into memory; save the arrays as a folder of npy files, "
            f"which are read in parts"
        ) from None
    except (*DAMAGED, pd.errors.ParserError) as error:
        raise StudyError(_unreadable(path, error, "save it again with pandas")) from None
    columns: dict[str, list[str]] = {}
    for column in map(str, frame.columns):
        if column not in (*LABELS, *GROUPS):
            columns.setdefault(_modality(path, column), []).append(column)
    frame.columns = frame.columns.astype(str)
    arrays = {}
    for m, names in columns.items():
        for column in names:
            if frame[column].dtype.kind not in "biuf":
                raise StudyError(
                    f"{path}: column {column!r} holds text instead of numbers; encode it as "
                    f"numbers first"
                )
        arrays[m] = frame[names].to_numpy(dtype=np.float64, na_value=np.nan)
    for column in (*LABELS, *GROUPS):
        if column in frame:
            if frame[column].isna().any():
                row = int(np.flatnonzero(frame[column].isna())[0])
                raise StudyError(f"{path}: column {column!r} is empty in row {row}; drop that row")
            arrays[column] = frame[column].to_numpy()
    return arrays


def _modality(path: Path, column: str) -> str:
    if "." in column:
        return column.split(".", 1)[0]
    if found := re.fullmatch(r"(.+)_\d+", column):
        return found.group(1)
    raise StudyError(
        f"{path}: column {column!r} belongs to no modality; name columns <modality>.<anything> or "
        f"<modality>_<number>, or leave it out{' (index=False)' if 'Unnamed' in column else ''}"
    )


def _named(path: Path, arrays: Mapping[str, np.ndarray]) -> Source:
    """Separate named arrays into features, labels and groups."""
    for one, other in (LABELS, GROUPS):
        if one in arrays and other in arrays:
            raise StudyError(f"{path}: there are both {one!r} and {other!r}; leave one out")
    found = [next((n for n in names if n in arrays), None) for names in (LABELS, GROUPS)]
    labels, groups = found
    if labels is None:
        names = ", ".join(arrays) or "nothing"
        raise StudyError(f"{path}: no array 'labels' (found: {names}); add the labels (n,)")
    features = {n: x for n, x in arrays.items() if n not in found}
    return Source(features, arrays[labels], None if groups is None else arrays[groups], str(path))


def _unreadable(path: Path, error: Exception | str, fix: str, name: str = "") -> str:
    where = f"{path}: array {name!r}" if name else f"{path}:"
    if isinstance(error, PermissionError):
        error, fix = "no permission", "fix the permissions"
    return f"{where} cannot be read ({' '.join(str(error).split())}); {fix}"
