"""Predictions of public RGB and flow networks on split 1 of UCF101: one row of logits per clip.

Four repositories with copies of github.com/jeffreyhuang1/two-stream-action-recognition contain the
predictions of their networks for the 3,783 test clips, as pickles {clip: 101 logits}; one of them
has a network for optical flow as well. What their code does, where it matters here:

- The logits of a clip are the sum of those of :data:`SUMMED` frames, or stacks of flow.
- In training, cross-entropy was applied to the sum over three frames for RGB, and to one stack for
  flow. So the logits of RGB have to be divided by 19/3 and those of flow by 19 to be on the scale
  on which they were trained; :attr:`Network.trained_scale`.
- The networks are ResNet-101, but RGB 4 is a ResNet-18, the record of RGB 3 lists one epoch, and
  the loader of RGB 2 reads the first frame of a clip 19 times (at commit b26e7b3).
- It keeps the epoch with the best *test* accuracy, so the predictions are optimistic.

The official lists of split 1 are here as counts, ``ucf101_split1.csv``: training clips of each
class, and test clips of each group. Clips of a group are numbered from 1, so the counts give the
official ``testlist01.txt`` byte for byte; its sha256 is compared on every reading. A group of a
class is one source video, so clips of one group are not independent samples.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from umt_lib.data import plain_pickle
from umt_lib.data.github import RESTORE, Repository
from umt_lib.data.splits import Split
from umt_lib.errors import StudyError

USER = "data set 'ucf101-two-stream'"
FOLDER = "ucf101-two-stream"  # below $UMT_DATA, or below the user cache
SPLIT = Path(__file__).with_name("ucf101_split1.csv")
TEST_LIST = "ef9f6cd3fa26e969d61b8dd72c1ebdcb3f477cdece02ef6c3a92f674c75fb040"  # sha256
SPELLED = {"HandstandPushups": "HandStandPushups"}  # a class whose clips have another capital
SUMMED = 19  # frames of RGB, or stacks of flow, whose logits are summed for a clip
RGB_FRAMES = 3  # whose logits were summed in training

SPATIAL = "record/spatial/spatial_video_preds.pickle"
MOTION = "record/motion/motion_video_preds.pickle"
FIRST = Repository(
    "MinLiAmoy/two-stream-action-recognition",
    "bc3101b76a53e5c9c14e22ec9ff963f1aea29adf",
    "ucf101-two-stream-minliamoy",
)


@dataclass(frozen=True)
class Network:
    """A network whose predictions are public.

    Attributes:
        name: "RGB 1" to "RGB 4", or "flow".
        path: of its predictions in the repository.
        file: their name in ``$UMT_DATA/ucf101-two-stream``.
    """

    name: str
    repository: Repository
    path: str
    file: str

    @property
    def owner(self) -> str:
        """The account that the repository belongs to."""
        return self.repository.name.partition("/")[0]

    @property
    def trained_scale(self) -> float:
        """The factor that brings the logits to the scale on which the network was trained."""
        return (1 if self.name == "flow" else RGB_FRAMES) / SUMMED


NETWORKS = (
    Network("RGB 1", FIRST, SPATIAL, "spatial_video_preds.pickle"),
    Network(
        "RGB 2",
        Repository(
            "anirudharc/actionRecognition",
            "abe9b907bf8f11a6b8a6a247fc942808de25e216",
            "ucf101-two-stream-anirudharc",
        ),
        SPATIAL,
        "anirudharc_spatial_video_preds.pickle",
    ),
    Network(
        "RGB 3",
        Repository(
            "rkdasari/two-stream-actionrecognition-win10-py36-cuda90",
            "609d41c764ac159fff97c6c975cc4295f6d11580",
            "ucf101-two-stream-rkdasari",
        ),
        SPATIAL,
        "rkdasari_spatial_video_preds.pickle",
    ),
    Network(
        "RGB 4",
        Repository(
            "chaolongzhang/two-stream-action-recognition",
            "5b9d26edf83564be51a16100987711031cb52865",
            "ucf101-two-stream-chaolongzhang",
        ),
        SPATIAL,
        "chaolong_5b9d26e_spatial.pickle",
    ),
    Network("flow", FIRST, MOTION, "motion_video_preds.pickle"),
)


class Clips(NamedTuple):
    """The test clips of split 1, in the order of the official list, and the size of the classes.

    Attributes:
        names: without ``v_`` and ``.avi``, such as ``Archery_g01_c01``.
        y: labels, (n,) int64; groups: ``<class>/gXX``, (n,); number: XX of the group, (n,).
        training: training clips of each class, (101,).
    """

    classes: tuple[str, ...]
    names: tuple[str, ...]
    y: Tensor
    groups: np.ndarray
    number: np.ndarray
    training: Tensor


def load() -> tuple[Split, Clips]:
    """Load the logits of every network, {name: (3783, 101) float32}, and what is known of clips.

    Files are looked for in ``$UMT_DATA/ucf101-two-stream``, then in the user cache, and are
    otherwise downloaded into the cache. The content of each is verified before it is read.

    Raises:
        StudyError: a file cannot be downloaded, is truncated or altered, or has other predictions
            than one row of 101 finite logits for each test clip.
    """
    known = clips()
    logits = {n.name: predictions(find(n), known) for n in NETWORKS}
    return Split(dict(logits), known.y, known.groups), known


def clips() -> Clips:
    """The test clips, from ``ucf101_split1.csv``.

    Raises:
        StudyError: the file gives another list than the official one.
    """
    with SPLIT.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = [
        (label, row["class"], group, clip)
        for label, row in enumerate(rows)
        for group in row
        if group[0] == "g"
        for clip in range(1, int(row[group]) + 1)
    ]
    lines = [
        f"{name}/v_{SPELLED.get(name, name)}_{group}_c{clip:02d}.avi\n"
        for _, name, group, clip in found
    ]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    if digest != TEST_LIST:
        raise StudyError(
            f"{SPLIT}: gives a list with sha256 {digest[:12]}..., not the official testlist01.txt "
            f"({TEST_LIST[:12]}...); restore the file"
        )
    return Clips(
        tuple(row["class"] for row in rows),
        tuple(f"{name}_{group}_c{clip:02d}" for _, name, group, clip in found),
        torch.tensor([label for label, *_ in found]),
        np.array([f"{name}/{group}" for _, name, group, _ in found]),
        np.array([int(group[1:]) for _, _, group, _ in found]),
        torch.tensor([int(row["train"]) for row in rows]),
    )


def find(network: Network) -> Path:
    """The verified file of a network; it is downloaded if it is not on this machine.

    Raises:
        StudyError: see :func:`load`.
    """
    root, name = f"{FOLDER}/{network.owner}", f"{FOLDER}/{network.file}"
    return network.repository.find(root, {network.path: name}, USER, progress=False)[network.path]


def predictions(path: Path, known: Clips) -> Tensor:
    """The logits in a pickle {clip: (classes,)}, in the order of the clips, (n, 101) float32.

    Capitals in the names of clips do not count, and a leading ``v_`` is optional.

    Raises:
        StudyError: the pickle has code in it, is damaged, has other clips, another
            number of logits, or NaN or infinity.
    """
    content = plain_pickle.read(path, RESTORE)
    if not isinstance(content, dict):
        raise StudyError(
            f"{path}: holds a {type(content).__name__}, not {{clip: logits}}; {RESTORE}"
        )
    names, classes = known.names, len(known.classes)
    found = {_key(name): value for name, value in content.items()}
    missing = [name for name in names if _key(name) not in found]
    if missing or len(content) != len(names):
        first = f", without {missing[0]}" if missing else ""
        raise StudyError(
            f"{path}: has {len(content):,} clips{first}; the test list of UCF101's split 1 has "
            f"{len(names):,}; {RESTORE}"
        )
    for name in names:
        row = found[_key(name)]
        if not (isinstance(row, np.ndarray) and row.shape == (classes,) and row.dtype.kind == "f"):
            shape = getattr(row, "shape", type(row).__name__)
            raise StudyError(f"{path}: {name} has {shape}, not {classes} logits; {RESTORE}")
        if not np.isfinite(row).all():
            raise StudyError(f"{path}: {name} has NaN or infinity among its logits; {RESTORE}")
    return torch.from_numpy(np.stack([found[_key(name)] for name in names]).astype(np.float32))


def _key(name: object) -> str:
    return str(name).casefold().removeprefix("v_")
