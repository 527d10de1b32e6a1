"""UCF101: frames and optical flow of short videos of 101 actions (Soomro et al. 2012).

Raw files, unpacked from the publishers' archives: ``<root>/UCF-101/<class>/v_<class>_gXX_cYY.avi``
(XviD, 320 x 240) and ``<root>/ucfTrainTestlist/``. Clips of one group gXX of a class are cut from
one video, so groups stay whole: a tenth of the training groups of each class is validation.

Motion is a stack of optical flow, 10 successive fields of horizontal and vertical displacement, so
20 channels (Simonyan and Zisserman 2014, "Two-Stream Convolutional Networks"), from -20 to 20
pixels in 256 steps. Its source:

- ``--flow dis``: OpenCV's dense inverse search (Kroeger et al. 2016), on the CPU.
- ``--flow raft``: torchvision's RAFT (Teed and Deng 2020, trained on synthetic and driving scenes),
  on a GPU.
- ``--flow tvl1``: TV-L1 flow as jpeg files, as published by Feichtenhofer et al. (2016):
  ``<root>/tvl1_flow/{u,v}/v_<class>_gXX_cYY/frame000001.jpg``.

The class HandstandPushups is also spelled HandStandPushups, in the lists, the videos and the flow;
both are accepted. Flow by dis and raft is computed on frames of the stored size and in pixels of
that size.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise, product
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
from umt_lib.data.prepare.store import Layout, Sample, SampleError
from umt_lib.errors import StudyError, nearest

SITE = "https://www.crcv.ucf.edu/data/UCF101"
LISTS = "UCF101TrainTestSplits-RecognitionTask.zip"
TVL1 = "http://ftp.tugraz.at/pub/feichtenhofer/tsfusion/data/ucf101_tvl1_flow.zip.00{1,2,3}"
OFFICIAL = {1: (9_537, 3_783), 2: (9_586, 3_734), 3: (9_624, 3_696)}  # clips by split
CLIP = re.compile(r"(?P<class>\w+)/(?P<name>v_\w+_(?P<group>g\d+)_c\d+)\.avi(?: (?P<label>\d+))?")
FRAME = re.compile(r"frame\d+\.jpg")
HANDSTAND = re.compile("HandstandPushups", re.IGNORECASE)
SPELLINGS = ("HandstandPushups", "HandStandPushups")
STACK = 10  # flow fields in a stack
MIN_SHARE = 0.9  # of the frames that a file's header states
MAX_FLOW = 20.0  # pixels of displacement; larger values are clipped


def list_samples(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """List the samples and classes of the official lists.

    Raises:
        StudyError: a setting is unknown, a list is missing or invalid, or there are too few groups.
    """
    if settings["flow"] not in FLOWS:
        raise StudyError(
            f"ucf101: unknown flow {settings['flow']!r}{nearest(settings['flow'], FLOWS)}"
        )
    if settings["split"] not in OFFICIAL:
        raise StudyError(f"ucf101: unknown split {settings['split']}; give 1, 2 or 3")
    tvl1 = settings["flow"] == "tvl1"
    for folder in (root / "tvl1_flow" / axis for axis in "uv"):
        if tvl1 and not folder.is_dir():
            raise StudyError(
                f"{folder.absolute()}: no such folder; unpack {TVL1} there or give --flow dis"
            )
    lists = root / "ucfTrainTestlist"
    classes = [line.split()[-1] for line in _read_lines(lists / "classInd.txt")]
    label_of = {name.casefold(): label for label, name in enumerate(classes)}
    samples = []
    for split in ("train", "test"):
        path = lists / f"{split}list{settings['split']:02d}.txt"
        for number, line in enumerate(_read_lines(path), 1):
            found = CLIP.fullmatch(line)
            label = label_of.get(found["class"].casefold()) if found else None
            other = found["label"] if found else None  # some lists give the number too
            if found is None or label is None or (other and int(other) != label + 1):
                raise StudyError(
                    f"{path}, line {number}: {line!r} is not a clip of a class of classInd.txt "
                    f"with its number; restore the official lists"
                )
            group = f"{classes[label]}/{found['group']}"
            file = _spelled(root / "UCF-101" / f"{found['class']}/{found['name']}.avi")
            samples.append(Sample(found["name"], label, split, group, file))
    if tvl1:
        samples = [_flow_checked(s) for s in samples]
    return with_validation(samples), classes


def layout(settings: dict[str, Any]) -> Layout:
    """Frames and flow, channels last; flow channels are horizontal, vertical, horizontal ..."""
    size, kind = settings["size"], np.dtype(np.uint8)
    return {
        "rgb": ((settings["frames"], size, size, 3), kind),
        "flow": ((settings["stacks"], size, size, 2 * STACK), kind),
    }


def read(source: Path, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Read one clip: the frames and flow stacks in the middle of equal parts of it.

    Raises:
        SampleError: the clip is truncated, too short, or cannot be decoded, or its flow is missing.
    """
    with media.open_clip(source) as clip:
        _check_whole(clip)
        rgb = media.frames(clip, settings["frames"], settings["size"])
    stacks = FLOWS[settings["flow"]](source, settings["stacks"], settings["size"])
    return {
        "rgb": rgb,
        "flow": np.stack([np.concatenate(list(fields), axis=-1) for fields in stacks]),
    }


