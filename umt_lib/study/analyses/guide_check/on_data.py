"""The guide held against finished runs: is the way it names the best on a data set's test split?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.guide.verdict import deciding
from umt_lib.study.analyses.guide_check import features
from umt_lib.study.analyses.guide_check.rules import recorded, verdicts
from umt_lib.study.experiments import results

EXPERIMENTS = {  # the ways of the verdicts as names of experiments, after <dataset>-
    "UME": ("ume-mean", "ume-product", "ume-weighted"),
    "UME (mean)": ("ume-mean",),
    "UMT": ("umt",),
    "UMT (MLP)": ("umt-mlp",),
    "joint (MLP)": ("joint-mlp",),
}


def on_data(
    dataset: str, seeds: tuple[int, ...], folds: int = 5, progress: bool = False
) -> dict[str, Any]:
    """Both rules on a data set's finished runs, against the truth of its test split.

    Groups are left aside where the validation split has too few of them for folds ("groups" says
    so), classes where they occur in too few groups ("without" names them): the guide then speaks of
    the other classes, while the truth is of all. ``folds`` is the guide's, fewer for a validation
    split with few samples of a class.

    Returns:
        "cases" as of :func:`umt_lib.study.analyses.guide_check.on_map.on_map`, one per seed, and
        "recommendation": all the evidence of the first seed.

    Raises:
        StudyError: a result or a uni-modal model of this machine is missing.
    """
    accuracy = {way: _measured(dataset, names, seeds) for way, names in EXPERIMENTS.items()}
    cases = []
    first: dict[str, Any] = {}
    for seed in tqdm(seeds, desc=f"guide on {dataset}", disable=not progress):
        seen = features.validation(dataset, seed)
        found = verdicts(seen.features, (seen.train, seen.inputs), seen.y, seen.groups, folds)
        cases.append({"seed": seed, **recorded(found, accuracy)})
        first = first or deciding(*found.values()).to_dict()
    first["cost"].pop("seconds")  # the only part that is not the same when measured again
    return {
        "dataset": dataset,
        "seeds": len(seeds),
        "groups": "too few" if seen.together else "none" if seen.groups is None else "kept",
        "without": list(seen.without),
        "test": accuracy,
        "cases": cases,
        "recommendation": first,
    }


def _measured(dataset: str, names: tuple[str, ...], seeds: Sequence[int]) -> list[float]:
    """Test accuracy per seed of the experiment that is best on validation."""
    means, tests = [], []
    for name in names:
        result = results.load(paths.results_dir() / f"{dataset}-{name}.json")
        records = {record.seed: record for record in result.measured.seeds}
        if absent := [seed for seed in seeds if seed not in records]:
            raise StudyError(
                f"{dataset}-{name}: no seed {absent[0]}; run umt run "
                f"params/{dataset}-{name}.yaml with it"
            )
        means.append(np.mean([records[seed].validation.accuracy for seed in seeds]))
        tests.append([records[seed].test.accuracy for seed in seeds])
    return tests[int(np.argmax(means))]
