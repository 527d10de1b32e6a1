"""Measure the disk space that the models of each published experiment take.

    python benchmarks/disk.py [--out benchmarks/disk.json]

Each experiment of `params/` that has a published result, and whose data is on this machine, makes
its model and writes it without training it. An experiment keeps a model of each seed; if it has a
sweep, also those that the sweep trained for each value, and those of the other seeds for the chosen
one. `make study` adds these numbers up before it begins.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import torch

from umt_lib.data.availability import available
from umt_lib.files import save_tensors
from umt_lib.paths import PUBLISHED
from umt_lib.study.experiments.experiment import SWEEP_SEEDS, Experiment
from umt_lib.study.experiments.provenance import environment
from umt_lib.study.experiments.results import Result
from umt_lib.study.pipeline.units import units


def size(experiment: Experiment) -> int:
    """The bytes of one of its models."""
    method = experiment.method({})
    teachers = {m: experiment.make((m,)) for m in experiment.params.get("teachers", {})}
    model = method.build(experiment.make, teachers)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        save_tensors(file, model.state_dict(), {"params": experiment.params})
        return file.stat().st_size


def kept(result: Result) -> int:
    """How many models an experiment with this result has written."""
    seeds = len(result.measured.seeds)
    tried = [trial for trial in result.measured.sweep if trial.nll is not None]
    first = min(SWEEP_SEEDS, seeds)
    return seeds + (len(tried) * first + seeds - first if tried else 0)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    found = {}
    for unit in units():
        published = PUBLISHED / f"{unit.name}.json"
        if unit.is_analysis or not published.exists() or not available(unit.read()["dataset"]):
            continue
        experiment = Experiment.from_params(unit.read())
        found[unit.name] = kept(unit.load(PUBLISHED)) * size(experiment)
        print(f"{unit.name:44s} {found[unit.name] / 1e6:8.1f} MB", flush=True)
    about = {"cores": os.cpu_count(), "environment": environment(torch.device("cpu"))}
    if given.out:
        given.out.write_text(json.dumps({"bytes": found, **about}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
