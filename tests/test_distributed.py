"""Two processes give what one process gives, up to the order of sums."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from umt_lib import paths
from umt_lib.paths import ROOT
from umt_lib.study.experiments import results
from umt_lib.study.experiments.experiment import Experiment

METHODS = [  # plain, own heads, with teachers, by statistics of the batch, by two gradients
    "joint",
    "joint-auxiliary",
    "umt",
    "ogm-ge",
    "mmpareto",
]


def torchrun(*arguments: str) -> str:
    """Standard output of two processes."""
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command = [*start, "--master-port", "29611", *arguments]
    limits = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=limits, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_equal_one(params, trained_teachers, tmp_path, runs):
    """Curves and accuracies, after three epochs with an odd last batch, teachers included."""
    files = []
    for method in METHODS:
        teachers = {"teachers": trained_teachers} if method == "umt" else {}
        training = {"epochs": 3, "batch_size": 17}
        files.append(tmp_path / f"tiny-{method}.yaml")
        changes = {"name": files[-1].stem, "method": {"name": method}, "training": training}
        files[-1].write_text(yaml.safe_dump(params | teachers | changes | {"seeds": [0]}))
    torchrun(str(Path(__file__).with_name("two_processes.py")), *map(str, files))
    for file in files:
        result = paths.results_dir() / f"{file.stem}.json"
        two = results.load(result).measured.seeds[0]
        for checkpoint in (paths.checkpoints_dir() / file.stem).iterdir():
            checkpoint.unlink()
        run = Experiment.from_params(yaml.safe_load(file.read_text())).run("cpu", progress=False)
        one = run.measured.seeds[0]
        assert two.curves["train_loss"] == pytest.approx(one.curves["train_loss"], rel=1e-4)
        assert two.test.accuracy == pytest.approx(one.test.accuracy, abs=0.021), file.stem


def test_the_command_under_torchrun_speaks_once(params, tmp_path, runs):
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(params | {"seeds": [0]}))
    said = torchrun("-m", "umt_lib", "run", str(file))
    assert said.count("tiny: test accuracy") == 1
    assert results.load(paths.results_dir() / "tiny.json").measured.seeds
