"""Files appear whole or not at all."""

import json
import os
import platform
import subprocess
import sys

import pytest
import torch

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.files import load_tensors, save_tensors, write_atomically


def listing(folder):
    return sorted(p.name for p in folder.iterdir())


def test_what_is_written_is_there_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "deep" / "a.json"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert listing(path.parent) == ["a.json"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_interrupted_write_leaves_the_old_content_and_no_scratch(tmp_path, monkeypatch, call):
    path = tmp_path / "a.json"
    write_atomically(path, b"old")

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"umt_lib.files.os.{call}", fails)
    with pytest.raises(StudyError, match=r"a\.json: cannot be written \(No space left on device\)"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert listing(tmp_path) == ["a.json"]


def test_ctrl_c_in_the_middle_leaves_the_old_content_and_no_scratch(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomically(path, b"old")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("umt_lib.files.os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert listing(tmp_path) == ["a.json"]


def test_leftovers_of_killed_processes_are_deleted_and_those_of_others_kept(tmp_path):
    killed = subprocess.Popen(["true"])
    killed.wait()
    here = platform.node()
    others = [
        f".b.json.{here}.{os.getppid()}.partial",
        f".b.json.other-{here}.{killed.pid}.partial",  # of a machine that has the same folder
        f".b.{here}.{10**30}.partial",
        ".b.partial",
    ]
    for name in (f".b.json.{here}.{killed.pid}.partial", *others):
        (tmp_path / name).write_bytes(b"half")
    write_atomically(tmp_path / "a.json", b"whole")
    assert listing(tmp_path) == sorted([*others, "a.json"])


def test_two_processes_may_write_one_file_at_once(tmp_path, monkeypatch):
    path, fsync = tmp_path / "a.json", os.fsync

    def while_the_other_writes(descriptor):
        monkeypatch.setattr("umt_lib.files.os.fsync", fsync)
        write = f"write_atomically(Path({str(path)!r}), b'theirs')"
        code = f"from pathlib import Path; from umt_lib.files import write_atomically; {write}"
        subprocess.run([sys.executable, "-c", code], check=True)
        assert path.read_bytes() == b"theirs"

    monkeypatch.setattr("umt_lib.files.os.fsync", while_the_other_writes)
    write_atomically(path, b"ours")
    assert path.read_bytes() == b"ours"
    assert listing(tmp_path) == ["a.json"]


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "results").write_text("not a folder")
    with pytest.raises(StudyError, match="cannot be written"):
        write_atomically(tmp_path / "results" / "a.json", b"x")


TENSORS = {
    "weight": torch.randn(3, 4, generator=torch.Generator().manual_seed(0)),
    "turned": torch.arange(6).reshape(2, 3).T,
    "count": torch.tensor(7),
}


def test_tensors_come_back_bit_for_bit(tmp_path):
    path, about = tmp_path / "m.safetensors", {"key": "k", "curves": {"loss": [0.1, 1 / 3]}}
    save_tensors(path, TENSORS, about)
    tensors, found = load_tensors(path)
    assert found == about
    assert tensors.keys() == TENSORS.keys()
    assert all(
        torch.equal(tensors[n], t) and tensors[n].dtype == t.dtype for n, t in TENSORS.items()
    )


@pytest.mark.parametrize("keep", [0, 4, 40, -1])
def test_a_truncated_file(tmp_path, keep):
    path = tmp_path / "m.safetensors"
    save_tensors(path, TENSORS, {"key": "k"})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StudyError, match=r"m\.safetensors: the checkpoint is damaged .* delete it"):
        load_tensors(path)


def test_a_file_of_someone_else(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "m.safetensors"
    for metadata in (None, {"other": "x"}, {"about": "{not json"}):
        save_file({"count": TENSORS["count"]}, path, metadata=metadata)
        with pytest.raises(StudyError, match="damaged"):
            load_tensors(path)
    path.write_text(json.dumps({"a": 1}))
    with pytest.raises(StudyError, match="damaged"):
        load_tensors(path)


def test_no_file_at_all(tmp_path):
    with pytest.raises(StudyError, match="no such checkpoint"):
        load_tensors(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("variable", "folder", "place"),
    [("UMT_RUNS", paths.runs, paths.ROOT / "runs"), ("UMT_PARAMS", paths.params_dir, paths.PARAMS)],
)
def test_an_empty_variable_counts_as_unset(monkeypatch, variable, folder, place):
    monkeypatch.setenv(variable, "")
    assert folder() == place