def _check_whole(clip: media.Clip) -> None:
    """Refuse a file with fewer frames than its header states.

    The duration does not show it: for a truncated .avi the decoder adapts it to the file's length.
    """
    stream = clip.stream("video")
    stated, found = stream.frames, sum(packet.size > 0 for packet in clip.packets[stream.index])
    if found < MIN_SHARE * stated:
        raise SampleError(f"truncated: {found} of {stated} frames")


def stack_starts(fields: int, stacks: int) -> list[int]:
    """Index of the first flow field of each stack, for a clip with ``fields`` flow fields.

    Raises:
        SampleError: there are too few fields for a stack.
    """
    if fields < STACK:
        raise SampleError(f"too short: {fields + 1} frames, a stack of flow needs {STACK + 1}")
    middles = ((k + 0.5) * fields / stacks - STACK / 2 for k in range(stacks))
    return [min(max(round(middle), 0), fields - STACK) for middle in middles]


def quantise(flow: np.ndarray) -> np.ndarray:
    """Convert displacements in pixels to uint8: -MAX_FLOW is 0, 0 is 127.5, MAX_FLOW is 255."""
    scale = 255 / (2 * MAX_FLOW)
    return np.rint((np.clip(flow, -MAX_FLOW, MAX_FLOW) + MAX_FLOW) * scale).astype(np.uint8)


def _dis(source: Path, stacks: int, size: int) -> list[np.ndarray]:
    """Flow by dense inverse search: ``stacks`` arrays (STACK, size, size, 2) uint8."""
    cv2.setNumThreads(1)  # there is one process per core
    preset = cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
    search = cv2.DISOpticalFlow_create(preset)  # type: ignore[attr-defined]  # OpenCV's hints
    found = []
    for frames in _frame_stacks(source, stacks, size):
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
        found.append(quantise(np.stack([search.calc(a, b, None) for a, b in pairwise(grey)])))
    return found


def _raft(source: Path, stacks: int, size: int) -> list[np.ndarray]:
    """Flow by RAFT: ``stacks`` arrays (STACK, size, size, 2) uint8."""
    network = _raft_network()
    return [quantise(raft_flow(network, f)) for f in _frame_stacks(source, stacks, size)]


@cache
def _raft_network() -> torch.nn.Module:
    """RAFT with pretrained weights on the GPU, loaded once per process."""
    if not torch.cuda.is_available():
        raise StudyError("--flow raft needs a GPU, and there is none; use --flow dis")
    from torchvision.models import optical_flow

    network = optical_flow.raft_large()
    weights = optical_flow.Raft_Large_Weights.C_T_SKHT_V2
    network.load_state_dict(pretrained_weights(weights, "use --flow dis"))
    return network.eval().cuda()


@torch.inference_mode()
def raft_flow(network: torch.nn.Module, frames: np.ndarray) -> np.ndarray:
    """Compute the flow (n - 1, size, size, 2) in pixels between frames (n, size, size, 3) uint8."""
    device = next(network.parameters()).device
    x = torch.from_numpy(frames).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    return network(x[:-1], x[1:])[-1].permute(0, 2, 3, 1).cpu().numpy()  # of the last iteration


def _frame_stacks(source: Path, stacks: int, size: int) -> list[np.ndarray]:
    """Decode ``stacks`` arrays (STACK + 1, size, size, 3) uint8 RGB of successive frames."""
    with media.open_clip(source) as clip:
        frames = list(clip.decode("video"))
        return [
            np.stack([media.resize_and_crop(frame, size) for frame in frames[at : at + STACK + 1]])
            for at in stack_starts(len(frames) - 1, stacks)
        ]


