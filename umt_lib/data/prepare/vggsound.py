"""VGG-Sound: video clips of ten seconds, labelled by their sound (Chen et al. 2020).

Raw files: clips ``<YouTube id>_<start, 6 digits>.mp4`` in any folder of ``<root>``, and in
``<root>`` either the publishers' list ``vggsound.csv`` (id, start, label, split) or ``train.csv``
and ``test.csv`` (file, label). The start may lack its zeros, the end may follow it, and the clip
may be .mkv, .webm, .avi, .flv or .mov. Some videos have two clips: clips of one video stay in one
split, and a training clip whose video is in the publishers' test list is left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from umt_lib.data.prepare import media
from umt_lib.data.prepare.raw_files import VIDEO, by_stem, files, find_clip
from umt_lib.data.prepare.recipe import (
    Recipe,
    fetch_list,
    read_rows,
    with_validation,
    without_shared,
)
from umt_lib.data.prepare.store import Layout, Sample
from umt_lib.errors import StudyError

LIST = "https://www.robots.ox.ac.uk/~vgg/data/vggsound/vggsound.csv"
EXPECTED = "rows are id,start,label,split in vggsound.csv, file,label in train.csv and test.csv"
FILE = re.compile(r"(.+)_(\d+)(?:\.\w+)?")
SECONDS = 10  # of a clip
HELP = {
    "frames": "frames per clip, from the middle of equal parts of it",
    "size": "side of the stored frames in pixels",
    "seconds": "seconds of sound per clip",
}


def list_samples(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """List the samples and classes of the list in ``root``.

    Raises:
        StudyError: there is no list, or a row is invalid.
    """
    found: list[tuple[str, int, str, str]] = []  # video, start, label, split
    if (whole := root / "vggsound.csv").exists():
        for number, (video, start, label, split) in enumerate(read_rows(whole, 4, EXPECTED), 1):
            if not start.isdigit() or split not in ("train", "test"):
                raise StudyError(
                    f"{whole}, row {number}: start {start!r} and split {split!r}; {EXPECTED}"
                )
            found.append((video, int(start), label, split))
    else:
        for split in ("train", "test"):
            found += [(*row, split) for row in clips(root / f"{split}.csv")]
    classes = sorted({label for _, _, label, _ in found})
    label_of = {name: k for k, name in enumerate(classes)}
    paths, samples = by_stem(files(root, VIDEO)), []
    for video, start, label, split in found:
        clip = f"{video}_{start:06d}"
        source = find_clip(paths, video, start, start + SECONDS, root / "video" / f"{clip}.mp4")
        samples.append(Sample(clip, label_of[label], split, video, source))
    return with_validation(without_shared(samples)), classes


def clips(path: Path) -> list[tuple[str, int, str]]:
    """Read (video, start, label) from a list of file names.

    Raises:
        StudyError: the list is missing, or a row is invalid.
    """
    found = []
    for number, (name, label) in enumerate(read_rows(path, 2, EXPECTED), 1):
        if not (parts := FILE.fullmatch(name)):
            raise StudyError(f"{path}, row {number}: {name!r} is not <id>_<start>.mp4; {EXPECTED}")
        found.append((parts[1], int(parts[2]), label))
    return found


def layout(settings: dict[str, Any]) -> Layout:
    """Frames (n, size, size, 3) uint8 and log-spectrogram (F, T) float16."""
    n, size = settings["frames"], settings["size"]
    return {
        "video": ((n, size, size, 3), np.dtype(np.uint8)),
        "audio": (media.spectrogram_shape(settings["seconds"]), np.dtype(np.float16)),
    }


def read(source: Path, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Read one clip; the sound first, since a missing audio track is found at once.

    Raises:
        SampleError: the clip lacks a stream, is truncated, or cannot be decoded.
    """
    with media.open_clip(source) as clip:
        wave = media.waveform(clip, media.RATE, settings["seconds"])
        return {
            "audio": media.log_spectrogram(wave),
            "video": media.frames(clip, settings["frames"], settings["size"]),
        }


def official_counts(settings: dict[str, Any]) -> dict[str, int]:
    """The publishers' counts."""
    return {"train": 183_730, "test": 15_446, "classes": 309}


def download(root: Path, settings: dict[str, Any]) -> str:
    """Download the list, and explain how to get the videos, which the publishers do not serve."""
    return (
        f"{fetch_list(LIST, root)} is downloaded. The clips are not: the publishers give YouTube "
        f"ids only. Download each video (e.g. with yt-dlp), cut the ten seconds from its start, "
        f"and save them as {root / 'video'}/<id>_<start, 6 digits>.mp4. About one video in five is "
        f"no longer online; manifest.json lists the clips that you had."
    )


RECIPE = Recipe(
    __doc__,
    {"frames": 3, "size": 256, "seconds": 10.0},
    HELP,
    list_samples,
    layout,
    read,
    official_counts,
    download,
)
