"""CREMA-D: actors say one of twelve sentences in one of six emotions (Cao et al. 2014).

Raw files: ``<root>/AudioWAV/<id>.wav`` and ``<root>/VideoFlash/<id>.flv``, where the id is
``<actor>_<sentence>_<emotion>_<level>``. There are two ways to split:

- ``--split speaker``: by actor, 18 of the 91 actors for test and 7 for validation, a fixed choice.
- ``--split common``: the lists ``train.csv`` and ``test.csv`` (``id,emotion``) that most papers
  use. All 91 actors are in both lists, so a model may know face and voice, and accuracies do not
  hold for new people. We may not distribute the lists; put them into the root.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from umt_lib.data.prepare import media
from umt_lib.data.prepare.recipe import Recipe, read_rows, with_validation
from umt_lib.data.prepare.store import Sample, SampleError
from umt_lib.data.prepare.vggsound import HELP, layout
from umt_lib.data.splits import SPLIT_SEED
from umt_lib.errors import StudyError, nearest

CLASSES = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
ACTORS, TESTED, HELD_OUT = range(1001, 1092), 18, 7
NAME = re.compile(r"(1\d{3})_[A-Z]{3}_([A-Z]{3})_[A-Z]{1,2}")
POINTER = b"version https://git-lfs"
REPOSITORY = "https://github.com/CheyneyComputerScience/CREMA-D"


def list_samples(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """List the samples of the files or of the lists in ``root``, and the classes.

    Raises:
        StudyError: the split is unknown, there are no files or no lists, or a name is not a clip's.
    """
    if settings["split"] == "speaker":
        return _by_speaker(root), list(CLASSES)
    if settings["split"] != "common":
        raise StudyError(
            f"cremad: unknown split {settings['split']!r}"
            f"{nearest(settings['split'], ['speaker', 'common'])}"
        )
    hint = "the common split needs the lists of id,emotion that papers share; or use speaker"
    samples = []
    for split in ("train", "test"):
        for name, _ in read_rows(root / f"{split}.csv", 2, hint):
            clip, _, label = _parsed(name, root / f"{split}.csv")
            samples.append(Sample(clip, label, split, "", _video(root, clip)))
    return with_validation(samples), list(CLASSES)


def read(source: Path, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Read one clip: the frames of ``source``, and the sound of the .wav file of the same id.

    Raises:
        SampleError: a file is missing, not yet downloaded by git-lfs, or cannot be decoded.
    """
    sound = source.parents[1] / "AudioWAV" / f"{source.stem}.wav"
    if not sound.exists():
        raise SampleError("AudioWAV file is missing")
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


def _by_speaker(root: Path) -> list[Sample]:
    """All clips in ``root``, split by actor."""
    order = np.random.default_rng(SPLIT_SEED).permutation(ACTORS).tolist()
    split_of = dict.fromkeys(order, "train")
    split_of |= dict.fromkeys(order[:TESTED], "test")
    split_of |= dict.fromkeys(order[TESTED : TESTED + HELD_OUT], "validation")
    names = {p.stem for p in (*root.glob("AudioWAV/*.wav"), *root.glob("VideoFlash/*.flv"))}
    if not names:
        raise StudyError(
            f"{root}: no AudioWAV/*.wav and no VideoFlash/*.flv in it; give the folder of the "
            f"repository {REPOSITORY} as --root, or use --download to see how to get it"
        )
    samples = []
    for name in sorted(names):
        clip, actor, label = _parsed(name, root)
        samples.append(Sample(clip, label, split_of[actor], str(actor), _video(root, clip)))
    return samples


def _parsed(name: str, where: Path) -> tuple[str, int, int]:
    """(id, actor, label) of a clip's name."""
    found = NAME.fullmatch(name)
    if not found or int(found[1]) not in ACTORS or found[2] not in CLASSES:
        raise StudyError(
            f"{where}: {name!r} is not a clip of CREMA-D; remove it, or give it a name like "
            f"1001_DFA_ANG_XX, with one of {', '.join(CLASSES)}"
        )
    return name, int(found[1]), CLASSES.index(found[2])


def _video(root: Path, clip: str) -> Path:
    return root / "VideoFlash" / f"{clip}.flv"


RECIPE = Recipe(
    __doc__,
    {"split": "speaker", "frames": 3, "size": 256, "seconds": 3.0},
    {"split": "speaker or common, see above", **HELP},
    list_samples,
    layout,
    read,
    official_counts,
    download,
)
