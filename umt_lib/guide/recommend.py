"""Check, gather, conclude: a recommendation for one data set."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from numpy.typing import ArrayLike

from umt_lib.errors import StudyError
from umt_lib.guide.decide import Recommendation, conclude
from umt_lib.guide.evidence import gather
from umt_lib.guide.inputs import MAX_SAMPLES, checked


def recommend(
    features: Mapping[str, ArrayLike],
    labels: ArrayLike,
    groups: ArrayLike | None = None,
    *,
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
        seed: fixes folds, initialisations and resampling; on a CPU one seed gives one result,
            ``cost`` apart.
        source: what to call the input in sentences and in the report.
        tick: called after each fold, for a progress bar.

    Raises:
        StudyError: input that would lead to a wrong verdict.
    """
    began = time.perf_counter()
    inputs = checked(features, labels, groups, folds, max_samples, seed, source)
    try:
        evidence = gather(inputs, seed, tick)
    except StudyError as error:  # a fold without a class
        raise StudyError(f"{source}: {error}") from None
    return conclude(inputs, evidence, seed, time.perf_counter() - began, source)
