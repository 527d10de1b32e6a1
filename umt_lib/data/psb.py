"""Princeton Shape Benchmark (Shilane et al. 2004): front and rear views of 3-D models.

The meshes were rotated towards their principal axes, for a part of them with success, so front and
rear are two opposite views, and which of the two is called the front is arbitrary. The authors gave
the meshes for research; no licence is known, so nothing of them is in this repository.

Models are independent, except copies of one model, which are in one split.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from umt_lib.data.memory_mapped import MemoryMapped
from umt_lib.data.prepare.prepared import Prepared, load_splits
from umt_lib.data.splits import Augment, Split, Splits, Transform, five_folds
from umt_lib.style import Figure

SHIFT = 1 / 16  # largest shift as a fraction of the side: 4 of 64 pixels


def load(folder: str = "psb", fold: int = 0) -> Splits:
    """Load "front" and "rear", 64 pixels wide; see :func:`views`.

    Args:
        folder: the prepared folder; a relative path is looked for in ``$UMT_DATA`` first.
        fold: 0 to 4, see :func:`umt_lib.data.splits.five_folds`.

    Raises:
        StudyError: the folder is not prepared, is incomplete, or holds another data set or images
            of another size.
    """
    return views(folder, 64, fold, transform, augment)


def views(folder: str, size: int, fold: int, transform: Transform, augment: Augment) -> Splits:
    """Load a folder that ``umt prepare psb`` made into memory, split by model in five folds.

    One sample is one model at one azimuth, uint8 (size, size) per view. Samples of one model are
    NOT independent, in any split. Models are groups, and copies of a model are one group.

    Args:
        size: of the images in pixels.

    Raises:
        StudyError: as :func:`load` does.
    """
    stored = load_splits("psb", folder, transform, augment)
    prepared = Prepared.open(folder, "psb", {"size": size})
    models = prepared.manifest["samples"]
    rows = np.array([model["row"] for model in models])
    x = {m: MemoryMapped(prepared.folder / f"{m}.npy", rows)[:] for m in stored.modalities}
    y = np.array([model["label"] for model in models])
    groups = np.array([model["group"] for model in models])
    azimuths = next(iter(x.values())).shape[1]  # of (models, azimuths, size, size)

    def part(of: np.ndarray) -> Split:
        flat = {m: images[of].flatten(0, 1) for m, images in x.items()}
        labels = torch.from_numpy(y[of].repeat(azimuths))
        return Split(flat, labels, groups[of].repeat(azimuths), transform)

    train, validation, test = map(part, five_folds(y, groups, fold))
    return Splits(train, validation, test, stored.classes, stored.source, augment)


def transform(x: dict[str, Tensor]) -> dict[str, Tensor]:
    """Scale grey levels: uint8 (B, S, S) to float32 (B, 1, S, S) from 0 to 1."""
    return {m: images.unsqueeze(1) / 255 for m, images in x.items()}


def augment(x: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Shift each image by its own random offset; shapes as in :func:`transform`."""
    return transform(shifted(x, generator))


def shifted(x: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """Shift images (B, S, S) by up to a sixteenth of their side, with their border repeated.

    Whole rows are copied first and then pixels: four times as fast on a CPU as pixels alone.

    Args:
        generator: draws an offset down and an offset to the right for each image.
    """
    moved = {}
    for m, images in x.items():
        b, size, _ = images.shape
        reach = int(SHIFT * size)
        offsets = torch.randint(-reach, reach + 1, (2, b, 1), generator=generator)
        at = torch.arange(size, device=images.device)
        rows, columns = (at - offsets.to(images.device)).clamp(0, size - 1)  # (B, S) each
        lowered = images[torch.arange(b, device=images.device)[:, None], rows]
        moved[m] = lowered.gather(2, columns[:, None].expand(b, size, size))
    return moved


def picture(splits: Splits, columns: int = 9) -> Figure:
    """Plot a training model of each class, its front view beside its rear view."""
    train, classes = splits.train, splits.classes
    shape = (-(-len(classes) // columns), columns)
    figure = Figure(figsize=(1.1 * shape[1], 0.75 * shape[0]), layout="constrained")
    axes = figure.subplots(*shape, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], frame_on=False)
    for k, (axis, name) in enumerate(zip(axes.flat, classes, strict=False)):
        x = train.inputs((train.y == k).nonzero()[:1, 0])
        axis.imshow(torch.cat([images[0, 0] for images in x.values()], dim=1).numpy(), cmap="gray")
        axis.set_title(name, fontsize=7)
    return figure
