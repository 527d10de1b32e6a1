"""Read arrays from PyTorch and plain csv files, and single rows of an npy file."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import torch

from umt_lib.errors import StudyError
from umt_lib.guide import hdf5

POINTER = b"version https://git-lfs"
HDF5 = (".h5", ".hdf5", ".mat")
TEXT_COLUMNS = ("labels", "label", "groups", "group")
BLOCK = 2**22  # bytes of an npz read at once


def check_content(path: Path) -> None:
    """Refuse a file that holds something else than its name says.

    Raises:
        StudyError: a git-lfs pointer, or an HDF5 file of another name.
    """
    with path.open("rb") as file:
        start = file.read(len(POINTER))
    if start == POINTER:
        raise StudyError(
            f"{path}: is a git-lfs pointer and not the data; fetch the file with git lfs pull"
        )
    if start.startswith(hdf5.START) and path.suffix.lower() not in HDF5:
        raise StudyError(
            f"{path}: is an HDF5 file; rename it to {path.stem}.h5, or save its array with np.save "
            f"if it is one of a folder or of raw inputs"
        )


def pytorch(path: Path) -> Any:
    """The tensors of a .pt file as arrays: {name: array}, or one array for a single tensor.

    Raises:
        StudyError: the file is damaged, or holds something else than tensors, lists and numbers.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # of many kinds, if the file is damaged
        why = "it holds Python objects" if "eights" in str(error) else "it is damaged"
        raise StudyError(
            f"{path}: cannot be read ({why}); save a dictionary of tensors with torch.save"
        ) from None
    if isinstance(content, dict):
        return {str(name): _array(path, str(name), value) for name, value in content.items()}
    return _array(path, path.stem, content)


def _array(path: Path, name: str, value: object) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().to_dense() if value.layout != torch.strided else value.detach()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    if isinstance(value, list | tuple | int | float | str):
        try:
            return np.asarray(value)
        except ValueError:  # lists of different lengths
            pass
    raise StudyError(
        f"{path}: {name!r} is a {type(value).__name__} and not a tensor; save a dictionary with "
        f"one tensor per modality, and labels"
    )


def plain_csv(path: Path) -> np.ndarray:
    """The numbers (n, d) of one modality, or labels or groups (n,) as text.

    A first row that is no row of numbers is a header, and so is the row 0, 1, 2, ..., d - 1 that
    pandas writes above an array.

    Raises:
        StudyError: text instead of numbers, rows of different lengths, an index, or a first row
            that may be a header or a sample.
    """
    if path.stem in TEXT_COLUMNS:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
        if any(len(row) != 1 for row in rows):
            raise StudyError(
                f"{path}: has several columns; give one value per row, no index (index=False)"
            )
        column = [row[0] for row in rows]
        return np.array(column[1:] if column and column[0] in TEXT_COLUMNS else column)
    first = first_row(path)
    check_separator(path, first)
    if len(first) > 1 and not first[0] and (numbered(first[1:]) or not all_numbers(first)):
        raise StudyError(f"{path}: its first column is an index; save it without (index=False)")
    header = None if all_numbers(first) and not numbered(first) else 0
    frame = read_csv(path, header=header)
    for column, kind in frame.dtypes.items():
        if kind.kind not in "biuf":
            raise StudyError(
                f"{path}: column {str(column)!r} holds text instead of numbers; encode it as "
                f"numbers first, or leave it out"
            )
    values = frame.to_numpy(dtype=np.float64)
    if numbered(first) and (values == values.round()).all():
        raise StudyError(
            f"{path}: its first row ({first[0]} to {first[-1]}) may be a header or a sample; write "
            f"a header of names above the samples, such as {path.stem}_{first[0]}"
        )
    return values


def read_csv(path: Path, header: int | None = 0, **options: Any) -> pd.DataFrame:
    """The table in a csv file, without the empty column after a comma that ends every line.

    Args:
        header: 0, or None if there is no header.
        options: of ``pandas.read_csv``.

    Raises:
        StudyError: the row below the header has more cells than the header.
    """
    (_, first), *below = _first_rows(path, 2) or [(0, [])]
    for line, cells in below if header == 0 else ():
        # pandas takes the first columns for an index here, and refuses longer rows further below
        if len(cells) > len(first):
            raise StudyError(
                f"{path}: line {line} has {len(cells)} cells, the header has {len(first)}; give "
                f"every column a name, or leave out row names and commas at the end of lines"
            )
    frame = pd.read_csv(path, header=header, encoding="utf-8-sig", **options)
    if len(first) > 1 and not first[-1] and frame.iloc[:, -1].isin(["", np.nan]).all():
        return frame.iloc[:, :-1]
    return frame


def first_row(path: Path) -> list[str]:
    """The cells of the first row of a csv file; none if the file is empty."""
    return next((row for _, row in _first_rows(path, 1)), [])


def _first_rows(path: Path, count: int) -> list[tuple[int, list[str]]]:
    """The first rows of a csv file, each with the number of its line, without blank lines."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        rows = ((reader.line_num, row) for row in reader if len(row) > 1 or "".join(row).strip())
        return list(islice(rows, count))


def numbered(cells: list[str]) -> bool:
    """Whether these cells number the columns, as in the header that pandas writes by default.

    >>> numbered(["0", "1", "2"]), numbered(["0.0", "1.0", "2.0"])
    (True, False)
    """
    return bool(cells) and cells == [str(column) for column in range(len(cells))]


def all_numbers(cells: Iterable[str]) -> bool:
    """Whether these cells of a table are numbers, so that they are no header.

    >>> all_numbers(["1", "-2.5e3", ""]), all_numbers(["audio_0", "1"])
    (True, False)
    """
    try:
        [float(cell or 0) for cell in cells]
    except ValueError:
        return False
    return True


def check_separator(path: Path, first: list[str]) -> None:
    """Refuse a table whose columns are separated by something else than commas.

    Raises:
        StudyError: the first row shows semicolons, tabs or bars.
    """
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if sum(cell.count(mark) for cell in first) >= max(1, len(first) - 2):
            how = f"sep={mark!r}" + (", decimal=','" if mark == ";" else "")
            raise StudyError(
                f"{path}: its columns are separated by {name}, not commas; save it with commas and "
                f"decimal points, for example pd.read_csv(..., {how}).to_csv(..., index=False)"
            )


def npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Shape, type and column-major order of the array in npy format that begins here."""
    version = np.lib.format.read_magic(file)
    first = np.lib.format.read_array_header_1_0
    shape, fortran, dtype = (first if version == (1, 0) else np.lib.format.read_array_header_2_0)(
        file
    )
    if dtype.hasobject:
        raise ValueError("Object arrays are not read")
    return shape, dtype, fortran


def npy_rows(file: IO[bytes], rows: np.ndarray) -> np.ndarray:
    """The rows of an array in npy format; if it is not in column-major order, read in blocks."""
    shape, dtype, fortran = npy_header(file)
    if fortran and len(shape) > 1:  # its rows lie apart
        size = dtype.itemsize * int(np.prod(shape))
        whole = np.frombuffer(file.read(size), dtype).reshape(shape[::-1])
        return whole.T[rows]
    size = dtype.itemsize * int(np.prod(shape[1:]))
    found = np.empty((len(rows), *shape[1:]), dtype)
    step = max(1, BLOCK // max(1, size))
    for start in range(0, shape[0], step):
        count = min(step, shape[0] - start)
        block = np.frombuffer(file.read(count * size), dtype).reshape(count, *shape[1:])
        within = (rows >= start) & (rows < start + count)
        found[within] = block[rows[within] - start]
    return found
