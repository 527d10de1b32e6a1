"""UTD-MHAD: people do 27 actions before a depth camera with a motion sensor (Chen et al. 2015).

Raw files: ``<root>/data/Inertial/a<action>_s<person>_t<take>_inertial.mat``, and likewise
``Skeleton`` and ``Depth``, as in the public repository that ``--download`` takes them from. A clip
is one action of one person, cut by the authors at its beginning and end. Therefore every clip is
resampled to the same number of instants, from its first to its last: nothing is cut off, no padding
gives away its length, and all modalities are at the same phase of the action.

- ``inertial``: acceleration x, y, z in g, then angular rate x, y, z in degrees per second, recorded
  at 50 Hz by one sensor on the right wrist (actions 1 to 21) or the right thigh (22 to 27).
- ``skeleton``: x, y, z in metres of 20 joints, recorded at 30 Hz. The mean of the hip centre over
  the clip is subtracted: where in the room a person stands is no part of an action, whereas how the
  whole body moves is.
- ``depth``: only with ``--depth-frames``. Pixels without a person are 0; others are 1 to 255, near
  to far, for 1 m in front of to 1 m behind their median over the clip. The picture is the square
  around all that moves through the clip, so that place is no cue here either.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from umt_lib.data.github import Repository, fault
from umt_lib.data.prepare.raw_files import files, odd_file
from umt_lib.data.prepare.recipe import Recipe
from umt_lib.data.prepare.store import Layout, Sample, SampleError
from umt_lib.data.utd_mhad import CLASSES, EVEN, ODD
from umt_lib.errors import StudyError

REPOSITORY = Repository(
    "woo-chia-wei/kinect-sequence-classification",
    "65e9b13950d7971c8d1e49e960f6796bd0dc9257",
    "utd-mhad",
)
VARIABLES: dict[str, tuple[str, tuple[int | None, ...]]] = {  # and their shapes; None is time
    "inertial": ("d_iner", (None, 6)),
    "skeleton": ("d_skel", (20, 3, None)),
    "depth": ("d_depth", (240, 320, None)),
}
EXAMPLE = "a1_s1_t1_inertial"
HIP_CENTRE = 3  # number of the joint, from 0
REACH = 1000.0  # mm in front of a person and behind, in pictures of depth


def modalities(settings: dict[str, Any]) -> tuple[str, ...]:
    """Names of the modalities: those of :data:`VARIABLES`, depth only if it has frames."""
    return tuple(m for m in VARIABLES if m != "depth" or settings["depth_frames"])


def list_samples(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """List the clips of the repository, split by person as published, and the actions.

    Raises:
        StudyError: no folder of the modalities is in the root.
    """
    folder = _folder(root)
    clips = [Path(p).stem.removesuffix("_inertial") for p in REPOSITORY.files() if "Inertial" in p]
    samples = []
    for clip in sorted(clips, key=_numbers):
        action, person, _ = _numbers(clip)
        split = "test" if person in EVEN else "validation" if person == ODD[-1] else "train"
        paths = [_file(folder, clip, m) for m in modalities(settings)]
        sample = Sample(clip, action - 1, split, str(person), paths[0])
        if lost := [path for path in paths if not path.exists()]:
            why = f"{lost[0].parent.name} file is missing"
            sample = replace(sample, source=lost[0], missing=why)
        samples.append(sample)
    known = {Path(path).name for path in REPOSITORY.files()}
    found = [path for m in VARIABLES for path in files(folder / m.capitalize(), (".mat",))]
    odd = [odd_file(path, root, EXAMPLE) for path in found if path.name not in known]
    return samples + odd, list(CLASSES)


def _numbers(clip: str) -> tuple[int, int, int]:
    """Action, person and take of ``a<action>_s<person>_t<take>``."""
    action, person, take = (int(text[1:]) for text in clip.split("_"))
    return action, person, take


def _file(folder: Path, clip: str, modality: str) -> Path:
    return folder / modality.capitalize() / f"{clip}_{modality}.mat"


def _folder(root: Path) -> Path:
    """The folder of the raw files: ``<root>/data``, or the root if that is the folder itself."""
    for folder in (root / "data", root):
        if (folder / "Inertial").is_dir() and (folder / "Skeleton").is_dir():
            return folder
    raise StudyError(
        f"{root.absolute()}: has no folders data/Inertial and data/Skeleton; give the folder of a "
        f"clone of github.com/{REPOSITORY.name} as --root, or use --download to get the files"
    )


def layout(settings: dict[str, Any]) -> Layout:
    """Inertial (6, samples), skeleton (20 * 3, frames) and depth (frames, size, size)."""
    shapes = {
        "inertial": (6, settings["samples"]),
        "skeleton": (20 * 3, settings["frames"]),
        "depth": (settings["depth_frames"], settings["size"], settings["size"]),
    }
    kinds = {m: np.dtype(np.uint8 if m == "depth" else np.float32) for m in shapes}
    return {m: (shapes[m], kinds[m]) for m in modalities(settings)}


def read(source: Path, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Read one clip; ``source`` is its inertial file, which the other files are found from.

    Raises:
        SampleError: a file is not as it is described above, or not the one of the repository.
    """
    raw, clip = {}, source.stem.removesuffix("_inertial")
    for m in modalities(settings):
        path = _file(source.parents[1], clip, m)
        raw[m] = read_variable(path, *VARIABLES[m])
        listed = REPOSITORY.files()[f"data/{m.capitalize()}/{path.name}"]
        if why := fault(path, listed):
            raise SampleError(f"{path.parent.name}/{path.name} is {why}")
    joints = raw["skeleton"].transpose(2, 0, 1)  # (T, 20, 3)
    joints = joints - joints[:, HIP_CENTRE].mean(axis=0)
    series = {
        "inertial": resampled(raw["inertial"], settings["samples"]),
        "skeleton": resampled(joints.reshape(len(joints), -1), settings["frames"]),
    }
    arrays = {m: x.T.astype(np.float32) for m, x in series.items()}
    if "depth" in raw:
        arrays["depth"] = pictures(raw["depth"], settings["depth_frames"], settings["size"])
    return arrays


