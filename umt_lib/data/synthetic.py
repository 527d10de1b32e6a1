r"""The feature model: every feature known, its kind and its strength, so diagnostics have a truth.

A label :math:`y` is uniform over K classes. All features are drawn independently given :math:`y`:

* a **uni-modal feature** of reliability p equals :math:`y` with probability p, otherwise it is
  uniform over the K classes (so it equals :math:`y` with probability p + (1 - p)/K);
* a **paired feature** of reliability p is a code cut in two: :math:`c_1` is uniform and goes to the
  first modality, :math:`c_2` goes to the second, with :math:`(c_1 + c_2) \bmod K = y` with
  probability p and uniform otherwise. Each half alone is exactly independent of :math:`y`.

Discrete features become vectors: each value has a random code, any two codes of one feature are
4 apart, and Gaussian noise is added. With ``noise`` up to about 0.5 the values can be read back
almost without error, and :func:`bayes` is the accuracy the best classifier reaches.

Two classes by default: a small network learns addition mod 2 (XOR) from a few thousand samples, and
addition mod K gets harder quickly as K grows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure

from umt_lib.data.splits import Split, Splits
from umt_lib.errors import StudyError

WIDTH = 8  # dimensions of one embedded feature, so at most 8 classes
PER_CLASS = 6  # samples in the picture
MAX_STATES = 2**22  # of the enumeration in `best_accuracy`


def load(
    n_train: int = 2000,
    n_validation: int = 1000,
    n_test: int = 4000,
    classes: int = 2,
    uni_a: tuple[float, ...] = (0.5, 0.4, 0.3),
    uni_b: tuple[float, ...] = (0.4, 0.3, 0.2),
    paired: tuple[float, ...] = (0.7,),
    noise: float = 0.5,
    scale_a: float = 1.0,
    scale_b: float = 1.0,
    data_seed: int = 0,
) -> Splits:
    """Modalities "a" and "b", float32 (n, features * 8), features ordered uni-modal then paired.

    Args:
        n_train, n_validation, n_test: samples; changing one leaves the other splits as they are.
        classes: K, from 2 to 8.
        uni_a, uni_b, paired: one reliability in 0..1 per feature; the length is their number.
        noise: standard deviation per dimension, against codes 4 apart.
        scale_a, scale_b: factor on a whole modality, noise included: the information stays, the
            gradients change, and the modality with the larger factor tends to be learned first.
        data_seed: fixes codes and samples; a training seed never changes them.

    Raises:
        StudyError: an option out of range.
    """
    uni, scale = {"a": uni_a, "b": uni_b}, {"a": scale_a, "b": scale_b}
    if classes > WIDTH:
        raise StudyError(f"data set 'synthetic': classes is {classes}; give {WIDTH} or fewer")
    if noise < 0:
        raise StudyError(f"data set 'synthetic': noise is {noise}; give 0 or more")
    for m in uni:
        if not (*uni[m], *paired):
            raise StudyError(
                f"data set 'synthetic': modality {m!r} has no feature; give uni_{m} or paired one"
            )
    *draws, shared = generators(data_seed)
    codes = {m: [_codes(shared, classes) for _ in (*uni[m], *paired)] for m in uni}
    splits = []
    for rng, n in zip(draws, (n_train, n_validation, n_test), strict=True):
        y, features = draw(rng, n, classes, uni, paired)
        x = {}
        for m, values in features.items():
            clean = np.hstack([code[v] for code, v in zip(codes[m], values.T, strict=True)])
            noisy = scale[m] * (clean + noise * rng.standard_normal(clean.shape))
            x[m] = torch.from_numpy(noisy.astype(np.float32))
        splits.append(Split(x, torch.from_numpy(y)))
    return Splits(*splits, classes=tuple(str(k) for k in range(classes)))


def generators(data_seed: int) -> list[np.random.Generator]:
    """Four independent generators: train, validation, test, and one for what the splits share.

    Raises:
        StudyError: a negative seed.
    """
    if data_seed < 0:
        raise StudyError(f"data_seed is {data_seed}; give a whole number from 0")
    return np.random.default_rng(data_seed).spawn(4)


def draw(
    rng: np.random.Generator,
    n: int,
    classes: int,
    uni: dict[str, Sequence[float]],
    paired: Sequence[float],
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Labels (n,) and, per modality, discrete features (n, uni-modal + paired) in 0..K-1.

    Args:
        uni: reliabilities of the uni-modal features of the two modalities, by name.
        paired: reliabilities of the paired features.

    Raises:
        StudyError: fewer samples than classes, fewer than 2 classes, or a reliability outside 0..1.
    """
    if classes < 2:
        raise StudyError(f"the feature model was asked for {classes} classes; give 2 or more")
    if n < classes:
        raise StudyError(f"a split of {n} samples cannot show {classes} classes; ask for more")
    for name, reliabilities in {**uni, "paired": paired}.items():
        for p in reliabilities:
            if not 0 <= p <= 1:
                raise StudyError(f"feature model, {name!r}: reliability {p} is outside 0..1")

    y = rng.integers(classes, size=n)

    def equals_y(p: float) -> np.ndarray:
        return np.where(rng.random(n) < p, y, rng.integers(classes, size=n))

    features = {m: [equals_y(p) for p in reliabilities] for m, reliabilities in uni.items()}
    first, second = features.values()
    for p in paired:
        first.append(rng.integers(classes, size=n))
        second.append((equals_y(p) - first[-1]) % classes)
    return y, {m: np.stack(columns, axis=1) for m, columns in features.items()}


