"""Read features, labels and groups from a file or a folder of files."""

from __future__ import annotations

import csv
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from scipy.io.matlab import MatReadError

from umt_lib.errors import StudyError
from umt_lib.guide import components, formats, hdf5, matlab
from umt_lib.guide.checks import LARGEST

T = TypeVar("T")

FORMATS = """\
file formats:
  .npz            one array (n, d) per modality, named after the modality;
                  labels (n,); optionally groups (n,), such as persons or videos
  .h5, .hdf5      the same arrays as datasets, also in one group
  .mat            the same arrays, (n, d) or (d, n), also as fields of one
                  struct, with labels Y or gt, or with a cell X of one array
                  per modality (not in version 7.3)
  .pt             the same arrays in a dictionary of tensors
  folder          the same arrays as NAME.npy, NAME.pt or NAME.csv (numbers in
                  UTF-8, with or without a header); .npy files are
                  memory-mapped, so they may be larger than memory
  .csv, .parquet  a column "label" or "labels", optionally "group" or "groups";
                  every other column is named MODALITY.ANYTHING (the modality is
                  the part before the first dot) or MODALITY_NUMBER; parquet
                  needs pyarrow
  --inputs        a .npz file or a folder with one .npy array (n, ...) per
                  modality, under the names of the features and with the same
                  rows"""

LABELS, GROUPS = matlab.LABELS, matlab.GROUPS
MISSING = ["", "nan", "NaN", "NA", "N/A", "n/a", "null", "NULL", "None"]  # in a column of numbers
IN_FOLDERS = (".npy", ".pt", ".csv")
IN_PARSERS = (LookupError, ArithmeticError, TypeError, MatReadError)
DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    RuntimeError,  # an npz that is encrypted, or compressed in another way than zip files are
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    csv.Error,
)


Extra = Callable[[np.ndarray], dict[str, np.ndarray]]


class Stored(NamedTuple):
    """An array in a file, of which rows are read."""

    shape: tuple[int, ...]
    dtype: np.dtype
    rows: Callable[[np.ndarray], np.ndarray]


class Source(NamedTuple):
    """The arguments of :func:`umt_lib.guide.recommend`, and the name of where they were read."""

    features: dict[str, np.ndarray]
    labels: np.ndarray
    groups: np.ndarray | None
    name: str
    extra: dict[str, np.ndarray] | Extra | None = None


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
        kinds: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
            ".npz": _npz,
            ".csv": _table,
            ".parquet": _table,
            ".h5": _hdf5,
            ".hdf5": _hdf5,
            ".mat": _mat,
            ".pt": _pt,
            ".pth": _pt,
        }
        formats.check_content(path)
        kind = path.suffix.lower()
        if kind not in kinds:
            fix = "its folder" if kind == ".npy" else "a folder of npy files"
            raise StudyError(
                f"{path}: the guide does not know this kind of file; give {', '.join(kinds)} or "
                f"{fix}"
            )
        return _named(path, kinds[kind](path))
    raise StudyError(f"{path}: no such file or folder; check the path")


def inputs(source: str, like: Source) -> Extra:
    """A function from row numbers to principal components {modality: (rows, c)} of raw inputs.

    It reads the given rows of an npz file or a folder of npy files, one modality at a time.

    Args:
        like: the features of the same samples.

    Raises:
        StudyError: a file that cannot be read, a modality or rows that are missing, no numbers.
    """
    path = Path(source)
    if not path.exists():
        raise StudyError(f"{path}: no such file or folder of inputs; check the path")
    if path.is_dir():
        arrays = {name: Stored(x.shape, x.dtype, x.__getitem__) for name, x in _maps(path).items()}
    else:
        formats.check_content(path)
        arrays = _stored(path)
    if set(arrays) != set(like.features):
        raise StudyError(
            f"{path}: holds inputs of {sorted(arrays)}, {like.name} features of "
            f"{sorted(like.features)}; give one npy array of each by the same names"
        )
    for m, x in arrays.items():
        if x.dtype.kind not in "biuf" or len(x.shape) < 2 or x.shape[0] != len(like.labels):
            raise StudyError(
                f"{path}: {m!r} has shape {x.shape} and holds {x.dtype}; give numbers, one row for "
                f"each of the {len(like.labels)} labels, shape (n, ...)"
            )

    def extra(rows: np.ndarray) -> dict[str, np.ndarray]:
        return {m: _components(path, m, x, rows) for m, x in arrays.items()}

    return extra


