"""Features from every place they are kept, and files that are none."""

from __future__ import annotations

import pickle
import re
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from umt_lib.errors import StudyError
from umt_lib.guide import checks, components, readers

A, B = np.random.default_rng(0).normal(size=(2, 40, 2))
Y = np.arange(40) % 2
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"
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
    drawn = checks.draw(labels, d + 2, 200, 0)
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
    (column,) = read.features["video"].T  # the others are 0
    assert abs(np.corrcoef(column, np.arange(200))[0, 1]) > 1 - 1e-9
    assert read.given == n
    assert time.perf_counter() - began < 30


def test_csv_columns_name_their_modality(tmp_path, table):
    path = tmp_path / "mine.csv"
    table.assign(group=Y).to_csv(path, index=False)
    source = readers.load(str(path))
    assert np.allclose(source.features["audio"], A)
    assert np.allclose(source.features["video"], B)
    assert source.labels.tolist() == table["label"].tolist()
    assert source.groups.tolist() == Y.astype(str).tolist()


def test_csv_may_mix_truth_values_and_numbers(tmp_path, table):
    table.assign(audio_1=A[:, 1] > 0).to_csv(tmp_path / "mine.csv", index=False)
    assert readers.load(str(tmp_path / "mine.csv")).features["audio"].dtype == np.float64


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"other": 1.0}, "column 'other' belongs to no modality; leave it out, or name columns"),
        ({"audio_1": "loud"}, "column 'audio_1' holds text instead of numbers; leave it out if"),
        ({"labels": 1}, "there are both 'labels' and 'label'; leave one out"),
        (
            {"label": np.where(Y, "y", None)},
            "column 'label' is empty or NaN in row 0 \\(the first below the header",
        ),
        (
            {"audio_1": [None, *A[1:, 1]]},
            "column 'audio_1' is empty or NaN in row 0 .*; fill it in",
        ),
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
    refused(path, "no column is named 'label' or 'labels'; add 'label'")
    table.rename(columns={"label": "class"}).to_csv(path, index=False)
    refused(path, r"no column is named 'label' .* with the labels \(such as 'class'\) to 'label'")


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
        (
            "e.csv",
            b"\xff\xfe\x00" * 30,
            "cannot be read .its text is not encoded in UTF-8.; save it",
        ),
        ("e.csv", "a_0,label\n1,Ä\n".encode("latin-1"), "not encoded in UTF-8.*pd.read_csv"),
        ("e.csv", "a_0,label\n1,x\n".encode("utf-16"), "not encoded in UTF-8.*utf-16 instead"),
        (
            "e.csv",
            b"a_0,b_0\n1,2\n1,2,3\n",
            r"\(line 3 has 3 columns, the lines above have 2\); give all lines the same number",
        ),
        ("e.zip", b"x", r"does not know this kind of file; give \.npz, .* a folder of npy files"),
        ("e.h5", b"x", "cannot be read .*; save it again, for example as npz"),
        ("e.mat", b"\x89HDF\r\n\x1a\n", "cannot be read .*; save it again, for example as npz"),
        ("e.npz", b"\x89HDF\r\n\x1a\n", r"is an HDF5 file; rename it to e\.h5"),
        ("e.mat", b"x" * 200, "cannot be read .*; save it again, for example as npz"),
        ("e.pt", b"x", r"cannot be read \(it .*\); save a dictionary of tensors with torch\.save"),
        (
            "e.csv",
            POINTER,
            "is a git-lfs pointer and not the data; fetch the file with git lfs pull",
        ),
        (
            "e.npz",
            POINTER,
            "is a git-lfs pointer and not the data; fetch the file with git lfs pull",
        ),
        ("e.csv", b"a_0,b_0,label\n", "has a header and no rows; save it again with the samples"),
        ("e.csv", b"a_0;b_0;label\n1,5;2;x\n", r"are separated by semicolons, not commas; save it"),
        ("e.csv", b"1,5;2,5;1\n2,5;3,5;0\n", r"separated by semicolons.*sep=';', decimal=','"),
        ("e.csv", b"a_0\tb_0\tlabel\n1\t2\tx\n", "are separated by tabs, not commas; save it"),
        (
            "e.csv",
            b"1,2,0\n3,4,1\n",
            "has no header, the first row holds numbers; name",
        ),
        ("e.csv", b"TP53,mir-21,label\n1,2,x\n", r"no column names its modality \(TP53, mir-21\);"),
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


