"""CREMA-D: splits by speaker, the common lists, and pictures and sound from two files."""

import re
from collections import defaultdict

import miniatures
import numpy as np
import pytest
from clips import TONES, write

from umt_lib.data.prepare import cremad as raw
from umt_lib.data.prepare.__main__ import main
from umt_lib.data.prepare.prepared import Prepared
from umt_lib.errors import StudyError

SPEAKER, COMMON = ({"split": split, "sound": "wav"} for split in ("speaker", "common"))
SMALL = ["--frames", "2", "--size", "32", "--seconds", "1", "--workers", "2"]


def every_name():
    """Six clips of each of the 91 actors, one per emotion."""
    return [f"{actor}_DFA_{emotion}_XX" for actor in raw.ACTORS for emotion in raw.CLASSES]


def files(root, names):
    for kind, ending in (("AudioWAV", "wav"), ("VideoFlash", "flv")):
        (root / kind).mkdir()
        for name in names:
            (root / kind / f"{name}.{ending}").touch()


def test_no_actor_is_in_two_splits_and_the_cut_is_of_actors_not_of_files(tmp_path):
    names = every_name()
    files(tmp_path, names[::2])
    samples, classes = raw.list_samples(tmp_path, SPEAKER)
    assert classes == list(raw.CLASSES)
    split_of = defaultdict(set)
    for sample in samples:
        split_of[sample.group].add(sample.split)
        assert sample.id.split("_")[2] == classes[sample.label]
    assert all(len(splits) == 1 for splits in split_of.values())
    sizes = [sum(part in s for s in split_of.values()) for part in ("train", "validation", "test")]
    assert sizes == [66, 7, 18]
    for name in names[1::2]:
        (tmp_path / "VideoFlash" / f"{name}.flv").touch()
    more, _ = raw.list_samples(tmp_path, SPEAKER)
    assert len(more) == 546
    assert all({s.split} == split_of[s.group] for s in more)


def test_the_common_lists_share_speakers_and_must_be_given(tmp_path):
    names = every_name()
    files(tmp_path, names[:-1])
    with pytest.raises(StudyError, match=r"train\.csv: no such list; the common split needs the"):
        raw.list_samples(tmp_path, COMMON)
    for split, part in (("train", names[:500]), ("test", names[500:])):
        (tmp_path / f"{split}.csv").write_text(
            "".join(f"{name},{name.split('_')[2]}\n" for name in part)
        )
    samples, _ = raw.list_samples(tmp_path, COMMON)
    counts = [sum(s.split == part for s in samples) for part in ("train", "validation", "test")]
    assert counts == [450, 50, 46]
    assert not any(s.group for s in samples)
    assert [s.id for s in samples if s.missing] == names[-1:]
    (tmp_path / "test.csv").write_text(f"{names[0]},ANG\n1001_DFA_JOY_XX,JOY\n")
    with pytest.raises(StudyError, match=r"test\.csv, row 2: '1001_DFA_JOY_XX' is not a clip of"):
        raw.list_samples(tmp_path, COMMON)


@pytest.mark.parametrize(
    "name", ["1001_DFA_JOY_XX", "2001_DFA_ANG_XX", "readme", "1001_IEO_ANG_XX (1)"]
)
def test_a_file_that_is_not_a_clip_is_left_out_and_listed(tmp_path, name):
    files(tmp_path, ["1001_IEO_ANG_XX", name, "._1001_IEO_ANG_XX", ".hidden"])
    samples, _ = raw.list_samples(tmp_path, SPEAKER)
    assert [(s.id, s.left_out) for s in samples] == [
        ("1001_IEO_ANG_XX", ""),
        (f"VideoFlash/{name}.flv", "its name is not like 1001_DFA_ANG_XX"),
        (f"AudioWAV/{name}.wav", "its name is not like 1001_DFA_ANG_XX"),
    ]


