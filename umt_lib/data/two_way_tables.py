r"""Two-way tables: categorical features whose effects on the label add up, plus interactions.

Modality a has features :math:`i_1, i_2, \dots` and modality b features :math:`j_1, j_2, \dots`,
each with L levels. The label depends on them through a table of logits, as in a two-way analysis of
variance:

.. math:: \log p(y \mid i, j) = \log \pi_y + \sum_k \alpha^k_y(i_k) + \sum_k \beta^k_y(j_k)
          + \sum_k \gamma_k\, g^k_y(i_k, j_k) + \text{const}.

The main effects are the logarithms of :math:`p(i_k \mid y)`, which are softmax functions over the
levels of standard normal numbers times ``main_a`` or ``main_b``. The interactions :math:`g^k_y` are
normal numbers with mean 0 in every row and every column and variance 1: feature k of a interacts
with feature k of b. The levels are drawn first, from the distribution that they have if all
:math:`\gamma_k` are 0, and then the label. So ``gamma`` changes the effect of the features but not
the features.

With ``gamma`` 0 the modalities are independent given the label: the product of the uni-modal
posteriors, divided by the prior, is exact. The classes are unbalanced by default, so the division
matters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, softmax

from umt_lib.data.generated import Scale, check_states, codes, encode, facts, generate, patterns
from umt_lib.data.splits import Splits
from umt_lib.data.synthetic import WIDTH, generators
from umt_lib.data.synthetic import picture as picture
from umt_lib.errors import StudyError

NAME = "two-way-tables"
PRIOR = (0.4, 0.3, 0.2, 0.1)


def load(
    n_train: int = 2000,
    n_validation: int = 1000,
    n_test: int = 4000,
    main_a: tuple[float, ...] = (1.0, 1.0),
    main_b: tuple[float, ...] = (1.0, 1.0),
    gamma: tuple[float, ...] = (1.0, 1.0),
    levels: int = 4,
    prior: tuple[float, ...] = PRIOR,
    table_seed: int = 0,
    noise: float = 0.5,
    scale_a: Scale = 1.0,
    scale_b: Scale = 1.0,
    data_seed: int = 0,
    fold: int = 0,
) -> Splits:
    """Generate "a" and "b", float32 (n, features * 8).

    Args:
        n_train, n_validation, n_test: samples per split; changing one does not change the others.
        main_a, main_b: size of the main effects of each feature, 0 or more.
        gamma: size of the interaction of each feature of a with that of b at the same position;
            shorter where the last features do not interact.
        levels: L, the values of each feature, from 2 to 8.
        prior: share of each class where nothing interacts.
        table_seed: of the tables of effects, which are the same for all data seeds and folds.
        noise: standard deviation per dimension; the distance of two codes is 4.
        scale_a, scale_b: factor on a modality, noise included, or one factor per feature.
        data_seed: of codes and samples; independent of the training seed.
        fold: every fold is another draw of codes and samples.

    Raises:
        StudyError: an option is out of range.
    """
    tables = _tables(main_a, main_b, gamma, levels, prior, table_seed)
    *draws, shared = generators(data_seed, fold)
    coded = {m: [codes(shared, levels) for _ in t] for m, t in tables.main.items()}

    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        cause = _categories(rng, np.tile(prior, (n, 1)))
        drawn = {
            m: np.stack([_categories(rng, np.exp(effect)[cause]) for effect in effects], axis=1)
            for m, effects in tables.main.items()
        }
        logits = np.tile(np.log(prior), (n, 1))
        for m, effects in tables.main.items():
            for effect, level in zip(effects, drawn[m].T, strict=True):
                logits += effect[:, level].T
        for k, g in enumerate(tables.interactions):
            logits += g[:, drawn["a"][:, k], drawn["b"][:, k]].T
        y = _categories(rng, softmax(logits, axis=1))
        return y, {m: encode(coded[m], values) for m, values in drawn.items()}

    sizes, scale = (n_train, n_validation, n_test), {"a": scale_a, "b": scale_b}
    return generate(NAME, sample, draws, sizes, len(prior), noise, scale)


def bayes(
    main_a: tuple[float, ...] = (1.0, 1.0),
    main_b: tuple[float, ...] = (1.0, 1.0),
    gamma: tuple[float, ...] = (1.0, 1.0),
    levels: int = 4,
    prior: tuple[float, ...] = PRIOR,
    table_seed: int = 0,
) -> dict[str, float]:
    """Best possible accuracies without noise, exact by enumeration: "a", "b", "additive", "all".

    See :func:`umt_lib.data.generated.facts`. Arguments are those of :func:`load`.

    Raises:
        StudyError: an option is out of range, or there are too many features.
    """
    return facts(distribution(main_a, main_b, gamma, levels, prior, table_seed))


def distribution(
    main_a: tuple[float, ...] = (1.0, 1.0),
    main_b: tuple[float, ...] = (1.0, 1.0),
    gamma: tuple[float, ...] = (1.0, 1.0),
    levels: int = 4,
    prior: tuple[float, ...] = PRIOR,
    table_seed: int = 0,
) -> np.ndarray:
    """P(y, i, j) of all patterns of levels of a and b, (K, L^features, L^features).

    Arguments are those of :func:`load`; of a pattern, the last feature changes fastest.
    """
    tables = _tables(main_a, main_b, gamma, levels, prior, table_seed)
    sides = [levels ** len(main) for main in (main_a, main_b)]
    check_states(NAME, len(prior), *sides)
    a, b = (patterns([np.exp(e) for e in tables.main[m]], len(prior)) for m in ("a", "b"))
    plain = np.einsum("y,ya,yb->yab", prior, a, b)
    logits = np.log(plain)
    rows, columns = (
        np.stack(np.unravel_index(np.arange(side), (levels,) * len(main)))  # (features, patterns)
        for side, main in zip(sides, (main_a, main_b), strict=True)
    )
    for k, g in enumerate(tables.interactions):
        logits += g[:, rows[k][:, None], columns[k]]
    return plain.sum(axis=0) * softmax(logits, axis=0)


class _Tables(NamedTuple):
    main: dict[str, list[np.ndarray]]  # {m: log P(level | y) of each feature, (K, L)}
    interactions: list[np.ndarray]  # (K, L, L) each


def _tables(
    main_a: tuple[float, ...],
    main_b: tuple[float, ...],
    gamma: tuple[float, ...],
    levels: int,
    prior: tuple[float, ...],
    table_seed: int,
) -> _Tables:
    """The effects; those of a feature do not depend on the other features or on their sizes."""
    if not 2 <= levels <= WIDTH:
        raise StudyError(f"data set {NAME!r}: levels is {levels}; give 2 to {WIDTH}")
    if len(prior) < 2 or min(prior) <= 0 or abs(sum(prior) - 1) > 1e-6:
        raise StudyError(
            f"data set {NAME!r}: prior is {list(prior)}; give two or more positive shares that add "
            f"up to 1"
        )
    if len(gamma) > min(len(main_a), len(main_b)):
        raise StudyError(
            f"data set {NAME!r}: gamma has {len(gamma)} interactions for {len(main_a)} and "
            f"{len(main_b)} features; give at most one per pair of features"
        )
    if table_seed < 0:
        raise StudyError(f"data set {NAME!r}: table_seed is {table_seed}; give 0 or more")
    sizes = {"a": main_a, "b": main_b, "gamma": gamma}
    for name, values in sizes.items():
        label = name if name == "gamma" else f"main_{name}"
        if not values and name != "gamma":
            raise StudyError(f"data set {NAME!r}: {label} is empty; give one size per feature")
        if min(values, default=0) < 0:
            raise StudyError(f"data set {NAME!r}: {label} has {min(values)}; give 0 or more")
    shape = (len(prior), levels)
    main = {
        m: [
            log_softmax(
                size * np.random.default_rng([table_seed, side, k]).standard_normal(shape), axis=1
            )
            for k, size in enumerate(sizes[m])
        ]
        for side, m in enumerate(("a", "b"))
    }
    interactions = []
    for k, size in enumerate(gamma):
        g = np.random.default_rng([table_seed, 2, k]).standard_normal((*shape, levels))
        g -= g.mean(axis=1, keepdims=True)
        g -= g.mean(axis=2, keepdims=True)
        interactions.append(size * g / g.std())
    return _Tables(main, interactions)


def _categories(rng: np.random.Generator, shares: np.ndarray) -> np.ndarray:
    """One category per row of probabilities (n, K): (n,)."""
    below = shares.cumsum(axis=1)[:, :-1] < rng.random((len(shares), 1))
    return below.sum(axis=1)
