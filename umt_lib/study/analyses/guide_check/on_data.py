"""Check the guide on a data set: is the recommended strategy the best one on the test split?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.guide.checks import FOLDS
from umt_lib.guide.verdict import deciding
from umt_lib.study.analyses.guide_check import features
from umt_lib.study.analyses.guide_check.rules import record, verdicts
from umt_lib.study.analyses.values import Folds, Seeds
from umt_lib.study.experiments import results

EXPERIMENTS = {  # strategy: the name of its experiment, after <dataset>-
    "UME": "ume",
    "UME (mean)": "ume-mean",
    "UMT": "umt",
    "UMT (MLP)": "umt-mlp",
    "joint (MLP)": "joint-mlp",
    "frozen": "frozen-linear",
    "frozen (MLP)": "frozen-mlp",
}


def on_data(dataset: str, seeds: Seeds, folds: Folds = FOLDS) -> dict[str, Any]:
    """Compare the verdicts of all rules with the test accuracies of finished experiments.

    Groups are ignored if the validation split has too few of them for folds ("groups" records
    this). Classes with too few samples or groups are left out ("without" names those of any seed):
    the verdict then holds for the other classes, whereas the test accuracies are for all.

    Args:
        folds: the number of folds of the guide; a validation split with few samples of a class
            needs fewer.

    Returns:
        "cases" as in :func:`umt_lib.study.analyses.guide_check.on_map.on_map`, one per seed,
        without "bayes", "held_out" and "test", and
        "recommendation": all the evidence of the first seed, see
        :meth:`umt_lib.guide.Recommendation.numbers`.

    Raises:
        StudyError: a result or a uni-modal model is missing on this machine.
    """
    names = EXPERIMENTS | {f"{m} alone": f"unimodal-{m}" for m in features.modalities(dataset)}
    accuracy = {s: _measured(dataset, name, seeds) for s, name in names.items()}
    cases = []
    first: dict[str, Any] = {}
    without: set[str] = set()
    for seed in tqdm(seeds, desc=f"guide on {dataset}", disable=None):
        seen = features.validation(dataset, seed, folds)
        found = verdicts(seen.features, (seen.train, seen.inputs), seen.y, seen.groups, folds)
        without |= set(seen.without)
        cases.append({"seed": seed, **record(found, accuracy)})
        first = first or deciding(*found.values()).numbers()
    return {
        "dataset": dataset,
        "seeds": len(seeds),
        "groups": "too few" if seen.together else "none" if seen.groups is None else "kept",
        "without": sorted(without),
        "test": accuracy,
        "cases": cases,
        "recommendation": first,
    }


def _measured(dataset: str, name: str, seeds: Sequence[int]) -> list[float]:
    """Test accuracy per seed of an experiment."""
    result = results.load(paths.results_dir() / f"{dataset}-{name}.json")
    records = {record.seed: record for record in result.measured.seeds}
    if absent := [seed for seed in seeds if seed not in records]:
        raise StudyError(
            f"{dataset}-{name}: no seed {absent[0]}; run umt run params/{dataset}-{name}.yaml with "
            f"it"
        )
    return [records[seed].test.accuracy for seed in seeds]
