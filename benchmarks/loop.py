"""Measure the cost of `fit()` relative to a bare PyTorch loop, on the small data sets.

    python benchmarks/loop.py [--rounds 5] [--epochs 3] [--out benchmarks/loop.json]

The bare loop is :func:`bare` below, written for one linear head and two encoders, without methods,
checkpoints, several processes or files larger than memory. It has the same encoders, data,
augmentation, optimiser and evaluation: validation accuracy and cross-entropy and the training
accuracy on the subset for curves after each epoch, and a copy of the best weights. Linear probes
are left out on both sides. The two take turns, so that other load on the machine affects both;
``ratios`` are the medians over rounds of the ratio of their CPU times, ``largest_ratio`` is the
largest of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from umt_lib.methods import Joint
from umt_lib.models import ENCODERS
from umt_lib.paths import PARAMS
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.study.experiments.params import options, read
from umt_lib.study.experiments.provenance import environment
from umt_lib.training import CURVE_SAMPLES, fit

DATASETS = ("synthetic", "digit-pairs", "watch", "furniture")


def bare(experiment: Experiment) -> None:
    """Train the networks of ``experiment`` with a linear head, in one plain function."""
    splits, training = experiment.splits, experiment.training
    torch.manual_seed(0)
    encoders = nn.ModuleDict(
        {
            m: ENCODERS[spec["name"]](splits.shapes[m], **options(spec))
            for m, spec in experiment.params["encoders"].items()
        }
    )
    head = nn.Linear(sum(encoder.dim for encoder in encoders.values()), len(splits.classes))
    model = nn.ModuleList([encoders, head])

    def forward(x: dict[str, Tensor]) -> Tensor:
        return head(torch.cat([encoder(x[m]) for m, encoder in encoders.items()], 1))

    @torch.no_grad()
    def predict(x: dict[str, Tensor], y: Tensor) -> Tensor:
        starts = range(0, len(y), 512)
        return torch.cat([forward({m: v[i : i + 512] for m, v in x.items()}) for i in starts])

    optimizer = torch.optim.SGD(
        model.parameters(),
        training.learning_rate,
        training.momentum,
        weight_decay=training.weight_decay,
        fused=True,
    )
    x, y, held, held_y = splits.train.x, splits.train.y, splits.validation.x, splits.validation.y
    some = torch.randperm(len(y))[:CURVE_SAMPLES]
    some_x, some_y = {m: v[some] for m, v in x.items()}, y[some]
    best, score = {}, (-1.0, 0.0)
    generator = torch.Generator().manual_seed(0)
    for epoch in range(training.epochs):
        left = (1 - epoch / training.epochs) / training.decay
        optimizer.param_groups[0]["lr"] = training.learning_rate * min(1.0, left)
        model.train()
        total = torch.zeros(())
        for rows in torch.randperm(len(y)).split(training.batch_size):
            inputs = {m: v[rows] for m, v in x.items()}
            if splits.augment is not None:
                inputs = splits.augment(inputs, generator)
            loss = cross_entropy(forward(inputs), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        model.eval()
        logits = predict(held, held_y)
        accuracy = (logits.argmax(1) == held_y).double().mean().item()
        nll = cross_entropy(logits.double(), held_y).item()
        (predict(some_x, some_y).argmax(1) == some_y).double().mean().item()
        if (accuracy, -nll) > score:
            score = accuracy, -nll
            best = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best)


def ours(experiment: Experiment) -> None:
    """Train the same networks with :func:`umt_lib.training.fit`."""
    torch.manual_seed(0)
    fit(experiment.make(), Joint(), experiment.splits, experiment.training, seed=0)


def seconds(run: Callable[[Experiment], None], experiment: Experiment) -> float:
    """CPU seconds of ``run``."""
    began = time.process_time()
    run(experiment)
    return time.process_time() - began


def measure(dataset: str, rounds: int, epochs: int) -> float:
    """The median ratio of CPU times on ``dataset``."""
    experiment = Experiment.from_params(read(PARAMS / f"{dataset}-joint-linear.yaml"))
    experiment.training = replace(experiment.training, epochs=1, probe_every=0)
    ours(experiment), bare(experiment)  # what is made on first use is not timed
    experiment.training = replace(experiment.training, epochs=epochs)
    ratios = []
    for _ in range(rounds):
        whole, plain = seconds(ours, experiment), seconds(bare, experiment)
        ratios.append(whole / plain)
    print(f"{dataset:12s} {statistics.median(ratios):.3f}  {[round(r, 3) for r in ratios]}")
    return statistics.median(ratios)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    ratios = {name: measure(name, given.rounds, given.epochs) for name in DATASETS}
    measured = {
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "largest_ratio": round(max(ratios.values()), 2),
        "rounds": given.rounds,
        "epochs": given.epochs,
        "cores": os.cpu_count(),
        "environment": environment(torch.device("cpu")),
    }
    print(json.dumps(measured, indent=1))
    if given.out:
        given.out.write_text(json.dumps(measured, indent=1) + "\n")
