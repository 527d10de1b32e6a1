r"""A model of feature learning that explains modality laziness, simulated and compared to networks.

Du et al. (ICML 2023) explain laziness as follows: the easiest features are learned first, training
stops once the training error is zero, and so joint training learns fewer uni-modal features than
uni-modal training does. The exact statement of their theorem was not available to us. The model
below is **our formalisation**, and its errors may be ours.

Feature :math:`i` is present on sample :math:`s` (:math:`a_{is} = 1`) or not, and where it is
present it shows the label. With :math:`U_t` the samples that are not yet fitted, at first all n,
the model repeats

.. math:: i_t = \arg\max_i g_i, \quad g_i = e_i \frac1n \sum_{s \in U_t} a_{is}, \qquad
          U_{t+1} = \{s \in U_t : a_{i_t s} = 0\}

and stops when no :math:`g_i` reaches the floor :math:`\phi`: the remaining samples are memorised.
The ease :math:`e_i` of a uni-modal feature is its squared scale, the factor on its gradient; all
paired features have the same ease. Uni-modal training is the model with the features of one
modality, joint training the model with all features. **UMT** starts with the features that its
teachers have learned, because they are distilled; the model continues with the samples that these
features leave unfitted.

Two numbers are free. The floor is fitted to the uni-modal networks, then the ease of paired
features to the number of paired features that joint networks learn. The uni-modal features of joint
training and everything about UMT are predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from pydantic import PositiveInt

from umt_lib.errors import StudyError
from umt_lib.study.analyses.theory import networks
from umt_lib.study.analyses.theory.networks import TRAININGS
from umt_lib.study.analyses.theory.settings import KIND, KINDS, FeatureSetting
from umt_lib.study.analyses.values import Samples, Seeds, Weight

FLOORS = tuple(2.0**-k for k in range(4, 13))  # candidates, largest first
EASES = tuple(2.0**-k for k in range(-2, 10))
CLEARS = (0.6, networks.CLEAR, 0.9)  # thresholds for which the counts are reported
AXES: dict[str, tuple] = {
    "number": (0, 1, 2, 3, 4),
    "presence": (0.1, 0.2, 0.4, 0.6, 0.8),
    "asymmetry": (0.0, 0.2, 0.4, 0.6, 0.8),
}


def simulate(
    present: np.ndarray, ease: np.ndarray, floor: float, given: Sequence[int] | np.ndarray = ()
) -> list[int]:
    """The features that the model learns, in this order; the first of those with equal pull.

    Args:
        present: (n, F) bool, which feature is present on which sample.
        ease: (F,), 0 or more.
        floor: the pull below which nothing is learned, above 0.
        given: features that are already learned, whose samples are fitted; not returned.

    Raises:
        StudyError: the shapes do not match, or the floor is not above 0.
    """
    if present.ndim != 2 or ease.shape != present.shape[1:]:
        raise StudyError(
            f"the model of feature learning got presence {present.shape} and ease {ease.shape}; "
            f"give (n, F) and (F,)"
        )
    if not floor > 0:
        raise StudyError(f"the floor is {floor}; give a number above 0")
    unfitted = np.asarray(~present[:, list(given)].any(axis=1))
    learned: list[int] = []
    while True:
        pull = ease * (present & unfitted[:, None]).mean(axis=0)  # 0 for what is learned
        best = int(pull.argmax())
        if pull[best] < floor:
            return learned
        learned.append(best)
        unfitted &= ~present[:, best]


def predict(
    present: np.ndarray, kind: np.ndarray, ease: np.ndarray, floor: float
) -> dict[str, np.ndarray]:
    """The features that each training learns according to the model, {training: (F,) bool}.

    Args:
        present, ease, floor: see :func:`simulate`.
        kind: (F,), "a", "b" or "paired".
    """
    found: dict[str, Any] = {}
    for m in "ab":
        own = np.flatnonzero(kind == m)
        found[f"alone-{m}"] = own[simulate(present[:, own], ease[own], floor)] if len(own) else own
    distilled = np.concatenate(list(found.values()))
    found["joint"] = simulate(present, ease, floor)
    found["umt"] = [*distilled, *simulate(present, ease, floor, given=distilled)]
    return {t: np.isin(np.arange(len(kind)), found[t]) for t in TRAININGS}


def theory(
    seeds: Seeds,
    n_train: Samples = 1024,
    epochs: PositiveInt = 40,
    weight: Weight = 1.0,
) -> dict[str, Any]:
    """Count the features that each training learns, according to the model and in networks.

    One property of the setting varies at a time. A seed determines the initialisation of the
    networks and the random numbers behind codes, presence and noise, which are the same in all
    settings. The model gets the samples on which the networks are trained.

    Args:
        n_train: samples; epochs: of every training.
        weight: lambda of UMT.

    Returns:
        The options, the fitted ``floor`` and ``paired_ease``, the setting ``base`` that all axes
        contain, ``sensitivity`` {threshold: {training: features learned, mean}} and ``axes``
        {axis: [one point per value]}. A point is {"value", "there" {kind: number of features},
        "predicted" and "measured" {training: {kind: [count per seed]}}, "alike" {training: [number
        of features that the model predicts correctly, per seed]}, "fitted" {training: [training
        accuracy per seed]}}.

    Raises:
        StudyError: a training diverged.
    """
    base = FeatureSetting()._asdict()
    axes = {a: [FeatureSetting(**{**base, a: v}) for v in values] for a, values in AXES.items()}
    runs = [(w, s) for w in dict.fromkeys(chain(*axes.values())) for s in seeds]
    present, examined = networks.run(runs, n_train, epochs, weight)
    there = [w.presences > 0 for w, _ in runs]
    within = {t: [x & np.isin(KIND, _kinds(t)) for x in there] for t in TRAININGS}  # [(F,) bool]

    def learned(training: str, clear: float = networks.CLEAR) -> list[np.ndarray]:
        right, sure, _ = examined[training]
        return list(networks.learned(right, sure, clear) & within[training])

    def predictions(floor: float, paired_ease: float) -> dict[str, list[np.ndarray]]:
        eases = [np.where(KIND == "paired", paired_ease, w.scales**2) for w, _ in runs]
        made = [predict(p, KIND, e, floor) for p, e in zip(present, eases, strict=True)]
        return {t: [one[t] for one in made] for t in TRAININGS}

    measured = {t: learned(t) for t in TRAININGS}
    floor = _closest(FLOORS, lambda f: predictions(f, 0.0), measured, TRAININGS[:2], ("a", "b"))
    paired_ease = _closest(
        EASES, lambda e: predictions(floor, e), measured, ("joint",), ("paired",)
    )
    predicted = predictions(floor, paired_ease)

    def point(setting: FeatureSetting, value: float) -> dict[str, Any]:
        rows = [r for r, (w, _) in enumerate(runs) if w == setting]
        counts = {
            name: {t: {k: [_count(found[t][r], k) for r in rows] for k in _kinds(t)} for t in found}
            for name, found in (("predicted", predicted), ("measured", measured))
        }
        alike = {
            t: [int((predicted[t][r] == measured[t][r])[within[t][r]].sum()) for r in rows]
            for t in TRAININGS
        }
        fitted = {t: [float(examined[t][2][r]) for r in rows] for t in TRAININGS}
        numbers = {k: _count(there[rows[0]], k) for k in KINDS}
        return {"value": value, "there": numbers, **counts, "alike": alike, "fitted": fitted}

    return {
        "seeds": list(seeds),
        "n_train": n_train,
        "epochs": epochs,
        "weight": weight,
        "floor": floor,
        "paired_ease": paired_ease,
        "base": base,
        "sensitivity": {
            str(clear): {t: float(np.mean([x.sum() for x in learned(t, clear)])) for t in TRAININGS}
            for clear in CLEARS
        },
        "axes": {
            a: [point(s, v) for s, v in zip(settings, AXES[a], strict=True)]
            for a, settings in axes.items()
        },
    }


def _kinds(training: str) -> tuple[str, ...]:
    """The kinds of features that a training can learn."""
    return (training[-1],) if training.startswith("alone") else KINDS


def _count(which: np.ndarray, kind: str) -> int:
    return int(which[kind == KIND].sum())


def _closest(
    values: Sequence[float],
    predictions: Callable[[float], dict[str, list[np.ndarray]]],
    measured: dict[str, list[np.ndarray]],
    trainings: Sequence[str],
    kinds: Sequence[str],
) -> float:
    """The first value whose predictions have the least squared error in these counts."""

    def error(value: float) -> int:
        made = predictions(value)
        pairs = [(p, m) for t in trainings for p, m in zip(made[t], measured[t], strict=True)]
        return sum((_count(p, k) - _count(m, k)) ** 2 for p, m in pairs for k in kinds)

    return min(values, key=error)
