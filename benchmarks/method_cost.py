"""Measure the cost of a training step of methods, relative to joint training in the same run.

    python benchmarks/method_cost.py [--rounds 40] [--out benchmarks/method_cost.json]

Left out are UME, which takes no steps, uni-modal training and the released variants.
``time``: the ratio of the medians of CPU time. The methods of one data set and head take turns,
batch by batch, so that other load on the machine affects all of them. ``least``: the smallest
number of passes through encoders that the method's equation needs, relative to the three of joint
training; a backward pass counts as two forward passes. ``memory``: the largest number of bytes that
a step keeps for its backward passes. Teachers are newly initialised models, because their accuracy
does not affect the cost.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from pathlib import Path

import torch
from torch import Tensor

from umt_lib.data.availability import available
from umt_lib.data.loader import batches
from umt_lib.methods import METHODS, Setting
from umt_lib.paths import PARAMS
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.study.experiments.params import options, read
from umt_lib.study.experiments.provenance import environment

# The passes through encoders in a step: forward 1, backward 2. Methods not named here have 3.
LEAST = {
    "frozen": 1,  # no backward pass through frozen encoders
    "mmpareto": 5,  # two losses, each with its own gradient
    "joint-ensemble": 6,  # two models
}
AUGMENTED = {"umt", "umt-subspace", "g2d"}  # one more pass: teachers encode every view
WARM = 3  # first steps of a method, which are not counted


class Runner:
    """One experiment, ready to take steps."""

    def __init__(self, params: dict):
        experiment = Experiment.from_params(params)
        self.train = experiment.splits.train
        torch.manual_seed(0)
        name = params["method"]["name"]
        self.method = METHODS[name](**options(params["method"]))
        wanted = experiment.splits.modalities if self.method.needs_teachers else ()
        unimodal = Experiment({**params, "head": {"name": "linear"}}, experiment.data)
        teachers = {m: unimodal.make(modalities=(m,)).eval() for m in wanted}
        self.model = self.method.build(experiment.make, teachers)
        augmented = experiment.splits.augment is not None
        setting = Setting(self.train, experiment.splits.validation, teachers, augmented)
        self.method.start(self.model, setting)
        learned = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.SGD(learned, lr=0.01, momentum=0.9)
        self.batches = list(batches(experiment.splits, self.train, 64, 0, 0))[:-1]
        self.least = (LEAST.get(name, 3) + (augmented and name in AUGMENTED)) / 3
        self.times: list[float] = []

    def step(self, turn: int) -> None:
        """Take one step and record its CPU time."""
        self.model.train()
        batch = self.batches[turn % len(self.batches)]
        began = time.process_time()
        self.method.step(self.model, self.optimizer, batch)
        self.times.append(time.process_time() - began)

    def held(self) -> int:
        """The largest number of bytes that a step keeps for its backward passes."""
        held = Held()
        with torch.autograd.graph.saved_tensors_hooks(held.keep, lambda kept: kept.tensor):
            self.step(0)
        self.times.pop()
        return held.most


class Held:
    """Counts the bytes of the kept tensors, now and at most; shared memory counts once."""

    def __init__(self):
        self.now = self.most = 0
        self.keepers: Counter[int] = Counter()

    def keep(self, tensor: Tensor) -> Kept:
        """Count a tensor until nothing refers to it."""
        self.change(tensor, 1)
        return Kept(tensor, self)

    def change(self, tensor: Tensor, by: int) -> None:
        """Add ``by`` to the number of times that a tensor is kept."""
        memory = tensor.untyped_storage()
        before = self.keepers[memory.data_ptr()]
        self.keepers[memory.data_ptr()] += by
        if (before == 0) != (before + by == 0):
            self.now += by * memory.nbytes()
            self.most = max(self.most, self.now)


class Kept:
    """A tensor that counts until nothing refers to it."""

    def __init__(self, tensor: Tensor, held: Held):
        self.tensor, self.held = tensor, held

    def __del__(self):
        self.held.change(self.tensor, -1)


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """{experiment: {"time", "least", "memory"}}, relative to joint training with the same head."""
    groups: dict[tuple[str, str], dict[str, dict]] = {}
    for path in sorted(PARAMS.glob("*.yaml")):
        params = read(path)
        spec = params["method"]
        steps = METHODS[spec["name"]](**options(spec)).epochs(1)
        other = spec["name"] == "unimodal" or spec.get("released")
        if steps and available(params["dataset"]) and not other:
            key = params["dataset"]["name"], params["head"]["name"]
            groups.setdefault(key, {})[params["name"]] = params
    ratios = {}
    for (dataset, head), group in groups.items():
        runners = {name: Runner(params) for name, params in group.items()}
        memory = {name: runner.held() for name, runner in runners.items()}
        for turn in range(rounds):
            for runner in runners.values():
                runner.step(turn)
        median = {name: statistics.median(r.times[WARM:]) for name, r in runners.items()}
        joint = f"{dataset}-joint-{head}"
        for name, runner in runners.items():
            ratios[name] = {
                "time": round(median[name] / median[joint], 3),
                "least": round(runner.least, 3),
                "memory": round(memory[name] / memory[joint], 3),
            }
            print(f"{name:36s} {median[name] * 1e3:7.2f} ms  {ratios[name]}", flush=True)
    return ratios


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.rounds <= WARM:
        parser.error(f"--rounds is {given.rounds}; give more than {WARM}")
    torch.set_num_threads(1)
    measured = {"ratios": measure(given.rounds), "environment": environment(torch.device("cpu"))}
    if given.out:
        given.out.write_text(json.dumps(measured, indent=1) + "\n")