def _components(path: Path, name: str, stored: Stored, rows: np.ndarray) -> np.ndarray:
    x = _read(path, name, partial(stored.rows, rows)).reshape(len(rows), -1)
    first, same = x[0].copy(), True
    for row, values in zip(rows, x, strict=True):
        if not (np.abs(values.astype(np.float64)) < LARGEST).all():  # false for NaN as well
            raise StudyError(
                f"{path}: {name!r} holds NaN, infinity or a number beyond {LARGEST:g}, first in "
                f"row {row} (the first is 0); repair or drop that sample"
            )
        same = same and bool((values == first).all())
    if same:
        raise StudyError(
            f"{path}: {name!r} is the same for all samples, so it carries no information; check "
            f"how the inputs were saved"
        )
    return components.components(x, x)


def _stored(path: Path) -> dict[str, Stored]:
    """The arrays of an npz file, whose rows are read when they are used."""
    arrays = {}
    for member in _members(path):
        name = member.removesuffix(".npy")
        if name == member:
            raise StudyError(
                f"{path}: holds {member!r}, which is no npy array; leave it out, or save the "
                f"arrays again with np.savez"
            )
        shape, dtype = _read(path, name, partial(_npz_header, path, name))[:2]
        arrays[name] = Stored(shape, dtype, partial(_npz_rows, path, name))
    return arrays


def _npz_header(path: Path, name: str) -> tuple[tuple[int, ...], np.dtype, bool]:
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        return formats.npy_header(file)


def _npz_rows(path: Path, name: str, rows: np.ndarray) -> np.ndarray:
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        return formats.npy_rows(file, rows)


def _members(path: Path) -> list[str]:
    """The names of the files in an npz file."""
    try:
        with path.open("rb") as file:
            _check_archive(file, path)
            with zipfile.ZipFile(file) as archive:
                return archive.namelist()
    except DAMAGED as error:
        raise StudyError(_unreadable(path, error, "save it again with np.savez")) from None


def _check_archive(file: BinaryIO, path: Path) -> None:
    if not zipfile.is_zipfile(file):
        why = "it is truncated or not an npz archive"
        raise StudyError(_unreadable(path, why, "save it again with np.savez"))


def _npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:
            _check_archive(file, path)
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            return {
                name: _read(path, name, partial(archive.__getitem__, name))
                for name in archive.files
            }
    except DAMAGED as error:
        raise StudyError(_unreadable(path, error, "save it again with np.savez")) from None


