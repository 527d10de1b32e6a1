"""VGG-Sound: ten seconds of video with the sound that names it (Chen et al. 2020).

Raw files: ``<root>/video/<YouTube id>_<start, 6 digits>.mp4`` and either the publishers' list
``vggsound.csv`` (id, start, label, split) or ``train.csv`` and ``test.csv`` (file, label). Some
videos gave two clips: clips of one video stay in one split, and a training clip whose video is in
the publishers' test list is left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from umt_lib.data.prepare import media
from umt_lib.data.prepare.recipe import Recipe, fetch, rows, with_validation, without_shared
from umt_lib.data.prepare.store import Layout, Sample
from umt_lib.errors import StudyError

LIST = "https://www.robots.ox.ac.uk/~vgg/data/vggsound/vggsound.csv"
EXPECTED = "rows are id,start,label,split in vggsound.csv, file,label in train.csv and test.csv"


def listed(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """Samples and classes of the list in ``root``.

    Raises:
        StudyError: no list, or a row that is none.
    """
    found: list[tuple[str, str, str]] = []  # clip, label, split
    if (whole := root / "vggsound.csv").exists():
        for number, (video, start, label, split) in enumerate(rows(whole, 4, EXPECTED), 1):
            if not start.isdigit() or split not in ("train", "test"):
                raise StudyError(f"{whole}, row {number}: {start!r} and {split!r}; {EXPECTED}")
            found.append((f"{video}_{int(start):06d}", label, split))
    else:
        for split in ("train", "test"):
            found += [(*row, split) for row in clips(root / f"{split}.csv")]
    classes = sorted({label for _, label, _ in found})
    label_of = {name: k for k, name in enumerate(classes)}
    samples = [
        Sample(clip, label_of[label], split, clip[:-7], root / "video" / f"{clip}.mp4")
        for clip, label, split in found
    ]
    return with_validation(without_shared(samples)), classes


def clips(path: Path) -> list[tuple[str, str]]:
    """(clip, label) of a list of file names."""
    return [(name.removesuffix(".mp4"), label) for name, label in rows(path, 2, EXPECTED)]


def layout(settings: dict[str, Any]) -> Layout:
    """Frames and log-spectrogram of a clip."""
    n, size = settings["frames"], settings["size"]
    return {
        "video": ((n, size, size, 3), np.dtype(np.uint8)),
        "audio": (media.spectrogram_shape(settings["seconds"]), np.dtype(np.float16)),
    }


def read(source: Path, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """One clip; the sound first, since a clip without it is found at once."""
    with media.opened(source) as clip:
        wave = media.waveform(clip, media.RATE, settings["seconds"])
        return {
            "audio": media.log_spectrogram(wave),
            "video": media.frames(clip, settings["frames"], settings["size"]),
        }


def official(settings: dict[str, Any]) -> dict[str, int]:
    """The publishers' counts."""
    return {"train": 183_730, "test": 15_446, "classes": 309}


def download(root: Path, settings: dict[str, Any]) -> str:
    """The list; the videos are not served by its publishers."""
    return (
        f"{fetch(LIST, root)} is there. The clips are not: its publishers give "
        f"YouTube ids only. Download each video (a tool such as yt-dlp does), cut the ten seconds "
        f"from its start, and save it as {root / 'video'}/<id>_<start, 6 digits>.mp4; about one in "
        f"five is gone from the web, so say which you had: manifest.json lists them."
    )


RECIPE = Recipe(
    {"frames": 3, "size": 256, "seconds": 10.0}, listed, layout, read, official, download
)