def test_a_damaged_array_in_an_archive_of_another_compression_is_named(npz):
    with zipfile.ZipFile(npz) as plain, zipfile.ZipFile(npz.with_name("x.npz"), "w") as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name), zipfile.ZIP_LZMA)
    whole = bytearray(npz.with_name("x.npz").read_bytes())
    whole[60:160] = bytes(100)
    npz.write_bytes(whole)
    refused(npz, "array 'audio' cannot be read .*; save it again with numpy")


def test_python_objects_are_refused_not_unpickled(npz, folder):
    np.savez(npz, **{**GOOD, "labels": np.array(["n", "y"], dtype=object)[Y]})
    refused(npz, r"array 'labels' cannot be read .*Python objects.*labels\.astype\(str\)")
    np.save(folder / "labels.npy", np.array(["n", "y"], dtype=object)[Y], allow_pickle=True)
    with pytest.raises(StudyError, match=r"'labels' cannot be .*Python objects.*astype\(str\)"):
        readers.load(str(folder))
    (folder / "audio.npy").write_bytes(pickle.dumps(A))
    with pytest.raises(StudyError, match=r"array 'audio' cannot be read .*no npy array but a pick"):
        readers.load(str(folder))
    (folder / "audio.npy").write_bytes(POINTER)
    with pytest.raises(StudyError, match=r"audio\.npy: is a git-lfs pointer and not the data"):
        readers.load(str(folder))


def test_what_is_missing_is_named(tmp_path):
    refused(tmp_path, r"the folder holds no \.npy, \.pt, \.csv files; save one per modality, and")
    refused(tmp_path / "none.npz", "no such file or folder; check the path")
    np.savez(tmp_path / "mine.npz", audio=A)
    refused(tmp_path / "mine.npz", r"no array 'labels' \(found: audio\); add the labels")


def test_classes_of_a_csv_are_text_and_only_an_empty_cell_is_empty(tmp_path, table):
    path = tmp_path / "mine.csv"
    names = np.array(["null", "NA", "None", "nan", "1", "01", "001", "1.0"])[np.arange(40) % 8]
    table.assign(label=names, group=names[::-1]).to_csv(path, index=False)
    source = readers.load(str(path))
    assert source.labels.tolist() == names.tolist()
    assert source.groups.tolist() == names[::-1].tolist()
    table.assign(audio_1=np.where(Y, "NA", "1.5")).to_csv(path, index=False)
    refused(path, "column 'audio_1' is empty or NaN in row 1 ")


def test_capitals_in_the_kind_of_file_and_a_byte_order_mark_change_nothing(tmp_path, npz, table):
    npz.rename(tmp_path / "MINE.NPZ")
    assert (readers.load(str(tmp_path / "MINE.NPZ")).features["audio"] == A).all()
    path = tmp_path / "MINE.CSV"
    path.write_bytes(b"\xef\xbb\xbf" + table.to_csv(index=False).encode())
    assert list(readers.load(str(path)).features) == ["audio", "video"]


def test_tensors_are_read_and_other_objects_never_run(tmp_path):
    path = tmp_path / "mine.pt"
    tensors = {m: torch.from_numpy(x) for m, x in GOOD.items()}
    torch.save({**tensors, "audio": tensors["audio"].bfloat16(), "labels": Y.tolist()}, path)
    source = readers.load(str(path))
    assert np.allclose(source.features["audio"], A, atol=0.02)
    assert np.array_equal(source.features["video"], B)
    assert source.labels.tolist() == Y.tolist()
    torch.save({**tensors, "audio": Path("x")}, path)
    refused(path, r"cannot be read \(it holds Python objects\); save a dictionary of tensors")
    torch.save(tensors["audio"], path)
    refused(path, "holds one tensor; save a dictionary with one tensor per modality, and labels")
    torch.save({**tensors, "audio": {"layer": tensors["audio"]}}, path)
    refused(path, "'audio' is a dict and not a tensor; save a dictionary")


