"""HDF5 files: plain ones, .mat files of version 7.3, and what is not read from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from feature_files import N, refused

from umt_lib.guide import readers

A = np.random.default_rng(0).normal(size=(N, 2))
B = np.random.default_rng(1).normal(size=(N, 3)).astype(np.float32)
Y = np.arange(N) % 2
HEADER = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"


def plain(path: Path, change: Callable[[h5py.File], object] = lambda file: None) -> Path:
    """An HDF5 file of two modalities and labels."""
    with h5py.File(path, "w") as file:
        file["audio"], file["video"], file["labels"] = A, B, Y
        change(file)
    return path


def matlab(path: Path, change: Callable[[h5py.File], object] = lambda file: None) -> Path:
    """The same as MATLAB writes it: a header in front, arrays transposed, their class."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, x in (("audio", A), ("video", B), ("Y", Y[:, None])):
            file[name] = x.T
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
        file.create_group("#refs#")
        change(file)
    with path.open("r+b") as file:
        file.write(HEADER)
    return path


@pytest.mark.parametrize(
    ("make", "name"),
    [(plain, "a.h5"), (plain, "a.HDF5"), (plain, "a.mat"), (matlab, "a.mat"), (matlab, "a.h5")],
)
def test_an_hdf5_file_is_read(tmp_path, make, name):
    source = readers.load(str(make(tmp_path / name)))
    assert list(source.features) == ["audio", "video"]
    assert np.array_equal(source.features["audio"], A)
    assert np.array_equal(source.features["video"], B)
    assert source.features["video"].dtype == np.float32
    assert source.labels.tolist() == Y.tolist()


@pytest.mark.parametrize("make", [plain, matlab])
def test_a_single_group_is_opened(tmp_path, make):
    def grouped(file: h5py.File) -> None:
        for name in [name for name in file if name[0] != "#"]:
            file.move(name, f"data/{name}")

    source = readers.load(str(make(tmp_path / "a.h5", grouped)))
    assert np.array_equal(source.features["video"], B)
    assert source.labels.tolist() == Y.tolist()


@pytest.mark.parametrize("fixed", [True, False])
def test_text_labels_are_read(tmp_path, fixed):
    names = np.array(["run", "wälzt"])[Y]

    def text(file: h5py.File) -> None:
        del file["labels"]
        file["labels"] = np.char.encode(names) if fixed else names.astype(object)

    assert readers.load(str(plain(tmp_path / "a.h5", text))).labels.tolist() == names.tolist()


def references(file: h5py.File) -> None:
    file.create_dataset("X", (1, 2), dtype=h5py.ref_dtype)[0] = [file["audio"].ref] * 2


def text(file: h5py.File) -> None:
    file["note"] = np.frombuffer(b"by us", np.uint8).astype(np.uint16)[:, None]
    file["note"].attrs["MATLAB_class"] = np.bytes_("char")


def sparse(file: h5py.File) -> None:
    file.create_group("S").attrs["MATLAB_sparse"] = np.uint64(N)


def elsewhere(file: h5py.File) -> None:
    file.create_dataset("X", (N, 2), "f8", external=[(b"/etc/passwd", 0, N * 16)])


def linked(file: h5py.File) -> None:
    file["X"] = h5py.ExternalLink("other.h5", "audio")


def loop(file: h5py.File) -> None:
    file.create_group("own")["again"] = file["/"]


@pytest.mark.parametrize(
    ("make", "change", "sentence"),
    [
        (plain, references, "'X' holds references, .*; leave it out .* with np.savez"),
        (matlab, references, r"'X' is a cell, .* of version 7\.3; leave it out .* '-v7'\)"),
        (matlab, text, "'note' holds text, .*; leave it out"),
        (matlab, sparse, r"'S' is a sparse matrix, .* save it with save\(..., '-v7'\)"),
        (plain, elsewhere, "'X' is stored in another file, .*; leave it out"),
        (plain, linked, "'X' is a link, .*; leave it out"),
        (plain, loop, r"'own' is no array but contains others \(again\); leave it out"),
        (matlab, loop, r"'own' is no array but contains others \(again\); leave it out"),
        (
            plain,
            lambda file: file.create_dataset("z", (N, 2), np.complex128),
            "'z' holds complex128, .*; leave it out",
        ),
        (
            plain,
            lambda file: file.create_dataset("ids", data=np.arange(N)),
            r"'ids' has shape \(40,\); leave it out",
        ),
        (
            plain,
            lambda file: file.move("labels", "targets"),
            r"no array 'labels' \(found: audio, targets, video\); add the labels",
        ),
        (
            plain,
            lambda file: file.create_dataset("huge", (2**48, 2**10), "f8", chunks=(1, 2**10)),
            "does not fit into memory; save the arrays as a folder of npy files",
        ),
    ],
)
def test_what_is_no_array_of_numbers_is_named(tmp_path, make, change, sentence):
    refused(make(tmp_path / f"a.{'h5' if make is plain else 'mat'}", change), sentence)


@pytest.mark.parametrize("make", [plain, matlab])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_hdf5_file_is_refused(tmp_path, make, share):
    path = make(tmp_path / f"a.{'h5' if make is plain else 'mat'}")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(path, "cannot be read .*; save it again, for example as npz")
