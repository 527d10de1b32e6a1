r"""The feature-learning account of modality laziness as an exact simulation, beside real networks.

Du et al. (ICML 2023) explain laziness so: features are learned easiest first, training stops
teaching once the training error is zero, and so joint training learns fewer uni-modal features than
uni-modal training does. The exact statement of their theorem was not available to us. What follows
is **our formalisation**, and what it gets wrong may be ours.

Feature :math:`i` is present on sample :math:`s` (:math:`a_{is} = 1`) or not, and where it is
present it shows the label. With :math:`U_t` the samples not yet fitted, all n at first, the account
repeats

.. math:: i_t = \arg\max_i g_i, \quad g_i = e_i \frac1n \sum_{s \in U_t} a_{is}, \qquad
          U_{t+1} = \{s \in U_t : a_{i_t s} = 0\}

and stops when no :math:`g_i` reaches the floor :math:`\phi`: the rest is memorised. The ease
:math:`e_i` of a uni-modal feature is its squared scale, the factor on its gradient; all paired
features share one ease. Uni-modal training is the account on one modality's features, joint
training on all. In **UMT** the features its teachers learned are learned anyway, distilled, and the
account runs on what they leave over.

Two numbers are free. The floor is fitted to the uni-modal networks, the paired ease then to the
paired features joint networks learn. The uni-modal features of joint training and all of UMT are
predicted without a look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from umt_lib.errors import StudyError
from umt_lib.study.analyses.theory import networks
from umt_lib.study.analyses.theory.networks import TRAININGS
from umt_lib.study.analyses.theory.worlds import KIND, KINDS, World

FLOORS = tuple(2.0**-k for k in range(4, 13))  # tried, largest first
EASES = tuple(2.0**-k for k in range(-2, 10))
CLEARS = (0.6, networks.CLEAR, 0.9)  # thresholds the counts are also shown for
AXES: dict[str, tuple] = {
    "number": (0, 1, 2, 3, 4),
    "presence": (0.1, 0.2, 0.4, 0.6, 0.8),
    "asymmetry": (0.0, 0.2, 0.4, 0.6, 0.8),
}


def account(
    present: np.ndarray, ease: np.ndarray, floor: float, given: Sequence[int] | np.ndarray = ()
) -> list[int]:
    """The features that are learned, in order; of equals the first.

    Args:
        present: (n, F) bool, which sample shows which feature.
        ease: (F,), 0 or more.
        floor: the pull below which nothing is learned, above 0.
        given: features already learned, whose samples are fitted; not returned again.

    Raises:
        StudyError: shapes that do not go together, or a floor that is not above 0.
    """
    if present.ndim != 2 or ease.shape != present.shape[1:]:
        raise StudyError(
            f"the account was given presence {present.shape} and ease {ease.shape}; give (n, F) "
            f"and (F,)"
        )
    if not floor > 0:
        raise StudyError(f"the account's floor is {floor}; give a number above 0")
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
    """Which features each training learns by the account, {training: (F,) bool}.

    Args:
        present, ease, floor: as of :func:`account`.
        kind: (F,), "a", "b" or "paired".
    """
    found: dict[str, Any] = {}
    for m in "ab":
        own = np.flatnonzero(kind == m)
        found[f"alone-{m}"] = own[account(present[:, own], ease[own], floor)] if len(own) else own
    taught = np.concatenate(list(found.values()))
    found["joint"] = account(present, ease, floor)
    found["umt"] = [*taught, *account(present, ease, floor, given=taught)]
    return {t: np.isin(np.arange(len(kind)), found[t]) for t in TRAININGS}


def theory(
    seeds: tuple[int, ...],
    n_train: int = 1024,
    epochs: int = 40,
    weight: float = 1.0,
    progress: bool = False,
) -> dict[str, Any]:
    """What each training learned along every axis, by the account and in real networks.

    A seed decides the networks' start and the random draws behind codes, presence and noise, the
    same draws along all axes; the account sees the very samples the networks train on.

    Args:
        seeds: whole numbers from 0; n_train: samples; epochs: of every training.
        weight: lambda of UMT.

    Returns:
        The options, the fitted ``floor`` and ``paired_ease``, the world ``base`` the axes start
        from, ``sensitivity`` {threshold: {training: features learned, mean}} and ``axes`` {axis:
        [one point per value]}. A point is {"value", "there" {kind: number}, "predicted" and
        "measured" {training: {kind: [count per seed]}}, "alike" {training: [features the account
        has right, per seed]}, "fitted" {training: [training accuracy per seed]}}.

    Raises:
        StudyError: no seed, a negative or repeated one, too few samples, or a diverged training.
    """
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise StudyError(f"theory: seeds are {list(seeds)}; give different whole numbers from 0")
    if n_train < 2 or epochs < 1:
        raise StudyError(f"theory: n_train {n_train}, epochs {epochs}; give 2 and 1, or more")
    base = World()._asdict()
    axes = {a: [World(**{**base, a: value}) for value in values] for a, values in AXES.items()}
    runs = [(w, s) for w in dict.fromkeys(chain(*axes.values())) for s in seeds]
    present, shown = networks.run(runs, n_train, epochs, weight, progress)
    there = [w.presences > 0 for w, _ in runs]
    seen = {t: [x & np.isin(KIND, _kinds(t)) for x in there] for t in TRAININGS}  # [(F,) bool]

    def learned(training: str, clear: float = networks.CLEAR) -> list[np.ndarray]:
        right, sure, _ = shown[training]
        return list(networks.learned(right, sure, clear) & seen[training])

    def accounts(floor: float, paired_ease: float) -> dict[str, list[np.ndarray]]:
        eases = [np.where(KIND == "paired", paired_ease, w.scales**2) for w, _ in runs]
        made = [predict(p, KIND, e, floor) for p, e in zip(present, eases, strict=True)]
        return {t: [one[t] for one in made] for t in TRAININGS}

    measured = {t: learned(t) for t in TRAININGS}
    floor = _closest(FLOORS, lambda f: accounts(f, 0.0), measured, TRAININGS[:2], ("a", "b"))
    paired_ease = _closest(EASES, lambda e: accounts(floor, e), measured, ("joint",), ("paired",))
    predicted = accounts(floor, paired_ease)

    def point(world: World, value: float) -> dict[str, Any]:
        rows = [r for r, (w, _) in enumerate(runs) if w == world]
        counts = {
            name: {t: {k: [_count(found[t][r], k) for r in rows] for k in _kinds(t)} for t in found}
            for name, found in (("predicted", predicted), ("measured", measured))
        }
        alike = {
            t: [int((predicted[t][r] == measured[t][r])[seen[t][r]].sum()) for r in rows]
            for t in TRAININGS
        }
        fitted = {t: [float(shown[t][2][r]) for r in rows] for t in TRAININGS}
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
            a: [point(w, v) for w, v in zip(worlds, AXES[a], strict=True)]
            for a, worlds in axes.items()
        },
    }


def _kinds(training: str) -> tuple[str, ...]:
    """The kinds of feature a training can learn."""
    return (training[-1],) if training.startswith("alone") else KINDS


def _count(which: np.ndarray, kind: str) -> int:
    return int(which[kind == KIND].sum())


def _closest(
    values: Sequence[float],
    accounts: Callable[[float], dict[str, list[np.ndarray]]],
    measured: dict[str, list[np.ndarray]],
    trainings: Sequence[str],
    kinds: Sequence[str],
) -> float:
    """The first value whose account has the least squared error in these counts."""

    def error(value: float) -> int:
        made = accounts(value)
        pairs = [(p, m) for t in trainings for p, m in zip(made[t], measured[t], strict=True)]
        return sum((_count(p, k) - _count(m, k)) ** 2 for p, m in pairs for k in kinds)

    return min(values, key=error)
