r"""Shared nuisance: what both modalities contain hides the label in one, and the other removes it.

A nuisance is a property of the scene that both modalities show and that is independent of the
label, such as the speaker, the background or the pose. Here :math:`z \sim \mathcal N(0, \rho^2 I)`
in D dimensions, and

.. math:: x_a = A\,(\sigma\,\mu_y + z) + \varepsilon_a, \qquad x_b = B\,z + \varepsilon_b

with one of K orthogonal class vectors :math:`\mu_y` (less their mean), random maps A and B with
orthonormal columns, and noise. This is the last block of each modality: that of b is independent of
the label, and that of a shows little of it if :math:`\rho` is large. The difference
:math:`A^\top x_a - B^\top x_b` does not contain the nuisance, so **a linear head can use this
paired feature**. Each modality also has uni-modal features, those of :mod:`umt_lib.data.synthetic`.

Given the label and the discrete features, everything is Gaussian, so the best possible accuracies
are known: a alone sees the class vector in noise of variance :math:`\rho^2 + n^2`, where n is the
noise, and both modalities together see it in noise of variance
:math:`n^2 + \rho^2 n^2 / (\rho^2 + n^2)`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from umt_lib.data.generated import (
    Scale,
    check_reliabilities,
    check_states,
    codes,
    encode,
    generate,
)
from umt_lib.data.splits import Splits
from umt_lib.data.synthetic import WIDTH, draw, generators
from umt_lib.errors import StudyError
from umt_lib.style import Figure

NAME = "shared-nuisance"
MAX_LEADS = 2**16  # patterns of uni-modal features, of which those of the same use count once
SAME = 1e-6  # leads in log-likelihood that count as a tie
SHOWN = 150  # samples per class in the plot
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)  # of integrals over a standard normal


def load(
    n_train: int = 2000,
    n_validation: int = 1000,
    n_test: int = 4000,
    classes: int = 4,
    uni_a: tuple[float, ...] = (0.3, 0.3, 0.3, 0.3),
    uni_b: tuple[float, ...] = (0.3, 0.3, 0.3, 0.3),
    rho: float = 2.0,
    sig: float = 1.0,
    dims: int = 4,
    noise: float = 0.25,
    scale_a: Scale = 1.0,
    scale_b: Scale = 1.0,
    data_seed: int = 0,
    fold: int = 0,
) -> Splits:
    """Generate "a" and "b", float32 (n, (features + 1) * 8): uni-modal features, then the nuisance.

    Args:
        n_train, n_validation, n_test: samples per split; changing one does not change the others.
        classes: K, from 2 to ``dims``.
        uni_a, uni_b: reliability in 0..1 of each uni-modal feature.
        rho: standard deviation of the nuisance in every dimension.
        sig: size of the class vectors; two of them are at distance sqrt(2) * sig.
        dims: D, the dimensions of the nuisance, at most 8.
        noise: standard deviation per dimension, also of the codes of uni-modal features.
        scale_a, scale_b: factor on a modality, noise included, or one factor per feature; the
            nuisance counts as the last feature.
        data_seed: of codes, maps and samples; independent of the training seed.
        fold: every fold is another draw of codes, maps and samples.

    Raises:
        StudyError: an option is out of range.
    """
    uni = {"a": uni_a, "b": uni_b}
    _check(classes, uni_a, uni_b, rho, sig, noise)
    if not classes <= dims <= WIDTH:
        raise StudyError(
            f"data set {NAME!r}: dims is {dims} for {classes} classes; give {classes} to {WIDTH}"
        )
    *draws, shared = generators(data_seed, fold)
    tables = {m: [codes(shared, classes) for _ in uni[m]] for m in uni}
    maps = {m: _orthonormal(shared, WIDTH, dims) for m in uni}
    vectors = sig * _orthonormal(shared, dims, classes).T
    vectors -= vectors.mean(axis=0)

    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        # one feature more, which shows nothing, since `draw` needs one per modality
        y, values = draw(rng, n, classes, {m: (*p, 0.0) for m, p in uni.items()}, ())
        nuisance = rho * rng.standard_normal((n, dims))
        shown = {"a": vectors[y] + nuisance, "b": nuisance}
        discrete = {m: encode(tables[m], values[m][:, :-1]) for m in uni}
        return y, {m: np.hstack([discrete[m], shown[m] @ maps[m].T]) for m in uni}

    sizes = (n_train, n_validation, n_test)
    return generate(NAME, sample, draws, sizes, classes, noise, {"a": scale_a, "b": scale_b})


def bayes(
    classes: int = 4,
    uni_a: tuple[float, ...] = (0.3, 0.3, 0.3, 0.3),
    uni_b: tuple[float, ...] = (0.3, 0.3, 0.3, 0.3),
    rho: float = 2.0,
    sig: float = 1.0,
    noise: float = 0.25,
) -> dict[str, float]:
    """Best possible accuracies: "a", "b", "additive" and "all".

    "additive" is that of the product of the two posteriors, which cannot use the nuisance of b.
    Exact by enumeration of the uni-modal features, whose codes count as decoded, and by quadrature
    over the Gaussian part. ``dims`` and scales do not change them. Arguments are those of
    :func:`load`.

    Raises:
        StudyError: an option is out of range, or there are too many features.
    """
    _check(classes, uni_a, uni_b, rho, sig, noise)
    hidden = np.hypot(rho, noise)  # standard deviation around the class vector, in a
    removed = np.hypot(noise, rho * noise / hidden) if hidden else 0.0  # the same, given b
    return {
        "a": _accuracy(uni_a, classes, sig, hidden),
        "b": _accuracy(uni_b, classes, 0.0, 1.0),
        "additive": _accuracy((*uni_a, *uni_b), classes, sig, hidden),
        "all": _accuracy((*uni_a, *uni_b), classes, sig, removed),
    }


def _accuracy(reliabilities: Sequence[float], classes: int, sig: float, deviation: float) -> float:
    """Best accuracy from discrete features and a vector sig * e_y in Gaussian noise.

    By symmetry it is the accuracy on class 0, which wins if t_0 + w_0 / s is larger than
    t_k + w_k / s for all other k. Here w_k is the log-likelihood of class k under the discrete
    features, s = sig / deviation, and the t are independent normals with variance 1 and mean 0,
    except t_0, whose mean is s.
    """
    chance, lead = _leads(reliabilities, classes)
    if sig == 0:
        won = (lead > -SAME).all(axis=1) / (1 + (abs(lead) < SAME).sum(axis=1))  # ties at random
        return float(chance @ won)
    if deviation == 0:
        return 1.0
    s = sig / deviation
    won = np.ones((len(lead), len(NODES)))
    for other in lead.T:
        won *= ndtr(s + NODES + other[:, None] / s)
    return float(chance @ won @ WEIGHTS / WEIGHTS.sum())


def _leads(reliabilities: Sequence[float], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The distribution of w_0 - w_k if the label is 0: chances (P,) and sorted leads (P, K - 1).

    Patterns with the same leads, in any order of the other classes, are merged after each feature.
    """
    chance, lead = np.ones(1), np.zeros((1, classes - 1))
    for p in reliabilities:
        other = (1 - p) / classes
        ratio = np.log1p(p / other) if other else np.inf
        check_states(NAME, len(chance), classes, most=MAX_LEADS)
        cases = [(p + other, lead + ratio)]  # the feature shows class 0, or one of the others
        if other:
            cases += [(other, lead - ratio * e) for e in np.eye(classes - 1)]
        chance = np.concatenate([weight * chance for weight, _ in cases])
        lead = np.sort(np.concatenate([moved for _, moved in cases]).round(9), axis=1)
        lead, merged = np.unique(lead, axis=0, return_inverse=True)
        chance = np.bincount(merged.ravel(), weights=chance)
    return chance, lead


