"""Whether data is available is found out without loading it; the study leaves out what is not."""

from __future__ import annotations

import yaml

from umt_lib.data import av_digits
from umt_lib.data.availability import available, is_prepared
from umt_lib.study.pipeline import run_graph


def test_a_prepared_folder_counts_when_its_manifest_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UMT_DATA", raising=False)
    dataset = {"name": "ucf101", "folder": "flow"}
    assert not is_prepared(dataset)
    (tmp_path / "flow").mkdir()
    assert not is_prepared(dataset)  # begun, not finished
    (tmp_path / "flow/manifest.json").touch()
    assert is_prepared(dataset)
    assert available(dataset)
    given = tmp_path / "given"
    monkeypatch.setenv("UMT_DATA", str(given))
    (given / "flow").mkdir(parents=True)
    assert not is_prepared(dataset)  # the folder under $UMT_DATA goes first, as it does in loading
    (given / "flow/manifest.json").touch()
    assert is_prepared(dataset)


def test_recordings_count_when_they_are_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("UMT_DATA", str(tmp_path))
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache")
    assert not available({"name": "av-digits"})
    (tmp_path / av_digits.ARCHIVE).touch()
    assert available({"name": "av-digits"})
    assert available({"name": "synthetic", "n_train": 60})


def test_the_full_study_leaves_out_what_is_not_prepared_and_keeps_broken_files(tmp_path):
    files = {
        "here": {"dataset": {"name": "synthetic"}},
        "away": {"dataset": {"name": "vggsound", "folder": str(tmp_path / "nowhere")}},
        "broken": ["no mapping"],
    }
    for name, content in files.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    assert run_graph.wanted(tmp_path, "full") == ["broken", "here"]
