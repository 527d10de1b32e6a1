"""YouTube-8M: audio and image features of videos that carry one label of a list of classes.

Abu-El-Haija et al. 2016, "YouTube-8M: a large-scale video classification benchmark"
(arXiv:1609.08675). The features are not ours: networks of the publishers computed them once per
second, and they were averaged over each video. ``umt prepare youtube8m`` chooses the videos.

There is no official test split for single labels, and a fifth of the videos is small. So the
split of a seed is one fold of five. A video is in the fold of its file, by the file's number, also
where some of the 100 files are missing.
"""

from __future__ import annotations

import torch

from umt_lib.data.memory_mapped import MemoryMapped
from umt_lib.data.prepare.prepared import Prepared
from umt_lib.data.splits import FOLDS, Split, Splits
from umt_lib.errors import StudyError
from umt_lib.style import Figure

FILES = 100


def load(folder: str = "youtube8m", fold: int = 0) -> Splits:
    """Load ``audio``, float32 (n, 128), and ``rgb``, float32 (n, 1024); a sample is one video.

    Each feature is standardised by its mean and standard deviation over the training videos.
    ``source`` gives the numbers of files and videos that were prepared.

    Args:
        folder: the prepared folder; a relative path is looked for in ``$UMT_DATA`` first.
        fold: 0 to 4: of the files with this number modulo 5 are the test videos, of the next ones
            the validation videos.

    Raises:
        StudyError: the folder is not prepared, is incomplete, or holds another data set, or
            ``fold`` is out of range.
    """
    if not 0 <= fold < FOLDS:
        raise StudyError(f"data set 'youtube8m': fold is {fold}; give 0 to {FOLDS - 1}")
    prepared = Prepared.open(folder, "youtube8m")
    samples = prepared.manifest["samples"]
    rows = torch.tensor([s["row"] for s in samples])
    y = torch.tensor([s["label"] for s in samples])
    parts = [split_of(s["group"], fold) for s in samples]
    index = {
        name: torch.tensor([i for i, part in enumerate(parts) if part == name])
        for name in ("train", "validation", "test")
    }
    x = {}
    for m in prepared.manifest["modalities"]:
        values = MemoryMapped(prepared.folder / f"{m}.npy")[rows]
        train = values[index["train"]]
        x[m] = (values - train.mean(0)) / train.std(0).clamp_min(1e-6)  # 0 of a constant feature
    everything = Split(x, y)
    files = len({s["group"] for s in samples})
    source = f"{files} of {FILES} files, {len(samples):,} videos, {prepared.source}"
    train, validation, test = (everything.take(rows) for rows in index.values())
    return Splits(train, validation, test, prepared.classes, source)


def split_of(file: str, fold: int) -> str:
    """The split of all videos of a file, by the number at the end of its name.

    >>> [split_of(f"validate{number:04d}", fold=1) for number in (0, 1, 2, 3, 4, 96)]
    ['train', 'test', 'validation', 'train', 'train', 'test']
    """
    after = (int(file[-4:]) - fold) % FOLDS
    return {0: "test", 1: "validation"}.get(after, "train")


def picture(splits: Splits) -> Figure:
    """Plot how similar classes are: cosines between the means of their training videos."""
    train, classes = splits.train, splits.classes
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    axes = figure.subplots(1, len(train.x), sharey=True)
    for ax, (m, x) in zip(axes, train.x.items(), strict=True):
        means = torch.stack([x[train.y == k].mean(0) for k in range(len(classes))])
        unit = torch.nn.functional.normalize(means)
        image = ax.imshow((unit @ unit.T).numpy(), cmap="RdBu_r", vmin=-1, vmax=1)
        ax.set_title(f"{m}: cosines between class means")
        ax.set_xticks([])
        ax.set_yticks(range(len(classes)), classes, fontsize=6)
    figure.colorbar(image, ax=axes, shrink=0.6)
    return figure
