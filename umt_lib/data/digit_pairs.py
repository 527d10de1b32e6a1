"""Digit-pairs: images of handwritten digits with adjustable uni-modal and paired features.

Each modality shows two digits side by side, a cue and a code. The cue shows the label with
reliability q. The two codes, one per modality, add up to the label mod K with reliability r; each
code alone is independent of the label. So q sets the strength of the uni-modal features and r that
of the paired feature (:mod:`umt_lib.data.synthetic` draws both and computes the best possible
accuracy).

The images (scikit-learn's copy of the UCI optical digits test set) are split into six pools, one
per modality and split: no image is in two splits or in two modalities. A pool is small, so samples
of one split share images.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from sklearn.datasets import load_digits

from umt_lib.data.splits import Split, Splits
from umt_lib.data.synthetic import draw, generators
from umt_lib.errors import StudyError
from umt_lib.style import Figure

MODALITIES = ("left", "right")
FRACTIONS = (0.5, 0.2, 0.3)  # of a modality's images: train, validation, test
MAX_GREY = 16  # the brightest grey level of the 8x8 images


def load(
    n_train: int = 4000,
    n_validation: int = 1000,
    n_test: int = 4000,
    classes: int = 2,
    q_left: float = 0.6,
    q_right: float = 0.4,
    r: float = 0.5,
    data_seed: int = 0,
    fold: int = 0,
) -> Splits:
    """Generate "left" and "right", float32 (n, 1, 8, 16) in 0..1: cue digit | code digit.

    Args:
        n_train, n_validation, n_test: samples per split; changing one does not change the others.
        classes: K of 2..10; only the digits 0..K-1 appear.
        q_left, q_right: probability that a cue shows the label; otherwise a uniform digit.
        r: probability that the codes add up to the label mod K; otherwise they are independent.
        data_seed: of pools and samples; independent of the training seed.
        fold: every fold is another draw of pools and samples.

    Raises:
        StudyError: an option is out of range.
    """
    if classes > 10:
        raise StudyError(f"data set 'digit-pairs': classes is {classes}; there are only 10 digits")
    *draws, cut = generators(data_seed, fold)
    digits = load_digits()
    pools = _pools(cut, digits.target, classes)
    images = torch.from_numpy((digits.images / MAX_GREY).astype(np.float32))
    uni = {"left": (q_left,), "right": (q_right,)}
    splits = []
    for part, (rng, n) in enumerate(zip(draws, (n_train, n_validation, n_test), strict=True)):
        y, features = draw(rng, n, classes, uni, (r,))
        x = {}
        for m, shown in features.items():  # (n, 2): digit of the cue, digit of the code
            index = np.empty_like(shown)
            for k in range(classes):
                index[shown == k] = rng.choice(pools[m][part][k], size=(shown == k).sum())
            x[m] = torch.cat([images[index[:, 0]], images[index[:, 1]]], dim=2).unsqueeze(1)
        splits.append(Split(x, torch.from_numpy(y)))
    raw = digits.images.tobytes() + digits.target.tobytes()
    names = tuple(str(k) for k in range(classes))
    train, validation, test = splits
    return Splits(train, validation, test, names, hashlib.sha256(raw).hexdigest())


def _pools(
    rng: np.random.Generator, target: np.ndarray, classes: int
) -> dict[str, list[list[np.ndarray]]]:
    """Disjoint image indices by modality, split (train, validation, test) and digit."""
    ends = np.cumsum([part / len(MODALITIES) for _ in MODALITIES for part in FRACTIONS])[:-1]
    cells = []  # by digit, then by pool
    for k in range(classes):
        order = rng.permutation(np.flatnonzero(target == k))
        cells.append(np.split(order, np.round(ends * len(order)).astype(int)))
    by_pool = [list(pool) for pool in zip(*cells, strict=True)]
    parts = len(FRACTIONS)
    return {m: by_pool[i * parts : (i + 1) * parts] for i, m in enumerate(MODALITIES)}


def picture(splits: Splits, per_class: int = 3) -> Figure:
    """Plot ``per_class`` training samples of each class: left and right image, cue | code."""
    train, rows, columns = splits.train, len(splits.classes), len(splits.modalities)
    figure = Figure(figsize=(3.6 * per_class, 0.85 * rows + 0.7), layout="constrained")
    for s, block in enumerate(figure.subfigures(1, per_class, wspace=0.04, squeeze=False).flat):
        block.suptitle(f"sample {s + 1}", fontsize="medium")
        for k, line in enumerate(block.subplots(rows, columns, squeeze=False)):
            i = (train.y == k).nonzero()[s, 0]
            for ax, (m, x) in zip(line, train.x.items(), strict=True):
                image = x[i, 0].numpy()
                ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)
                ax.axvline(image.shape[1] / 2 - 0.5, color="#0072B2", linewidth=1.5)
                ax.set(xticks=[], yticks=[])
                if k == 0:
                    ax.set_title(f"{m}: cue | code", fontsize="small")
            line[0].set_ylabel(f"class {splits.classes[k]}")
    return figure
