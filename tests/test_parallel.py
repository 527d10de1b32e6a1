"""Two processes give what one gives, up to the order of sums."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml

from umt_lib import paths, results
from umt_lib.experiment import Experiment
from umt_lib.paths import ROOT

METHODS = [  # plain, own heads, with teachers, by statistics of the batch, by two gradients
    {"name": "joint"},
    {"name": "joint-auxiliary"},
    {"name": "umt"},
    {"name": "ogm-ge"},
    {"name": "mmpareto"},
]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m["name"])
def test_two_processes_equal_one(method, params, trained_teachers, tmp_path, runs):
    """Curves and accuracies, after three epochs with an odd last batch, teachers included."""
    params |= {"method": method, "training": {"epochs": 3, "batch_size": 17}, "seeds": [0]}
    if method["name"] == "umt":
        params |= {"teachers": trained_teachers}
    one = Experiment.from_params(params).run("cpu", progress=False).measured
    (paths.results_dir() / "tiny.json").unlink()
    for file in (paths.checkpoints_dir() / "tiny").iterdir():
        file.unlink()
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(params))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command = [*torchrun, "--master-port", "29611", "-m", "umt_lib.experiment", str(file)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("tiny: test accuracy") == 1
    two = results.load(paths.results_dir() / "tiny.json").measured
    assert two.seeds[0].curves["train_loss"] == pytest.approx(
        one.seeds[0].curves["train_loss"], rel=1e-4
    )
    assert two.seeds[0].test.accuracy == pytest.approx(one.seeds[0].test.accuracy, abs=0.021)