def best_accuracy(reliabilities: Sequence[float], classes: int) -> float:
    """Accuracy of the Bayes classifier that sees features of these reliabilities, exactly.

    Enumerates all K^n patterns f: the sum over f of max_y P(y, f), or a StudyError for more than
    2^22 of them. A paired feature seen whole counts as one: c1 + c2 mod K is all it says of y.
    """
    if classes ** len(reliabilities) > MAX_STATES:
        n = len(reliabilities)
        raise StudyError(
            f"{n} features of {classes} values are too many to enumerate; ask for fewer"
        )
    joint = np.full((classes, 1), 1 / classes)  # P(y, f): (K, patterns)
    for p in reliabilities:
        given_y = p * np.eye(classes) + (1 - p) / classes  # P(f_j | y): (K, K)
        joint = (joint[:, :, None] * given_y[:, None, :]).reshape(classes, -1)
    return float(joint.max(axis=0).sum())


def bayes(
    uni: dict[str, Sequence[float]], paired: Sequence[float], classes: int
) -> dict[str, float]:
    """The best possible accuracy of each modality, of "additive" and of "all", as noise goes to 0.

    "additive" is the product of the modalities' posteriors, all that uni-modal predictions can
    give. What "all" has over it is the worth of the paired features.
    """
    both = [p for reliabilities in uni.values() for p in reliabilities]
    facts = {m: best_accuracy(reliabilities, classes) for m, reliabilities in uni.items()}
    return facts | {
        "additive": best_accuracy(both, classes),
        "all": best_accuracy([*both, *paired], classes),
    }


def _codes(rng: np.random.Generator, classes: int) -> np.ndarray:
    """Codes (K, WIDTH), one row per value: sqrt(2 * WIDTH) from each other, summing to zero."""
    q, _ = np.linalg.qr(rng.standard_normal((WIDTH, classes)))
    codes = np.sqrt(WIDTH) * q.T
    return codes - codes.mean(axis=0)


def picture(splits: Splits) -> Figure:
    """Per modality, single train samples above the mean of each class.

    Uni-modal features show in the class means; a paired half (the last ones) averages to nothing.
    """
    train, classes = splits.train, splits.classes
    y = train.y.numpy()
    rows = np.concatenate([np.flatnonzero(y == k)[:PER_CLASS] for k in range(len(classes))])
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots(2, len(train.x), height_ratios=[4, 2], squeeze=False, sharex="col")
    for column, (m, x) in zip(axes.T, train.x.items(), strict=True):
        x = x.numpy()
        means = np.stack([x[y == k].mean(axis=0) for k in range(len(classes))])
        starts = np.arange(0, x.shape[1], WIDTH)
        shown = {"samples": (x[rows], PER_CLASS), "class means": (means, 1)}
        for ax, (title, (image, per_class)) in zip(column, shown.items(), strict=True):
            limit = np.abs(image).max()
            drawn = ax.imshow(image, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
            figure.colorbar(drawn, ax=ax, fraction=0.04)
            ax.set_title(f"modality {m!r}: {title}", fontsize="medium")
            ax.set_yticks(per_class * (np.arange(len(classes)) + 0.5) - 0.5, classes)
            ax.set_ylabel("class")
            ax.vlines(starts[1:] - 0.5, -0.5, len(image) - 0.5, color="black", linewidth=0.8)
        ax.set_xticks(starts + (WIDTH - 1) / 2, [f"feature {j + 1}" for j in range(len(starts))])
    return figure
