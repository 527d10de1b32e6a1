"""Cost of one training step of every method, as a ratio to joint training's in the same run.

    python benchmarks/step_cost.py [--rounds 40] [--out benchmarks/step_cost.json]

The methods of one data set and head take turns, batch by batch, so that whatever else the machine
does meets them all alike; the ratio is that of the medians. A method's teachers are freshly
initialised models: what they know costs nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from umt_lib.experiment import Experiment
from umt_lib.methods import METHODS, Setting
from umt_lib.params import options, read
from umt_lib.paths import PARAMS
from umt_lib.provenance import environment
from umt_lib.training import batches


class Runner:
    """One experiment, ready to take steps."""

    def __init__(self, params: dict):
        experiment = Experiment(params, Experiment.from_params(params).splits)
        self.train = experiment.splits.train
        torch.manual_seed(0)
        self.method = METHODS[params["method"]["name"]](**options(params["method"]))
        wanted = experiment.splits.modalities if self.method.needs_teachers else ()
        teachers = {m: experiment.make(modalities=(m,)).eval() for m in wanted}
        self.model = self.method.build(experiment.make, teachers)
        augmented = experiment.splits.augment is not None
        setting = Setting(self.train, experiment.splits.validation, teachers, augmented)
        self.method.start(self.model, setting)
        learned = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.SGD(learned, lr=0.01, momentum=0.9)
        self.batches = list(batches(experiment.splits, self.train, 64, 0, 0))[:-1]
        self.times: list[float] = []

    def step(self, turn: int) -> None:
        self.model.train()
        batch = self.batches[turn % len(self.batches)]
        began = time.process_time()
        self.method.step(self.model, self.optimizer, batch)
        self.times.append(time.process_time() - began)


def measure(rounds: int) -> dict[str, float]:
    """{experiment: median step time / that of joint training with the same head}."""
    groups: dict[tuple[str, str], dict[str, dict]] = {}
    for path in sorted(PARAMS.glob("*.yaml")):
        params = read(path)
        if METHODS[params["method"]["name"]](**options(params["method"])).epochs(1):
            key = params["dataset"]["name"], params["head"]["name"]
            groups.setdefault(key, {})[params["name"]] = params
    ratios = {}
    for (dataset, head), group in groups.items():
        runners = {name: Runner(params) for name, params in group.items()}
        for turn in range(rounds):
            for runner in runners.values():
                runner.step(turn)
        median = {name: statistics.median(r.times[3:]) for name, r in runners.items()}
        joint = median[f"{dataset}-joint-{head}"]
        for name, value in median.items():
            ratios[name] = round(value / joint, 3)
            print(f"{name:40s} {value * 1e3:7.2f} ms  {ratios[name]:.2f} x joint")
    return ratios


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    measured = {"ratios": measure(given.rounds), "environment": environment(torch.device("cpu"))}
    if given.out:
        given.out.write_text(json.dumps(measured, indent=1) + "\n")
