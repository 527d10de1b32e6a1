"""Read arrays from HDF5 files, which .mat files of version 7.3 are too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from umt_lib.errors import StudyError

START = b"\x89HDF"
MATLAB = b"MATLAB 7.3"  # the first bytes of a .mat file of version 7.3


def written_by_matlab(path: Path) -> bool:
    """Whether an HDF5 file is one that MATLAB has written, in which arrays are transposed."""
    with path.open("rb") as file:
        return path.suffix.lower() == ".mat" or file.read(len(MATLAB)) == MATLAB


def variables(path: Path) -> dict[str, Any]:
    """The arrays of an HDF5 file, {name: array}; a group is a dictionary of arrays.

    Arrays that MATLAB has written are transposed.

    Raises:
        StudyError: references, such as the cells of MATLAB, and other things than arrays.
        Exception: anything, by h5py, from a file that is damaged.
    """
    import h5py

    with h5py.File(path, "r") as file:
        matlab = written_by_matlab(path)
        return {name: _read(path, file, name, matlab) for name in file if name[0] != "#"}


def _read(path: Path, group: Any, name: str, matlab: bool, deeper: bool = True) -> Any:
    """An array, or the arrays of a group; of a group within a group only the names."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise StudyError(_refused(path, name, "is a link", matlab))
    node = group[name]
    if "MATLAB_sparse" in node.attrs:
        raise StudyError(_refused(path, name, "is a sparse matrix", matlab))
    if isinstance(node, h5py.Group):
        if deeper:
            return {key: _read(path, node, key, matlab, deeper=False) for key in node}
        return dict.fromkeys(node)
    if not isinstance(node, h5py.Dataset):
        raise StudyError(_refused(path, name, "is a type and no array", matlab))
    if node.is_virtual or node.external:
        raise StudyError(_refused(path, name, "is stored in another file", matlab))
    if h5py.check_ref_dtype(node.dtype):
        what = "is a cell" if matlab else "holds references"
        raise StudyError(_refused(path, name, what, matlab))
    if matlab and node.attrs.get("MATLAB_class") == b"char":
        raise StudyError(_refused(path, name, "holds text", matlab))
    if h5py.check_string_dtype(node.dtype):
        return np.asarray(node.asstr("utf-8")[()]).astype(str)
    if node.dtype.kind not in "biuf":
        raise StudyError(_refused(path, name, f"holds {node.dtype}", matlab))
    array = np.asarray(node[()])
    return array.T if matlab else array


def _refused(path: Path, name: str, what: str, matlab: bool) -> str:
    which = "an HDF5 file" + (", such as a .mat file of version 7.3" if matlab else "")
    save = "with save(..., '-v7')" if matlab else "as numbers or with np.savez"
    return (
        f"{path}: {name!r} {what}, which the guide does not read from {which}; leave it out if it "
        f"is no modality, or save it {save}"
    )
