"""Kinetics-400: its lists and the places of its clips."""

import csv

import miniatures
import pytest
from clips import write

from umt_lib import data
from umt_lib.data.prepare import kinetics as raw
from umt_lib.data.prepare.__main__ import main
from umt_lib.data.prepare.store import SPLITS
from umt_lib.errors import StudyError

LABELS = ("archery", "arm wrestling")


def lists(root, train=20, test=4, heading=raw.HEADING):
    """Write both lists; returns {clip: (part, label)}."""
    clips = {}
    for part, numbers in (("train", range(train)), ("val", range(train, train + test))):
        with (root / f"{part}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(heading)
            for i in numbers:
                writer.writerow([LABELS[i % 2], f"k{i:010d}", i, i + 10, part])
                clips[f"k{i:010d}_{i:06d}_{i + 10:06d}"] = part, LABELS[i % 2]
    return clips


def test_a_miniature_is_prepared_from_flat_and_nested_folders_and_runs(tmp_path, capsys):
    for i, (clip, (part, label)) in enumerate(lists(tmp_path).items()):
        folder = tmp_path / part / label if i % 3 else tmp_path / part
        write(folder / f"{clip}.mp4", LABELS.index(label), seconds=1.1, sound="aac" if i else None)
    command = ["kinetics400", "--root", str(tmp_path), "--out", str(tmp_path / "out")]
    assert (
        main([*command, "--frames", "2", "--size", "32", "--seconds", "1", "--workers", "2"]) == 0
    )
    said = capsys.readouterr().out
    assert "1 not usable: no audio track (k0000000000_000000_000010)" in said
    splits = data.load("kinetics400", folder=str(tmp_path / "out"))
    assert splits.classes == LABELS
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] in (
        [18, 1, 4],  # the clip without sound was for validation
        [17, 2, 4],
    )
    assert splits.test.y.tolist() == [0, 1, 0, 1]
    (tmp_path / "params").mkdir()
    names = miniatures.shortened("kinetics400", tmp_path / "out", tmp_path / "params")
    found = miniatures.one_by_one(names, tmp_path / "params")
    assert [r.measured.seeds[0].test.samples for r in found] == [4] * 3


def sources(root):
    """{id: path below the root} of the samples that are found."""
    samples, _ = raw.list_samples(root, {})
    return {s.id: str(s.source.relative_to(root)) for s in samples if s.source.exists()}


@pytest.mark.parametrize(
    "place",
    [
        "{part}/{label}/{video}_{start:06d}_{end:06d}.mp4",
        "{part}/{under}/{video}_{start:06d}_{end:06d}.mp4",
        "videos_{part}/{under}/{video}_{start:06d}_{end:06d}.mp4",
        "{part}/{video}_{start:06d}_{end:06d}.mp4",
        "{video}_{start:06d}_{end:06d}.mp4",
        "{part}/{video}_{start:06d}_{end:06d}.mkv",
        "{part}/{video}_{start}_{end}.webm",
        "{part}/{under}/{video}_{start:06d}.mp4",
        "clips/{video}_{start}.MP4",
        "replacement/replacement_for_corrupted_k400/{video}_other.mp4",
    ],
)
def test_clips_are_found_in_the_layouts_of_public_scripts(tmp_path, place):
    wanted = {}
    for clip, (part, label) in lists(tmp_path).items():
        video, start, end = clip[:11], int(clip[12:18]), int(clip[19:])
        under = label.replace(" ", "_")
        wanted[clip] = place.format(**vars_of(part, label, under, video, start, end))
        path = tmp_path / wanted[clip]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.with_name(f"._{path.name}").touch()
    assert sources(tmp_path) == wanted


def vars_of(part, label, under, video, start, end):
    return {
        "part": part,
        "label": label,
        "under": under,
        "video": video,
        "start": start,
        "end": end,
    }


def test_a_repaired_clip_replaces_the_other_and_links_to_folders_are_followed(tmp_path):
    first, second, *_ = lists(tmp_path)
    disk = tmp_path / "disk" / "train"
    disk.mkdir(parents=True)
    for clip in (first, second):
        (disk / f"{clip}.mp4").touch()
    root = tmp_path / "root"
    root.mkdir()
    for name in ("train.csv", "val.csv"):
        (tmp_path / name).rename(root / name)
    (root / "train").symlink_to(disk)
    (disk / "circle").symlink_to(root)
    repaired = root / "replacement" / "replacement_for_corrupted_k400" / f"{second}.mp4"
    repaired.parent.mkdir(parents=True)
    repaired.touch()
    assert sources(root) == {
        first: f"train/{first}.mp4",
        second: str(repaired.relative_to(root)),
    }


def test_clips_of_one_video_stay_together_and_out_of_train_where_it_is_tested(tmp_path):
    lists(tmp_path, train=30, test=6)
    with (tmp_path / "train.csv").open("a", newline="") as file:
        for i in range(32):  # a second clip of every video; the last two are tested
            csv.writer(file).writerow([LABELS[i % 2], f"k{i:010d}", i + 50, i + 60, "train"])
    samples, _ = raw.list_samples(tmp_path, {})
    left_out = {s.id[:11]: s.left_out for s in samples if s.left_out}
    reason = "its video is in the test split too"
    assert left_out == dict.fromkeys((f"k{i:010d}" for i in (30, 31)), reason)
    splits = [{s.id[:11] for s in samples if s.split == p and not s.left_out} for p in SPLITS]
    assert [len(videos) for videos in splits] == [27, 3, 6]
    assert len(set.union(*splits)) == 36


def test_nothing_is_allocated_if_no_clip_is_found(tmp_path, capsys):
    lists(tmp_path)
    command = ["kinetics400", "--root", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "0 of 24 listed samples are usable" in said
    assert str(tmp_path / "train" / "k0000000000_000000_000010.mp4") in said
    assert not list((tmp_path / "out").glob("*.npy"))


def test_a_byte_order_mark_is_not_part_of_a_list(tmp_path):
    clips = lists(tmp_path)
    for name in ("train.csv", "val.csv"):
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
    assert [s.id for s in raw.list_samples(tmp_path, {})[0]] == list(clips)


def test_other_headings_and_times_are_told(tmp_path):
    lists(tmp_path, heading=["label", "id", "start", "end", "split"])
    with pytest.raises(StudyError, match=r"train\.csv: begins with 'label,id,start,end,split'"):
        raw.list_samples(tmp_path, {})
    lists(tmp_path)
    with (tmp_path / "val.csv").open("a") as file:
        file.write("archery,x,1.5,11.5,val\n")
    with pytest.raises(StudyError, match=r"val\.csv, row 6: '1\.5' to '11\.5' are not whole sec"):
        raw.list_samples(tmp_path, {})


def test_too_few_to_hold_out_is_told(tmp_path):
    lists(tmp_path, train=8)
    with pytest.raises(StudyError, match=r"8 training samples, .* are too few to hold out 10%"):
        raw.list_samples(tmp_path, {})
