"""Furniture at 224 pixels: front and rear views of the furniture models, as large as ModelNet40's.

Raw files: ``<root>/<library>/<model>.off``, y upwards and the front towards +z, one per model of
the archive ``umt_lib/data/furniture.npz``, as ``scripts/make_furniture.py --meshes`` writes them.
Models, labels, groups, splits and azimuths are those of the archive.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from umt_lib.data.furniture import ARCHIVE, MODALITIES
from umt_lib.data.furniture import read as read_archive
from umt_lib.data.prepare.modelnet40 import SUPERSAMPLE, read_mesh
from umt_lib.data.prepare.recipe import Recipe
from umt_lib.data.prepare.store import Layout, Sample
from umt_lib.data.render import render
from umt_lib.errors import StudyError

ELEVATION = 20.0  # degrees, as for the small images
TURN = {"front": 0.0, "rear": 180.0}  # degrees


def list_samples(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """List the models of the archive, one sample each, and the classes.

    Raises:
        StudyError: the archive is missing or damaged, or ``views`` is out of range.
    """
    azimuths(settings["views"])
    arrays, _ = read_archive(ARCHIVE)
    columns = (arrays[name].tolist() for name in ("model", "label", "split", "group"))
    samples = [
        Sample(model, label, split, group, root / f"{model}.off")
        for model, label, split, group in zip(*columns, strict=True)
    ]
    return samples, arrays["classes"].tolist()


@cache
def azimuths(views: int) -> np.ndarray:
    """The ``views`` most frontal azimuths of the archive, in its order; degrees from the front.

    Raises:
        StudyError: there would be none, or more than the archive has.
    """
    angles = read_archive(ARCHIVE)[0]["azimuth"]
    if not 1 <= views <= len(angles):
        raise StudyError(f"furniture224: views is {views}; give 1 to {len(angles)}")
    return angles[np.sort(np.argsort(np.abs(angles), kind="stable")[:views])]


def layout(settings: dict[str, Any]) -> Layout:
    """Front and rear: (views, size, size) uint8 each."""
    shape = (settings["views"], settings["size"], settings["size"])
    return dict.fromkeys(MODALITIES, (shape, np.dtype(np.uint8)))


def read(source: Path, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Render all views of one model; the rear camera is opposite to the front camera.

    Raises:
        SampleError: the mesh cannot be read.
    """
    vertices, faces = read_mesh(source)

    def view(angle: float) -> np.ndarray:
        return render(vertices, faces, angle, ELEVATION, settings["size"], "y", SUPERSAMPLE)

    angles = azimuths(settings["views"])
    return {m: np.stack([view(TURN[m] + angle) for angle in angles]) for m in MODALITIES}


def official_counts(settings: dict[str, Any]) -> dict[str, int]:
    """Number of models per split, and of classes, in the archive."""
    arrays, _ = read_archive(ARCHIVE)
    splits, counts = np.unique(arrays["split"], return_counts=True)
    return {
        **dict(zip(splits.tolist(), counts.tolist(), strict=True)),
        "classes": len(arrays["classes"]),
    }


def download(root: Path, settings: dict[str, Any]) -> str:
    """Explain how to get the meshes; nothing is downloaded."""
    return (
        f"The meshes are those of the Debian package sweethome3d-furniture 1.8: "
        f"`apt-get download sweethome3d-furniture && dpkg -x sweethome3d-furniture_*.deb package`, "
        f"then `python scripts/make_furniture.py package/usr/share/sweethome3d/furniture --meshes "
        f"{root}`."
    )


RECIPE = Recipe(
    __doc__,
    {"views": 3, "size": 224},
    {
        "views": "azimuths per model, the most frontal ones",
        "size": "side of the images in pixels",
    },
    list_samples,
    layout,
    read,
    official_counts,
    download,
)