def test_a_folder_may_hold_one_csv_or_tensor_per_modality(tmp_path):
    np.savetxt(tmp_path / "audio.csv", A, delimiter=",")  # no header
    pd.DataFrame(B, columns=["TP53", "KRAS"]).to_csv(tmp_path / "video.csv", index=False)
    torch.save(torch.from_numpy(A), tmp_path / "depth.pt")
    (tmp_path / "labels.csv").write_text("\n".join(["01", "NA"] * 20) + "\n")
    (tmp_path / "._audio.csv").write_bytes(b"\x00\x05")
    source = readers.load(str(tmp_path))
    assert list(source.features) == ["audio", "depth", "video"]
    assert np.allclose(source.features["audio"], A)
    assert np.allclose(source.features["video"], B)
    assert source.labels.tolist() == ["01", "NA"] * 20
    (tmp_path / "labels.csv").write_text("label\n" + "\n".join("xy" * 20) + "\n")
    assert readers.load(str(tmp_path)).labels.tolist() == list("xy" * 20)
    np.save(tmp_path / "video.npy", B)
    refused(tmp_path, "there are two files 'video'; leave one out")


def tables(folder: Path, header: bool = True, index: bool = False, **arrays: np.ndarray) -> None:
    """One csv file per array, as pandas writes arrays without names."""
    for name, x in arrays.items():
        pd.DataFrame(x).to_csv(folder / f"{name}.csv", index=index, header=header)


@pytest.mark.parametrize("row", ["x,0.5,1,2", "x,0.5,1,", "7,x,0.5,1"])
def test_a_csv_with_a_cell_too_many_is_refused(tmp_path, row):
    path = tmp_path / "mine.csv"
    path.write_text("label,audio_0,video_0\n" + f"{row}\n" * 4)
    refused(path, "line 2 has 4 cells, the header has 3; give every column a name, or leave out")
    tables(tmp_path, audio=A, video=B, labels=Y)
    table = tmp_path / "audio.csv"
    table.write_text("\n\nlow,high\n" + "1,2,3\n" * 40)
    with pytest.raises(StudyError, match=r"audio\.csv: line 4 has 3 cells, the header has 2; give"):
        readers.load(str(tmp_path))


def test_a_comma_at_the_end_of_every_line_is_no_column(tmp_path, table):
    path = tmp_path / "mine.csv"
    path.write_text(table.to_csv(index=False).replace("\n", ",\n"))
    source = readers.load(str(path))
    assert np.allclose(source.features["video"], B)
    assert source.labels.tolist() == table["label"].tolist()
    tables(tmp_path, header=False, audio=A, labels=Y)
    (tmp_path / "video.csv").write_text("left,right,\n" + "1,2,\n" * 40)
    audio = tmp_path / "audio.csv"
    audio.write_text(audio.read_text().replace("\n", ",\n"))
    path.unlink()
    source = readers.load(str(tmp_path))
    assert np.allclose(source.features["audio"], A)
    assert source.features["video"].shape == (40, 2)
    path.write_text("label,audio_0,video_0,\n" + "x,1,2,\n" * 3 + "x,1,2,3\n")
    refused(path, "column 'Unnamed: 3' belongs to no modality; leave it out")


@pytest.mark.parametrize("name", ["mine.csv", "labels.csv", "audio.csv"])
def test_a_quote_that_is_not_closed_is_named_in_a_long_file(tmp_path, name):
    tables(tmp_path, audio=A, video=B, labels=Y)
    (tmp_path / name).write_text('label,"audio_0,video_0\n' + "x,1,2\n" * 30_000)
    source = tmp_path / name if name == "mine.csv" else tmp_path
    with pytest.raises(StudyError) as refusal:
        readers.load(str(source))
    assert str(refusal.value) == (
        f"{tmp_path / name}: cannot be read (a quote is not closed, or a cell has more than 131072 "
        f"characters); close or remove the quote"
    )