def _folder(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a folder, by the names of their files."""
    arrays: dict[str, np.ndarray] = {}
    files = folder_files(path)
    if not files:
        raise StudyError(
            f"{path}: the folder holds no {', '.join(IN_FOLDERS)} files; save one per modality, "
            f"and one of the labels, such as labels.npy"
        )
    for file in files:
        if file.suffix.lower() == ".npy":
            continue
        formats.check_content(file)
        if file.stem in arrays:
            raise StudyError(f"{path}: there are two files {file.stem!r}; leave one out")
        if file.suffix.lower() == ".csv":
            arrays[file.stem] = _parsed(file, partial(formats.plain_csv, file))
        else:
            tensor = formats.pytorch(file)
            if isinstance(tensor, dict):
                raise StudyError(f"{file}: holds several tensors; give this file instead of {path}")
            arrays[file.stem] = tensor
    maps = _maps(path)
    if both := sorted(set(maps) & set(arrays)):
        raise StudyError(f"{path}: there are two files {both[0]!r}; leave one out")
    arrays |= maps
    tables = [file for file in files if file.suffix.lower() == ".csv"]
    for file in tables:
        if file.stem in formats.TEXT_COLUMNS:
            arrays[file.stem] = _without_header(file, arrays, tables)
    return dict(sorted(arrays.items()))


def _without_header(file: Path, arrays: dict[str, np.ndarray], tables: list[Path]) -> np.ndarray:
    """The labels or groups of a csv file without the header ``0`` that pandas writes.

    It is a header if the modalities have one, too, and one row less.

    Raises:
        StudyError: the modalities have one row less for another reason, such as another header.
    """
    column = arrays[file.stem]
    rows = {x.shape[:1] for name, x in arrays.items() if name not in formats.TEXT_COLUMNS}
    if rows != {(len(column) - 1,)}:
        return column
    modalities = [table for table in tables if table.stem not in formats.TEXT_COLUMNS]
    if column[0] == "0" and any(formats.numbered(formats.first_row(m)) for m in modalities):
        return column[1:]
    raise StudyError(
        f"{file}: has {len(column)} rows, every modality {len(column) - 1}; if the first row "
        f"{str(column[0])!r} is a header, rename it to {file.stem!r} or leave it out "
        f"(header=False)"
    )


def folder_files(path: Path) -> list[Path]:
    """The files of a folder that hold arrays; hidden files are not read."""
    found = (f for f in path.iterdir() if f.suffix.lower() in IN_FOLDERS and f.name[:1] != ".")
    return sorted(found)


def _maps(path: Path) -> dict[str, np.ndarray]:
    """The npy files of a folder, memory-mapped."""
    arrays = {}
    for f in (file for file in folder_files(path) if file.suffix.lower() == ".npy"):
        formats.check_content(f)
        load = partial(np.load, f, mmap_mode="r", allow_pickle=False)
        arrays[f.stem] = _read(f, f.stem, load)
    return arrays


def _mat(path: Path) -> dict[str, np.ndarray]:
    return _parsed(path, partial(matlab.arrays, path))


def _hdf5(path: Path) -> dict[str, np.ndarray]:
    if hdf5.written_by_matlab(path):
        return _mat(path)
    content = matlab.opened(path, _parsed(path, partial(hdf5.variables, path)), LABELS)
    for name, value in content.items():
        if isinstance(value, dict):
            raise StudyError(matlab.nested_sentence(path, name, value))
    return content


def _pt(path: Path) -> dict[str, np.ndarray]:
    arrays = formats.pytorch(path)
    if not isinstance(arrays, dict):
        raise StudyError(
            f"{path}: holds one tensor; save a dictionary with one tensor per modality, and labels"
        )
    return arrays


def _parsed(path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except MemoryError:
        raise StudyError(
            f"{path}: does not fit into memory; save the arrays as a folder of npy files, which "
            f"are read in parts"
        ) from None
    except (*DAMAGED, *IN_PARSERS, pd.errors.ParserError) as error:
        raise StudyError(_unreadable(path, error, "save it again, for example as npz")) from None


def _read(path: Path, name: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except MemoryError:
        raise StudyError(
            f"{path}: array {name!r} does not fit into memory; save the arrays as a folder of npy "
            f"files, which are read in parts"
        ) from None
    except DAMAGED as error:
        if "Object arrays" in str(error) or "Python objects in dtype" in str(error):
            why = "it holds Python objects"
            fix = "save plain numbers, and labels or groups as text with labels.astype(str)"
            raise StudyError(_unreadable(path, why, fix, name)) from None
        if "pickle" in str(error):
            why = "it is no npy array but a pickle of Python objects or another kind of file"
            raise StudyError(_unreadable(path, why, "save it with np.save", name)) from None
        raise StudyError(_unreadable(path, error, "save it again with numpy", name)) from None


def _table(path: Path) -> dict[str, np.ndarray]:
    try:
        frame = _csv(path) if path.suffix.lower() == ".csv" else pd.read_parquet(path)
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
    frame.columns = frame.columns.astype(str)
    if frame.empty:
        raise StudyError(f"{path}: has a header and no rows; save it again with the samples")
    columns: dict[str, list[str]] = {}
    nameless = []
    for column in frame.columns:
        if column in (*LABELS, *GROUPS):
            continue
        if modality := _modality(column):
            columns.setdefault(modality, []).append(column)
        else:
            nameless.append(column)
    labelled = any(name in frame for name in LABELS)
    if nameless and (labelled or not columns):
        raise StudyError(_without_modality(path, nameless, bool(columns)))
    if not labelled:
        some = " or ".join(map(repr, nameless[:3]))
        fix = f"rename the column with the labels (such as {some}) to" if nameless else "add"
        raise StudyError(f"{path}: no column is named 'label' or 'labels'; {fix} 'label'")
    arrays = {}
    for m, names in columns.items():
        for column in names:
            if frame[column].dtype.kind not in "biuf":
                raise StudyError(
                    f"{path}: column {column!r} holds text instead of numbers; leave it out if it "
                    f"is no feature, or encode it as numbers first"
                )
            _check_complete(path, frame, column)
        arrays[m] = frame[names].to_numpy(dtype=np.float64, na_value=np.nan)
    for column in (*LABELS, *GROUPS):
        if column in frame:
            _check_complete(path, frame, column)
            arrays[column] = frame[column].to_numpy()
    return arrays


def _check_complete(path: Path, frame: pd.DataFrame, column: str) -> None:
    if frame[column].isna().any():
        row = int(np.flatnonzero(frame[column].isna())[0])
        raise StudyError(
            f"{path}: column {column!r} is empty or NaN in row {row} (the first below the header "
            f"is 0); fill it in or drop that row"
        )


def _csv(path: Path) -> pd.DataFrame:
    """The table; labels and groups are text, and only an empty cell of them is empty."""
    header = formats.first_row(path)
    formats.check_separator(path, header)
    if header and formats.all_numbers(header):
        raise StudyError(
            f"{path}: has no header, the first row holds numbers; name the columns "
            f"<modality>_<number> and label, or save one csv file per modality and labels.csv in "
            f"a folder"
        )
    names = pd.Series(header)
    if names.duplicated().any():
        twice = str(names[names.duplicated()].iloc[0])
        raise StudyError(f"{path}: column {twice!r} occurs twice; rename one or leave it out")
    text = [name for name in (*LABELS, *GROUPS) if name in header]
    return formats.read_csv(
        path,
        low_memory=False,
        dtype=dict.fromkeys(text, str),
        keep_default_na=False,
        na_values={name: [""] if name in text else MISSING for name in header},
    )


def _modality(column: str) -> str | None:
    if "." in column:
        return column.split(".", 1)[0]
    found = re.fullmatch(r"(.+)_\d+", column)
    return found.group(1) if found else None


def _without_modality(path: Path, nameless: list[str], others: bool) -> str:
    """What is said about columns whose name begins with no modality."""
    if others:
        index = " (index=False)" if "Unnamed" in nameless[0] else ""
        return (
            f"{path}: column {nameless[0]!r} belongs to no modality; leave it out{index}, or name "
            f"columns <modality>.<anything> or <modality>_<number>"
        )
    some = ", ".join(nameless[:3])
    return (
        f"{path}: no column names its modality ({some}{', ...' if len(nameless) > 3 else ''}); "
        f"name columns <modality>.<anything>, such as audio.{nameless[0]}, or save one csv file "
        f"per modality and labels.csv in a folder"
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
    elif isinstance(error, UnicodeError):
        error = "its text is not encoded in UTF-8"
        fix = (
            "save it again as UTF-8, for example pd.read_csv(..., encoding='latin-1').to_csv(..., "
            "index=False), with utf-16 instead of latin-1 if that is its encoding"
        )
    elif "field limit" in str(error):
        error = (
            f"a quote is not closed, or a cell has more than {csv.field_size_limit()} characters"
        )
        fix = "close or remove the quote"
    elif ragged := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error)):
        expected, line, seen = ragged.groups()
        error = f"line {line} has {seen} columns, the lines above have {expected}"
        fix = "give all lines the same number of columns"
    return f"{where} cannot be read ({' '.join(str(error).split())}); {fix}"
