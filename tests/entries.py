"""Experiments with hand-made accuracies, for reports whose right words are known."""

from __future__ import annotations

from typing import Any

from umt_lib.study.experiments.results import (
    Cost,
    Measured,
    Provenance,
    Result,
    Score,
    SeedRecord,
    Trial,
)
from umt_lib.study.pipeline.collection import Entry

ENCODERS = {m: {"name": "mlp"} for m in "ab"}
RULES = ["mean", "product", "weighted"]


def entry(
    dataset: str,
    method: str,
    accuracies: list[float],
    head: str = "linear",
    *,
    epoch: int = 1,
    samples: int = 1000,
    seconds: float = 1.0,
    validation: float = 0.5,
    probes: dict[str, float] | None = None,
    chosen: dict[str, Any] | None = None,
    trials: list[Trial] | None = None,
    teachers: dict[str, str] | None = None,
    name: str = "",
    learning_rate_of: str = "",
    **options: Any,
) -> Entry:
    """An experiment with these test accuracies, one per seed."""
    seeds = [
        SeedRecord(
            seed=i,
            epoch=epoch,
            validation=Score(accuracy=validation, nll=1.0, samples=100),
            test=Score(accuracy=value, nll=1.0, samples=100),
            unimodal={},
            probes=probes or {},
            curves={},
        )
        for i, value in enumerate(accuracies)
    ]
    name = name or "-".join([dataset, method, *map(str, options.values()), head])
    params = {"name": name, "dataset": {"name": dataset}, "encoders": ENCODERS}
    params |= {"head": {"name": head}, "method": {"name": method, **options}}
    params |= {"training": {"epochs": 1, "learning_rate": 0.05}, "teachers": teachers or {}}
    params["seeds"] = list(range(len(accuracies)))
    params |= {"learning_rate_of": learning_rate_of} if learning_rate_of else {}
    for field in chosen or {}:
        params.setdefault("sweep", {})[field] = RULES if field == "rule" else [1.0, 3.0, 9.0]
    cost = Cost(seconds=seconds, samples=samples, trainings=1)
    keys = {str(seed): "" for seed in params["seeds"]}
    made = Provenance(
        params="", code="", source="", keys=keys, environment={}, cost=cost, seconds=1.0
    )
    measured = Measured(sweep=trials or [], chosen=chosen or {}, seeds=seeds)
    result = Result(name=name, params=params, measured=measured, provenance=made)
    return Entry(name, params, None, result)


def ume(dataset: str, accuracies: list[float], **options: Any) -> Entry:
    """UME by the rule that validation chose, which need not be the default of the file."""
    options |= {"rule": "mean", "chosen": {"rule": "product"}, "name": f"{dataset}-ume"}
    return entry(dataset, "ume", accuracies, samples=0, **options)
