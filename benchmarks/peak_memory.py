"""Measure the peak memory (resident set, MB) of every experiment whose data is on this machine.

    python benchmarks/peak_memory.py [--out benchmarks/peak_memory.json]

Every experiment runs in its own process, for one seed and one epoch, because a longer run needs no
more memory. As many run at once as there are cores, teachers before the methods that need them.
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
    """The peak of resident memory in MB of one experiment; SystemExit if it fails."""
    command = [sys.executable, "-m", "umt_lib", "run", str(path), *SHORT]
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
        for with_teachers in (False, True):
            part = sorted(p for p in files if bool(read(p).get("teachers")) == with_teachers)
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
