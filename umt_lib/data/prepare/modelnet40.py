"""ModelNet40: front and rear views of 3-D models of 40 classes (Wu et al. 2015).

Raw files, one of two:

- ``--pictures rendered``: the meshes, ``<root>/ModelNet40/<class>/{train,test}/*.off``, rendered
  here, shaded grey on black. Some files have ``OFF`` and the counts on one line without a space.
  Files that are not named ``<class>_<number>.off`` are left out and listed.
- ``--pictures mvcnn``: the images of Su et al. 2015, "Multi-view Convolutional Neural Networks",
  ``<root>/modelnet40_images_new_12x/<class>/{train,test}/*.obj.shaded_v001.png`` and ``_v007.png``,
  opposite views out of twelve, shaded grey on white.

Both cameras look down by 30 degrees. Models are not aligned: the file decides which side is the
front. The official training and test sets are folders; validation is a stratified tenth of
training.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from umt_lib.data.prepare.archives import fetch, sha256, unpack
from umt_lib.data.prepare.raw_files import files, odd_file
from umt_lib.data.prepare.recipe import Recipe, with_validation
from umt_lib.data.prepare.store import Layout, Sample, SampleError
from umt_lib.data.render import render
from umt_lib.errors import StudyError, nearest

URL = "http://modelnet.cs.princeton.edu/ModelNet40.zip"
MVCNN = "http://supermoe.cs.umass.edu/shape_recog/shaded_images.tar.gz"
FRONT, REAR = ".obj.shaded_v001.png", ".obj.shaded_v007.png"
SOURCES = {"rendered": ("ModelNet40", ".off"), "mvcnn": ("modelnet40_images_new_12x", FRONT)}
AZIMUTHS = {"front": 0.0, "rear": 180.0}  # degrees
ELEVATION = 30.0  # degrees
HEADER = re.compile(r"(ST)?C?N?OFF(?P<binary>\s*BINARY)?", re.IGNORECASE)
COUNTS = (2, 3)  # words on the line of counts: vertices, faces, and edges, which are not used
SUPERSAMPLE = 2  # enough from 100 pixels on, and four times as fast as the renderer's default


def list_samples(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """List the files in the folders of the classes, and the classes.

    Raises:
        StudyError: ``pictures`` is unknown, or the folder is missing or has no classes.
    """
    if settings["pictures"] not in SOURCES:
        known = nearest(settings["pictures"], SOURCES)
        raise StudyError(f"modelnet40: unknown pictures {settings['pictures']!r}{known}")
    name, ending = SOURCES[settings["pictures"]]
    folder = root / name
    classes = sorted(
        path.parent.name for path in folder.glob("*/train") if not path.parent.name.startswith(".")
    )
    if not classes:
        raise StudyError(
            f"{folder.absolute()}: no folders <class>/train with models; check --root, or use "
            f"--download to get them"
        )
    samples, odd = [], []
    for label, kind in enumerate(classes):
        for split in ("train", "test"):
            for path in files(folder / kind / split, (ending,)):
                number = path.name[: -len(ending)].removeprefix(f"{kind}_")
                if number.isdecimal():
                    samples.append(Sample(f"{kind}_{number}", label, split, "", path))
                else:
                    odd.append(odd_file(path, root, f"{kind}_0001{ending}"))
    return with_validation(samples) + odd, classes


def layout(settings: dict[str, Any]) -> Layout:
    """Front and rear: (size, size) uint8 each."""
    size = settings["size"]
    return dict.fromkeys(AZIMUTHS, ((size, size), np.dtype(np.uint8)))


def read(source: Path, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Render or read both views of one model.

    Raises:
        SampleError: a file cannot be read, or nothing is visible.
    """
    size = settings["size"]
    if settings["pictures"] == "mvcnn":
        rear = source.with_name(source.name.replace(FRONT, REAR))
        return {"front": _read_image(source, size), "rear": _read_image(rear, size)}
    vertices, faces = read_mesh(source)
    views = {
        m: render(vertices, faces, azimuth, ELEVATION, size, "z", SUPERSAMPLE)
        for m, azimuth in AZIMUTHS.items()
    }
    if not all(view.any() for view in views.values()):
        raise SampleError("nothing is seen: every face is a line or a point")
    return views


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read vertices (n, 3) and triangles (m, 3) of an OFF file; polygons become triangle fans.

    Normals, colours and texture coordinates are skipped.

    Raises:
        SampleError: the file is not an OFF file, is binary or truncated, there are no faces, a
            vertex is not finite, or a face names a vertex that does not exist.
    """
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    text = re.sub("#.*", "", text).lstrip()
    header = HEADER.match(text)
    if header is None:
        raise SampleError(f"not an OFF file: it begins with {text[:8]!r}")
    if header["binary"]:
        raise SampleError("a binary OFF file; only text is read")
    try:
        n, m, words = _plain(text[header.end() :])
        numbers = np.array(words, dtype=np.float64)
    except (ValueError, IndexError):
        raise SampleError("not an OFF file: words where numbers belong") from None
    vertices, corners = numbers[: 3 * n], numbers[3 * n :]
    if len(vertices) < 3 * n:
        raise SampleError(f"truncated: it ends within the {n} vertices")
    if m == 0:
        raise SampleError("no faces")
    if not np.isfinite(vertices).all():
        raise SampleError("a vertex is NaN or infinite")
    faces = _triangles(corners, m)
    if len(wrong := faces[(faces < 0) | (faces >= n)]):
        raise SampleError(f"a face names vertex {wrong[0]}, they are numbered from 0 to {n - 1}")
    return vertices.reshape(n, 3), faces


def _plain(text: str) -> tuple[int, int, list[str]]:
    """Numbers of vertices and faces, then 3 coordinates per vertex and k and k corners per face.

    What follows on the line of a vertex or face is dropped. In a file whose lines end elsewhere
    nothing can be dropped: there all words are taken.
    """
    head = text.lstrip().partition("\n")[0].split()
    words = text.split()
    n, m = int(words[0]), int(words[1])
    every = words[2 if len(head) == 2 else 3 :]
    if len(every) == 3 * n + 4 * m and every[3 * n :: 4].count("3") == m:  # as nearly all are
        return n, m, every
    _, *rows = [row for line in text.splitlines() if (row := line.split())]
    vertices, faces = rows[:n], rows[n : n + m]
    words_of = [1 + int(row[0]) if row[0].isdecimal() else 1 for row in faces]
    if (
        len(head) in COUNTS
        and len(faces) == m
        and all(len(row) >= 3 for row in vertices)
        and all(len(row) >= k for row, k in zip(faces, words_of, strict=True))
    ):
        kept = [row[:3] for row in vertices]
        kept += [row[:k] for row, k in zip(faces, words_of, strict=True)]
        return n, m, [word for row in kept for word in row]
    return n, m, every


def _triangles(numbers: np.ndarray, m: int) -> np.ndarray:
    """Triangles (t, 3) of ``m`` faces, each given by its number of corners and the corners."""
    if len(numbers) == 4 * m and (numbers[::4] == 3).all():
        return numbers.reshape(m, 4)[:, 1:].astype(np.int64)
    faces, at = [], 0
    for _ in range(m):
        k = int(numbers[at]) if at < len(numbers) else 0
        polygon = numbers[at + 1 : at + 1 + k].astype(np.int64)
        if at >= len(numbers) or len(polygon) < k:
            raise SampleError(f"truncated: it ends within the {m} faces")
        if k < 3:
            raise SampleError(f"a face has {k} corners")
        faces += [(polygon[0], b, c) for b, c in pairwise(polygon[1:])]
        at += 1 + k
    if at < len(numbers):
        raise SampleError(f"more numbers than those of {m} faces")
    return np.array(faces)


def _read_image(path: Path, size: int) -> np.ndarray:
    """Read an image file as (size, size) uint8 grey."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L").resize((size, size), Image.Resampling.BILINEAR))
    except FileNotFoundError:
        raise SampleError(f"its rear picture {REAR} is missing") from None
    except (OSError, SyntaxError) as fault:  # of a damaged png
        raise SampleError(f"undecodable picture {path.name[-8:]} ({fault})") from None


def official_counts(settings: dict[str, Any]) -> dict[str, int]:
    """The publishers' counts."""
    return {"train": 9_843, "test": 2_468, "classes": 40}


def download(root: Path, settings: dict[str, Any]) -> str:
    """Download and unpack the meshes; the images of MVCNN have to be downloaded by hand."""
    if settings["pictures"] == "mvcnn":
        return (
            f"The authors of MVCNN serve their images at {MVCNN}: download them with "
            f"`curl -L -C - -O {MVCNN}`, which resumes if interrupted, and unpack the archive so "
            f"that {root / SOURCES['mvcnn'][0]}/airplane/train exists."
        )
    archive = fetch(URL, root)
    files = unpack(archive, root)
    return (
        f"{archive} (sha256 {sha256(archive)}; the publishers give no checksum to compare with) is "
        f"downloaded, and its {files:,} files are unpacked beside it."
    )


RECIPE = Recipe(
    __doc__,
    {"pictures": "rendered", "size": 224},
    {"pictures": "rendered or mvcnn, see above", "size": "side of the images in pixels"},
    list_samples,
    layout,
    read,
    official_counts,
    download,
)
