"""Kinetics-400: ten seconds of a human action, with sound (Kay et al. 2017).

Raw files: the publishers' ``train.csv`` and ``val.csv`` (a heading, then label, youtube_id,
time_start, time_end, split), clips ``<id>_<start, 6 digits>_<end, 6 digits>.mp4`` in ``train/`` and
``val/``, or in a folder per class there. Their validation clips are our test split: the labels of
their test clips were withheld for years, so nobody reports on them. Ours is cut from train.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from umt_lib.data.prepare.recipe import Recipe, fetch, rows, with_validation, without_shared
from umt_lib.data.prepare.store import Sample
from umt_lib.data.prepare.vggsound import layout, read
from umt_lib.errors import StudyError

LISTS = "https://s3.amazonaws.com/kinetics/400/annotations"
ARCHIVES = "https://s3.amazonaws.com/kinetics/400/{part}/k400_{part}_path.txt"
HEADING = ["label", "youtube_id", "time_start", "time_end", "split"]
EXPECTED = f"the first row is {','.join(HEADING)}"
PARTS = {"train": "train", "val": "test"}  # theirs: ours


def listed(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """Samples and classes of ``train.csv`` and ``val.csv`` in ``root``.

    Raises:
        StudyError: no list, or a row that is none.
    """
    found = []
    for part, split in PARTS.items():
        path = root / f"{part}.csv"
        heading, *clips = rows(path, len(HEADING), EXPECTED) or [[]]
        if heading != HEADING:
            raise StudyError(f"{path}: begins with {','.join(heading)!r}; {EXPECTED}")
        for number, (label, video, start, end, _) in enumerate(clips, 2):
            if not (start.isdigit() and end.isdigit()):
                raise StudyError(
                    f"{path}, row {number}: {start!r} to {end!r} are no whole seconds; {EXPECTED}"
                )
            clip = f"{video}_{int(start):06d}_{int(end):06d}"
            flat, nested = root / part / f"{clip}.mp4", root / part / label / f"{clip}.mp4"
            found.append((clip, label, split, video, nested if nested.exists() else flat))
    classes = sorted({label for _, label, *_ in found})
    label_of = {name: k for k, name in enumerate(classes)}
    samples = [
        Sample(clip, label_of[label], split, video, source)
        for clip, label, split, video, source in found
    ]
    return with_validation(without_shared(samples)), classes


def official(settings: dict[str, Any]) -> dict[str, int]:
    """Rows of the lists at ``LISTS``; clips that can still be had are fewer."""
    return {"train": 246_534, "test": 19_906, "classes": 400}


def download(root: Path, settings: dict[str, Any]) -> str:
    """The lists; the archives are too large to be fetched by the way."""
    lists = [fetch(f"{LISTS}/{part}.csv", root) for part in PARTS]
    return (
        f"{' and '.join(lists)} are there. The clips, about 440 GB, are served as archives by the "
        f"Common Visual Data Foundation; for each part of {', '.join(PARTS)} do "
        f"`curl -O {ARCHIVES}`, then `wget -c -i k400_PART_path.txt` (it continues), and unpack "
        f"every archive into {root}/PART.".replace("{part}", "PART")
    )


RECIPE = Recipe(
    {"frames": 3, "size": 256, "seconds": 10.0}, listed, layout, read, official, download
)
