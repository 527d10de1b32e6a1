"""Real networks beside the account of ``simulation.py``: trained, then examined.

A network **has learned** a feature when it is shown that feature alone, all others absent, and
names the right class in :data:`RIGHT` of the cases with a mean probability of at least
:data:`CLEAR`, half way between guessing and certainty. Both thresholds were chosen before any
network was looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from umt_lib.data.splits import Split
from umt_lib.methods.joint import Joint
from umt_lib.methods.umt import UMT
from umt_lib.models import build
from umt_lib.study.analyses.batched.fit import (
    epochs,
    features,
    fit,
    only,
    outputs,
    scores,
    with_inputs,
)
from umt_lib.study.analyses.batched.networks import Params, stack
from umt_lib.study.analyses.regime_map.grid import CLASSES
from umt_lib.study.analyses.theory.worlds import CASES, Drawn, World, draw
from umt_lib.training import Training

RIGHT, CLEAR = 0.9, 0.75
HIDDEN, DIM = 32, 16  # of the encoders; the MLP head is as wide as their hidden layer
N_VALIDATION = 500  # samples that choose the epoch
CHUNK = 26  # networks trained at once
TRAININGS = ("alone-a", "alone-b", "joint", "umt")


def run(
    runs: Sequence[tuple[World, int]], n_train: int, n_epochs: int, weight: float, progress: bool
) -> tuple[list[np.ndarray], dict[str, tuple[np.ndarray, ...]]]:
    """Networks of every world and seed, trained and examined.

    Returns:
        The presence (n, F) of every run's training samples, and by training three arrays: those of
        :func:`examine` (runs, F), and the training accuracy (runs,).

    Raises:
        StudyError: the loss of a network is NaN or infinite.
    """
    schedule = Training(epochs=n_epochs, batch_size=128, learning_rate=0.1)
    present, found = [], []
    with tqdm(total=len(runs), desc="networks", disable=not progress) as bar:
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
    """Networks of every data set, stacked, by training; ``starts`` seed their initialisation.

    Raises:
        StudyError: the loss of a network is NaN or infinite.
    """
    seen_by, validation = joined([d.train for d in data]), joined([d.validation for d in data])
    seen = epochs(seen_by, schedule)
    shapes = {m: (x.shape[2],) for m, x in seen_by.x.items()}

    def fresh(head: dict, modalities: Sequence[str]) -> Params:
        encoders = {m: {"name": "mlp", "hidden": HIDDEN, "dim": DIM} for m in modalities}
        models = []
        for start in starts:
            torch.manual_seed(start)
            models.append(build(encoders, head, {m: shapes[m] for m in modalities}, CLASSES))
        return stack(models)

    teachers = {}
    for m in shapes:
        alone = with_inputs(seen, {m: seen_by.x[m]})
        start = fresh({"name": "linear"}, (m,))
        teachers[m] = fit(start, Joint(), alone, only(validation, m), schedule)
    targets = with_inputs(seen, features(teachers, seen_by))
    start = fresh({"name": "mlp", "hidden": HIDDEN}, tuple(shapes))
    return {
        **{f"alone-{m}": teacher for m, teacher in teachers.items()},
        "joint": fit(start, Joint(), seen, validation, schedule),
        "umt": fit(start, UMT(weight=weight), seen, validation, schedule, targets=targets),
    }


def joined(splits: Sequence[Split]) -> Split:
    """Splits of one shape -> x {m: (G, n, ...)}, y (G, n)."""
    x = {m: torch.stack([s.x[m] for s in splits]) for m in splits[0].x}
    return Split(x, torch.stack([s.y for s in splits]))


def examine(logits: Tensor, y: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Logits (G, F * cases, 2) and classes (G, F * cases) of a probe -> two arrays (G, F).

    The share of each feature's cases that are right, and the mean probability of the right class.
    """
    cases = (len(y), -1, CASES)
    right = (logits.argmax(2) == y).float().view(cases).mean(2)
    sure = logits.softmax(2).gather(2, y.unsqueeze(2)).view(cases).mean(2)
    return right.numpy(), sure.numpy()


def learned(right: np.ndarray, sure: np.ndarray, clear: float = CLEAR) -> np.ndarray:
    """Which features count as learned, bool of the same shape."""
    return (right >= RIGHT) & (sure >= clear)


def examined(
    models: dict[str, Params], data: Sequence[Drawn]
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """By training: :func:`examine` of the probes, and the training accuracy (G,)."""
    probe, seen = joined([d.probe for d in data]), joined([d.train for d in data])
    found = {}
    for name, params in models.items():
        m = name.removeprefix("alone-")
        probes, train = (only(s, m) if m in s.x else s for s in (probe, seen))
        logits = outputs(params, probes).fused
        fitted = scores(outputs(params, train), train.y)[0].numpy()
        found[name] = (*examine(logits, probes.y), fitted)
    return found
