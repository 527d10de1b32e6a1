"""CREMA-D: actors say one of twelve sentences in one of six emotions (Cao et al. 2014).

Raw files: ``AudioWAV/<id>.wav`` and ``VideoFlash/<id>.flv``, the id being
``<actor>_<sentence>_<emotion>_<level>``. ``split``:

- ``speaker``: ours. 18 of the 91 actors are for test, 7 for validation, the same always.
- ``common``: the lists ``train.csv`` and ``test.csv`` (``id,emotion``) that most papers use. All 91
  actors are in both halves, so a model may know the face and the voice: accuracies are higher, and
  say less. The lists are not ours to pass on; put them into the root.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from umt_lib.data.prepare import media
from umt_lib.data.prepare.recipe import Recipe, rows, with_validation
from umt_lib.data.prepare.store import Broken, Sample
from umt_lib.data.prepare.vggsound import layout
from umt_lib.data.splits import SPLIT_SEED
from umt_lib.errors import StudyError, nearest

CLASSES = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
ACTORS, TESTED, HELD_OUT = range(1001, 1092), 18, 7
NAME = re.compile(r"(1\d{3})_[A-Z]{3}_([A-Z]{3})_[A-Z]{1,2}")
POINTER = b"version https://git-lfs"
REPOSITORY = "https://github.com/CheyneyComputerScience/CREMA-D"


def listed(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """Samples and classes: of the files in ``root``, or of the lists in it.

    Raises:
        StudyError: an unknown split, no files, no lists, or a name that is none.
    """
    if settings["split"] == "speaker":
        return _by_speaker(root), list(CLASSES)
    if settings["split"] != "common":
        raise StudyError(
            f"split {settings['split']!r}{nearest(settings['split'], ['speaker', 'common'])}"
        )
    what = "the common split needs the lists of id,emotion that papers share; or use speaker"
    samples = []
    for split in ("train", "test"):
        for name, _ in rows(root / f"{split}.csv", 2, what):
            clip, _, label = _parsed(name, root / f"{split}.csv")
            samples.append(Sample(clip, label, split, "", _video(root, clip)))
    return with_validation(samples), list(CLASSES)


def read(source: Path, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """One clip: the picture of ``source``, the sound of the .wav that belongs to it."""
    sound = source.parents[1] / "AudioWAV" / f"{source.stem}.wav"
    if not sound.exists():
        raise Broken("AudioWAV file is missing")
    for path in (sound, source):
        with path.open("rb") as file:
            if file.read(len(POINTER)) == POINTER:
                raise Broken("a git-lfs pointer instead of the file; run git lfs pull")
    with media.opened(sound) as heard, media.opened(source) as seen:
        wave = media.waveform(heard, media.RATE, settings["seconds"])
        return {
            "audio": media.log_spectrogram(wave),
            "video": media.frames(seen, settings["frames"], settings["size"]),
        }


def official(settings: dict[str, Any]) -> dict[str, int]:
    """The publishers' counts; they give no split."""
    return {"clips": 7_442, "classes": 6}


def download(root: Path, settings: dict[str, Any]) -> str:
    """Where the files are: git-lfs fetches, checks and continues by itself."""
    return (
        f"The files are in a public repository under git-lfs: `git lfs install`, then "
        f"`git clone {REPOSITORY} {root}`; interrupted, `git -C {root} lfs pull` goes on."
    )


def _by_speaker(root: Path) -> list[Sample]:
    order = np.random.default_rng(SPLIT_SEED).permutation(ACTORS).tolist()
    split_of = dict.fromkeys(order, "train")
    split_of |= dict.fromkeys(order[:TESTED], "test")
    split_of |= dict.fromkeys(order[TESTED : TESTED + HELD_OUT], "validation")
    names = {p.stem for p in (*root.glob("AudioWAV/*.wav"), *root.glob("VideoFlash/*.flv"))}
    if not names:
        raise StudyError(
            f"{root}: no AudioWAV/*.wav and no VideoFlash/*.flv there; give the folder of the "
            f"repository {REPOSITORY} as --root, or --download for how to get it"
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
            f"{where}: {name!r} is no clip of CREMA-D; names are like 1001_DFA_ANG_XX, with one of "
            f"{', '.join(CLASSES)}"
        )
    return name, int(found[1]), CLASSES.index(found[2])


def _video(root: Path, clip: str) -> Path:
    return root / "VideoFlash" / f"{clip}.flv"


RECIPE = Recipe(
    {"split": "speaker", "frames": 3, "size": 256, "seconds": 3.0},
    listed,
    layout,
    read,
    official,
    download,
)
