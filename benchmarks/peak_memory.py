"""Peak memory of every experiment whose data is here, in MB of resident set, one process each.

    python benchmarks/peak_memory.py [--out benchmarks/peak_memory.json]

One seed and one epoch: a longer run holds nothing more. As many at once as there are cores; an
experiment's teachers run before it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from umt_lib.data.availability import available
from umt_lib.paths import PARAMS
from umt_lib.study.experiments.params import read
from umt_lib.study.experiments.provenance import environment

SHORT = ["--set", "training.epochs=1", "--set", "training.probe_every=1", "--set", "seeds=[0]"]


def peak(path: Path, runs: str) -> float:
    """MB of resident memory at the most; the child's status must be 0."""
    command = [sys.executable, "-m", "umt_lib.study.experiments.experiment", str(path), *SHORT]
    environment = {**os.environ, "UMT_RUNS": runs, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{path}: exit status {child.returncode}")
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    files = [path for path in PARAMS.glob("*.yaml") if available(read(path)["dataset"])]
    measured = {}
    with tempfile.TemporaryDirectory() as runs, ThreadPoolExecutor(os.cpu_count()) as pool:
        for taught in (False, True):
            part = sorted(path for path in files if bool(read(path).get("teachers")) == taught)
            peaks = pool.map(lambda path: round(peak(path, runs)), part)
            for path, megabytes in zip(part, peaks, strict=True):
                measured[path.stem] = megabytes
                print(f"{path.stem:40s} {megabytes:6d} MB", flush=True)
    largest = max(measured, key=measured.__getitem__)
    print(f"largest: {measured[largest]} MB ({largest})")
    found = {
        "largest": largest,
        "largest_mb": measured[largest],
        "mb": measured,
        "cores": os.cpu_count(),
        "environment": environment(torch.device("cpu")),
    }
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")
