"""Furniture: front and rear views of 3-D models of Sweet Home 3D, 32 pixels wide.

The images are rendered by ``umt_lib/data/render.py``, the class labels are those of
``scripts/furniture_labels.yaml``, and ``furniture_models.csv`` lists every model with its author
and licence. ``scripts/make_furniture.py`` builds the archive; :func:`load` draws five folds by
model and does not use the split that the archive contains.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from umt_lib.data.splits import Split, Splits, five_folds
from umt_lib.errors import StudyError
from umt_lib.style import Figure

ARCHIVE = Path(__file__).with_name("furniture.npz")
MODALITIES = ("front", "rear")
SHIFT = 2  # pixels


def read(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """Read the archive: its arrays, and the sha256 of its bytes.

    ``front``, ``rear`` (models, azimuths, s, s) uint8; ``azimuth`` (azimuths,) in degrees from
    the front or the rear; ``label``, ``group``, ``model``, ``split`` (models,); ``classes`` (K,).

    Raises:
        StudyError: the file is missing, truncated or corrupted, or an array is missing.
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


def load(views: int = 6, fold: int = 0) -> Splits:
    """Load front and rear views of furniture models, split by design (60 / 20 / 20 %).

    One sample is one model at one azimuth; the rear camera is opposite to the front camera. Samples
    of one model are NOT independent, in any split: the uncertainty of a test accuracy depends on
    the number of models, not of samples. Models of one design are one group, in one split.

    Args:
        views: azimuths per model, the most frontal ones; from 1 to 6.
        fold: 0 to 4, see :func:`umt_lib.data.splits.five_folds`.

    Returns:
        Modalities ``front`` and ``rear``, float32 (n, 1, 32, 32), standardised by the mean and
        standard deviation of the training pixels of that modality; groups are design names.

    Raises:
        StudyError: ``views`` is out of range, or the archive is missing or damaged.
    """
    arrays, source = read(ARCHIVE)
    available = len(arrays["azimuth"])
    if not 1 <= views <= available:
        raise StudyError(
            f"data set 'furniture': views={views!r} is out of range; choose 1 to {available}"
        )
    nearest_front = np.argsort(np.abs(arrays["azimuth"]), kind="stable")[:views]
    chosen = np.sort(nearest_front)
    parts = five_folds(arrays["label"], arrays["group"], fold)
    train = parts[0]
    x = {}
    for m in MODALITIES:
        pixels = torch.from_numpy(arrays[m][:, chosen]).float() / 255  # (models, views, s, s)
        x[m] = (pixels - pixels[train].mean()) / pixels[train].std()

    def part(of: np.ndarray) -> Split:
        y = torch.from_numpy(arrays["label"][of].astype(np.int64)).repeat_interleave(views)
        groups = np.repeat(arrays["group"][of], views)
        return Split({m: x[m][of].flatten(0, 1).unsqueeze(1) for m in x}, y, groups)

    classes = tuple(arrays["classes"].tolist())
    train_split, validation, test = map(part, parts)
    return Splits(train_split, validation, test, classes, source, augment)


def augment(x: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Shift each image by its own random offset of up to 2 pixels, with its border repeated.

    Args:
        x: {modality: (B, 1, s, s)} on any device.
        generator: draws the offsets.
    """
    return {m: shift(images, generator) for m, images in x.items()}


def shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift ``images`` (B, 1, s, s), each by a random offset in [-SHIFT, SHIFT] squared."""
    b, _, h, w = images.shape
    low, high = -SHIFT, SHIFT + 1
    offset = torch.randint(low, high, (2, b, 1), generator=generator, device=generator.device)
    down, right = offset.to(images.device)  # (B, 1) each
    rows = (torch.arange(h, device=images.device) - down).clamp(0, h - 1)  # (B, h)
    columns = (torch.arange(w, device=images.device) - right).clamp(0, w - 1)  # (B, w)
    batch = torch.arange(b, device=images.device)
    return images[batch[:, None, None], :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def picture(splits: Splits, samples: int = 3) -> Figure:
    """Plot training images: ``samples`` models of each class, the front above the rear view."""
    train, classes = splits.train, splits.classes
    assert train.groups is not None  # the designs
    shape = (2 * samples, len(classes))
    size = (0.78 * shape[1], 0.78 * shape[0] + 0.3)
    figure = Figure(figsize=size)
    axes = figure.subplots(*shape, squeeze=False)
    figure.set_layout_engine("constrained", w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
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
