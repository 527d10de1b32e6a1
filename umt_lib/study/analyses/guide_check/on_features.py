"""Check the guide on real feature sets: does a direct experiment confirm its verdict?

For every set of :mod:`umt_lib.data.feature_sets` the guide reads the features, and small networks
are trained on the same features by every strategy (:mod:`.direct`). The sets were not used to set
any threshold. Both read the same samples, so that what is special about these affects both alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from tqdm import tqdm

from umt_lib.data import feature_sets
from umt_lib.errors import StudyError
from umt_lib.guide import recommend
from umt_lib.guide.checks import checked
from umt_lib.study.analyses.guide_check.direct import SEEDS, direct, trainings
from umt_lib.study.analyses.guide_check.rules import LAST, record
from umt_lib.study.analyses.values import Folds

SAMPLES = 4000  # of a set, for the guide and for the networks


def on_features(sets: Annotated[Mapping[str, Folds], Field(min_length=1)]) -> dict[str, Any]:
    """Compare the verdicts of all rules with the test accuracies of small networks, set by set.

    Args:
        sets: {name: number of folds of the guide}, see :mod:`umt_lib.data.feature_sets`.

    Returns:
        "cases" as in :func:`umt_lib.study.analyses.guide_check.on_map.on_map`, one per set, with
        "dataset" in place of "bayes" and the dials, and
        "recommendations" {name: all the evidence}, see
        :meth:`umt_lib.guide.Recommendation.numbers`.

    Raises:
        StudyError: a set is unknown, missing or altered, or has too few samples for five folds.
    """
    cases = []
    evidence: dict[str, Any] = {}
    loaded = {name: feature_sets.load(name) for name in sets}  # all, before anything is trained
    every = {
        name: checked(given.features, given.y, given.groups, sets[name], SAMPLES, 0, name)
        for name, given in loaded.items()
    }
    for name, folds in sets.items():
        given, inputs = loaded[name], every[name]
        found = recommend(
            given.features, given.y, given.groups, folds=folds, max_samples=SAMPLES, source=name
        )
        total = trainings(len(given.features))
        with tqdm(desc=name, total=total, disable=None) as bar:
            try:
                accuracy = direct(inputs, bar.update)
            except StudyError as error:
                raise StudyError(f"feature set {name!r}: {error}") from None
        evidence[name] = found.numbers()
        cases.append(
            {
                "dataset": name,
                "seed": 0,
                "held_out": True,
                "test": accuracy,
                **record({LAST: found}, accuracy),
            }
        )
    return {
        "dataset": "real features",
        "seeds": len(SEEDS),
        "cells": len(cases),
        "cases": cases,
        "recommendations": evidence,
    }
