"""Furniture at the size of ModelNet40's pictures, from the meshes the small pictures came from.

Raw files: ``<root>/<library>/<model>.off``, upright (y) and facing +z, one per model of the shipped
archive, as ``scripts/make_furniture.py --meshes`` writes them. Models, labels, groups, splits and
azimuths are the archive's, so a result on these pictures stands beside one on the small ones.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from umt_lib.data.furniture import ARCHIVE, MODALITIES
from umt_lib.data.furniture import read as archive
from umt_lib.data.prepare.modelnet40 import SUPERSAMPLE, mesh
from umt_lib.data.prepare.recipe import Recipe
from umt_lib.data.prepare.store import Layout, Sample
from umt_lib.data.render import render

ELEVATION = 20.0  # degrees, that of the small pictures
TURN = {"front": 0.0, "rear": 180.0}  # degrees


def listed(root: Path, settings: dict[str, Any]) -> tuple[list[Sample], list[str]]:
    """The models of the shipped archive, a sample each."""
    arrays, _ = archive(ARCHIVE)
    columns = (arrays[name].tolist() for name in ("model", "label", "split", "group"))
    samples = [
        Sample(model, label, split, group, root / f"{model}.off")
        for model, label, split, group in zip(*columns, strict=True)
    ]
    return samples, arrays["classes"].tolist()


@cache
def azimuths(views: int) -> np.ndarray:
    """The ``views`` most frontal azimuths of the archive, in its order: degrees off the front."""
    angles = archive(ARCHIVE)[0]["azimuth"]
    return angles[np.sort(np.argsort(np.abs(angles), kind="stable")[:views])]


def layout(settings: dict[str, Any]) -> Layout:
    """``views`` grey pictures of each side."""
    shape = (settings["views"], settings["size"], settings["size"])
    return dict.fromkeys(MODALITIES, (shape, np.dtype(np.uint8)))


def read(source: Path, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """All views of one model, the rear camera opposite to the front camera."""
    vertices, faces = mesh(source)

    def view(angle: float) -> np.ndarray:
        return render(vertices, faces, angle, ELEVATION, settings["size"], "y", SUPERSAMPLE)

    angles = azimuths(settings["views"])
    return {m: np.stack([view(TURN[m] + angle) for angle in angles]) for m in MODALITIES}


def official(settings: dict[str, Any]) -> dict[str, int]:
    """The archive's own counts."""
    arrays, _ = archive(ARCHIVE)
    splits, counts = np.unique(arrays["split"], return_counts=True)
    return {
        **dict(zip(splits.tolist(), counts.tolist(), strict=True)),
        "classes": len(arrays["classes"]),
    }


def download(root: Path, settings: dict[str, Any]) -> str:
    """How to get the meshes; nothing is fetched."""
    return (
        f"The meshes are those of the Debian package sweethome3d-furniture 1.8: "
        f"`apt-get download sweethome3d-furniture && dpkg -x sweethome3d-furniture_*.deb package`, "
        f"then `python scripts/make_furniture.py package/usr/share/sweethome3d/furniture --meshes "
        f"{root}`."
    )


RECIPE = Recipe({"views": 3, "size": 224}, listed, layout, read, official, download)