def test_odd_files_are_in_the_manifest_and_do_not_stop_the_others(tmp_path, capsys):
    name = "1001_DFA_ANG_XX"
    write(tmp_path / "VideoFlash" / f"{name}.flv", video="flv", sound=None)
    write(tmp_path / "AudioWAV" / f"{name}.wav", video=None, sound="pcm_s16le")
    for odd in (f"._{name}.wav", f"{name} (1).wav"):
        (tmp_path / "AudioWAV" / odd).write_bytes(b"\0\5\x16\7")
    out = tmp_path / "out"
    assert main(["cremad", "--root", str(tmp_path), "--out", str(out), *SMALL]) == 0
    assert "1 of 1 listed samples found" in capsys.readouterr().err
    manifest = Prepared.open(out).manifest
    assert [s["id"] for s in manifest["samples"]] == [name]
    assert [q["id"] for q in manifest["quarantine"]] == [f"AudioWAV/{name} (1).wav"]
    for path in (*tmp_path.glob("*/1001_DFA_ANG_XX.*"),):
        path.unlink()
    write(tmp_path / "odd.mp4")
    assert main(["cremad", "--root", str(tmp_path), "--out", str(tmp_path / "o"), *SMALL]) == 2
    assert "names no sample, but 2 files, e.g. " in capsys.readouterr().err


def test_unknown_settings_are_told(tmp_path):
    with pytest.raises(StudyError, match="split 'speakers'; did you mean 'speaker'"):
        raw.list_samples(tmp_path, {**SPEAKER, "split": "speakers"})
    with pytest.raises(StudyError, match="sound 'videos'; did you mean 'video'"):
        raw.list_samples(tmp_path, {**SPEAKER, "sound": "videos"})


