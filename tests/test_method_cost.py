"""What a training step of each method costs: a few steps of every method, on the smallest data."""

from __future__ import annotations

import shutil

import loaded

from umt_lib.methods import METHODS
from umt_lib.paths import PARAMS
from umt_lib.study.experiments.params import options, read


def test_every_method_that_trains_is_measured(tmp_path, monkeypatch):
    script = loaded.module("benchmarks/method_cost.py")
    for file in PARAMS.glob("synthetic-*.yaml"):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(script, "PARAMS", tmp_path)
    ratios = script.measure(script.WARM + 1)
    measured = {read(tmp_path / f"{name}.yaml")["method"]["name"] for name in ratios}
    specs = [read(file)["method"] for file in tmp_path.iterdir()]
    trained = {s["name"] for s in specs if METHODS[s["name"]](**options(s)).epochs(1)}
    assert measured == trained - {"unimodal"}
    assert ratios["synthetic-joint-linear"] == {"time": 1, "least": 1, "memory": 1}
    assert ratios["synthetic-frozen-linear"]["least"] == round(1 / 3, 3)
    assert all(min(ratio.values()) > 0 for ratio in ratios.values())
