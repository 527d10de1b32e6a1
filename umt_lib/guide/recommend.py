"""The function ``recommend``: check the input, gather the evidence, apply the rule."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from umt_lib.errors import StudyError
from umt_lib.guide.checks import MAX_SAMPLES, Inputs, checked, named, whole, with_extra
from umt_lib.guide.evidence import gather
from umt_lib.guide.recommendation import Recommendation
from umt_lib.guide.verdict import chance, conclude, deciding, measured, near_border

REPEATS = 5  # cross-validations at most, near a border of the rule
REPEATED = 5_000  # samples in all cross-validations: of many, the intervals are narrow enough
STRIDE = 7919  # between the seeds of repeats: the repeats of neighbouring seeds differ
Extra = Callable[[np.ndarray], Mapping[str, np.ndarray]]


@threadpool_limits.wrap(limits=1)  # sums in another order can move a verdict that is near a border
def recommend(
    features: Mapping[str, ArrayLike],
    labels: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    extra: Mapping[str, ArrayLike] | Extra | None = None,
    seed: int = 0,
    folds: int | None = None,
    max_samples: int = MAX_SAMPLES,
    source: str = "the features",
    tick: Callable[[], None] = lambda: None,
) -> Recommendation:
    """Recommend how to train on these modalities; the rule is in :mod:`umt_lib.guide`.

    Args:
        features: {modality: (n, d_m)}, of samples the encoders were not trained on. Predictions can
            be given too, preferably as log-probabilities.
        labels: (n,), any values.
        groups: (n,), such as persons or videos; samples of one group are always in the same fold.
        extra: {modality: (n, c)}, extra columns in which to look for interactions that the features
            may have lost, such as :func:`umt_lib.guide.components.components` of the raw inputs.
            Or a function from the numbers of the rows in use to these columns of these rows, so
            that no others are read. The rule is then applied twice, see
            :func:`umt_lib.guide.verdict.deciding`.
        seed: of folds and initialisations; on a CPU one seed always gives the same
            result, except for the time in ``cost``. One thread is used.
        folds: number of cross-validation folds; by default 5, of more than 5,000 samples 3.
        max_samples: of more samples than this, a stratified random subset is used.
        source: the name of the input in messages and in the report.
        tick: called after each fold, for a progress bar.

    Raises:
        StudyError: input that would lead to a wrong verdict.

    >>> a, b = np.random.default_rng(0).choice([-1, 1], size=(2, 60, 1))
    >>> equal = (a == b)[:, 0]  # the label: whether the signs are equal
    >>> recommend({"audio": a, "video": b}, equal, folds=2).verdict
    'interactions'
    """

    def applied(inputs: Inputs, source: str) -> Recommendation:
        began = time.perf_counter()
        try:
            repeats = [gather(inputs, seed, tick)]
            found = measured(inputs, repeats)
            most = min(REPEATS, max(1, REPEATED // len(inputs.y)))
            while len(repeats) < most and near_border(found, chance(inputs), len(repeats)):
                repeats.append(gather(inputs, (seed + STRIDE * len(repeats)) % 2**32, tick))
                found = measured(inputs, repeats)
        except StudyError as error:  # a fold without a class
            raise StudyError(f"{source}: {error}") from None
        return conclude(inputs, repeats, found, seed, time.perf_counter() - began, source)

    seed, max_samples = whole(seed, "seed"), whole(max_samples, "max_samples")
    folds = None if folds is None else whole(folds, "folds")
    inputs = checked(features, labels, groups, folds, max_samples, seed, source)
    if extra is None:
        return applied(inputs, source)
    if callable(extra):
        more: Mapping[str, ArrayLike] = extra(inputs.rows)
    else:
        more = {m: _rows(x, inputs) for m, x in named(extra, "extra", source).items()}
    both = with_extra(inputs, more, source)
    first = applied(inputs._replace(searched=True), source)
    second = applied(both, f"{source}, with extra columns")
    cost = {key: first.cost[key] + second.cost[key] for key in first.cost}
    return replace(deciding(first, second), cost=cost)


def _rows(x: np.ndarray, inputs: Inputs) -> np.ndarray:
    """The rows in use of extra columns; all of them if there are too few or too many."""
    return x[inputs.rows] if x.ndim and len(x) == inputs.given else x
