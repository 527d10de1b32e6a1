r"""Synthetic: data with known uni-modal and paired features, to validate the diagnostics.

A label :math:`y` is uniform over K classes. All features are drawn independently given :math:`y`:

* a **uni-modal feature** of reliability p equals :math:`y` with probability p, otherwise it is
  uniform over the K classes (so it equals :math:`y` with probability p + (1 - p)/K);
* a **paired feature** of reliability p is a code in two parts: :math:`c_1` is uniform and is in the
  first modality, :math:`c_2` is in the second, with :math:`(c_1 + c_2) \bmod K = y` with
  probability p and uniform otherwise. Each part alone is independent of :math:`y`.

Discrete features become vectors: each value has a random code, any two codes of one feature are
at distance 4, and Gaussian noise is added. With ``noise`` up to about 0.5 the values can be decoded
almost without error, and :func:`bayes` is the accuracy of the best classifier.

Two classes by default: a small network learns addition mod 2 (XOR) from a few thousand samples, and
addition mod K gets harder quickly as K grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from umt_lib.data.splits import Split, Splits
from umt_lib.errors import StudyError
from umt_lib.style import Figure

WIDTH = 8  # dimensions of one embedded feature, so at most 8 classes
PER_CLASS = 6  # samples in the plot
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
    fold: int = 0,
) -> Splits:
    """Generate "a" and "b", float32 (n, features * 8): uni-modal features, then paired ones.

    Args:
        n_train, n_validation, n_test: samples per split; changing one does not change the others.
        classes: K, from 2 to 8.
        uni_a, uni_b, paired: one reliability in 0..1 per feature.
        noise: standard deviation per dimension; the distance of two codes is 4.
        scale_a, scale_b: factor on a modality, noise included. It does not change the information,
            but the gradients: the modality with the larger factor tends to be learned first.
        data_seed: of codes and samples; independent of the training seed.
        fold: every fold is another draw of codes and samples.

    Raises:
        StudyError: an option is out of range.
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
    *draws, shared = generators(data_seed, fold)
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
    train, validation, test = splits
    return Splits(train, validation, test, tuple(str(k) for k in range(classes)))


def generators(data_seed: int, fold: int = 0) -> list[np.random.Generator]:
    """Four independent random generators: for train, validation, test, and all splits together.

    Those of different folds are independent.

    Raises:
        StudyError: the seed is negative.
    """
    if data_seed < 0:
        raise StudyError(f"data_seed is {data_seed}; give an integer of 0 or more")
    return np.random.default_rng([data_seed, fold]).spawn(4)


def draw(
    rng: np.random.Generator,
    n: int,
    classes: int,
    uni: Mapping[str, Sequence[float]],
    paired: Sequence[float],
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draw labels (n,) and, per modality, discrete features (n, uni-modal + paired) in 0..K-1.

    Args:
        n: number of samples.
        classes: K.
        uni: reliabilities of the uni-modal features of the two modalities, by name.
        paired: reliabilities of the paired features.

    Raises:
        StudyError: there are fewer samples than classes or fewer than 2 classes, or a reliability
            is outside 0..1.
    """
    if classes < 2:
        raise StudyError(f"the feature model has {classes} classes; give 2 or more")
    if n < classes:
        raise StudyError(
            f"a split of {n} samples is too small for {classes} classes; give more samples"
        )
    for name, reliabilities in {**uni, "paired": paired}.items():
        for p in reliabilities:
            if not 0 <= p <= 1:
                raise StudyError(
                    f"feature model, {name!r}: reliability {p} is outside 0..1; give a probability"
                )

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
    """Exact accuracy in 0..1 of the Bayes classifier of features with these reliabilities.

    It is the sum over all K^n patterns f of max_y P(y, f). A paired feature of which both parts are
    known counts as one feature: y depends on it only through c1 + c2 mod K.

    Args:
        reliabilities: of the n features.
        classes: K.

    Raises:
        StudyError: there are more than 2^22 patterns.
    """
    if classes ** len(reliabilities) > MAX_STATES:
        n = len(reliabilities)
        raise StudyError(f"{n} features of {classes} values are too many to enumerate; give fewer")
    joint = np.full((classes, 1), 1 / classes)  # P(y, f): (K, patterns)
    for p in reliabilities:
        given_y = p * np.eye(classes) + (1 - p) / classes  # P(f_j | y): (K, K)
        joint = (joint[:, :, None] * given_y[:, None, :]).reshape(classes, -1)
    return float(joint.max(axis=0).sum())


def bayes(
    uni: dict[str, Sequence[float]], paired: Sequence[float], classes: int
) -> dict[str, float]:
    """Best possible accuracies without noise: of each modality, "additive" and "all".

    "additive" is that of the product of the modalities' posteriors, the best that uni-modal
    predictions can give; "all" uses the paired features too.

    Args:
        uni: reliabilities of the uni-modal features, by modality.
        paired: reliabilities of the paired features.
        classes: K.

    Raises:
        StudyError: there are too many features; see :func:`best_accuracy`.
    """
    both = [p for reliabilities in uni.values() for p in reliabilities]
    facts = {m: best_accuracy(reliabilities, classes) for m, reliabilities in uni.items()}
    return facts | {
        "additive": best_accuracy(both, classes),
        "all": best_accuracy([*both, *paired], classes),
    }


def _codes(rng: np.random.Generator, classes: int) -> np.ndarray:
    """Draw codes (K, WIDTH), one row per value, with distances sqrt(2 * WIDTH) and mean zero."""
    q, _ = np.linalg.qr(rng.standard_normal((WIDTH, classes)))
    codes = np.sqrt(WIDTH) * q.T
    return codes - codes.mean(axis=0)


def picture(splits: Splits) -> Figure:
    """Plot, per modality, single training samples above the mean of each class.

    Uni-modal features are visible in the class means; the parts of paired features (the last ones)
    average to zero.
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
