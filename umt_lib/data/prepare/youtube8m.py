"""YouTube-8M: features of sound and picture of YouTube videos (Abu-El-Haija et al. 2016).

Raw files: ``<root>/train_validation/validateNNNN.tfrecord``, 100 files with a part of YouTube-8M's
videos, and ``<root>/yt_label_ref.csv``, the names of its labels; all may lie in the root itself.
``--download`` gets them from two public repositories. Every file is compared with its sha256. Files
that are missing, truncated or altered are left out and named; the others are used.

A sample is a video that carries exactly one label of a list of classes. ``--classes`` is

- ``sounds``: 40 things that make a sound, chosen by name, in umt_lib/data/youtube8m_sounds.csv;
- ``frequent-30`` or ``frequent-100``: the labels of rank 10 to 39 or 10 to 109 by frequency; some
  only occur with others of them, so a class is a label that ten videos or more carry alone;
- the path of a csv file with a column ``class`` of label names.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from umt_lib.data.github import Repository, fault
from umt_lib.data.prepare import tfrecord
from umt_lib.data.prepare.recipe import Recipe
from umt_lib.data.prepare.store import Layout, Sample, SampleError
from umt_lib.data.prepare.tfrecord import RecordError
from umt_lib.data.youtube8m import split_of
from umt_lib.errors import StudyError, nearest

USER = "data set 'youtube8m'"
VIDEOS = Repository(
    "VongolaTeong/Multi-label-Classification-on-YouTube-8M",
    "257c25c15c83e7c36c6cb12afe5ef66de7434d27",
    "youtube8m",
)
LABELS = Repository(
    "emlynazuma/yt8m-dataset", "311eb62f7f528363ec2c4768a2640baf781877ad", "youtube8m"
)
LABEL_FILE = "yt_label_ref.csv"
SOUNDS = Path(__file__).parents[1] / "youtube8m_sounds.csv"
RANKS = {"frequent-30": (10, 40), "frequent-100": (10, 110)}  # a label is its rank by frequency
FEATURES = {"audio": ("mean_audio", 128), "rgb": ("mean_rgb", 1024)}  # {modality: (name, size)}
FEWEST = 10  # videos of a class


class Video(NamedTuple):
    """One record: labels, and {modality: float32 vector}."""

    labels: list[int]
    x: dict[str, np.ndarray]


def list_samples(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """List the videos of all files that can be used, and the classes.

    A video that is in two files is used once. Files that cannot be used are left out.

    Raises:
        StudyError: the file of label names is missing or altered, the list of classes is unknown
            or names an unknown label, no file can be used, or a class has too few videos.
    """
    classes = _classes(settings["classes"], _label_names(root))
    labels = {label: number for number, label in enumerate(classes)}
    samples, unusable, first_file = [], [], dict[str, str]()
    for path in _files():
        source, file = _find(root, path), Path(path).stem
        try:
            if reason := fault(source, VIDEOS.files()[path]):
                raise RecordError(reason)
            found = videos(source)
        except (RecordError, OSError) as why:
            unusable.append(Sample(file, 0, "", "", source, left_out=str(why)))
            continue
        for name, video in found.items():
            known = [labels[label] for label in video.labels if label in labels]
            if len(known) == 1:
                other = first_file.setdefault(name, file)
                again = "" if other == file else f"the same video is in {other}"
                about = f"{file}/{name}", known[0], split_of(file, fold=0), file, source, again
                samples.append(Sample(*about, within=name))
    used = len(_files()) - len(unusable)
    damaged = [file for file in unusable if file.left_out != "missing"]
    if not used:
        raise StudyError(
            f"{root.absolute()}: none of the {len(_files())} files of videos can be used (the "
            f"first is {unusable[0].source}: {unusable[0].left_out}); use --download, or give the "
            f"folder that has them as --root"
        )
    note = f"{used} of {len(_files())} files are used"
    unusable = [replace(file, left_out=f"{file.left_out}; {note}") for file in unusable]
    names, count = list(classes.values()), Counter(s.label for s in samples if not s.left_out)
    if settings["classes"] in RANKS:
        kept = [k for k in range(len(names)) if count[k] >= FEWEST]
        samples = [replace(s, label=kept.index(s.label)) for s in samples if s.label in kept]
        return samples + unusable, [names[k] for k in kept]
    fewest = min(range(len(names)), key=lambda k: count[k])
    if count[fewest] < FEWEST:
        raise StudyError(
            f"{root.absolute()}: videos of class {names[fewest]!r} without another label of the "
            f"list: {count[fewest]}, and {FEWEST} are needed ({note}"
            + "".join(f"; {file.source.name} is {file.left_out}" for file in damaged[:1])
            + "); use --download to get more files, or give a list without it as --classes"
        )
    return samples + unusable, names


@lru_cache(maxsize=2)
def videos(path: Path) -> dict[str, Video]:
    """Read one file: {id: video}.

    Raises:
        RecordError: the file is damaged, or a record is not one of a video.
        OSError: the file cannot be read.
    """
    found = {}
    for number, example in enumerate(tfrecord.examples(path), 1):
        try:
            (name,), labels = example["id"], np.asarray(example["labels"]).tolist()
            x = {m: np.asarray(example[feature]) for m, (feature, _) in FEATURES.items()}
        except (KeyError, ValueError) as missing:
            raise RecordError(f"record {number} is not a video: {missing}") from None
        for m, (feature, size) in FEATURES.items():
            if x[m].shape != (size,) or x[m].dtype != np.float32:
                raise RecordError(f"record {number}: {feature} is not {size} numbers")
        found[bytes(name).decode()] = Video(labels, x)
    return found


def layout(settings: dict[str, Any]) -> Layout:
    """Vectors, averaged over a video: audio (128,) and rgb (1024,) float32."""
    return {m: ((size,), np.dtype(np.float32)) for m, (_, size) in FEATURES.items()}


def read(source: Path, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the features of the video ``source.name`` in the file ``source.parent``.

    Raises:
        SampleError: the file has changed since it was listed.
    """
    try:
        return videos(source.parent)[source.name].x
    except (RecordError, KeyError) as reason:
        raise SampleError(f"its file has changed since it was listed ({reason})") from None


