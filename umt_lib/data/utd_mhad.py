"""UTD-MHAD: 27 actions by 8 people, recorded by a motion sensor and a depth camera.

Chen, Jafari and Kehtarnavaz 2015, "UTD-MHAD: A multimodal dataset for human action recognition
utilizing a depth camera and a wearable inertial sensor". Each person did each action four times;
three of the 864 clips do not exist. :mod:`umt_lib.data.prepare.utd_mhad` says what a clip is.
People are the independent samples: all clips of a person are in one split.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from umt_lib.data.memory_mapped import MemoryMapped
from umt_lib.data.prepare.prepared import Prepared
from umt_lib.data.splits import FOLDS, Split, Splits
from umt_lib.errors import StudyError, nearest
from umt_lib.style import Figure

Cut = Literal["people", "published"]
DATASET = "utd-mhad"  # the name in the manifest
SOURCES = {  # modality: the prepared array and its channels
    "inertial": ("inertial", slice(None)),
    "accelerometer": ("inertial", slice(0, 3)),
    "gyroscope": ("inertial", slice(3, 6)),
    "skeleton": ("skeleton", slice(None)),
    "depth": ("depth", slice(None)),
}
PEOPLE = ((1, 2), (7, 8), (3, 6), (4,), (5,))  # tested in each fold, as ``five_folds`` draws them
ODD, EVEN = (1, 3, 5, 7), (2, 4, 6, 8)  # trained and tested on in the published split
CLASSES = (
    "swipe left",
    "swipe right",
    "wave",
    "clap",
    "throw",
    "cross arms",
    "basketball shot",
    "draw x",
    "draw circle, clockwise",
    "draw circle, counter-clockwise",
    "draw triangle",
    "bowling",
    "boxing",
    "baseball swing",
    "tennis swing",
    "arm curl",
    "tennis serve",
    "push",
    "knock",
    "catch",
    "pick up and throw",
    "jog in place",
    "walk in place",
    "sit to stand",
    "stand to sit",
    "lunge",
    "squat",
)


def load(folder: str = DATASET, split: Cut = "people", fold: int = 0) -> Splits:
    """Load ``inertial``, float32 (n, 6, samples), and ``skeleton``, float32 (n, 60, frames).

    Channels are standardised by their mean and standard deviation over the training clips.
    ``groups`` are people.

    Args:
        folder: the prepared folder; a relative path is looked for in ``$UMT_DATA`` first.
        split: "people": five folds by person, so one or two people for validation and for test.
            "published": people with odd numbers for training and even ones for test, as in the
            paper, but one of the four training people is held out for validation.
        fold: 0 to 4; in the published split it chooses the person for validation, the first one
            again in fold 4.

    Raises:
        StudyError: the folder is not prepared, is incomplete, or holds another data set; or an
            option is out of range.
    """
    return load_modalities(("inertial", "skeleton"), folder, split, fold)


def load_modalities(modalities: tuple[str, ...], folder: str, split: Cut, fold: int) -> Splits:
    """Load some of :data:`SOURCES`; see :func:`load`.

    Raises:
        StudyError: as for :func:`load`, or a modality was not prepared.
    """
    prepared = Prepared.open(folder, DATASET)
    manifest = prepared.manifest
    if absent := [m for m in modalities if SOURCES[m][0] not in manifest["modalities"]]:
        raise StudyError(
            f"{prepared.folder}: holds no {absent[0]!r}; prepare {DATASET} into another folder "
            f"with --depth-frames 8 and name that folder"
        )
    parts, samples = _people(split, fold), manifest["samples"]
    people = np.array([int(s["group"]) for s in samples])
    trained = torch.from_numpy(np.isin(people, parts[0]))
    rows, x = np.array([s["row"] for s in samples]), {}
    for m in modalities:
        name, channels = SOURCES[m]
        stored = MemoryMapped(prepared.folder / f"{name}.npy", rows)[:]
        x[m] = stored.unsqueeze(2) if m == "depth" else _standardised(stored[:, channels], trained)
    y = torch.tensor([s["label"] for s in samples])
    everyone = Split(x, y, people)
    train, validation, test = (everyone.take(np.flatnonzero(np.isin(people, p))) for p in parts)
    return Splits(train, validation, test, prepared.classes, prepared.source)


def _people(split: Cut, fold: int) -> tuple[tuple[int, ...], ...]:
    """People of train, validation and test."""
    if split not in get_args(Cut):
        raise StudyError(
            f"data set {DATASET!r}: unknown split {split!r}{nearest(split, get_args(Cut))}"
        )
    if not 0 <= fold < FOLDS:
        raise StudyError(f"data set {DATASET!r}: fold is {fold}; give 0 to {FOLDS - 1}")
    if split == "published":
        held, test = (ODD[fold % len(ODD)],), EVEN
    else:
        held, test = PEOPLE[(fold + 1) % FOLDS], PEOPLE[fold]
    return tuple(sorted({*ODD, *EVEN} - {*held, *test})), held, test


def _standardised(x: Tensor, trained: Tensor) -> Tensor:
    """Standardise each channel of (n, channels, time) by its values in the rows ``trained``."""
    std, mean = torch.std_mean(x[trained], dim=(0, 2), keepdim=True)
    return (x - mean) / std


def picture(splits: Splits, samples: int = 6) -> Figure:
    """Plot a training clip of every few classes: all channels over the clip, or frames of depth."""
    train, shown = splits.train, np.linspace(0, len(splits.classes) - 1, samples).astype(int)
    figure = Figure(figsize=(2 * samples, 1.5 * len(train.x) + 0.4), layout="constrained")
    axes = figure.subplots(len(train.x), samples, squeeze=False)
    for line, (m, x) in zip(axes, train.x.items(), strict=True):
        line[0].set_ylabel(m)
        for ax, k in zip(line, shown, strict=True):
            clip = x[int((train.y == k).nonzero()[0, 0])].numpy()
            if clip.ndim > 2:
                ax.imshow(np.hstack(clip[:: max(1, len(clip) // 3), 0]), cmap="gray")
            else:
                ax.plot(np.linspace(0, 1, clip.shape[1]), clip.T, linewidth=0.8)
            ax.set(xticks=[], yticks=[])
    for ax, k in zip(axes[0], shown, strict=True):
        ax.set_title(splits.classes[k], fontsize=8)
    return figure
