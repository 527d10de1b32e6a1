"""The direct experiment: small networks trained on features, by every strategy.

The guide predicts from held-out predictions of classifiers on the features which strategy is best.
Here the features are the inputs of small networks, which are trained and tested: an MLP encoder per
modality, alone, combined (UME), trained jointly, with uni-modal teachers (UMT), and frozen under a
head. So it shows whether the verdict holds, on these features and for these networks.

Seed s takes fold s mod 5 as test part, the next fold as validation part and the rest for training;
groups stay together. Features are standardised by the training part. Learning rate, distillation
weight, rule of UME and epoch are chosen on the validation part, the first two by the first seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold

from umt_lib import models
from umt_lib.data.splits import FOLDS, SPLIT_SEED, Split, Splits, five_folds, fold_of
from umt_lib.errors import StudyError
from umt_lib.evaluation.metrics import accuracy
from umt_lib.guide.checks import Inputs
from umt_lib.methods import UME, UMT, Frozen, Joint, Method, Setting, Unimodal
from umt_lib.methods.base import Teachers
from umt_lib.models import LateFusion
from umt_lib.models.inference import outputs
from umt_lib.training import Diverged, Training, fit

SEEDS = (0, 1, 2, 3, 4)
SWEEP_SEEDS = 2  # the first seeds, which choose learning rate and weight on validation
RATES = (0.03, 0.1, 0.3)
WEIGHTS = (0.3, 3.0, 30.0)
RULES: tuple[Literal["mean", "product", "weighted"], ...] = ("mean", "product", "weighted")
BATCH = (16, 128)  # smallest and largest; between them a sixteenth of the training part
DECAY = 1e-3
STEPS, EPOCHS = 1000, (15, 100)  # about so many steps, in at least and at most so many epochs
ENCODER = {"name": "mlp", "hidden": 128, "dim": 64}
HEADS: dict[str, dict[str, Any]] = {
    "": {"name": "linear"},
    " (MLP)": {"name": "mlp", "hidden": 128},
}
APART = 1_000_003  # between the initialisation seeds of a joint model and of its teachers


class Tried(NamedTuple):
    """One training: accuracies (0..1) on validation and test, and the model."""

    validation: float
    test: float
    model: LateFusion


def trainings(modalities: int) -> int:
    """The number of networks that :func:`direct` trains."""
    swept = len(RATES) * SWEEP_SEEDS + len(SEEDS) - SWEEP_SEEDS
    weighed = (len(RATES) + len(WEIGHTS) - 1) * SWEEP_SEEDS + len(SEEDS) - SWEEP_SEEDS
    return swept * (modalities + 2 * len(HEADS)) + weighed * len(HEADS)


def direct(inputs: Inputs, tick: Callable[[], object] = lambda: None) -> dict[str, list[float]]:
    """Train and test every strategy; {strategy: test accuracy of every seed}.

    The strategies are ``<modality> alone``, ``UME`` by the rule that validation chose, ``UME
    (mean)``, and ``joint``, ``UMT`` and ``frozen`` with a linear head and with an MLP head, as in
    ``UMT (MLP)``.

    Args:
        inputs: checked features, see :func:`umt_lib.guide.checks.checked`.
        tick: called after each training; there are :func:`trainings`.

    Raises:
        StudyError: there are too few groups or samples of a class for five folds, or training
            diverges.
    """
    data = {seed: _splits(inputs, fold_of(seed)) for seed in SEEDS}
    networks = _Networks(data, tick)
    found: dict[str, list[float]] = {}
    teachers: dict[int, Teachers] = {seed: {} for seed in SEEDS}
    for place, m in enumerate(inputs.features):
        runs = networks.best(partial(_unimodal, m), apart=1 + place)
        found[f"{m} alone"] = [run.test for run in runs]
        for seed, run in zip(SEEDS, runs, strict=True):
            run.model.requires_grad_(False)
            teachers[seed][m] = run.model.eval()
    networks.teachers = teachers
    rules = {rule: [networks.train(UME(rule=rule), seed) for seed in SEEDS] for rule in RULES}
    chosen = max(RULES, key=lambda rule: np.mean([run.validation for run in rules[rule]]))
    found["UME"] = [run.test for run in rules[chosen]]
    found["UME (mean)"] = [run.test for run in rules["mean"]]
    for name, head in HEADS.items():
        networks.head = head
        found[f"joint{name}"] = [run.test for run in networks.best(lambda _: Joint())]
        runs = networks.best(lambda weight: UMT(weight=weight), weights=WEIGHTS)
        found[f"UMT{name}"] = [run.test for run in runs]
        found[f"frozen{name}"] = [run.test for run in networks.best(lambda _: Frozen())]
    return found


def _unimodal(modality: str, weight: float) -> Unimodal:
    return Unimodal(modality=modality)


class _Networks:
    """Trains networks on the splits of every seed."""

    def __init__(self, data: dict[int, Splits], tick: Callable[[], object]):
        self.data, self.tick = data, tick
        self.teachers: dict[int, Teachers] = {seed: {} for seed in data}
        self.head = HEADS[""]
        n = len(data[SEEDS[0]].train)
        self.batch = min(max(n // 16, BATCH[0]), BATCH[1])
        self.epochs = min(max(round(STEPS * self.batch / n), EPOCHS[0]), EPOCHS[1])

    def best(
        self,
        method: Callable[[float], Method],
        weights: Sequence[float] = (1.0,),
        apart: int = 0,
    ) -> list[Tried]:
        """All seeds, with the learning rate and then the weight that the first seeds choose."""
        first, rest = SEEDS[:SWEEP_SEEDS], SEEDS[SWEEP_SEEDS:]
        middle = weights[len(weights) // 2]

        def tried(rate: float, weight: float) -> list[Tried]:
            try:
                return [self.train(method(weight), seed, rate, apart) for seed in first]
            except Diverged:
                return []

        runs = {(rate, middle): tried(rate, middle) for rate in RATES}
        rate = max(runs, key=lambda key: _mean(runs[key]))[0]
        runs |= {(rate, w): tried(rate, w) for w in weights if w != middle}
        of_rate = {key: found for key, found in runs.items() if key[0] == rate}
        rate, weight = max(of_rate, key=lambda key: _mean(of_rate[key]))
        if not runs[rate, weight]:
            raise StudyError(
                f"the training loss of {method(weight).title} is infinite at every learning rate "
                f"of {RATES}; scale the features or leave out extreme values"
            )
        return runs[rate, weight] + [self.train(method(weight), s, rate, apart) for s in rest]

    def train(self, method: Method, seed: int, rate: float = RATES[0], apart: int = 0) -> Tried:
        """Train one network, as :mod:`umt_lib.study.experiments.experiment` does."""
        splits = self.data[seed]
        torch.manual_seed(seed + APART * apart)

        def make(modalities: tuple[str, ...] | None = None, auxiliary: bool = False) -> LateFusion:
            encoders = dict.fromkeys(modalities or splits.modalities, ENCODER)
            return models.build(encoders, self.head, splits.shapes, len(splits.classes), auxiliary)

        model = method.build(make, self.teachers[seed])
        setting = Setting(splits.train, splits.validation, self.teachers[seed], augmented=False)
        method.start(model, setting)
        if method.epochs(self.epochs):
            schedule = Training(self.epochs, self.batch, rate, weight_decay=DECAY)
            fit(model, method, splits, schedule, seed)
            self.tick()
        held, tested = (outputs(model, part) for part in (splits.validation, splits.test))
        return Tried(
            accuracy(method.validate(held, splits.validation), splits.validation.y),
            accuracy(method.predict(tested), splits.test.y),
            model,
        )


def _mean(runs: Sequence[Tried]) -> float:
    """The mean accuracy on validation; that of diverged trainings is below all others."""
    return float(np.mean([run.validation for run in runs])) if runs else -1.0


def _splits(inputs: Inputs, fold: int) -> Splits:
    """Fold ``fold`` is the test part, the next one the validation part."""
    y, groups = inputs.y, inputs.groups
    counts = np.bincount(y)
    if counts.min() < FOLDS:
        raise StudyError(
            f"class {inputs.classes[int(counts.argmin())]!r} has {counts.min()} samples, {FOLDS} "
            f"folds need {FOLDS}; gather more, or leave the class out"
        )
    if groups is not None:
        train, validation, test = five_folds(y, groups, fold)
    else:
        cut = StratifiedKFold(FOLDS, shuffle=True, random_state=SPLIT_SEED).split(y, y)
        held = [rows for _, rows in cut]
        test, validation = held[fold], held[(fold + 1) % FOLDS]
        train = np.setdiff1d(np.arange(len(y)), np.concatenate([test, validation]))
    whole = {}
    for m, z in inputs.features.items():
        spread = z[train].std(axis=0) if m not in inputs.wide else z[train].std()
        whole[m] = (z - z[train].mean(axis=0)) / np.where(spread > 0, spread, np.inf)

    def part(rows: np.ndarray) -> Split:
        x = {m: torch.from_numpy(z[rows]).float() for m, z in whole.items()}
        return Split(x, torch.from_numpy(y[rows]), None if groups is None else groups[rows])

    if absent := set(range(len(inputs.classes))) - set(y[train].tolist()):
        raise StudyError(
            f"class {inputs.classes[min(absent)]!r} has no sample in the training part of a fold; "
            f"give samples of it in more groups, or leave the class out"
        )
    return Splits(part(train), part(validation), part(test), inputs.classes)