def read_variable(path: Path, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Read an array from a MATLAB 5 file.

    Args:
        shape: its shape, with None for a length of 2 or more.

    Raises:
        SampleError: the file cannot be read, or has no numbers of this name and shape.
    """
    file = f"{path.parent.name}/{path.name}"
    try:
        content = scipy.io.loadmat(path)
    except Exception as error:  # scipy raises errors of many kinds for damaged files
        raise SampleError(f"{file} is not a readable MATLAB 5 file ({error})") from None
    if name not in content:
        names = ", ".join(key for key in content if not key.startswith("__")) or "nothing"
        raise SampleError(f"{file} has no variable {name!r}, but {names}")
    x = np.asarray(content[name])
    fits = [n == want if want else n >= 2 for n, want in zip(x.shape, shape, strict=False)]
    if x.dtype.kind not in "iuf" or x.ndim != len(shape) or not all(fits):
        wanted = ", ".join("time" if n is None else str(n) for n in shape)
        raise SampleError(f"{file}: {name!r} is {x.dtype} of shape {x.shape}, not ({wanted})")
    return x


def resampled(x: np.ndarray, length: int) -> np.ndarray:
    """Interpolate (T, channels) linearly at ``length`` equally spaced instants, ends included."""
    at = np.linspace(0, len(x) - 1, length)
    return np.stack([np.interp(at, np.arange(len(x)), channel) for channel in x.T], axis=1)


def pictures(depth: np.ndarray, frames: int, size: int) -> np.ndarray:
    """Grey pictures (frames, size, size) of depth (240, 320, T) in mm, where 0 is no person.

    Pixels and frames are the nearest ones: a mean of person and background is no depth.
    """
    seen = depth > 0
    if not seen.any():
        raise SampleError("'d_depth' is 0 everywhere")
    spans = [np.flatnonzero(seen.any(axis=axes)) for axes in ((1, 2), (0, 2))]
    side = max(int(span[-1] - span[0]) + 1 for span in spans)
    steps = (np.arange(size) + 0.5) / size * side - side / 2
    rows, columns = (np.floor((s[0] + s[-1] + 1) / 2 + steps).astype(int) for s in spans)
    at = np.linspace(0, depth.shape[2] - 1, frames).round().astype(int)
    square = np.zeros((size, size, frames))
    height, width = depth.shape[:2]
    inside = np.ix_((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
    square[inside] = depth[np.ix_(rows[inside[0].ravel()], columns[inside[1].ravel()], at)]
    grey = 128 + (square - np.median(depth[seen])) / REACH * 127
    return np.where(square > 0, grey.clip(1, 255), 0).astype(np.uint8).transpose(2, 0, 1)


def official_counts(settings: dict[str, Any]) -> dict[str, int]:
    """The publishers' counts for the split by odd and even people."""
    return {"train": 431, "test": 430, "classes": 27}


def download(root: Path, settings: dict[str, Any]) -> str:
    """Download the files of the needed modalities that are missing or have other content."""
    paths = [p for p in REPOSITORY.files() if p.rsplit("_", 1)[1][:-4] in modalities(settings)]
    new = REPOSITORY.download(root, paths, "data set 'utd-mhad'")
    return f"{len(paths):,} files are complete in {root}, {new:,} of them were downloaded now."


RECIPE = Recipe(
    __doc__,
    {"samples": 128, "frames": 64, "depth_frames": 0, "size": 112},
    {
        "samples": "instants of a clip of inertial",
        "frames": "instants of a clip of skeleton",
        "depth_frames": "frames of a clip of depth; 0 leaves depth out",
        "size": "height and width of a picture of depth",
    },
    list_samples,
    layout,
    read,
    official_counts,
    download,
)
