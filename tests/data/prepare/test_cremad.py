"""CREMA-D: splits by speaker, the common lists, and pictures and sound from two files."""

from collections import defaultdict

import miniatures
import pytest
from clips import write

from umt_lib.data.prepare import cremad as raw
from umt_lib.data.prepare.__main__ import main
from umt_lib.data.prepare.store import Prepared
from umt_lib.errors import StudyError

SPEAKER, COMMON = {"split": "speaker"}, {"split": "common"}


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
    with pytest.raises(StudyError, match=r"train\.csv: no such list; the common split needs the"):
        raw.list_samples(tmp_path, COMMON)
    names = every_name()
    for split, part in (("train", names[:500]), ("test", names[500:])):
        (tmp_path / f"{split}.csv").write_text(
            "".join(f"{name},{name.split('_')[2]}\n" for name in part)
        )
    samples, _ = raw.list_samples(tmp_path, COMMON)
    counts = [sum(s.split == part for s in samples) for part in ("train", "validation", "test")]
    assert counts == [450, 50, 46]
    assert not any(s.group for s in samples)


@pytest.mark.parametrize("name", ["1001_DFA_JOY_XX", "2001_DFA_ANG_XX", "readme"])
def test_a_file_that_is_not_a_clip_is_reported(tmp_path, name):
    files(tmp_path, [name])
    with pytest.raises(StudyError, match=f"'{name}' is not a clip of CREMA-D"):
        raw.list_samples(tmp_path, SPEAKER)


def test_an_unknown_split_and_an_empty_root_are_told(tmp_path):
    with pytest.raises(StudyError, match="split 'speakers'; did you mean 'speaker'"):
        raw.list_samples(tmp_path, {"split": "speakers"})
    with pytest.raises(StudyError, match=r"no AudioWAV/\*\.wav and no VideoFlash"):
        raw.list_samples(tmp_path, SPEAKER)


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
    assert (
        main([*command, "--frames", "2", "--size", "32", "--seconds", "1", "--workers", "2"]) == 0
    )
    said = capsys.readouterr().out
    assert [line.split() for line in said.splitlines()[1:3]] == [
        ["clips", "7,442", "17", "14"],
        ["classes", "6", "6", "6"],
    ]
    for reason, name in zip(
        ("AudioWAV file is missing", "a git-lfs pointer", "file is missing"), names, strict=False
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
    assert (
        main([*command, "--frames", "2", "--size", "32", "--seconds", "1", "--workers", "2"]) == 0
    )
    (tmp_path / "params").mkdir()
    names = miniatures.shortened("cremad", tmp_path / "out", tmp_path / "params")
    found = miniatures.one_by_one(names, tmp_path / "params")
    assert [r.measured.seeds[0].test.samples for r in found] == [6] * 3
