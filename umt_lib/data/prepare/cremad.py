"""CREMA-D: actors say one of twelve sentences in one of six emotions (Cao et al. 2014).

Raw files: ``<root>/AudioWAV/<id>.wav`` and ``<root>/VideoFlash/<id>.flv``, where the id is
``<actor>_<sentence>_<emotion>_<level>``. The videos may lie in any folder of the root, and may be
.mp4, .mkv, .webm, .avi or .mov. With ``--sound video`` the sound is that of the videos, for copies
without the .wav files. There are two ways to split:

- ``--split speaker``: by actor, 18 of the 91 actors for test and 7 for validation, a fixed choice.
- ``--split common``: the lists ``train.csv`` and ``test.csv`` (``id,emotion``) that most papers
  use. All 91 actors are in both lists, so a model may know face and voice, and accuracies do not
  hold for new people. We may not distribute the lists; put them into the root.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from umt_lib.data.prepare import media
from umt_lib.data.prepare.raw_files import VIDEO, by_stem, files, odd_file
from umt_lib.data.prepare.recipe import Recipe, read_rows, with_validation
from umt_lib.data.prepare.store import Sample, SampleError
from umt_lib.data.prepare.vggsound import HELP, layout
from umt_lib.data.splits import SPLIT_SEED
from umt_lib.errors import StudyError, nearest

CLASSES = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
CHOICES = {"split": ("speaker", "common"), "sound": ("wav", "video")}
EXAMPLE = "1001_DFA_ANG_XX"
ACTORS, TESTED, HELD_OUT = range(1001, 1092), 18, 7
NAME = re.compile(r"(1\d{3})_[A-Z]{3}_([A-Z]{3})_[A-Z]{1,2}")
POINTER = b"version https://git-lfs"
REPOSITORY = "https://github.com/CheyneyComputerScience/CREMA-D"


def list_samples(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """List the samples of the files or of the lists in ``root``, and the classes.

    Raises:
        StudyError: a setting is unknown, there are no files or no lists, or a list names something
            that is not a clip.
    """
    for setting, known in CHOICES.items():
        if settings[setting] not in known:
            raise StudyError(
                f"cremad: unknown {setting} {settings[setting]!r}"
                f"{nearest(settings[setting], known)}"
            )
    videos, sounds = files(root, VIDEO), files(root, (".wav",))
    _check_both(root, videos, sounds, settings["sound"])
    samples, odd = [], []
    if settings["split"] == "speaker":
        split_of = _split_of_actors()
        for name, path in sorted(by_stem([*videos, *sounds]).items()):
            if found := _parsed(name):
                actor, label = found
                samples.append(Sample(name, label, split_of[actor], str(actor), path))
        odd = [odd_file(p, root, EXAMPLE) for p in (*videos, *sounds) if not _parsed(p.stem)]
    else:
        hint = "the common split needs the lists of id,emotion that papers share; or use speaker"
        for split in ("train", "test"):
            path = root / f"{split}.csv"
            for number, (name, _) in enumerate(read_rows(path, 2, hint), 1):
                if not (found := _parsed(name)):
                    raise StudyError(
                        f"{path}, row {number}: {name!r} is not a clip of CREMA-D, like {EXAMPLE}; "
                        f"correct or remove it"
                    )
                samples.append(Sample(name, found[1], split, "", root / name))
        samples = with_validation(samples)
    path_of = by_stem(videos)
    samples = [_with_files(s, path_of.get(s.id), root, settings["sound"]) for s in samples]
    return samples + odd, list(CLASSES)


def read(source: Path, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Read one clip: the frames of ``source``, and the sound of its .wav file or of itself.

    Raises:
        SampleError: a file is not yet downloaded by git-lfs, or cannot be decoded.
    """
    sound = source if settings["sound"] == "video" else _wav(source)
    for path in (sound, source):
        with path.open("rb") as file:
            if file.read(len(POINTER)) == POINTER:
                raise SampleError("a git-lfs pointer instead of the file; run git lfs pull")
    with media.open_clip(sound) as audio, media.open_clip(source) as video:
        wave = media.waveform(audio, media.RATE, settings["seconds"])
        return {
            "audio": media.log_spectrogram(wave),
            "video": media.frames(video, settings["frames"], settings["size"]),
        }


def official_counts(settings: dict[str, Any]) -> dict[str, int]:
    """The publishers' counts; they give no split."""
    return {"clips": 7_442, "classes": 6}


def download(root: Path, settings: dict[str, Any]) -> str:
    """Explain how to get the files with git-lfs, which verifies and resumes by itself."""
    return (
        f"The files are in a public git-lfs repository: run `git lfs install`, then "
        f"`git clone {REPOSITORY} {root}`; `git -C {root} lfs pull` resumes if interrupted."
    )


def _check_both(root: Path, videos: list[Path], sounds: list[Path], sound: str) -> None:
    """Refuse a folder in which one of the two modalities is missing altogether."""
    advice = (
        f"give the folder of the repository {REPOSITORY} as --root, or use --download to see how "
        f"to get it"
    )
    found = f"{root.absolute()}: {len(videos):,} videos ({', '.join(VIDEO)}) and {len(sounds):,} "
    if not videos:
        raise StudyError(f"{found}.wav files in it, and both are needed; {advice}")
    if not sounds and sound == "wav":
        raise StudyError(
            f"{found}.wav files in it; for the sound of the videos give --sound video, or {advice}"
        )


def _split_of_actors() -> dict[int, str]:
    """{actor: split}, the same for any files."""
    order = np.random.default_rng(SPLIT_SEED).permutation(ACTORS).tolist()
    split_of = dict.fromkeys(order, "train")
    split_of |= dict.fromkeys(order[:TESTED], "test")
    split_of |= dict.fromkeys(order[TESTED : TESTED + HELD_OUT], "validation")
    return split_of


def _with_files(sample: Sample, video: Path | None, root: Path, sound: str) -> Sample:
    """The sample with its video file as the source, or with what is missing."""
    if video is None:
        expected = root / "VideoFlash" / f"{sample.id}.flv"
        return replace(sample, source=expected, missing="video file is missing")
    if sound == "wav" and not _wav(video).exists():
        return replace(sample, source=_wav(video), missing=".wav file is missing")
    return replace(sample, source=video)


def _wav(video: Path) -> Path:
    """The sound of a video: in the folder AudioWAV beside it or beside its folder, or with it."""
    name = f"{video.stem}.wav"
    beside = video.parents[1] / "AudioWAV" / name
    places = (beside, video.parent / "AudioWAV" / name, video.with_name(name))
    return next((path for path in places if path.exists()), beside)


def _parsed(name: str) -> tuple[int, int] | None:
    """(actor, label) of a clip's name; None if it is not one."""
    found = NAME.fullmatch(name)
    if not found or int(found[1]) not in ACTORS or found[2] not in CLASSES:
        return None
    return int(found[1]), CLASSES.index(found[2])


RECIPE = Recipe(
    __doc__,
    {"split": "speaker", "sound": "wav", "frames": 3, "size": 256, "seconds": 3.0},
    {"split": "speaker or common, see above", "sound": "wav or video, see above", **HELP},
    list_samples,
    layout,
    read,
    official_counts,
    download,
)