def _tvl1(source: Path, stacks: int, size: int) -> list[np.ndarray]:
    """Read published flow: ``stacks`` arrays (STACK, size, size, 2) uint8, <root>/tvl1_flow."""
    u, v = (
        sorted(path for path in folder.glob("*.jpg") if FRAME.fullmatch(path.name))
        for folder in _tvl1_folders(source)
    )
    if len(u) != len(v) or not u:
        raise SampleError(f"ready flow has {len(u)} horizontal and {len(v)} vertical pictures")
    return [
        np.stack(
            [
                np.stack([_read_grey(u[i], size), _read_grey(v[i], size)], -1)
                for i in range(at, at + STACK)
            ]
        )
        for at in stack_starts(len(u), stacks)
    ]


def _tvl1_folders(source: Path) -> list[Path]:
    """The folders of horizontal and vertical flow of a clip."""
    folders = [source.parents[2] / "tvl1_flow" / axis / source.stem for axis in "uv"]
    return [_spelled(folder) for folder in folders]


def _flow_checked(sample: Sample) -> Sample:
    """The sample, marked if it has no folder of horizontal or of vertical flow."""
    for axis, folder in zip("uv", _tvl1_folders(sample.source), strict=True):
        if not folder.is_dir():
            return replace(sample, missing=f"no folder in tvl1_flow/{axis}")
    return sample


def _spelled(path: Path) -> Path:
    """The path in the spelling in which it exists; as it is given if it does not."""
    *above, folder, name = path.parts
    spelled = (
        Path(*above, HANDSTAND.sub(one, folder), HANDSTAND.sub(other, name))
        for one, other in product(SPELLINGS, repeat=2)
    )
    return next((p for p in (path, *spelled) if p.exists()), path)


def _read_grey(path: Path, size: int) -> np.ndarray:
    """Read a jpeg as (size, size) uint8: shorter side scaled to ``size``, centre cropped."""
    try:
        with Image.open(path) as image:
            scale = size / min(image.size)
            width, height = (max(size, round(side * scale)) for side in image.size)
            whole = image.convert("L").resize((width, height), Image.Resampling.BILINEAR)
    except OSError as fault:
        raise SampleError(
            f"undecodable flow {path.parent.parent.name}/{path.name} ({fault})"
        ) from None
    left, top = (width - size) // 2, (height - size) // 2
    return np.asarray(whole.crop((left, top, left + size, top + size)))


def _read_lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        return [line.strip() for line in text.splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as fault:
        raise StudyError(
            f"{path}: not a readable list ({fault}); unpack {SITE}/{LISTS} in "
            f"{path.parent.parent}, or use --download"
        ) from None


def official_counts(settings: dict[str, Any]) -> dict[str, int]:
    """The publishers' counts."""
    train, test = OFFICIAL[settings["split"]]
    return {"train": train, "test": test, "classes": 101}


def download(root: Path, settings: dict[str, Any]) -> str:
    """Download lists and videos and unpack the lists.

    Raises:
        StudyError: a download failed, or the videos have to be unpacked by hand, because Python
            cannot unpack rar archives.
    """
    unpack(fetch(f"{SITE}/{LISTS}", root), root)
    if (root / "UCF-101").is_dir():
        return f"The lists are unpacked, and {root / 'UCF-101'} exists."
    archive = fetch(f"{SITE}/UCF101.rar", root)
    raise StudyError(
        f"{archive} (sha256 {sha256(archive)}; the publishers give no checksum to compare with) is "
        f"downloaded and has to be unpacked by hand: run `unrar x {archive} {root}/` or `bsdtar "
        f"-xf {archive} -C {root}`, then the same command again"
    )


FLOWS: dict[str, Callable[[Path, int, int], list[np.ndarray]]] = {
    "dis": _dis,
    "raft": _raft,
    "tvl1": _tvl1,
}
RECIPE = Recipe(
    __doc__,
    {"split": 1, "frames": 3, "stacks": 1, "flow": "dis", "size": 256},
    {
        "split": "official split: 1, 2 or 3",
        "frames": "frames per clip, from the middle of equal parts of it",
        "stacks": "stacks of flow per clip, from the middle of equal parts of it",
        "flow": "dis, raft or tvl1, see above",
        "size": "side of the stored frames and flow in pixels",
    },
    list_samples,
    layout,
    read,
    official_counts,
    download,
)
