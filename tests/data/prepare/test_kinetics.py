"""Kinetics-400: its lists and the places of its clips."""

import csv

import miniatures
import pytest
from clips import write

from umt_lib import data
from umt_lib.data.prepare import kinetics as raw
from umt_lib.data.prepare.__main__ import main
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
