"""A prepared folder is complete and reproducible, or cannot be read, whatever happens."""

import errno
import fcntl
import json
import multiprocessing
import os
import resource
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from umt_lib.data.prepare import journal, store
from umt_lib.data.prepare.prepared import Prepared
from umt_lib.data.prepare.recipe import with_validation
from umt_lib.data.prepare.store import Sample, SampleError, prepare
from umt_lib.errors import StudyError

LAYOUT = {"a": ((2, 3), np.dtype(np.uint8)), "b": ((4,), np.dtype(np.float16))}
SETTINGS = {"frames": 3, "pause": 0.0}
N = 12


def read(source: Path, settings: dict) -> dict[str, np.ndarray]:
    """A "clip" is a number in a file; what is read is noted beside it."""
    text = source.read_text()
    with source.with_suffix(".reads").open("a") as file:
        file.write("x")
    time.sleep(settings["pause"])
    if text == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "broken":
        raise SampleError("no audio track")
    value = float(text)  # anything else is a ValueError
    return {
        "a": np.full((2, 3), value if value == value else 0, np.uint8),
        "b": np.full(4, value, np.float16),
    }


@pytest.fixture
def samples(tmp_path):
    parts = ["train", "train", "validation", "test"]
    for i in range(N):
        (tmp_path / f"{i}.clip").write_text(str(i))
    return [
        Sample(f"clip{i}", i % 2, parts[i // 2 % 4], "", tmp_path / f"{i}.clip") for i in range(N)
    ]


def run(samples, out, workers=2, settings=SETTINGS, **more):
    official = {"train": 6, "test": 2}
    return prepare(
        "tiny", samples, ["x", "y"], LAYOUT, read, settings, out, workers, official, **more
    )


def reads(samples):
    notes = [s.source.with_suffix(".reads") for s in samples]
    return [len(p.read_text()) if p.exists() else 0 for p in notes]


def test_rows_labels_and_splits_are_those_of_the_list(samples, tmp_path):
    run(samples, tmp_path / "out")
    prepared = Prepared.open(tmp_path / "out", settings=SETTINGS)
    assert prepared.classes == ("x", "y")
    for split in store.SPLITS:
        x, y, groups = prepared.split(split)
        mine = [i for i, s in enumerate(samples) if s.split == split]
        assert x["a"][:][:, 0, 0].tolist() == mine
        assert x["b"][:][:, 3].tolist() == mine
        assert y.tolist() == [i % 2 for i in mine]
        assert groups is None


def test_groups_are_given_if_samples_share_one(samples, tmp_path):
    grouped = [replace(s, group=f"{s.split}{i % 2}") for i, s in enumerate(samples)]
    run(grouped, tmp_path / "out")
    assert set(Prepared.open(tmp_path / "out").split("test")[2]) == {"test0", "test1"}


def test_the_digest_depends_on_the_rows_and_not_on_the_workers(samples, tmp_path):
    first = run(samples, tmp_path / "one", workers=1)
    assert run(samples, tmp_path / "two", workers=3)["digest"] == first["digest"]
    samples[3].source.write_text("77")
    assert run(samples, tmp_path / "three")["digest"] != first["digest"]


def test_clips_that_cannot_be_used_are_quarantined_with_the_reason(samples, tmp_path):
    for i, text in enumerate(("broken", "not a number", "nan")):
        samples[i].source.write_text(text)
    samples[3].source.unlink()
    samples[4] = replace(samples[4], left_out="seen elsewhere")
    samples[5] = replace(samples[5], missing="no sound file")
    manifest = run(samples, tmp_path / "out")
    assert [(q["id"], q["reason"]) for q in manifest["quarantine"]] == [
        ("clip0", "no audio track"),
        ("clip1", "ValueError: could not convert string to float: 'not a number'"),
        ("clip2", "NaN or infinity in 'b'"),
        ("clip3", "file is missing"),
        ("clip4", "seen elsewhere"),
        ("clip5", "no sound file"),
    ]
    assert manifest["counts"]["good"] == {"train": 4, "validation": 0, "test": 2}
    assert Prepared.open(tmp_path / "out").split("train")[0]["a"][:][:, 0, 0].tolist() == [
        8,
        9,
        10,
        11,
    ]


def test_missing_and_broken_clips_are_tried_again_and_good_ones_are_not(samples, tmp_path):
    whole = run(samples, tmp_path / "whole")
    samples[0].source.write_text("broken")
    samples[1].source.unlink()
    run(samples, tmp_path / "out")
    before = reads(samples)
    samples[0].source.write_text("0")
    samples[1].source.write_text("1")
    assert run(samples, tmp_path / "out")["digest"] == whole["digest"]
    assert [b - a for a, b in zip(before, reads(samples), strict=True)] == [1, 1] + [0] * (N - 2)


def killed_on_the_way(samples, out):
    """In a process of its own; with forked workers, to save it a fork server."""
    fork = multiprocessing.get_context("fork")
    store.multiprocessing.get_context, journal.SAVE_EVERY = lambda kind: fork, 0
    run(samples, out, settings={**SETTINGS, "pause": 0.1})


def test_a_killed_run_resumes_from_its_journal_and_cannot_be_read_before(samples, tmp_path):
    slow = {**SETTINGS, "pause": 0.1}
    whole = run(samples, tmp_path / "whole", settings=slow)
    before, out, path = reads(samples), tmp_path / "out", tmp_path / "out" / "journal.jsonl"
    process = multiprocessing.get_context("fork").Process(
        target=killed_on_the_way, args=(samples, out)
    )
    process.start()
    while not path.exists() or path.read_bytes().count(b"\n") < 5:
        time.sleep(0.01)
    process.kill()
    process.join()
    with pytest.raises(StudyError, match=r"manifest\.json: no such file, .* resumes"):
        Prepared.open(out)
    done = [int(json.loads(line)["id"][4:]) for line in path.read_text().splitlines()[1:]]
    assert 4 <= len(done) < N
    with path.open("a") as file:
        file.write('{"id": "clip11", "sha2')  # torn
    with (out / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a child forked just then may hold it
    time.sleep(0.3)  # the dead command's workers end by themselves
    middle = reads(samples)
    assert run(samples, out, settings=slow)["digest"] == whole["digest"]
    again = [b - a for a, b in zip(middle, reads(samples), strict=True)]
    assert all(again[i] == (i not in done) for i in range(N))
    assert (
        sum(middle) - sum(before) <= len(done) + 2 * 2 * 2
    )  # samples read but not in the journal yet


def test_ctrl_c_leaves_a_folder_that_the_same_command_finishes(samples, tmp_path, monkeypatch):
    slow, add = {**SETTINGS, "pause": 0.05}, journal.Journal.add

    def interrupted(self, row, *rest):
        add(self, row, *rest)
        if len(self.lines) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(journal.Journal, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(samples, tmp_path / "out", settings=slow)
    assert not (tmp_path / "out" / "manifest.json").exists()
    monkeypatch.undo()
    lines = (tmp_path / "out" / "journal.jsonl").read_text().splitlines()[1:]
    done, before = {int(json.loads(line)["id"][4:]) for line in lines}, reads(samples)
    assert len(done) == 4
    run(samples, tmp_path / "out", settings=slow)
    again = [b - a for a, b in zip(before, reads(samples), strict=True)]
    assert again == [int(i not in done) for i in range(N)]


def test_other_settings_are_refused_with_the_difference(samples, tmp_path):
    run(samples, tmp_path / "out")
    other = {**SETTINGS, "frames": 8}
    with pytest.raises(StudyError, match=r"journal\.jsonl: made with .*\(frames: 3 -> 8\)"):
        run(samples, tmp_path / "out", settings=other)
    with pytest.raises(StudyError, match=r"manifest\.json: made with .*\(frames: 3 -> 8\)"):
        Prepared.open(tmp_path / "out", settings=other)
    path = tmp_path / "out" / "journal.jsonl"
    path.write_text(path.read_text().replace('"format": 2', '"format": 1'))
    with pytest.raises(
        StudyError, match=r"journal\.jsonl: has format 1, .* writes 2; prepare into"
    ):
        run(samples, tmp_path / "out")


def test_samples_that_are_added_are_read_and_keep_what_is_there(samples, tmp_path):
    """In any place of the list, and over the step from 9 to 10 rows, with which headers grow."""
    whole = run(samples, tmp_path / "whole")
    out, before = tmp_path / "out", reads(samples)
    some = [s for i, s in enumerate(samples) if i not in (0, 5, 11)]
    run(some, out)
    rows = {s["id"]: s["row"] for s in Prepared.open(out).manifest["samples"]}
    run([samples[11], *some], out)
    more = run(samples, out)
    assert more["digest"] == whole["digest"]
    assert [b - a for a, b in zip(before, reads(samples), strict=True)] == [1] * N
    assert {s["id"]: s["row"] for s in more["samples"] if s["id"] in rows} == rows
    for m in LAYOUT:
        one, two = (np.load(tmp_path / name / f"{m}.npy") for name in ("out", "whole"))
        assert np.array_equal(one[[s["row"] for s in more["samples"]]], two)
    assert run(samples, out) == more


def test_samples_that_are_no_longer_listed_are_left_out_and_not_read_again(samples, tmp_path):
    whole = run(samples, tmp_path / "out")
    samples[2].source.unlink()  # raw files may be deleted when they are read
    kept = [replace(samples[1], missing="no sound file"), *samples[2:]]
    fewer = run([*kept, replace(samples[0], left_out="seen elsewhere")], tmp_path / "out")
    assert [s["id"] for s in fewer["samples"]] == [s.id for s in samples[1:]]
    assert fewer["quarantine"] == [{"id": "clip0", "reason": "seen elsewhere"}]
    assert run(samples[1:], tmp_path / "out")["quarantine"] == []
    assert run(samples, tmp_path / "out") == whole
    assert reads(samples) == [1] * N


def test_a_finished_folder_can_be_read_while_samples_are_added(samples, tmp_path, monkeypatch):
    out = tmp_path / "out"
    first = run(samples[:8], out)
    monkeypatch.setattr(store, "_manifest", lambda *given: 1 / 0)  # it dies before the manifest
    with pytest.raises(ZeroDivisionError):
        run(samples, out)
    assert len(np.load(out / "a.npy")) == N
    assert Prepared.open(out).source == first["digest"]
    assert Prepared.open(out).split("train")[0]["a"][:][:, 0, 0].tolist() == [0, 1, 2, 3]
    monkeypatch.undo()
    before = reads(samples)
    assert run(samples, out)["counts"]["good"]["train"] == 8
    assert reads(samples) == before


def test_rows_of_broken_samples_are_used_again(samples, tmp_path):
    for sample in samples[:3]:
        sample.source.write_text("broken")
    run(samples[:9], tmp_path / "out")
    assert len(np.load(tmp_path / "out" / "a.npy")) == 9
    run(samples[3:], tmp_path / "out")
    assert len(np.load(tmp_path / "out" / "a.npy")) == 9


def test_what_was_found_is_named_before_space_is_taken_and_only_for_that(samples, tmp_path):
    for sample in samples[2:6]:
        sample.source.unlink()
    out, said = tmp_path / "out", []

    def report(text):
        said.append(text)
        assert not list(out.glob("*.npy"))

    run(samples, out, report=report)
    assert said == [
        f"tiny: 8 of 12 listed samples found (the first is {samples[0].source}), 4 not "
        f"({samples[2].source}: file is missing); 8 are to be read, their arrays take "
        f"{sum(p.stat().st_size for p in out.glob('*.npy')):,} bytes in {out}"
    ]
    assert all(len(np.load(out / f"{m}.npy")) == 8 for m in LAYOUT)


def test_no_space_is_taken_if_too_little_was_found(samples, tmp_path):
    for sample in samples[:8]:
        sample.source.unlink()
    with pytest.raises(StudyError, match=r"4 of 12 .* threshold of 50%"):
        run(samples, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    for sample in samples[8:]:
        sample.source.unlink()
    with pytest.raises(StudyError, match=r"0 of 12 listed samples are usable"):
        run(samples, tmp_path / "out", min_share=0)
    assert not (tmp_path / "out").exists()


def test_a_disk_that_is_full_when_samples_are_added_leaves_the_old_ones(
    samples, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    run(samples[:8], out)
    allocate, calls = os.posix_fallocate, []

    def full(file, start, length):
        allocate(file, start, length)
        calls.append(length)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    sizes = {p: p.stat().st_size for p in out.glob("*.npy")}
    with pytest.raises(StudyError, match="the arrays need 424 bytes"):
        run(samples, out)
    assert {p: p.stat().st_size for p in out.glob("*.npy")} == sizes
    monkeypatch.undo()
    assert sum(Prepared.open(out).manifest["counts"]["good"].values()) == 8
    assert sum(run(samples, out)["counts"]["good"].values()) == N


def test_a_full_disk_is_an_error_before_anything_is_decoded(samples, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StudyError, match="the arrays need 424 bytes, 100 are free"):
        run(samples, tmp_path / "out")
    monkeypatch.undo()

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)  # a quota, which free space does not show
    with pytest.raises(StudyError, match="the arrays need 424 bytes"):
        run(samples, tmp_path / "out")
    assert not sum(reads(samples))
    assert not list((tmp_path / "out").glob("*.npy"))
    monkeypatch.undo()
    run(samples, tmp_path / "out")


@pytest.mark.parametrize(("file", "limit"), [("journal.jsonl", 1000), ("manifest.json", 2200)])
def test_a_disk_that_is_full_at_the_end_costs_no_row(samples, tmp_path, file, limit):
    """Rows have their space from the start; the journal grows, and the manifest is written last."""
    out, before = tmp_path / "out", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))  # no file can grow beyond it
    try:
        with pytest.raises(StudyError) as refused:
            run(samples, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    expected = f"{out / file}: cannot be written (File too large); free some space"
    assert str(refused.value).startswith(expected)
    assert not (out / "manifest.json").exists()
    assert not list(out.glob("*.partial"))
    assert run(samples, out)["digest"] == run(samples, tmp_path / "undisturbed")["digest"]


def test_a_wrong_list_is_refused(samples, tmp_path):
    def refused(changed, match):
        with pytest.raises(StudyError, match=match):
            run(changed, tmp_path / "out")

    refused([*samples, samples[0]], "'clip0' is listed 2 times")
    refused([*samples, replace(samples[0], split="test")], "'clip0' is in train and in test")
    speakers = [replace(s, group="1001") for s in samples]
    refused(speakers, "group '1001' is in train and in validation")
    refused([replace(samples[0], label=2)], "label 2; .*labels 0 to 1")
    refused([replace(samples[0], split="val")], "split 'val'")
    refused([], "names no sample")
    assert not (tmp_path / "out").exists()


def test_groups_with_samples_of_several_classes_stay_whole_in_validation(tmp_path):
    """Two clips of each video, of another class each."""
    listed = [Sample(f"clip{i}", i % 2, "train", f"video{i // 2}", tmp_path) for i in range(60)]
    split_of = {}
    for sample in with_validation(listed):
        split_of.setdefault(sample.group, set()).add(sample.split)
    assert all(len(splits) == 1 for splits in split_of.values())
    assert sum(splits == {"validation"} for splits in split_of.values()) == 3


def test_too_few_usable_samples_are_an_error_until_there_are_more(samples, tmp_path):
    for sample in samples[:8]:
        sample.source.unlink()
    match = r"4 of 12 .* threshold of 50% \(8 x file is missing; first: .*0\.clip, .*1\.clip"
    with pytest.raises(StudyError, match=match):
        run(samples, tmp_path / "out")
    for sample in samples[:8]:
        sample.source.write_text("broken")
    with pytest.raises(StudyError, match=r"4 of 12 .* threshold of 50% \(8 x no audio track; "):
        run(samples, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert run(samples, tmp_path / "out", min_share=0.3)["counts"]["good"]["test"] == 0


def test_a_dead_worker_is_reported_and_the_same_command_resumes(samples, tmp_path):
    samples[7].source.write_text("kill")
    with pytest.raises(StudyError, match=r"a process died while it read one of .*clip7"):
        run(samples, tmp_path / "out")
    samples[7].source.write_text("7")
    assert sum(run(samples, tmp_path / "out")["counts"]["good"].values()) == N


def test_two_commands_cannot_fill_one_folder(samples, tmp_path):
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StudyError, match="another process is preparing into this folder"):
            run(samples, tmp_path / "out")


@pytest.mark.parametrize(
    ("file", "change", "match"),
    [
        ("manifest.json", lambda raw: raw.replace(b'"clip0"', b'"clipX"'), "changed since"),
        ("manifest.json", lambda raw: raw[:-20], "damaged"),
        ("manifest.json", lambda raw: b"[]", "damaged"),
        ("a.npy", lambda raw: raw[:-8], r"a\.npy: not a readable array"),
        ("b.npy", lambda raw: b"", r"b\.npy: not a readable array"),
    ],
)
def test_a_damaged_folder_is_not_read(samples, tmp_path, file, change, match):
    run(samples, tmp_path / "out")
    path = tmp_path / "out" / file
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(StudyError, match=match):
        Prepared.open(tmp_path / "out")


def test_a_relative_folder_is_looked_for_under_umt_data_first(samples, tmp_path, monkeypatch):
    run(samples, tmp_path / "data" / "tiny")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UMT_DATA", raising=False)
    with pytest.raises(StudyError) as unset:
        Prepared.open("tiny")
    assert str(unset.value).startswith(f"{tmp_path / 'tiny' / 'manifest.json'}: no such file")
    assert "set UMT_DATA to the folder that holds the prepared one (now it is not set)" in str(
        unset.value
    )
    monkeypatch.setenv("UMT_DATA", str(tmp_path / "data"))
    assert Prepared.open("tiny").folder == tmp_path / "data" / "tiny"
    (tmp_path / "data" / "tiny" / "a.npy").unlink()
    with pytest.raises(StudyError, match=rf"{tmp_path}/data/tiny/a\.npy: not .*UMT_DATA.*/data\)"):
        Prepared.open("tiny")
