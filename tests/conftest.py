"""Every test runs on one thread and in a runs/ folder of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ``umt_lib.paths.runs()`` is during the test; not made yet."""
    # a notebook that runs in this process becomes ``__main__``, from which no process can start
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setenv("UMT_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Corrections of a few steps, for tests that do not depend on what the guide finds."""
    monkeypatch.setattr("umt_lib.evaluation.residual.STEPS", 50)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Corrections that stop soon, for tests in which the guide finds something large or nothing."""
    monkeypatch.setattr("umt_lib.evaluation.residual.PATIENCE", 100)


@pytest.fixture
def params() -> dict[str, Any]:
    """A whole params file on a tiny synthetic data set, to be changed at will."""
    encoder = {"name": "mlp", "hidden": 12, "dim": 6}
    return {
        "name": "tiny",
        "dataset": {
            "name": "synthetic",
            "n_train": 60,
            "n_validation": 40,
            "n_test": 50,
            "uni_a": [0.6],
            "uni_b": [0.5],
            "paired": [],
        },
        "encoders": {"a": dict(encoder), "b": dict(encoder)},
        "head": {"name": "linear"},
        "method": {"name": "joint"},
        "training": {"epochs": 3, "batch_size": 16},
        "seeds": [0, 1],
    }


@pytest.fixture
def trained_teachers(params: dict[str, Any]) -> dict[str, str]:
    """{modality: experiment} after the uni-modal experiments of ``params`` have run."""
    from umt_lib.study.experiments.experiment import Experiment

    names = {}
    for modality in params["encoders"]:
        names[modality] = f"tiny-{modality}"
        theirs = {
            **params,
            "name": names[modality],
            "method": {"name": "unimodal", "modality": modality},
        }
        Experiment.from_params(theirs).run("cpu", progress=False)
    return names
