"""Furniture: what is it, seen from the front and from the rear? 3-D models of Sweet Home 3D.

The images are ours (``umt_lib/data/render.py``), the class labels are ours too
(``scripts/furniture_labels.yaml``); ``furniture_models.csv`` names every model with its author and
licence. ``scripts/make_furniture.py`` builds the archive and cuts the splits by model.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from umt_lib.data.splits import Split, Splits
from umt_lib.errors import StudyError

ARCHIVE = Path(__file__).with_name("furniture.npz")
MODALITIES = ("front", "rear")
SHIFT = 2  # pixels


def read(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of the archive and the sha256 of its bytes.

    ``front``, ``rear`` (models, azimuths, s, s) uint8; ``azimuth`` (azimuths,) degrees off the
    front or the rear; ``label``, ``group``, ``model``, ``split`` (models,); ``classes`` (K,).

    Raises:
        StudyError: the file is missing, truncated, corrupted, or lacks an array.
    """
    names = (*MODALITIES, "azimuth", "label", "group", "model", "split", "classes")
    try:
        raw = path.read_bytes()
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in names}
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as fault:
        raise StudyError(
            f"data set 'furniture': {path} cannot be read ({type(fault).__name__}: {fault}); "
            f"restore it with `git checkout` or rebuild it with scripts/make_furniture.py"
        ) from fault
    return arrays, hashlib.sha256(raw).hexdigest()


def load(views: int = 6) -> Splits:
    """Front and rear views of furniture models, split by model (60 / 15 / 25 %).

    One sample is one model at one azimuth; the rear camera stands opposite to the front camera. The
    samples of one model are NOT independent, in no split: the number of models, not of samples,
    says how certain a test accuracy is. Models of one design share a group and a split.

    Args:
        views: azimuths per model, the most frontal ones first, up to the archive's 6.

    Returns:
        Modalities ``front`` and ``rear``, float32 (n, 1, 32, 32), standardised by the mean and
        standard deviation of the training pixels of that modality; groups are design names.

    Raises:
        StudyError: ``views`` out of range, or a missing or broken archive.
    """
    arrays, source = read(ARCHIVE)
    available = len(arrays["azimuth"])
    if not 1 <= views <= available:
        raise StudyError(
            f"data set 'furniture': views={views!r} is out of range; choose 1 to {available}"
        )
    nearest_front = np.argsort(np.abs(arrays["azimuth"]), kind="stable")[:views]
    chosen = np.sort(nearest_front)
    train = arrays["split"] == "train"
    x = {}
    for m in MODALITIES:
        pixels = torch.from_numpy(arrays[m][:, chosen]).float() / 255  # (models, views, s, s)
        x[m] = (pixels - pixels[train].mean()) / pixels[train].std()

    def part(name: str) -> Split:
        of = np.flatnonzero(arrays["split"] == name)
        y = torch.from_numpy(arrays["label"][of].astype(np.int64)).repeat_interleave(views)
        groups = np.repeat(arrays["group"][of], views)
        return Split({m: x[m][of].flatten(0, 1).unsqueeze(1) for m in x}, y, groups)

    classes = tuple(arrays["classes"].tolist())
    return Splits(part("train"), part("validation"), part("test"), classes, source, augment)


def augment(x: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Shift every image by up to 2 pixels each way, its border repeated; each view on its own.

    Args:
        x: {modality: (B, 1, s, s)} on any device. generator: decides the shifts.
    """
    return {m: shift(images, generator) for m, images in x.items()}


def shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """``images`` (B, 1, s, s), each moved by its own random offset in [-SHIFT, SHIFT] squared."""
    b, _, h, w = images.shape
    low, high = -SHIFT, SHIFT + 1
    offset = torch.randint(low, high, (2, b, 1), generator=generator, device=generator.device)
    down, right = offset.to(images.device)  # (B, 1) each
    rows = (torch.arange(h, device=images.device) - down).clamp(0, h - 1)  # (B, h)
    columns = (torch.arange(w, device=images.device) - right).clamp(0, w - 1)  # (B, w)
    batch = torch.arange(b, device=images.device)
    return images[batch[:, None, None], :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def picture(splits: Splits, samples: int = 3) -> Figure:
    """Training images: a column per class, ``samples`` models each, the front above the rear."""
    train, classes = splits.train, splits.classes
    shape = (2 * samples, len(classes))
    size = (0.78 * shape[1], 0.78 * shape[0] + 0.3)
    figure, axes = plt.subplots(*shape, figsize=size, squeeze=False, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    for k, name in enumerate(classes):
        of = np.flatnonzero(train.y.numpy() == k)
        firsts = np.unique(train.groups[of], return_index=True)[1]  # one sample per design
        spread = np.linspace(0, len(firsts) - 1, samples).astype(int)
        axes[0, k].set_title(name.replace("_", "/"), fontsize=8)
        for j, sample in enumerate(of[firsts[spread]]):
            for side, m in enumerate(MODALITIES):
                axis = axes[2 * j + side, k]
                axis.imshow(train.x[m][sample, 0].numpy(), cmap="gray")
                axis.set(xticks=[], yticks=[], frame_on=False)
                if k == 0:
                    axis.set_ylabel(m, fontsize=8)
    return figure
