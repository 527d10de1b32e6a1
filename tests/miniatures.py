"""The params files of a large data set, run on a miniature of it."""

from __future__ import annotations

from pathlib import Path

import yaml

from umt_lib.paths import PARAMS
from umt_lib.study.experiments import params, results
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.study.pipeline.smoke import shorten


def shortened(
    dataset: str, prepared: Path, folder: Path, others: tuple[str, ...] = ("umt",)
) -> list[str]:
    """Write params of one epoch: the data set's uni-modal experiments and what may need them.

    Args:
        prepared: the miniature; folder: where they go.
        others: the names of these, without that of the data set.

    Returns:
        The experiments, teachers first.
    """
    every = {path: yaml.safe_load(path.read_text()) for path in PARAMS.glob(f"{dataset}-*.yaml")}
    first = [path for path, spec in every.items() if spec["method"]["name"] == "unimodal"]
    names = []
    for path in [*first, *(PARAMS / f"{dataset}-{name}.yaml" for name in others)]:
        short = shorten(every[path])
        short["dataset"]["folder"] = str(prepared)
        short["training"] |= {"batch_size": 5, "precision": "fp32", "workers": 0}
        (folder / path.name).write_text(yaml.safe_dump(short, sort_keys=False))
        names.append(path.stem)
    return names


def one_by_one(names: list[str], folder: Path) -> list[results.Result]:
    """Run them in this process."""
    files = [params.read(folder / f"{name}.yaml") for name in names]
    return [Experiment.from_params(spec).run("cpu", progress=False) for spec in files]
