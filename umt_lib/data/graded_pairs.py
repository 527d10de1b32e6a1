r"""Graded pairs: paired features of which each half also shows a little of the label.

The data set is :mod:`umt_lib.data.synthetic` with one more option. A paired feature of reliability
p is a code in two parts with :math:`(c_1 + c_2) \bmod K = s`, where :math:`s` equals the label with
probability p and is uniform otherwise. With probability ``leak`` both parts are equal,

.. math:: c_1 = c_2 = h(s), \qquad h(s) + h(s) \equiv s \pmod K,

otherwise :math:`c_1` is uniform. Each part alone is then a uni-modal feature of reliability
``leak`` * p, and both together are always one of reliability p. So ``leak`` changes what each
modality shows alone and nothing else: at 0 it is the code of synthetic, whose parts are independent
of the label, and at 1 each part shows all that both show. An encoder that is trained alone drops a
part that is independent of the label and keeps one that is not.

Every :math:`s` has one half :math:`h(s)` only if K is odd, so K is odd unless ``leak`` is 0.
"""

from __future__ import annotations

import numpy as np

from umt_lib.data.generated import (
    Scale,
    check_reliabilities,
    check_states,
    codes,
    encode,
    facts,
    generate,
    patterns,
)
from umt_lib.data.splits import Splits
from umt_lib.data.synthetic import draw, generators
from umt_lib.data.synthetic import picture as picture
from umt_lib.errors import StudyError

NAME = "graded-pairs"


def load(
    n_train: int = 2000,
    n_validation: int = 1000,
    n_test: int = 4000,
    classes: int = 3,
    uni_a: tuple[float, ...] = (0.3, 0.3),
    uni_b: tuple[float, ...] = (0.3, 0.3),
    paired: tuple[float, ...] = (0.9,),
    leak: float = 0.2,
    noise: float = 0.5,
    scale_a: Scale = 1.0,
    scale_b: Scale = 1.0,
    data_seed: int = 0,
    fold: int = 0,
) -> Splits:
    """Generate "a" and "b", float32 (n, features * 8): uni-modal features, then paired ones.

    With ``leak`` 0 the arrays are those of :func:`umt_lib.data.synthetic.load`.

    Args:
        n_train, n_validation, n_test: samples per split; changing one does not change the others.
        classes: K, 3, 5 or 7; with ``leak`` 0 from 2 to 8.
        uni_a, uni_b, paired: one reliability in 0..1 per feature.
        leak: probability that both parts of a paired feature show the same, 0..1.
        noise: standard deviation per dimension; the distance of two codes is 4.
        scale_a, scale_b: factor on a modality, noise included, or one factor per feature.
        data_seed: of codes and samples; independent of the training seed.
        fold: every fold is another draw of codes and samples.

    Raises:
        StudyError: an option is out of range.
    """
    uni = {"a": uni_a, "b": uni_b}
    _check(classes, uni_a, uni_b, paired, leak)
    *draws, shared = generators(data_seed, fold)
    tables = {m: [codes(shared, classes) for _ in (*uni[m], *paired)] for m in uni}

    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        y, values = draw(rng, n, classes, uni, paired)
        if leak:
            first, second = (values[m][:, len(uni[m]) :] for m in uni)  # views of the parts
            half = _half((first + second) % classes, classes)
            shown = rng.random(half.shape) < leak
            first[shown] = second[shown] = half[shown]
        return y, {m: encode(tables[m], values[m]) for m in uni}

    sizes = (n_train, n_validation, n_test)
    return generate(NAME, sample, draws, sizes, classes, noise, {"a": scale_a, "b": scale_b})


def bayes(
    classes: int = 3,
    uni_a: tuple[float, ...] = (0.3, 0.3),
    uni_b: tuple[float, ...] = (0.3, 0.3),
    paired: tuple[float, ...] = (0.9,),
    leak: float = 0.2,
) -> dict[str, float]:
    """Best possible accuracies without noise, exact by enumeration: "a", "b", "additive", "all".

    See :func:`umt_lib.data.generated.facts`. Arguments are those of :func:`load`.

    Raises:
        StudyError: an option is out of range, or there are too many features.
    """
    return facts(distribution(classes, uni_a, uni_b, paired, leak))


def distribution(
    classes: int = 3,
    uni_a: tuple[float, ...] = (0.3, 0.3),
    uni_b: tuple[float, ...] = (0.3, 0.3),
    paired: tuple[float, ...] = (0.9,),
    leak: float = 0.2,
) -> np.ndarray:
    """P(y, pattern of a, pattern of b), (K, K^features, K^features).

    Arguments are those of :func:`load`; of a pattern, the last feature changes fastest.
    """
    _check(classes, uni_a, uni_b, paired, leak)
    sizes = [classes ** (len(uni) + len(paired)) for uni in (uni_a, uni_b)]
    check_states(NAME, classes, *sizes)
    a, b = (patterns([_given_y(p, classes) for p in uni], classes) for uni in (uni_a, uni_b))
    joint = np.einsum("ya,yb->yab", a, b) / classes
    for p in paired:
        parts = np.einsum("ys,scd->ycd", _given_y(p, classes), _parts(classes, leak))
        joint = np.einsum("yab,ycd->yacbd", joint, parts)
        joint = joint.reshape(classes, joint.shape[1] * classes, -1)
    return joint


def _given_y(p: float, classes: int) -> np.ndarray:
    """P(s | y) of a feature of reliability p: (K, K)."""
    return p * np.eye(classes) + (1 - p) / classes


def _parts(classes: int, leak: float) -> np.ndarray:
    """P(c1, c2 | s): (K, K, K)."""
    s, c1, c2 = np.indices((classes,) * 3)
    uniform = ((c1 + c2) % classes == s) / classes
    return (1 - leak) * uniform + leak * ((c1 == c2) & (c1 == _half(s, classes)))


def _half(s: np.ndarray, classes: int) -> np.ndarray:
    """The number h with h + h = s mod K, for odd K."""
    return s * (classes + 1) // 2 % classes


def _check(
    classes: int,
    uni_a: tuple[float, ...],
    uni_b: tuple[float, ...],
    paired: tuple[float, ...],
    leak: float,
) -> None:
    check_reliabilities(NAME, classes, uni_a=uni_a, uni_b=uni_b, paired=paired, leak=(leak,))
    if leak and classes % 2 == 0:
        raise StudyError(
            f"data set {NAME!r}: classes is {classes}, an even number, and leak is {leak}; give an "
            f"odd number of classes, or leak 0"
        )
    for m, uni in (("a", uni_a), ("b", uni_b)):
        if not (*uni, *paired):
            raise StudyError(
                f"data set {NAME!r}: modality {m!r} has no feature; give uni_{m} or paired one"
            )
