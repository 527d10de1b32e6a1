"""Build umt_lib/data/furniture.npz from the meshes of the Debian package sweethome3d-furniture.

    apt-get download sweethome3d-furniture && dpkg -x sweethome3d-furniture_*.deb package
    python scripts/make_furniture.py package/usr/share/sweethome3d/furniture

Reads the five .sh3f libraries (zip: a catalogue, OBJ meshes, licences), labels the models by
scripts/furniture_labels.yaml, renders front and rear, makes the splits, and writes furniture.npz,
furniture_models.csv and FURNITURE_LICENCES.md. The same package gives the same bytes.

    python scripts/make_furniture.py package/usr/share/sweethome3d/furniture --meshes DIR

writes the labelled models as DIR/<library>/<model>.off, for ``umt prepare furniture224``.
"""

from __future__ import annotations

import argparse
import re
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import trimesh
import yaml
from tqdm import tqdm

from umt_lib.data.render import render
from umt_lib.data.splits import Split, holdout
from umt_lib.errors import StudyError

HERE = Path(__file__).parent
TARGET = HERE.parent / "umt_lib" / "data"
AZIMUTHS = (-50, -30, -10, 10, 30, 50)  # degrees off the front, and off the rear
ELEVATION, SIZE = 20, 32
SAME = 0.1  # models whose images have a smaller relative distance are one design
PUBLISHED = ["model", "name", "class", "library", "author", "licence", "source", "file"]
SH3D = "http://www.sweethome3d.com/importModels.jsp"
LIBRARIES = {  # licence and author as each library's LICENSE.TXT states them; None: one per model
    "BlendSwap-CC-0": ("CC0-1.0", None),
    "BlendSwap-CC-BY": ("CC-BY-3.0", None),
    "KatorLegaz": ("CC-BY-3.0-US", "Andrew Kator & Jennifer Legaz"),
    "Reallusion": ("CC-BY-3.0-US", "Reallusion"),
    "Scopia": (
        "CC-BY-3.0",
        "Emmanuel Puybaret / eTeks and Scopia Visual Interfaces Systems, s.l.",
    ),
}
STATED = {
    "Creative Commons Zero (Public Domain)": "CC0-1.0",
    "Creative Commons Attribution 3.0": "CC-BY-3.0",
}