@pytest.mark.parametrize(
    ("present", "found"),
    [
        (None, r"0 videos .* and 0 \.wav files"),
        ("AudioWAV/1001_DFA_ANG_XX.wav", r"0 videos .* and 1 \.wav files"),
        ("x/1001_DFA_ANG_XX.mp4", r"1 videos .* and 0 \.wav .* give --sound video"),
    ],
)
def test_a_folder_with_one_modality_is_refused_with_what_was_found(
    tmp_path, capsys, present, found
):
    if present:
        (tmp_path / present).parent.mkdir()
        (tmp_path / present).touch()
    assert main(["cremad", "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert re.match(rf"{re.escape(str(tmp_path))}: {found}", said)
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("folder", "ending", "sounds"),
    [
        ("VideoFlash", "mp4", "AudioWAV"),
        ("VideoMP4", "mp4", "AudioWAV"),
        ("", "mp4", "AudioWAV"),
        ("", "mkv", ""),
        ("videos", "mp4", None),
    ],
)
def test_videos_in_other_folders_and_formats_are_found(tmp_path, folder, ending, sounds):
    root, names = tmp_path / "raw", [f"1001_DFA_{emotion}_XX" for emotion in raw.CLASSES[:3]]
    for label, name in enumerate(names):
        sound = "aac" if sounds is None else None
        write(root / folder / f"{name}.{ending}", label, sound=sound)
        if sounds is not None:
            write(root / sounds / f"{name}.wav", label, video=None, sound="pcm_s16le")
    more = ["--sound", "video"] if sounds is None else []
    assert main(["cremad", "--root", str(root), "--out", str(tmp_path / "o"), *SMALL, *more]) == 0
    prepared = Prepared.open(tmp_path / "o")
    assert [s["id"] for s in prepared.manifest["samples"]] == names
    rows = [s["row"] for s in prepared.manifest["samples"]]
    audio = np.load(tmp_path / "o" / "audio.npy")[rows].astype(float)
    assert np.abs(audio.mean(2).argmax(1) * 16_000 / 256 - TONES[:3]).max() <= 63


def test_a_clip_that_is_added_is_read_and_the_others_are_not(tmp_path, capsys):
    names = [f"1001_DFA_{emotion}_XX" for emotion in raw.CLASSES[:4]]

    def prepared(root, wanted, out):
        for name in wanted:
            label = names.index(name)
            write(root / "VideoFlash" / f"{name}.flv", label, video="flv", sound=None)
            write(root / "AudioWAV" / f"{name}.wav", label, video=None, sound="pcm_s16le")
        assert main(["cremad", "--root", str(root), "--out", str(out), *SMALL]) == 0
        return Prepared.open(out), capsys.readouterr().err

    prepared(tmp_path / "raw", names[1:], tmp_path / "out")
    added, said = prepared(tmp_path / "raw", names[:1], tmp_path / "out")
    assert "4 of 4 listed samples found" in said
    assert "; 1 are to be read" in said
    assert [s["row"] for s in added.manifest["samples"]] == [3, 0, 1, 2]
    whole, _ = prepared(tmp_path / "whole", names, tmp_path / "out-of-all")
    assert added.source == whole.source
    for m in ("audio", "video"):
        one, two = (np.load(p.folder / f"{m}.npy") for p in (added, whole))
        assert np.array_equal(one[[3, 0, 1, 2]], two)


def test_a_miniature_is_prepared_from_flv_and_wav(tmp_path, capsys):
    _, *names = (f"{a}_DFA_{e}_X" for a in (1001, 1002, 1003) for e in raw.CLASSES)
    for name in names:
        label = raw.CLASSES.index(name.split("_")[2]) % 4
        write(tmp_path / "VideoFlash" / f"{name}.flv", label, video="flv", sound=None)
        write(tmp_path / "AudioWAV" / f"{name}.wav", label, video=None, sound="pcm_s16le")
    (tmp_path / "AudioWAV" / f"{names[0]}.wav").unlink()
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (tmp_path / "VideoFlash" / f"{names[1]}.flv").write_text(pointer)
    (tmp_path / "VideoFlash" / f"{names[2]}.flv").unlink()
    command = ["cremad", "--root", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*command, *SMALL]) == 0
    said = capsys.readouterr().out
    assert [line.split() for line in said.splitlines()[1:3]] == [
        ["clips", "7,442", "17", "14"],
        ["classes", "6", "6", "6"],
    ]
    for reason, name in zip(
        (".wav file is missing", "a git-lfs pointer", "video file is missing"), names, strict=False
    ):
        assert f"1 not usable: {reason}" in said
        assert name in said
    prepared = Prepared.open(tmp_path / "out")
    assert {s["group"] for s in prepared.manifest["samples"]} == {"1001", "1002", "1003"}


def test_the_params_files_run_on_a_miniature(tmp_path):
    empty, clips = tmp_path / "empty", tmp_path / "clips"
    empty.mkdir()
    files(empty, every_name())
    actors = defaultdict(dict)
    for sample in raw.list_samples(empty, SPEAKER)[0]:
        actors[sample.split][sample.group] = None
    chosen = [*list(actors["train"])[:3], *(next(iter(actors[s])) for s in ("validation", "test"))]
    for name in (f"{actor}_DFA_{emotion}_XX" for actor in chosen for emotion in raw.CLASSES):
        label = raw.CLASSES.index(name.split("_")[2]) % 4
        write(clips / "VideoFlash" / f"{name}.flv", label, video="flv", sound=None)
        write(clips / "AudioWAV" / f"{name}.wav", label, video=None, sound="pcm_s16le")
    command = ["cremad", "--root", str(clips), "--out", str(tmp_path / "out")]
    assert main([*command, *SMALL]) == 0
    (tmp_path / "params").mkdir()
    names = miniatures.shortened("cremad", tmp_path / "out", tmp_path / "params")
    found = miniatures.one_by_one(names, tmp_path / "params")
    assert [r.measured.seeds[0].test.samples for r in found] == [6] * 3
