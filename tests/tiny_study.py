"""Seven tiny experiments that really ran, one that did not, one published result that differs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from umt_lib.study.experiments import results
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.study.pipeline.collection import Study, gather

BASE = {
    "dataset": {
        "name": "synthetic",
        "n_train": 80,
        "n_validation": 40,
        "n_test": 60,
        "uni_a": [0.6],
        "uni_b": [0.5],
        "paired": [0.5],
    },
    "encoders": {m: {"name": "mlp", "hidden": 12, "dim": 6} for m in "ab"},
    "head": {"name": "linear"},
    "training": {"epochs": 6, "batch_size": 16, "probe_every": 3},
    "seeds": [0, 1],
}
TEACHERS = {m: f"synthetic-unimodal-{m}" for m in "ab"}
RUN = {
    "unimodal-a": {"method": {"name": "unimodal", "modality": "a"}},
    "unimodal-b": {"method": {"name": "unimodal", "modality": "b"}},
    "ume": {
        "method": {"name": "ume"},
        "teachers": TEACHERS,
        "sweep": {"rule": ["mean", "product", "weighted"]},
    },
    "ume-mean": {"method": {"name": "ume", "rule": "mean"}, "teachers": TEACHERS},
    "joint-linear": {"method": {"name": "joint"}},
    "joint-mlp": {"method": {"name": "joint"}, "head": {"name": "mlp", "hidden": 8}},
    "umt": {"method": {"name": "umt"}, "teachers": TEACHERS, "sweep": {"weight": [0.1, 1.0]}},
}
NOT_RUN = {"joint-longer": {"method": {"name": "joint-longer"}}}


class Folders(NamedTuple):
    params: Path
    local: Path
    published: Path

    def study(self) -> Study:
        return gather(self.params, self.published, self.local)


def make(root: Path) -> Folders:
    """Run them all under ``root``; ``joint-linear`` and the teachers of ``umt`` are published too.

    ``umt`` is published only.
    """
    folders = Folders(root / "params", root / "runs/results", root / "published")
    folders.params.mkdir(parents=True)
    for tail, differs in {**RUN, **NOT_RUN}.items():
        name = f"synthetic-{tail}"
        params = {"name": name, **copy.deepcopy(BASE), **copy.deepcopy(differs)}
        (folders.params / f"{name}.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UMT_RUNS", str(root / "runs"))
        for tail in RUN:
            params = yaml.safe_load((folders.params / f"synthetic-{tail}.yaml").read_text())
            Experiment.from_params(params).run("cpu", progress=False)
    joint = results.load(folders.local / "synthetic-joint-linear.json")
    joint.measured.seeds[0].test.accuracy -= 0.5  # as another machine might have measured
    joint.save(folders.published / "synthetic-joint-linear.json")
    for name in TEACHERS.values():
        results.load(folders.local / f"{name}.json").save(folders.published / f"{name}.json")
    (folders.local / "synthetic-umt.json").rename(folders.published / "synthetic-umt.json")
    return folders
