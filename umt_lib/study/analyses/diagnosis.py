"""Apply the diagnostics of :mod:`umt_lib.evaluation.interactions` to finished joint models.

For every head and seed: the EMAP gap, and for each modality the drop under within-class permutation
and the conditional utilisation rate. They describe trained models on test samples and choose
nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import PositiveInt
from tqdm import tqdm

from umt_lib.evaluation.interactions import emap_gap, permutation_drop, utilisation
from umt_lib.models.inference import outputs
from umt_lib.study.analyses.values import Seeds
from umt_lib.study.experiments.experiment import finished

HEADS = ("linear", "mlp")


def diagnosis(dataset: str, seeds: Seeds, samples: PositiveInt = 1000) -> dict[str, Any]:
    """Diagnostics of the joint models of a data set, in accuracy (0..1).

    Args:
        dataset: a data set whose experiments ``<dataset>-joint-linear`` and ``-joint-mlp`` have run
            on this machine.
        samples: size of the subset of the test split, the same for every model; the cost of EMAP is
            quadratic in it.

    Returns:
        {"dataset", "samples", "heads": {head: {diagnostic: [value per seed]}}}.

    Raises:
        StudyError: see :func:`umt_lib.study.experiments.experiment.finished`.
    """
    heads: dict[str, dict[str, list[float]]] = {}
    with tqdm(total=len(HEADS) * len(seeds), desc=dataset, disable=None) as bar:
        for head in HEADS:
            found = heads.setdefault(head, {})
            for seed in seeds:
                model, splits = finished(f"{dataset}-joint-{head}", seed)
                order = np.random.default_rng(0).permutation(len(splits.test))[:samples]
                part = splits.test.take(np.sort(order))
                z = outputs(model, part).features
                values = {"EMAP gap": emap_gap(model, z, part.y).mean}
                for m in z:
                    drop = permutation_drop(model, z, part.y, m)
                    values[f"permutation of {m}"] = drop.mean
                    values[f"utilisation of {m}"] = utilisation(model, z, part.y, m).mean
                for name, value in values.items():
                    found.setdefault(name, []).append(value)
                bar.update()
    return {"dataset": dataset, "samples": min(samples, len(splits.test)), "heads": heads}