def test_blank_lines_above_the_header_change_nothing(tmp_path, table):
    path = tmp_path / "mine.csv"
    path.write_text("\n \n" + table.assign(label=[f"0{y}" for y in Y]).to_csv(index=False))
    assert readers.load(str(path)).labels.tolist() == [f"0{y}" for y in Y]


def test_the_header_that_pandas_writes_above_an_array_is_no_sample(tmp_path):
    for labels in (Y, np.array(["n", "y"])[Y]):
        tables(tmp_path, audio=A, video=B[:, :1], labels=labels, groups=Y)
        source = readers.load(str(tmp_path))
        assert np.allclose(source.features["audio"], A)
        assert np.allclose(source.features["video"], B[:, :1])
        assert source.labels.tolist() == labels.astype(str).tolist()
        assert source.groups.tolist() == Y.astype(str).tolist()
    tables(tmp_path, header=False, labels=Y)  # the first label is 0
    assert readers.load(str(tmp_path)).labels.tolist() == Y.astype(str).tolist()


def test_a_first_row_that_may_be_a_header_or_a_sample_is_refused(tmp_path):
    tables(tmp_path, header=False, audio=A, video=np.eye(2, dtype=int)[1 - Y], labels=Y)
    with pytest.raises(
        StudyError, match=r"video\.csv: its first row \(0 to 1\) may be a header or"
    ):
        readers.load(str(tmp_path))
    one_hot = np.eye(2, dtype=int)[Y]
    pd.DataFrame(one_hot).add_prefix("video_").to_csv(tmp_path / "video.csv", index=False)
    assert np.array_equal(readers.load(str(tmp_path)).features["video"], one_hot)


@pytest.mark.parametrize("names", [["0", "1"], ["left", "right"]])
def test_an_index_is_no_feature(tmp_path, names):
    tables(tmp_path, audio=A, video=B, labels=Y)
    pd.DataFrame(A, columns=names).to_csv(tmp_path / "audio.csv")
    with pytest.raises(
        StudyError, match=r"audio\.csv: its first column is an index; .*index=False"
    ):
        readers.load(str(tmp_path))
    tables(tmp_path, audio=A)
    tables(tmp_path, index=True, labels=Y)
    with pytest.raises(StudyError, match=r"labels\.csv: has several columns.*index=False"):
        readers.load(str(tmp_path))


def test_a_header_that_only_labels_have_is_named(tmp_path):
    tables(tmp_path, header=False, audio=A, video=B)
    pd.DataFrame({"class": Y}).to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(StudyError) as refusal:
        readers.load(str(tmp_path))
    assert str(refusal.value) == (
        f"{tmp_path / 'labels.csv'}: has 41 rows, every modality 40; if the first row 'class' is a "
        f"header, rename it to 'labels' or leave it out (header=False)"
    )


@pytest.fixture(params=["npz", "compressed", "fortran", "folder"])
def raw(request, tmp_path) -> Path:
    """Raw inputs in each of the ways they are kept; GOOD are their features."""
    rng = np.random.default_rng(0)
    arrays = {m: rng.normal(size=(40, 6, 5)).astype(np.float32) for m in ("audio", "video")}
    if request.param == "folder":
        (tmp_path / "raw").mkdir()
        for m, x in arrays.items():
            np.save(tmp_path / "raw" / f"{m}.npy", x)
        return tmp_path / "raw"
    if request.param == "fortran":
        arrays = {m: np.asfortranarray(x) for m, x in arrays.items()}
    save = np.savez_compressed if request.param == "compressed" else np.savez
    save(tmp_path / "raw.npz", **arrays)
    return tmp_path / "raw.npz"


def test_raw_inputs_are_read_in_the_rows_in_use(raw):
    like = readers.Source({"audio": A, "video": B}, Y, None, "mine.npz")
    rows = np.array([3, 8, 9, 30, 31, 39])
    found = readers.inputs(str(raw), like)(rows)
    x = np.random.default_rng(0).normal(size=(40, 6, 5)).astype(np.float32)
    assert np.allclose(found["audio"], components.components(x[rows], x[rows]))
    assert set(found) == {"audio", "video"}


