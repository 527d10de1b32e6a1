"""Check, gather, conclude: a recommendation for one data set."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from umt_lib.errors import StudyError
from umt_lib.guide.checks import MAX_SAMPLES, checked
from umt_lib.guide.evidence import gather
from umt_lib.guide.recommendation import Recommendation
from umt_lib.guide.verdict import conclude, deciding


def recommend(
    features: Mapping[str, ArrayLike],
    labels: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    beside: Mapping[str, ArrayLike] | None = None,
    seed: int = 0,
    folds: int = 5,
    max_samples: int = MAX_SAMPLES,
    source: str = "the features",
    tick: Callable[[], None] = lambda: None,
) -> Recommendation:
    """How to train on these modalities; see :mod:`umt_lib.guide` for the rule.

    Args:
        features: {modality: (n, d_m)}, of samples the encoders were not trained on. Predictions do
            as well, best as log-probabilities.
        labels: (n,), any values; groups: (n,), samples of one group never straddle folds.
        beside: {modality: (n, c)}, further columns in which pairs may show that the features hide,
            such as :func:`umt_lib.guide.components.components` of the raw inputs. The guide is then
            asked twice, see :func:`umt_lib.guide.verdict.deciding`.
        seed: fixes folds, initialisations and resampling; on a CPU one seed gives one result,
            ``cost`` apart.
        source: what to call the input in sentences and in the report.
        tick: called after each fold, for a progress bar.

    Raises:
        StudyError: input that would lead to a wrong verdict.
    """

    def asked(x: Mapping[str, ArrayLike], source: str) -> Recommendation:
        began = time.perf_counter()
        inputs = checked(x, labels, groups, folds, max_samples, seed, source)
        try:
            evidence = gather(inputs, seed, tick)
        except StudyError as error:  # a fold without a class
            raise StudyError(f"{source}: {error}") from None
        return conclude(inputs, evidence, seed, time.perf_counter() - began, source)

    alone = asked(features, source)
    if beside is None:
        return alone
    wider = asked(widened(features, beside, source), f"{source}, with columns beside")
    cost = {key: alone.cost[key] + wider.cost[key] for key in alone.cost}
    return replace(deciding(alone, wider), cost=cost)


def widened(
    features: Mapping[str, ArrayLike], beside: Mapping[str, ArrayLike], source: str = "the features"
) -> dict[str, np.ndarray]:
    """{modality: (n, d + c)}: features with further columns beside them.

    Raises:
        StudyError: other modalities, or other numbers of rows.

    >>> widened({"audio": [[1, 2], [3, 4]]}, {"audio": [[5], [6]]})["audio"].tolist()
    [[1, 2, 5], [3, 4, 6]]
    """
    if set(features) != set(beside):
        raise StudyError(
            f"{source}: features are given for {sorted(features)}, columns beside them for "
            f"{sorted(beside)}; give both for every modality"
        )
    wide = {}
    for m, x in features.items():
        z, more = np.asarray(x), np.asarray(beside[m])
        if z.ndim != 2 or more.ndim != 2 or len(z) != len(more):
            raise StudyError(
                f"{source}: {m!r} has features of shape {z.shape} and columns beside them of shape "
                f"{more.shape}; give one row per sample in both"
            )
        wide[m] = np.hstack([z, more])
    return wide
