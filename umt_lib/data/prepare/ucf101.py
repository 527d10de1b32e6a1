"""UCF101: what people do in short videos, by picture and by motion (Soomro et al. 2012).

Raw files, as the publishers' archives unpack: ``<root>/UCF-101/<class>/v_<class>_gXX_cYY.avi``
(XviD, 320 x 240) and ``<root>/ucfTrainTestlist/``. Clips of one group gXX of a class are cut from
one video, so groups stay whole: a tenth of the training groups of each class is validation.

Motion is a stack of optical flow, 10 successive fields of horizontal and vertical displacement, so
20 channels (Simonyan and Zisserman 2014, "Two-Stream Convolutional Networks"), from -20 to 20
pixels in 256 steps. Where it comes from:

- "dis": OpenCV's dense inverse search (Kroeger et al. 2016), on the processor.
- "raft": torchvision's RAFT (Teed and Deng 2020, trained on synthetic scenes), on a GPU.
- "tvl1": TV-L1 flow as jpeg files, in the layout in which Feichtenhofer et al. (2016) publish it:
  ``<root>/tvl1_flow/{u,v}/v_<class>_gXX_cYY/frame000001.jpg``. It is taken as it is.

Computed flow is that of pictures scaled to the stored size, in pixels of that size.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from umt_lib.data.downloads import pretrained_weights
from umt_lib.data.prepare import media
from umt_lib.data.prepare.archives import fetch, sha256, unpack
from umt_lib.data.prepare.recipe import Recipe, with_validation
from umt_lib.data.prepare.store import Broken, Layout, Sample
from umt_lib.errors import StudyError, nearest

SITE = "https://www.crcv.ucf.edu/data/UCF101"
LISTS = "UCF101TrainTestSplits-RecognitionTask.zip"
TVL1 = "http://ftp.tugraz.at/pub/feichtenhofer/tsfusion/data/ucf101_tvl1_flow.zip.00{1,2,3}"
OFFICIAL = {1: (9_537, 3_783), 2: (9_586, 3_734), 3: (9_624, 3_696)}  # clips by split
CLIP = re.compile(r"(?P<class>\w+)/(?P<name>v_\w+_(?P<group>g\d+)_c\d+)\.avi(?: (?P<label>\d+))?")
DEPTH = 10  # fields in a stack
WHOLE = 0.9  # share of the frames a header states that must be there
REACH = 20.0  # pixels of displacement; more is clipped


def listed(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """Samples and classes of the official lists.

    Raises:
        StudyError: an unknown setting, a list that is missing or is none, too few groups.
    """
    if settings["flow"] not in FLOWS:
        raise StudyError(
            f"ucf101: unknown flow {settings['flow']!r}{nearest(settings['flow'], FLOWS)}"
        )
    if settings["split"] not in OFFICIAL:
        raise StudyError(f"ucf101: split {settings['split']} is none; give 1, 2 or 3")
    if settings["flow"] == "tvl1" and not (root / "tvl1_flow/u").is_dir():
        raise StudyError(
            f"{root / 'tvl1_flow/u'}: no such folder; unpack {TVL1} there or give --flow dis"
        )
    lists = root / "ucfTrainTestlist"
    classes = [line.split()[-1] for line in _lines(lists / "classInd.txt")]
    label_of = {name: label for label, name in enumerate(classes)}
    samples = []
    for split in ("train", "test"):
        path = lists / f"{split}list{settings['split']:02d}.txt"
        for number, line in enumerate(_lines(path), 1):
            found = CLIP.fullmatch(line)
            label = label_of.get(found["class"]) if found else None
            other = found["label"] if found else None  # some lists say the number as well
            if found is None or label is None or (other and int(other) != label + 1):
                raise StudyError(
                    f"{path}, line {number}: {line!r} is no clip of a class of classInd.txt with "
                    f"its number; restore the official lists"
                )
            group, file = f"{found['class']}/{found['group']}", root / "UCF-101" / line.split()[0]
            samples.append(Sample(found["name"], label, split, group, file))
    return with_validation(samples), classes


def layout(settings: dict[str, Any]) -> Layout:
    """Frames, and stacks of horizontal, vertical, horizontal ... displacement."""
    size, kind = settings["size"], np.dtype(np.uint8)
    return {
        "rgb": ((settings["frames"], size, size, 3), kind),
        "flow": ((settings["stacks"], size, size, 2 * DEPTH), kind),
    }


def read(source: Path, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """One clip; frames and stacks are those in the middle of equal parts of it."""
    with media.opened(source) as clip:
        _check_whole(clip)
        rgb = media.frames(clip, settings["frames"], settings["size"])
    stacks = FLOWS[settings["flow"]](source, settings["stacks"], settings["size"])
    return {
        "rgb": rgb,
        "flow": np.stack([np.concatenate(list(fields), axis=-1) for fields in stacks]),
    }


def _check_whole(clip: media.Clip) -> None:
    """Refuse a file that holds fewer frames than its header says.

    Of a truncated .avi the decoder states a length to match the bytes that are there.
    """
    stream = clip.stream("video")
    stated, there = stream.frames, sum(packet.size > 0 for packet in clip.packets[stream.index])
    if there < WHOLE * stated:
        raise Broken(f"truncated: {there} of {stated} frames")


def starts(fields: int, stacks: int) -> list[int]:
    """First of the ``DEPTH`` successive fields of each stack, of ``fields`` a clip has.

    Raises:
        Broken: it has fewer than one stack.
    """
    if fields < DEPTH:
        raise Broken(f"too short: {fields + 1} frames, a stack of flow needs {DEPTH + 1}")
    middles = ((k + 0.5) * fields / stacks - DEPTH / 2 for k in range(stacks))
    return [min(max(round(middle), 0), fields - DEPTH) for middle in middles]


def quantised(flow: np.ndarray) -> np.ndarray:
    """Displacements in pixels as uint8: -REACH is 0, no motion 127.5, REACH 255."""
    return np.rint((np.clip(flow, -REACH, REACH) + REACH) * (255 / (2 * REACH))).astype(np.uint8)


def _dis(source: Path, stacks: int, size: int) -> list[np.ndarray]:
    """``stacks`` arrays (DEPTH, size, size, 2) uint8."""
    cv2.setNumThreads(1)  # every core has a process of its own
    preset = cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
    search = cv2.DISOpticalFlow_create(preset)  # type: ignore[attr-defined]  # OpenCV's hints
    found = []
    for pictures in _successive(source, stacks, size):
        grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]
        found.append(quantised(np.stack([search.calc(a, b, None) for a, b in pairwise(grey)])))
    return found


def _raft(source: Path, stacks: int, size: int) -> list[np.ndarray]:
    """``stacks`` arrays (DEPTH, size, size, 2) uint8."""
    network = _network()
    return [
        quantised(estimated(network, pictures)) for pictures in _successive(source, stacks, size)
    ]


@cache
def _network() -> torch.nn.Module:
    """RAFT on the GPU, once per process."""
    if not torch.cuda.is_available():
        raise StudyError("flow 'raft' needs a GPU, none is found; give --flow dis")
    from torchvision.models import optical_flow

    network = optical_flow.raft_large()
    weights = optical_flow.Raft_Large_Weights.C_T_SKHT_V2
    network.load_state_dict(pretrained_weights(weights, "give --flow dis"))
    return network.eval().cuda()


@torch.inference_mode()
def estimated(network: torch.nn.Module, pictures: np.ndarray) -> np.ndarray:
    """RAFT's flow (n - 1, size, size, 2) between pictures (n, size, size, 3) uint8."""
    device = next(network.parameters()).device
    x = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    return network(x[:-1], x[1:])[-1].permute(0, 2, 3, 1).cpu().numpy()  # of the last iteration


