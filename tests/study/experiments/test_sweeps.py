"""Every value of every sweep trains another model: a value without an effect was not tried."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from tqdm import tqdm

from umt_lib.methods import Method
from umt_lib.models.inference import outputs
from umt_lib.paths import PARAMS
from umt_lib.study.experiments import params as params_files
from umt_lib.study.experiments.experiment import Experiment

EPOCHS = 5  # ReconBoost begins its second stage in the fifth
LATE = {"patience": 20}  # epochs until the largest patience is exhausted
SMALL = {"n_train": 640, "n_validation": 100, "n_test": 10}  # of the synthetic data
NARROW = {"series-cnn": {"channels": [4, 6, 8]}, "mlp": {"hidden": 32, "dim": 16}}


def short(name: str) -> Experiment:
    """An experiment of ``params/`` with few epochs and small networks; its seed is 0."""
    params = params_files.read(PARAMS / f"{name}.yaml")
    epochs = max([EPOCHS, *(LATE.get(field, 0) for field in params.get("sweep", {}))])
    params["training"] |= {"epochs": epochs, "probe_every": 0}
    params["dataset"] |= SMALL if params["dataset"]["name"] == "synthetic" else {}
    for encoder in params["encoders"].values():
        encoder |= NARROW[encoder["name"]]
    return Experiment.from_params(params)


def logits(name: str, field: str, value: object) -> torch.Tensor:
    """Validation logits at the last epoch of a training with one value of a sweep."""
    experiment, bar = short(name), tqdm(disable=True)
    for teacher in experiment.params.get("teachers", {}).values():
        short(teacher).train(0, {}, torch.device("cpu"), bar)
    run = experiment.train(0, {field: value}, torch.device("cpu"), bar)
    return run.method.predict(outputs(run.model, experiment.splits.validation))


def swept() -> list[tuple[str, str]]:
    """Experiments with a sweep and the field that is swept, each method with each grid once."""
    found: dict[str, tuple[str, str]] = {}
    for data in ("synthetic", "watch"):
        for path in sorted(PARAMS.glob(f"{data}-*.yaml")):
            params = params_files.read(path)
            for field, values in params.get("sweep", {}).items():
                if field != "learning_rate":
                    grid = f"{params['method']} {params['head']} {field} {values}"
                    found.setdefault(grid, (path.stem, field))
    return list(found.values())


@pytest.mark.parametrize(("name", "field"), swept())
def test_no_two_values_train_the_same_model(name, field, monkeypatch):
    """Compared at the last epoch, since validation may choose one before a method starts to act."""
    monkeypatch.setattr(Method, "selects", False)
    values = short(name).params["sweep"][field]
    found = {value: logits(name, field, value) for value in values}
    for one, other in combinations(values, 2):
        assert (found[one] != found[other]).any(), f"{field} {one} and {other} are the same"
