"""Released features: found by either path, downloaded if missing, refused if altered."""

from __future__ import annotations

import hashlib
import io
import os

import numpy as np
import pooch
import pytest

from umt_lib.data import ave_features, github
from umt_lib.data.ave_features import FOLDERS, MODALITIES
from umt_lib.errors import StudyError

NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens there
FIRST = "all_feat/AVE/normal_fts/all_labels.npy"
REAL = [os.environ.get("UMT_DATA", ""), pooch.os_cache("umt_lib")]


def npy(array: np.ndarray) -> bytes:
    np.save(file := io.BytesIO(), array)
    return file.getvalue()


def contents() -> dict[str, bytes]:
    """Every file of the real layout, small; each has another number in it."""
    found = {}
    for i, folder in enumerate(FOLDERS.values()):
        found[f"all_feat/AVE/{folder}/all_labels.npy"] = npy(np.arange(4) % 2)
        for j, m in enumerate(MODALITIES):
            number = np.full((4, 3), 10.0 * i + j)
            found[f"all_feat/AVE/{folder}/{m}_features.npy"] = npy(number)
    return found


@pytest.fixture
def given(tmp_path, monkeypatch):
    """The folder $UMT_DATA/ave-features; checksums are those of the small files."""
    lists = tmp_path / "checksums"
    lists.mkdir()
    rows = [f"{hashlib.sha256(c).hexdigest()}  {len(c)}  {path}" for path, c in contents().items()]
    (lists / "ave-features.sha256").write_text("\n".join(rows) + "\n")
    monkeypatch.setattr(github, "CHECKSUMS", lists)
    monkeypatch.setattr(github, "ADDRESS", NOWHERE)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.setenv("UMT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    github._read_list.cache_clear()
    yield tmp_path / "data/ave-features"
    github._read_list.cache_clear()


def place(folder, short: bool, leave_out: tuple[str, ...] = ()) -> None:
    for path, content in contents().items():
        if path not in leave_out:
            name = path.removeprefix("all_feat/AVE/").replace("_fts/", "/") if short else path
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


@pytest.mark.parametrize("short", [True, False])
def test_every_method_gets_its_own_files(given, short):
    place(given, short)
    released = ave_features.load()
    assert list(released) == list(FOLDERS)
    for i, part in enumerate(released.values()):
        assert part.y.tolist() == [0, 1, 0, 1]
        for j, m in enumerate(MODALITIES):
            assert (part.features[m] == 10 * i + j).all()


def test_the_cache_is_looked_at_after_the_folder_given(given, tmp_path):
    place(given, short=True, leave_out=(FIRST,))
    place(tmp_path / "cache/umt_lib/ave-features", short=False)
    assert ave_features.load()["joint"].y.tolist() == [0, 1, 0, 1]


def test_without_file_and_network_the_message_says_where_to_put_it(given, tmp_path):
    place(given, short=True, leave_out=(FIRST,))
    with pytest.raises(StudyError) as told:
        ave_features.load()
    message = str(told.value)
    assert message.startswith("data set 'ave-features': ")
    assert f"{ave_features.REPOSITORY.commit}/{FIRST} cannot be downloaded" in message
    assert str(tmp_path / "cache/umt_lib/ave-features" / FIRST) in message
    assert not list((tmp_path / "cache").rglob("*.npy"))


@pytest.mark.parametrize(
    ("change", "fault"),
    [(lambda c: c[:-8], "truncated: "), (lambda c: c[:-8] + b"\x01" * 8, "altered: sha256 ")],
)
def test_another_file_is_refused_by_name(given, change, fault):
    place(given, short=True)
    path = given / "umt/visual_features.npy"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(StudyError, match=f"umt/visual_features.npy is {fault}.*; delete it and"):
        ave_features.load()


def test_a_pickle_is_not_loaded_even_if_it_is_listed(given):
    place(given, short=True)
    listed = github.CHECKSUMS / "ave-features.sha256"
    bad = npy(np.array([{"a": 1}], dtype=object))  # a pickle in the file
    lines = [line for line in listed.read_text().splitlines() if not line.endswith(FIRST)]
    lines.append(f"{hashlib.sha256(bad).hexdigest()}  {len(bad)}  {FIRST}")
    listed.write_text("\n".join(lines) + "\n")
    github._read_list.cache_clear()
    (given / "normal/all_labels.npy").write_bytes(bad)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        ave_features.load()


def test_the_list_has_the_three_files_of_each_method():
    paths = set(ave_features.REPOSITORY.files())
    assert paths == set(contents())


@pytest.mark.skipif(
    not any(os.path.isdir(f"{folder}/ave-features") for folder in REAL),
    reason="the released features are not on this machine",
)
def test_the_real_files_have_the_known_sizes():
    released = ave_features.load()
    assert [len(part.y) for part in released.values()] == [402, 402, 396, 396, 384]
    for part in released.values():
        assert (np.diff(part.y) >= 0).all()  # in the order of the list, class by class
        for x in part.features.values():
            assert x.shape == (len(part.y), 512)
            assert x.min() >= 0
