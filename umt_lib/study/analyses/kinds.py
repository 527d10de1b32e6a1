"""Which kinds of paired features a linear head can use, and which uni-modal encoders keep.

Each kind of paired feature is a generated data set with a dial. At every value of the dial small
networks are trained: uni-modal models and their ensembles, joint training with a linear and with an
MLP head, both heads on the frozen uni-modal encoders and, as a control, an MLP head on encoders
that were never trained. All have the same encoders and schedule. Beside the measured accuracies are
the best possible ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import torch
from pydantic import PositiveInt
from torch import Tensor
from tqdm import tqdm

from umt_lib.data import graded_pairs, shared_nuisance, two_way_tables
from umt_lib.data.generated import additive_fit
from umt_lib.data.splits import Split, Splits
from umt_lib.methods.joint import Joint
from umt_lib.models import LateFusion, build
from umt_lib.study.analyses.batched.fit import features, fit, fit_teachers, only, outputs
from umt_lib.study.analyses.batched.networks import Params, Stack, stack, stacked
from umt_lib.study.analyses.values import Samples, Seeds
from umt_lib.training import Training

ENCODER: dict[str, Any] = {"name": "mlp", "hidden": 64, "dim": 32}
HEADS: dict[str, dict[str, Any]] = {
    "linear": {"name": "linear"},
    "mlp": {"name": "mlp", "hidden": 64},
}
SCHEDULE: dict[str, Any] = {"batch_size": 128, "learning_rate": 0.1, "weight_decay": 0.005}
SIZES = {"n_validation": 500, "n_test": 4000}


class Kind(NamedTuple):
    """A kind of paired feature.

    Attributes:
        dataset: the module of the data set.
        dial: what ``values`` are, as a name of an option of ``load``.
        options: the options of ``load`` and ``bayes`` for one value.
    """

    dataset: ModuleType
    dial: str
    values: tuple[float, ...]
    options: Callable[[float], dict[str, Any]]


def _code(value: float) -> dict[str, Any]:
    uni = (0.4, 0.3)
    return {"classes": 2, "uni_a": uni, "uni_b": uni, "paired": (value,), "leak": 0.0}


KINDS = {
    "XOR code": Kind(graded_pairs, "paired", (0.0, 0.4, 0.7, 1.0), _code),  # data set `synthetic`
    "shared nuisance": Kind(shared_nuisance, "rho", (0.0, 1.0, 2.0, 4.0), lambda v: {"rho": v}),
    "two-way table": Kind(
        two_way_tables, "gamma", (0.0, 1.0, 2.0, 3.0), lambda v: {"gamma": (v, v)}
    ),
    "graded pair": Kind(graded_pairs, "leak", (0.1, 0.25, 0.5, 0.75), lambda v: {"leak": v}),
}


def bayes(kind: Kind, options: dict[str, Any]) -> dict[str, float]:
    """The best possible accuracies, and as "linear" that of a linear head on any encoders."""
    found = kind.dataset.bayes(**options)
    if kind.dataset is shared_nuisance:  # the log-posterior is a sum of two functions
        return {**found, "linear": found["all"]}
    return {**found, "linear": additive_fit(kind.dataset.distribution(**options))}


def kinds(
    seeds: Seeds, n_train: Samples = 2048, training_epochs: PositiveInt = 40
) -> dict[str, Any]:
    """Accuracy of every variant for every kind, value of its dial and seed.

    Args:
        seeds: each draws new data.
        n_train: samples; training_epochs: of every training.

    Returns:
        The options, and ``kinds`` {kind: {"dial": its name, "points": [{"value", "bayes" {"a", "b",
        "additive", "linear", "all"}, "validation" and "test" {variant: [accuracy per seed]}}]}}.

    Raises:
        StudyError: a training diverged.
    """
    schedule = Training(epochs=training_epochs, **SCHEDULE)
    found = {}
    for name, kind in tqdm(KINDS.items(), desc="kinds", disable=None):
        settings = [kind.options(value) for value in kind.values]
        loaded = [
            [kind.dataset.load(n_train, **SIZES, **options, data_seed=s) for s in seeds]
            for options in settings
        ]
        scores = measure(loaded, seeds, schedule)
        points = [
            {"value": value, "bayes": bayes(kind, options), **score}
            for value, options, score in zip(kind.values, settings, scores, strict=True)
        ]
        found[name] = {"dial": kind.dial, "points": points}
    return {"seeds": list(seeds), "n_train": n_train, "epochs": training_epochs, "kinds": found}


def measure(
    loaded: Sequence[Sequence[Splits]], seeds: Sequence[int], schedule: Training
) -> list[dict[str, dict[str, list[float]]]]:
    """{"validation": {variant: [accuracy per seed]}, "test": ...} of each setting.

    Args:
        loaded: the data of every setting and seed, all of one shape.
    """
    data = stacked([splits for row in loaded for splits in row])
    classes = len(loaded[0][0].classes)
    starts = [seed for _ in loaded for seed in seeds]
    records: list[dict[str, dict[str, list[float]]]] = [
        {"validation": {}, "test": {}} for _ in loaded
    ]
    for name, parts in _predictions(data, starts, classes, schedule).items():
        for part, scores in parts.items():
            y = getattr(data, part).y
            right = (scores.argmax(2) == y).sum(1).view(len(loaded), len(seeds))
            for record, counts in zip(records, right.tolist(), strict=True):
                record[part][name] = [c / y.shape[1] for c in counts]
    return records


def _predictions(
    data: Stack, starts: Sequence[int], classes: int, schedule: Training
) -> dict[str, dict[str, Tensor]]:
    """Scores (G, n, K) of every variant, {variant: {"validation": ..., "test": ...}}."""
    shapes = {m: tuple(x.shape[2:]) for m, x in data.train.x.items()}
    held = {"validation": data.validation, "test": data.test}

    def fresh(head: str, own: dict[str, tuple[int, ...]], starts: Sequence[int]) -> Params:
        return stack([_initial(head, own, classes, start) for start in starts])

    def unimodal(m: str, starts: list[int]) -> Params:
        return fresh("linear", {m: shapes[m]}, starts)

    def frozen(encoders: Callable[[Split], dict[str, Tensor]], head: str) -> dict[str, Tensor]:
        """Scores of a head that is trained on the features of fixed encoders."""
        own = {k: v for k, v in fresh(head, shapes, starts).items() if k.startswith("head")}
        seen = Stack(*(Split(encoders(split), split.y) for split in data))
        trained = fit(own, Joint(), seen.train, seen.validation, schedule)
        return {part: outputs(trained, getattr(seen, part)).fused for part in held}

    def joint(head: str) -> dict[str, Tensor]:
        trained = fit(fresh(head, shapes, starts), Joint(), data.train, data.validation, schedule)
        return {part: outputs(trained, split).fused for part, split in held.items()}

    teachers = fit_teachers(unimodal, starts, data.train, data.validation, schedule)
    untrained = fresh("linear", shapes, starts)
    found = {}
    for head in HEADS:
        found[f"joint-{head}"] = joint(head)
        found[f"frozen-{head}"] = frozen(lambda split: features(teachers, split), head)
    found["untrained-mlp"] = frozen(lambda split: outputs(untrained, split).features, "mlp")
    counts = torch.stack([torch.bincount(y, minlength=classes) for y in data.train.y])
    prior = (counts / counts.sum(1, keepdim=True)).log().unsqueeze(1)
    logs = {
        m: {part: outputs(t, only(split, m)).fused.log_softmax(2) for part, split in held.items()}
        for m, t in teachers.items()
    }
    a, b = logs.values()
    found |= {f"unimodal-{m}": log for m, log in logs.items()}
    found["ume-mean"] = {part: a[part].exp() + b[part].exp() for part in held}
    found["ume-product"] = {part: a[part] + b[part] - prior for part in held}
    return found


def _initial(head: str, shapes: dict[str, tuple[int, ...]], classes: int, start: int) -> LateFusion:
    """A newly initialised model; ``start`` is its seed."""
    torch.manual_seed(start)
    return build(dict.fromkeys(shapes, ENCODER), HEADS[head], shapes, classes)
