"""Train networks in the settings of ``settings.py`` and count the features that they learn.

A network **has learned** a feature if, on samples where all other features are absent, it predicts
the right class in at least :data:`RIGHT` of the cases and the mean probability of the right class
is at least :data:`CLEAR`, half way between chance and certainty. Both thresholds were chosen before
any network was examined.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from umt_lib.methods.joint import Joint
from umt_lib.methods.umt import UMT
from umt_lib.models import build
from umt_lib.study.analyses.batched.fit import (
    Targets,
    features,
    fit,
    fit_teachers,
    only,
    outputs,
    scores,
)
from umt_lib.study.analyses.batched.networks import Params, joined, stack
from umt_lib.study.analyses.theory.settings import CASES, Drawn, FeatureSetting, draw
from umt_lib.training import Training

RIGHT, CLEAR = 0.9, 0.75
CLASSES = 2
HIDDEN, DIM = 32, 16  # of the encoders; the MLP head is as wide as their hidden layer
N_VALIDATION = 500  # samples by which the epoch is chosen
CHUNK = 26  # networks trained at once
TRAININGS = ("alone-a", "alone-b", "joint", "umt")


def run(
    runs: Sequence[tuple[FeatureSetting, int]],
    n_train: int,
    n_epochs: int,
    weight: float,
) -> tuple[list[np.ndarray], dict[str, tuple[np.ndarray, ...]]]:
    """Train and examine networks for every run, that is, every (setting, seed).

    Returns:
        For every run which feature is present on which training sample, (n, F), and {training:
        three arrays}: the two of :func:`examine` (runs, F) and the training accuracy (runs,).

    Raises:
        StudyError: the loss of a network is NaN or infinite.
    """
    schedule = Training(epochs=n_epochs, batch_size=128, learning_rate=0.1)
    present, found = [], []
    with tqdm(total=len(runs), desc="networks", disable=None) as bar:
        for first in range(0, len(runs), CHUNK):
            part = runs[first : first + CHUNK]
            data = [draw(w, s, n_train, N_VALIDATION) for w, s in part]
            models = train(data, [s for _, s in part], schedule, weight)
            present += [d.present for d in data]
            found.append(examined(models, data))
            bar.update(len(part))
    parts = {t: zip(*(chunk[t] for chunk in found), strict=True) for t in TRAININGS}
    return present, {t: tuple(np.concatenate(p) for p in arrays) for t, arrays in parts.items()}


def train(
    data: Sequence[Drawn], starts: Sequence[int], schedule: Training, weight: float
) -> dict[str, Params]:
    """{training: stacked networks, one for each data set}, initialised with the seeds ``starts``.

    Raises:
        StudyError: the loss of a network is NaN or infinite.
    """
    samples, validation = joined([d.train for d in data]), joined([d.validation for d in data])
    shapes = {m: (x.shape[2],) for m, x in samples.x.items()}

    def fresh(head: dict, modalities: Sequence[str], starts: Sequence[int]) -> Params:
        encoders = {m: {"name": "mlp", "hidden": HIDDEN, "dim": DIM} for m in modalities}
        models = []
        for start in starts:
            torch.manual_seed(start)
            models.append(build(encoders, head, {m: shapes[m] for m in modalities}, CLASSES))
        return stack(models)

    teachers = fit_teachers(
        lambda m, own: fresh({"name": "linear"}, (m,), own), starts, samples, validation, schedule
    )
    targets = Targets(features(teachers, samples))
    start = fresh({"name": "mlp", "hidden": HIDDEN}, tuple(shapes), starts)
    return {
        **{f"alone-{m}": teacher for m, teacher in teachers.items()},
        "joint": fit(start, Joint(), samples, validation, schedule),
        "umt": fit(start, UMT(weight=weight), samples, validation, schedule, targets),
    }


def examine(logits: Tensor, y: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy on the cases of each feature, and mean probability of the right class: two (G, F).

    Args:
        logits: (G, F * CASES, 2), of ``Drawn.probe``; y: (G, F * CASES).
    """
    cases = (len(y), -1, CASES)
    right = (logits.argmax(2) == y).float().view(cases).mean(2)
    sure = logits.softmax(2).gather(2, y.unsqueeze(2)).view(cases).mean(2)
    return right.numpy(), sure.numpy()


def learned(right: np.ndarray, sure: np.ndarray, clear: float = CLEAR) -> np.ndarray:
    """Whether each feature counts as learned: bool, of the same shape."""
    return (right >= RIGHT) & (sure >= clear)


def examined(
    models: dict[str, Params], data: Sequence[Drawn]
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """{training: the two arrays of :func:`examine`, and the training accuracy (G,)}."""
    probe, samples = joined([d.probe for d in data]), joined([d.train for d in data])
    found = {}
    for name, params in models.items():
        m = name.removeprefix("alone-")
        probes, train = (only(s, m) if m in s.x else s for s in (probe, samples))
        logits = outputs(params, probes).fused
        fitted = scores(outputs(params, train), train.y)[0].numpy()
        found[name] = (*examine(logits, probes.y), fitted)
    return found