def catalogue(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    """The models of one library as {property: value}, in the order of its catalogue."""
    text = archive.read("PluginFurnitureCatalog.properties").decode("latin-1")
    models: dict[int, dict[str, str]] = {}
    for key, number, value in re.findall(r"^\s*(\w+)#(\d+)\s*[=:]\s*(.*?)\s*$", text, re.M):
        value = value.encode("latin-1").decode("unicode_escape")
        models.setdefault(int(number), {})[key] = value
    return [models[k] for k in sorted(models)]


def credit(archive: zipfile.ZipFile, library: str, entry: dict[str, str]) -> tuple[str, str, str]:
    """(licence, author, source) of a model, from its own licence file if it has one."""
    licence, author = LIBRARIES[library]
    author, source = author or entry["creator"], SH3D
    note = f"{Path(entry['model'].lstrip('/')).parent}/BLENDSWAP_LICENSE.txt"
    if note in archive.namelist():
        text = archive.read(note).decode("utf-8", "replace").replace("\r", "")
        author = re.search(r'^Thank you for downloading ".*" by (.+)$', text, re.M)[1].strip()
        licence = STATED.get(re.search(r"^Released under\n(.+)$", text, re.M)[1].strip(), "")
        source = re.search(r"^Downloaded from (\S+)", text, re.M)[1]
    return licence, author, source


def models(folder: Path, labels: dict) -> pd.DataFrame:
    """One row per model that has a class, sorted by id; prints what is left out and why."""
    hand = {model: name for name, ids in labels["corrections"].items() for model in ids}
    rows = []
    for library in LIBRARIES:
        archive = zipfile.ZipFile(folder / f"{library}.sh3f")
        for entry in catalogue(archive):
            file, name = entry["model"].lstrip("/"), entry["name"]
            model = f"{library}/{Path(file).stem}"
            found = (c for c, rule in labels["rules"] if re.search(rule, name.lower()))
            label = hand.pop(model, None) or next(found, "none")
            licence, author, source = credit(archive, library, entry)
            if label != "none" and not (licence and author):
                print(f"left out, licence or author unclear: {model} ({name})")
            elif label != "none":
                rotation = entry.get("modelRotation", "1 0 0 0 1 0 0 0 1")
                rows.append((model, name, label, library, author, licence, source, file, rotation))
    if hand:
        raise StudyError(
            f"furniture_labels.yaml: corrects {min(hand)!r}, which is in no library; delete it"
        )
    table = pd.DataFrame(rows, columns=[*PUBLISHED, "rotation"])
    table = table.sort_values("model", ignore_index=True)
    counts = table["class"].value_counts()
    for label in counts.index[counts < labels["at_least"]]:
        print(f"left out, only {counts[label]} models: class {label}")
    return table[table["class"].map(counts) >= labels["at_least"]].reset_index(drop=True)


def mesh(archive: zipfile.ZipFile, file: str, rotation: str, panes: bool) -> tuple:
    """Vertices (n, 3), upright and facing +z, and triangles (m, 3) of an OBJ model.

    Without ``panes``, faces of a transparent material are left out: drawn as opaque sheets, they
    would hide the difference between a window and a door. This needs the material, so the file is
    read here.
    """
    text = archive.read(file).decode("latin-1")
    glass: set[str] = set()
    if not panes:
        for name in re.findall(r"^mtllib (.+?)\s*$", text, re.M):
            material = archive.read(f"{Path(file).parent}/{name}").decode("latin-1")
            for part in material.split("newmtl ")[1:]:
                opacity = re.search(r"^\s*d\s+([\d.]+)", part, re.M)
                if opacity and float(opacity[1]) < 0.95:
                    glass.add(part.split("\n")[0].strip())
    vertices, faces, drawn = [], [], True
    for line in text.splitlines():
        kind, _, rest = line.strip().partition(" ")
        if kind == "v":
            vertices.append([float(t) for t in rest.split()[:3]])
        elif kind == "usemtl":
            drawn = rest.strip() not in glass
        elif kind == "f" and drawn:
            corner = [int(t.split("/")[0]) for t in rest.split()]
            corner = [c - 1 if c > 0 else len(vertices) + c for c in corner]
            faces += [(corner[0], *pair) for pair in pairwise(corner[1:])]
    turn = np.array(rotation.split(), float).reshape(3, 3)
    return np.array(vertices) @ turn.T, np.array(faces)


def groups(table: pd.DataFrame, images: np.ndarray, families: list[list[str]]) -> list[str]:
    """The first id of each model's family: given by hand, or with nearly equal (mirrored) images.

    ``images``: (models, front and rear, azimuths, s, s); azimuths are symmetric, so the mirrored
    model is the reversed azimuth with the columns reversed.
    """
    flat = images.reshape(len(images), -1).astype(np.float32)
    mirrored = images[:, :, ::-1, :, ::-1].reshape(len(images), -1).astype(np.float32)
    norm = np.linalg.norm(flat, axis=1)
    leader = {model: model for model in table.model}

    def join(a: str, b: str) -> None:
        low, high = sorted((leader[a], leader[b]))
        leader.update({m: low for m in leader if leader[m] == high})

    for family in families:
        for model in family[1:]:
            join(family[0], model)
    for i in range(len(table)):
        gap = np.minimum(*(np.linalg.norm(other - flat[i], axis=1) for other in (flat, mirrored)))
        near = (gap < SAME * np.sqrt(norm * norm[i])) & (table["class"] == table["class"][i])
        for j in np.flatnonzero(near):
            join(table.model[i], table.model[j])
    return [leader[model] for model in table.model]


def cut(y: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The split of each model: 25% test, 15% validation, by class, families in one split."""
    rows = {"row": torch.arange(len(y))}
    rest, test = holdout(Split(rows, torch.as_tensor(y), group), 0.25)
    _, validation = holdout(rest, 0.2)
    split = np.full(len(y), "train", dtype="<U10")
    split[validation.x["row"]], split[test.x["row"]] = "validation", "test"
    return split


def licences(table: pd.DataFrame) -> str:
    """The page of attributions: the change made, the licences, the authors and their models."""
    lines = [
        "# Licences of furniture.npz\n",
        "The images are grey renderings, made by us, of 3-D models from the Sweet Home 3D",
        f"furniture libraries 1.8 (<{SH3D}>,",
        "Debian package `sweethome3d-furniture`). Rendering is the change made to the originals;",
        "no author endorses this study. Each model's title, author, licence, source and file are",
        "in `furniture_models.csv`. Licence texts:",
        "CC0-1.0 <https://creativecommons.org/publicdomain/zero/1.0/>,",
        "CC-BY-3.0 <https://creativecommons.org/licenses/by/3.0/>,",
        "CC-BY-3.0-US <https://creativecommons.org/licenses/by/3.0/us/>. Number of models:\n",
    ]
    for licence, part in table.groupby("licence"):
        authors = (
            part.author.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        )
        who = "; ".join(f"{author} ({n})" for author, n in authors.items())
        lines.append(f"- **{licence}: {len(part)}**. {who}.")
    return "\n".join(lines) + "\n"


def meshes(folder: Path, table: pd.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The :func:`mesh` of every row of ``table``, windows and doors without panes."""
    archives = {library: zipfile.ZipFile(folder / f"{library}.sh3f") for library in LIBRARIES}
    for row in tqdm(table.itertuples(), total=len(table), desc="models", disable=None):
        panes = table["class"][row.Index] != "door_window"
        yield mesh(archives[row.library], row.file, row.rotation, panes)


def export(folder: Path, table: pd.DataFrame, target: Path) -> None:
    """Write ``target/<model>.off`` for every model."""
    for model, (vertices, faces) in zip(table.model, meshes(folder, table), strict=True):
        file = target / f"{model}.off"
        file.parent.mkdir(parents=True, exist_ok=True)
        trimesh.Trimesh(vertices, faces, process=False).export(file)


def ship(folder: Path, table: pd.DataFrame, labels: dict) -> None:
    """Write the files of the library: the pictures, the list of models, the licences."""
    images = np.empty((len(table), 2, len(AZIMUTHS), SIZE, SIZE), np.uint8)
    for number, shape in enumerate(meshes(folder, table)):
        for side, turn in enumerate((0, 180)):
            for k, azimuth in enumerate(AZIMUTHS):
                images[number, side, k] = render(*shape, turn + azimuth, ELEVATION, SIZE)
    table["group"] = groups(table, images, labels["groups"])
    classes, y = np.unique(table["class"], return_inverse=True)
    table["split"] = cut(y, table.group.to_numpy())
    np.savez_compressed(  # zip members carry a fixed date: the bytes depend on the content only
        TARGET / "furniture.npz",
        front=images[:, 0],
        rear=images[:, 1],
        azimuth=np.array(AZIMUTHS),
        label=y,
        classes=classes.astype(str),
        group=table.group.to_numpy(str),
        model=table.model.to_numpy(str),
        split=table.split.to_numpy(str),
    )
    columns = [*PUBLISHED[:3], "split", "group", *PUBLISHED[3:]]
    table[columns].to_csv(TARGET / "furniture_models.csv", index=False, lineterminator="\n")
    (TARGET / "FURNITURE_LICENCES.md").write_text(licences(table))
    print(table.groupby(["class", "split"]).size().unstack())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the five .sh3f libraries")
    parser.add_argument("--meshes", type=Path, help="write the models there, as OFF files")
    given = parser.parse_args()
    labels = yaml.safe_load((HERE / "furniture_labels.yaml").read_text())
    table = models(given.folder, labels)
    if given.meshes:
        export(given.folder, table, given.meshes)
    else:
        ship(given.folder, table, labels)
