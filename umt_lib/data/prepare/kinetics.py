"""Kinetics-400: video clips of ten seconds of human actions, with sound (Kay et al. 2017).

Raw files in ``<root>``: the publishers' ``train.csv`` and ``val.csv`` (a heading, then label,
youtube_id, time_start, time_end, split), and clips ``<id>_<start, 6 digits>_<end, 6 digits>.mp4``
in any folder, usually ``train/`` and ``val/`` or a folder per class there. The times may lack their
zeros, the end may be missing, and the clip may be .mkv, .webm, .avi, .flv or .mov. Of a clip in a
folder of ``<root>`` whose name begins with ``replacement``, in which the publishers' mirror keeps
repaired clips, the other file is not used. The test split here is the publishers' validation set,
on which papers report, because the labels of their test set were withheld. The validation split
here is a tenth of the training set.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from umt_lib.data.prepare.raw_files import VIDEO, by_stem, files, find_clip
from umt_lib.data.prepare.recipe import (
    Recipe,
    fetch_list,
    read_rows,
    with_validation,
    without_shared,
)
from umt_lib.data.prepare.store import Sample
from umt_lib.data.prepare.vggsound import HELP, layout, read
from umt_lib.errors import StudyError

LISTS = "https://s3.amazonaws.com/kinetics/400/annotations"
ARCHIVES = "https://s3.amazonaws.com/kinetics/400/{part}/k400_{part}_path.txt"
HEADING = ["label", "youtube_id", "time_start", "time_end", "split"]
EXPECTED = f"the first row is {','.join(HEADING)}"
ID = 11  # characters of a YouTube id
PARTS = {"train": "train", "val": "test"}  # the publishers' split: our split


def list_samples(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """List the samples and classes of ``train.csv`` and ``val.csv`` in ``root``.

    Raises:
        StudyError: a list is missing, or a row is invalid.
    """
    found = []
    for part, split in PARTS.items():
        path = root / f"{part}.csv"
        heading, *clips = read_rows(path, len(HEADING), EXPECTED) or [[]]
        if heading != HEADING:
            raise StudyError(f"{path}: begins with {','.join(heading)!r}; {EXPECTED}")
        for number, (label, video, start, end, _) in enumerate(clips, 2):
            if not (start.isdigit() and end.isdigit()):
                raise StudyError(
                    f"{path}, row {number}: {start!r} to {end!r} are not whole seconds; {EXPECTED}"
                )
            found.append((label, video, int(start), int(end), part, split))
    classes = sorted({label for label, *_ in found})
    label_of = {name: k for k, name in enumerate(classes)}
    paths = files(root, VIDEO)
    path_of, repaired, samples = by_stem(paths), _repaired(paths, root), []
    for label, video, start, end, part, split in found:
        clip = f"{video}_{start:06d}_{end:06d}"
        source = find_clip(path_of, video, start, end, root / part / f"{clip}.mp4")
        source = repaired.get(video, source)
        samples.append(Sample(clip, label_of[label], split, video, source))
    return with_validation(without_shared(samples)), classes


def _repaired(paths: list[Path], root: Path) -> dict[str, Path]:
    """{YouTube id: path} of the files in folders ``replacement*``; one clip is cut per video."""
    return {
        path.name[:ID]: path
        for path in paths
        if path.relative_to(root).parts[0].startswith("replacement")
    }


def official_counts(settings: dict[str, Any]) -> dict[str, int]:
    """Rows of the lists at ``LISTS``; not all clips are still online."""
    return {"train": 246_534, "test": 19_906, "classes": 400}


def download(root: Path, settings: dict[str, Any]) -> str:
    """Download the lists, and explain how to get the clips, which are too large to do it here."""
    lists = [fetch_list(f"{LISTS}/{part}.csv", root) for part in PARTS]
    return (
        f"{' and '.join(lists)} are downloaded. The clips, about 440 GB, are served as archives by "
        f"the Common Visual Data Foundation; for each part of {', '.join(PARTS)} run "
        f"`curl -O {ARCHIVES}`, then `wget -c -i k400_PART_path.txt` (which resumes), and unpack "
        f"every archive into {root}/PART.".replace("{part}", "PART")
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