def _successive(source: Path, stacks: int, size: int) -> list[np.ndarray]:
    """``stacks`` arrays (DEPTH + 1, size, size, 3) uint8 RGB of successive frames."""
    with media.opened(source) as clip:
        shown = list(clip.decoded("video"))
        return [
            np.stack([media.square(frame, size) for frame in shown[at : at + DEPTH + 1]])
            for at in starts(len(shown) - 1, stacks)
        ]


def _tvl1(source: Path, stacks: int, size: int) -> list[np.ndarray]:
    """``stacks`` arrays (DEPTH, size, size, 2) uint8, from <root>/tvl1_flow."""
    folders = [source.parents[2] / "tvl1_flow" / axis / source.stem for axis in "uv"]
    u, v = (sorted(folder.glob("frame*.jpg")) for folder in folders)
    if len(u) != len(v) or not u:
        raise Broken(f"ready flow has {len(u)} horizontal and {len(v)} vertical pictures")
    return [
        np.stack(
            [np.stack([_grey(u[i], size), _grey(v[i], size)], -1) for i in range(at, at + DEPTH)]
        )
        for at in starts(len(u), stacks)
    ]


def _grey(path: Path, size: int) -> np.ndarray:
    """A jpeg as (size, size) uint8: the shorter side scaled to ``size``, the middle kept."""
    try:
        with Image.open(path) as picture:
            scale = size / min(picture.size)
            width, height = (max(size, round(side * scale)) for side in picture.size)
            whole = picture.convert("L").resize((width, height), Image.Resampling.BILINEAR)
    except OSError as fault:
        raise Broken(f"undecodable flow {path.parent.parent.name}/{path.name} ({fault})") from None
    left, top = (width - size) // 2, (height - size) // 2
    return np.asarray(whole.crop((left, top, left + size, top + size)))


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as fault:
        raise StudyError(
            f"{path}: no readable list ({fault}); unpack {SITE}/{LISTS} beside it, or give "
            f"--download"
        ) from None


def official(settings: dict[str, Any]) -> dict[str, int]:
    """The publishers' counts."""
    train, test = OFFICIAL[settings["split"]]
    return {"train": train, "test": test, "classes": 101}


def download(root: Path, settings: dict[str, Any]) -> str:
    """Lists and videos; the videos have to be unpacked by hand: Python has no tool for rar."""
    unpack(fetch(f"{SITE}/{LISTS}", root), root)
    if (root / "UCF-101").is_dir():
        return f"The lists and {root / 'UCF-101'} are there."
    archive = fetch(f"{SITE}/UCF101.rar", root)
    raise StudyError(
        f"{archive} (sha256 {sha256(archive)}; its publishers give none to compare with) is there "
        f"and has to be unpacked: run `unrar x {archive} {root}/` or `bsdtar -xf {archive} -C "
        f"{root}`, then the same command again"
    )


FLOWS: dict[str, Callable[[Path, int, int], list[np.ndarray]]] = {
    "dis": _dis,
    "raft": _raft,
    "tvl1": _tvl1,
}
RECIPE = Recipe(
    {"split": 1, "frames": 3, "stacks": 1, "flow": "dis", "size": 256},
    listed,
    layout,
    read,
    official,
    download,
)
