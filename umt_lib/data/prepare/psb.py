"""Princeton Shape Benchmark (Shilane et al. 2004): front and rear views of 3-D models.

Raw files, in the layout of the repository from which ``--download`` gets them (121 MB):

- ``<root>/classes/train.cla`` and ``test.cla``, the two halves of the classification;
- ``<root>/processed-models/m<number>.off``, one mesh per model, rotated towards its principal axes
  (in about a third of them the longest is more than 15 degrees from every coordinate axis).

The classes are those of the second level of the classification with at least 12 models; a model
that is directly in a class of the first level counts for that class. The halves share few of the
finest classes, so they are joined and split again, by model. Copies of a model are one group. The
front camera looks along the third coordinate axis, often the direction of the smallest extent, and
down by 20 degrees; the rear camera is opposite.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from umt_lib.data.github import Repository, fault
from umt_lib.data.prepare.modelnet40 import read_mesh
from umt_lib.data.prepare.recipe import Recipe
from umt_lib.data.prepare.store import SPLITS, Layout, Sample, SampleError
from umt_lib.data.render import render
from umt_lib.data.splits import five_folds
from umt_lib.errors import StudyError

REPOSITORY = Repository(
    "costanzalaudisa/INFOMRproject", "a81dd7857db669c93f5061b21013704a85803901", "psb"
)
LISTS = ("classes/train.cla", "classes/test.cla")
SMALLEST = 12  # models of a class
# Models with the same surface, sampled again or mirrored: found by the distance between points on
# the surfaces of models of similar shape. Copies of a file are found by their sha256.
COPIES = (
    {238, 245},
    {606, 611},
    {1057, 1068},
    {1058, 1071},
    {1059, 1067},
    {1120, 1145},
    {1167, 1258},
    {1207, 1265},
    {1346, 1348},
    {1402, 1405},
)
TURN = {"front": 0.0, "rear": 180.0}  # degrees
ELEVATION = 20.0  # degrees
STEP = 20.0  # degrees between azimuths
MOST = 9  # azimuths: with more, the last front view would be the first rear view
FINE, COARSE = 4, 2  # supersampling of images below and from
LARGE = 100  # pixels on


def list_samples(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """List the models of the large classes, and these classes.

    Raises:
        StudyError: a classification is missing, altered or malformed, or ``azimuths`` is out of
            range.
    """
    azimuths(settings["azimuths"])
    models: dict[tuple[str, ...], list[int]] = defaultdict(list)
    listed = REPOSITORY.files()
    for name in LISTS:
        if wrong := fault(root / name, listed[name]):
            raise StudyError(
                f"{(root / name).absolute()}: {wrong}; check --root, or use --download to get "
                f"the files of the benchmark"
            )
        for path, numbers in read_classification(root / name).items():
            models[path[:2]] += numbers
    kept = sorted((path[-1], sorted(of)) for path, of in models.items() if len(of) >= SMALLEST)
    classes = [name.replace("_", " ") for name, _ in kept]
    numbers = [number for _, of in kept for number in of]
    labels = np.repeat(np.arange(len(kept)), [len(of) for _, of in kept])

    files = {n: listed[f"processed-models/m{n}.off"] for n in numbers}
    first: dict[str, int] = {}  # the first model with this file
    groups = {n: first.setdefault(files[n].sha256, n) for n in numbers}
    groups |= {n: min(pair) for pair in COPIES for n in pair if n in groups}
    parts = five_folds(labels, np.array([groups[n] for n in numbers]), fold=0)
    split = {numbers[row]: name for name, rows in zip(SPLITS, parts, strict=True) for row in rows}
    samples = []
    for number, label in zip(numbers, labels.tolist(), strict=True):
        source = root / files[number].path
        samples.append(
            Sample(
                f"m{number}",
                label,
                split[number],
                f"m{groups[number]}",
                source,
                missing=fault(source, files[number]),
            )
        )
    return samples, classes


def read_classification(path: Path) -> dict[tuple[str, ...], list[int]]:
    """Read a .cla file: {names of a class and of those above it, the highest first: its models}.

    The file is "PSB 1", the numbers of classes and of models, then for every class its name, its
    parent ("0" for none), its number of models, and their numbers.

    Raises:
        StudyError: it is another file, it is truncated, a parent is unknown, a class or model is
            listed twice, or there are more or fewer classes or models than it says.
    """

    def refuse(reason: str) -> StudyError:
        return StudyError(f"{path}: {reason}; get the file again with --download")

    words = iter(path.read_text(encoding="utf-8", errors="replace").split())
    if (next(words, ""), next(words, "")) != ("PSB", "1"):
        raise refuse("not a classification of the benchmark: it does not begin with 'PSB 1'")
    above: dict[str, tuple[str, ...]] = {"0": ()}
    models: dict[tuple[str, ...], list[int]] = {}
    within = "first lines"
    try:
        classes, stated = int(next(words)), int(next(words))
        within = f"{classes} classes"
        for _ in range(classes):
            name, parent, size = next(words), next(words), int(next(words))
            if parent not in above:
                raise refuse(f"class {name!r} is below {parent!r}, which is not listed before it")
            if name in above:
                raise refuse(f"class {name!r} is listed twice")
            above[name] = (*above[parent], name)
            models[above[name]] = [int(next(words)) for _ in range(size)]
    except StopIteration:
        raise refuse(f"truncated: it ends within its {within}") from None
    except ValueError as error:
        raise refuse(f"a word where a number belongs ({error})") from None
    if next(words, None) is not None:
        raise refuse(f"more words than those of its {classes} classes")
    found = [number for of in models.values() for number in of]
    if {len(found), len(set(found))} != {stated}:
        raise refuse(
            f"{len(found)} models, {len(set(found))} of them different, where {stated} are stated"
        )
    return models


def azimuths(number: int) -> np.ndarray:
    """Azimuths in rising order, symmetric about 0; degrees from the front or the rear.

    Raises:
        StudyError: there would be none, or front views among the rear views.
    """
    if not 1 <= number <= MOST:
        raise StudyError(f"psb: azimuths is {number}; give 1 to {MOST}")
    return STEP * (np.arange(number) - (number - 1) / 2)


def layout(settings: dict[str, Any]) -> Layout:
    """Front and rear: (azimuths, size, size) uint8 each."""
    shape = (settings["azimuths"], settings["size"], settings["size"])
    return dict.fromkeys(TURN, (shape, np.dtype(np.uint8)))


def read(source: Path, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Render all views of one model.

    Raises:
        SampleError: the mesh cannot be read, has no faces, or nothing is visible.
    """
    vertices, faces = read_mesh(source)
    size = settings["size"]
    supersample = COARSE if size >= LARGE else FINE

    def view(angle: float) -> np.ndarray:
        return render(vertices, faces, angle, ELEVATION, size, "y", supersample)

    angles = azimuths(settings["azimuths"])
    views = {m: np.stack([view(turn + angle) for angle in angles]) for m, turn in TURN.items()}
    if not all(images.any() for images in views.values()):
        raise SampleError("nothing is seen at this size: every face is too thin")
    return views


def official_counts(settings: dict[str, Any]) -> dict[str, int]:
    """The number of models of the benchmark, with those of small classes."""
    return {"models": len(REPOSITORY.files()) - len(LISTS)}


def download(root: Path, settings: dict[str, Any]) -> str:
    """Download the classification and all meshes that are missing or have other content."""
    number = REPOSITORY.download(root, REPOSITORY.files(), "psb")
    return f"{number:,} files of {len(REPOSITORY.files()):,} were downloaded into {root}."


RECIPE = Recipe(
    __doc__,
    {"size": 64, "azimuths": 4},
    {
        "size": "side of the images in pixels; the data sets psb and psb224 have 64 and 224",
        "azimuths": "views per model from the front, 20 degrees apart, and from the rear",
    },
    list_samples,
    layout,
    read,
    official_counts,
    download,
)
