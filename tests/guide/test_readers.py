"""Features from every place they are kept, and files that are none."""

from __future__ import annotations

import pickle
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from umt_lib.errors import StudyError
from umt_lib.guide import checks, readers

A, B = np.random.default_rng(0).normal(size=(2, 40, 2))
Y = np.arange(40) % 2
GOOD = {"audio": A, "video": B, "labels": Y}


@pytest.fixture
def npz(tmp_path) -> Path:
    np.savez(tmp_path / "mine.npz", **GOOD)
    return tmp_path / "mine.npz"


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "arrays"
    path.mkdir()
    for name, array in GOOD.items():
        np.save(path / f"{name}.npy", array)
    return path


@pytest.fixture
def table() -> pd.DataFrame:
    columns = ["audio_0", "audio_1", "video.mean", "video.top"]
    return pd.DataFrame(np.hstack([A, B]), columns=columns).assign(label=np.array(["n", "y"])[Y])


def refused(source: Path | str, sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence) as caught:
        readers.load(str(source))
    assert str(caught.value).startswith(str(source))
    assert "\n" not in str(caught.value)


def test_npz_holds_one_array_per_modality(tmp_path, npz):
    source = readers.load(str(npz))
    assert list(source.features) == ["audio", "video"]
    assert (source.features["audio"] == A).all()
    assert (source.labels == Y).all()
    assert source.groups is None
    assert source.name == str(npz)
    np.savez(npz, **GOOD, groups=Y + 5)
    assert readers.load(str(npz)).groups.tolist() == (Y + 5).tolist()


def test_a_folder_is_memory_mapped(folder):
    source = readers.load(str(folder))
    assert isinstance(source.features["audio"], np.memmap)
    assert (source.features["video"] == B).all()


def test_an_array_larger_than_memory_is_read_where_it_is_drawn(tmp_path):
    n, d = 2**18, 2**14
    rng, labels = np.random.default_rng(0), np.arange(n) % 2
    drawn = checks._subset(labels, d + 2, 200, 0)
    np.save(tmp_path / "audio.npy", rng.normal(size=(n, 2)).astype(np.float32))
    np.save(tmp_path / "labels.npy", labels.astype(np.int8))
    video = np.lib.format.open_memmap(tmp_path / "video.npy", "w+", np.float64, (n, d))
    video[drawn, 0] = 1 + np.arange(200)
    video[np.setdiff1d(np.arange(1000), drawn)[:9]] = np.nan  # would be refused if it were read
    del video
    file = (tmp_path / "video.npy").stat()
    assert file.st_size > 34e9
    assert file.st_blocks * 512 < 1e8  # sparse: what was never written takes no room
    source, began = readers.load(str(tmp_path)), time.perf_counter()
    read = checks.checked(source.features, source.labels, None, 5, 200, 0, source.name)
    assert read.features["video"][:, 0].tolist() == list(range(1, 201))
    assert read.given == n
    assert time.perf_counter() - began < 30


def test_csv_columns_name_their_modality(tmp_path, table):
    path = tmp_path / "mine.csv"
    table.assign(group=Y).to_csv(path, index=False)
    source = readers.load(str(path))
    assert np.allclose(source.features["audio"], A)
    assert np.allclose(source.features["video"], B)
    assert source.labels.tolist() == table["label"].tolist()
    assert source.groups.tolist() == Y.tolist()


def test_csv_may_mix_truth_values_and_numbers(tmp_path, table):
    table.assign(audio_1=A[:, 1] > 0).to_csv(tmp_path / "mine.csv", index=False)
    assert readers.load(str(tmp_path / "mine.csv")).features["audio"].dtype == np.float64


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"other": 1.0}, "column 'other' belongs to no modality; name columns"),
        ({"audio_1": "loud"}, "column 'audio_1' holds text instead of numbers; encode it"),
        ({"labels": 1}, "there are both 'labels' and 'label'; leave one out"),
        ({"label": np.where(Y, "y", None)}, "column 'label' is empty in row 0; drop that row"),
    ],
)
def test_columns_that_cannot_be_used_are_named(tmp_path, table, change, sentence):
    path = tmp_path / "mine.csv"
    table.assign(**change).to_csv(path, index=False)
    refused(path, sentence)