def official_counts(settings: dict[str, Any]) -> dict[str, int]:
    """Videos in the 100 files, of any label, and labels of YouTube-8M."""
    return {"clips": 28_792, "classes": 3_862}


def download(root: Path, settings: dict[str, Any]) -> str:
    """Download the files that are missing or have other content."""
    number = LABELS.download(root, [LABEL_FILE], USER)
    number += VIDEOS.download(root, _files(), USER)
    return f"{number} files were downloaded into {root}; all {len(_files()) + 1} are verified."


def _files() -> list[str]:
    """The paths of the files of videos in their repository."""
    return [path for path in VIDEOS.files() if path != LABEL_FILE]


def _find(root: Path, path: str) -> Path:
    """The file at its path in the repository, or in the root itself."""
    beside = root / Path(path).name
    return beside if beside.exists() and not (root / path).exists() else root / path


def _label_names(root: Path) -> dict[int, str]:
    """{label: its name}; some labels have the name ""."""
    path = root / LABEL_FILE
    if reason := fault(path, LABELS.files()[LABEL_FILE]):
        raise StudyError(
            f"{path}: {reason}; it has the names of the labels: use --download, or put the file "
            f"of {LABELS.url(LABEL_FILE)} there"
        )
    with path.open(newline="", encoding="utf-8") as file:
        return {int(row["Index"]): row["Name"] for row in csv.DictReader(file)}


def _classes(wanted: str, names: dict[int, str]) -> dict[int, str]:
    """{label: name} of the list of classes ``wanted``, in its order."""
    if wanted in RANKS:
        return {label: names[label] for label in range(*RANKS[wanted])}
    if wanted != "sounds" and not wanted.endswith(".csv"):
        raise StudyError(
            f"{USER}: unknown classes {wanted!r}{nearest(wanted, ['sounds', *RANKS])}; or give the "
            f"path of a .csv file with a column 'class'"
        )
    path = SOUNDS if wanted == "sounds" else Path(wanted)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            listed = [row["class"] for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as why:
        raise StudyError(
            f"{path}: not a list of classes ({type(why).__name__}: {why}); give a csv file with a "
            f"column 'class' of names in {LABEL_FILE}"
        ) from None
    label_of = {name: label for label, name in reversed(names.items()) if name}
    for name, times in Counter(listed).items():
        if name not in label_of:
            raise StudyError(
                f"{path}: {name!r} is not a label of YouTube-8M{nearest(name, label_of)}; correct "
                f"or remove it"
            )
        if times > 1:
            raise StudyError(f"{path}: {name!r} is listed {times} times; list it once")
    if len(listed) < 2:
        raise StudyError(f"{path}: {len(listed)} classes; list two or more")
    return {label_of[name]: name for name in listed}


RECIPE = Recipe(
    __doc__,
    {"classes": "sounds"},
    {"classes": "sounds, frequent-30, frequent-100 or a csv file, see above"},
    list_samples,
    layout,
    read,
    official_counts,
    download,
)