def _orthonormal(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """A random matrix with orthonormal columns."""
    return np.linalg.qr(rng.standard_normal((rows, columns)))[0]


def _check(
    classes: int,
    uni_a: tuple[float, ...],
    uni_b: tuple[float, ...],
    rho: float,
    sig: float,
    noise: float,
) -> None:
    check_reliabilities(NAME, classes, uni_a=uni_a, uni_b=uni_b)
    for name, value in {"rho": rho, "sig": sig, "noise": noise}.items():
        if value < 0:
            raise StudyError(f"data set {NAME!r}: {name} is {value}; give 0 or more")


def picture(splits: Splits) -> Figure:
    """Plot the last block of a, of b, and of a less what b predicts of it, by class.

    Each panel shows the two directions that separate the classes best on the training split.
    """
    train = splits.train
    a, b = (train.x[m][:, -WIDTH:].double().numpy() for m in ("a", "b"))
    y = train.y.numpy()
    centred = b - b.mean(axis=0)
    rest = a - centred @ np.linalg.lstsq(centred, a - a.mean(axis=0), rcond=None)[0]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots(1, 3)
    panels = {"modality a": a, "modality b": b, "a less what b predicts": rest}
    for ax, (title, block) in zip(axes, panels.items(), strict=True):
        seen = LinearDiscriminantAnalysis().fit_transform(block, y)
        seen = np.hstack([seen, np.zeros((len(seen), 1))])[:, :2]  # two classes: one direction
        for k, name in enumerate(splits.classes):
            rows = np.flatnonzero(y == k)[:SHOWN]
            ax.scatter(*seen[rows].T, s=5, alpha=0.6, label=f"class {name}")
        ax.set_title(title, fontsize="medium")
        ax.set_xlabel("first discriminant")
    axes[0].set_ylabel("second discriminant")
    axes[0].legend(fontsize="x-small", markerscale=2)
    return figure