def test_a_column_that_is_there_twice_or_is_the_index_is_named(tmp_path, table):
    path = tmp_path / "mine.csv"
    table.to_csv(path)
    refused(path, r"column 'Unnamed: 0' .*\(index=False\)")
    table.rename(columns={"audio_1": "audio_0"}).to_csv(path, index=False)
    refused(path, "column 'audio_0' occurs twice; rename one")
    table.drop(columns="label").to_csv(path, index=False)
    refused(path, r"no array 'labels' \(found: audio, video\); add the labels")


def test_parquet_is_read_or_says_what_it_needs(tmp_path, table, monkeypatch):
    path = tmp_path / "mine.parquet"
    table.to_parquet(path)
    found = readers.load(str(path))
    assert list(found.features) == ["audio", "video"]
    csv = tmp_path / "mine.csv"
    table.to_csv(csv, index=False)
    same = readers.load(str(csv))
    for m, z in found.features.items():
        np.testing.assert_allclose(z, same.features[m])
    path.write_bytes(path.read_bytes()[:-20])
    refused(path, "mine.parquet")

    def without(*_):
        raise ImportError

    monkeypatch.setattr(pd, "read_parquet", without)
    refused(path, r"reading parquet needs pyarrow; run pip install -e '.\[parquet\]', or save a")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("e.npz", b"", r"cannot be read .*; save it again with np\.savez"),
        ("e.npz", b"hello", r"cannot be read .*; save it again with np\.savez"),
        ("e.npz", pickle.dumps(GOOD), r"cannot be read .*; save it again with np\.savez"),
        ("e.csv", b"", "cannot be read .*; save it again with pandas"),
        ("e.csv", b"\xff\xfe\x00" * 30, "cannot be read .*; save it again with pandas"),
        ("e.csv", b"a_0,b_0\n1,2\n1,2,3\n", "cannot be read .*; save it again with pandas"),
        ("e.h5", b"x", r"does not know this kind of file; give \.npz, .* a folder of npy files"),
        ("e.npy", b"x", "does not know this kind of file; give .* or its folder"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, sentence)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
def test_a_truncated_npz_is_refused(npz, share):
    whole = npz.read_bytes()
    npz.write_bytes(whole[: int(share * len(whole))])
    refused(npz, r"cannot be read .*; save it again with np\.savez")


def test_a_damaged_array_is_named(npz, folder):
    whole = bytearray(npz.read_bytes())
    whole[300:400] = bytes(100)
    npz.write_bytes(whole)
    refused(npz, "array 'audio' cannot be read .*; save it again with numpy")
    video = folder / "video.npy"
    video.write_bytes(video.read_bytes()[:200])
    with pytest.raises(StudyError, match=r"video\.npy: array 'video' cannot be read .*; save"):
        readers.load(str(folder))


def test_python_objects_are_refused_not_unpickled(npz, folder):
    np.savez(npz, **{**GOOD, "labels": np.array(["n", "y"], dtype=object)[Y]})
    refused(npz, "array 'labels' cannot be read .*Python objects.*; save plain numbers")
    (folder / "audio.npy").write_bytes(pickle.dumps(A))
    with pytest.raises(StudyError, match=r"array 'audio' cannot be read .*Python objects"):
        readers.load(str(folder))


def test_what_is_missing_is_named(tmp_path):
    refused(tmp_path, "the folder holds no npy files; save one per modality, and labels.npy")
    refused(tmp_path / "none.npz", "no such file or folder; check the path")
    np.savez(tmp_path / "mine.npz", audio=A)
    refused(tmp_path / "mine.npz", r"no array 'labels' \(found: audio\); add the labels")