def test_raw_inputs_take_the_memory_of_their_rows(tmp_path):
    n, d = 1000, 6000
    x = np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)  # 24 MB
    np.savez(tmp_path / "raw.npz", audio=x, video=x)
    like = readers.Source(dict.fromkeys(("audio", "video"), np.zeros((n, 2))), Y, None, "mine")
    like = like._replace(labels=np.arange(n) % 2)
    for rows, most in ((np.arange(n), 2 * x.nbytes), (np.arange(0, n, 10), x.nbytes)):
        tracemalloc.start()
        readers.inputs(str(tmp_path / "raw.npz"), like)(rows)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most  # one copy in float64 takes 2 * x.nbytes


def with_byte(path: Path, at: int, value: int) -> None:
    """Change one byte of the header of every file in a zip file, and of its copy at the end."""
    content = bytearray(path.read_bytes())
    for header, before in ((rb"PK\x03\x04", 0), (rb"PK\x01\x02", 2)):
        for found in re.finditer(header, bytes(content)):
            content[found.start() + before + at] = value
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("at", "value", "sentence"),
    [(6, 1, "is encrypted"), (8, 99, "compression method is not")],
)
def test_an_npz_that_python_cannot_unpack_is_refused(npz, at, value, sentence):
    raw = npz.with_name("raw.npz")
    np.savez(raw, audio=A, video=B)
    source = readers.load(str(npz))
    for path in (raw, npz):
        with_byte(path, at, value)
        with pytest.raises(StudyError, match=sentence) as refusal:
            readers.inputs(str(raw), source) if path == raw else readers.load(str(npz))
        assert str(refusal.value).startswith(f"{path}: ")
        assert "\n" not in str(refusal.value)


def test_raw_inputs_that_are_damaged_are_named(npz):
    raw, source = npz.with_name("raw.npz"), readers.load(str(npz))
    np.savez(raw, audio=A, video=B)
    raw.write_bytes(b"XXXX" + raw.read_bytes()[4:])
    with pytest.raises(StudyError, match=r"raw\.npz: array 'audio' cannot be read .*; save it"):
        readers.inputs(str(raw), source)


def test_other_files_within_raw_inputs_are_named(npz):
    raw, source = npz.with_name("raw.npz"), readers.load(str(npz))
    np.savez(raw, **{"part/audio": A, "part/video": B})
    with pytest.raises(
        StudyError, match=r"raw\.npz: holds inputs of \['part/audio', 'part/video'\]"
    ):
        readers.inputs(str(raw), source)
    columns = {f"part/{m}": z for m, z in source.features.items()}
    assert set(readers.inputs(str(raw), source._replace(features=columns))(np.arange(9))) == {
        "part/audio",
        "part/video",
    }
    np.savez(raw, audio=A, video=B)
    with zipfile.ZipFile(raw, "a") as archive:
        archive.writestr("README.txt", "hello")
    with pytest.raises(StudyError, match=r"raw\.npz: holds 'README\.txt', which is no npy array;"):
        readers.inputs(str(raw), source)


def test_raw_inputs_whose_squares_overflow_are_refused(npz):
    raw, source = npz.with_name("raw.npz"), readers.load(str(npz))
    np.savez(raw, audio=A, video=np.where(np.arange(40)[:, None] == 3, 1e308, B))
    extra = readers.inputs(str(raw), source)
    with pytest.raises(StudyError, match=r"'video' holds NaN, .* beyond 1e\+30, first in row 3 \("):
        extra(np.arange(40))
    np.savez(raw, audio=A.astype(np.float16), video=B > 0)
    assert set(readers.inputs(str(raw), source)(np.arange(40))) == {"audio", "video"}


def test_raw_inputs_that_say_nothing_are_refused_without_a_warning(tmp_path):
    like = readers.Source({"audio": A, "video": B}, Y, None, "mine.npz")
    np.savez(tmp_path / "raw.npz", audio=A, video=np.full((40, 3), 7))
    extra = readers.inputs(str(tmp_path / "raw.npz"), like)
    with pytest.raises(StudyError, match=r"raw\.npz: 'video' is the same for all samples"):
        extra(np.arange(40))
    assert components.components(np.full((40, 3), 7), np.full((5, 3), 7)).tolist() == [[0.0]] * 5
