"""Measure the peak memory (resident set, MB) of every experiment whose data is on this machine.

    python benchmarks/peak_memory.py [--out benchmarks/peak_memory.json] [watch-umt ...]

Every experiment runs in its own process, for one seed and one epoch, because a longer run needs no
more memory. As many run at once as there are cores, each after the results that it is made from.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import torch
import yaml

from umt_lib.data.availability import available
from umt_lib.paths import PARAMS
from umt_lib.study.experiments.params import read
from umt_lib.study.experiments.provenance import environment
from umt_lib.study.pipeline.run_graph import with_needed
from umt_lib.study.pipeline.smoke import shorten


def peak(path: Path, runs: Path) -> int:
    """The peak of resident memory in MB of one experiment; SystemExit if it fails."""
    command = [sys.executable, "-m", "umt_lib", "run", str(path)]
    places = {"UMT_RUNS": str(runs), "UMT_PARAMS": str(path.parent)}
    environment = {**os.environ, **places, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{path}: exit status {child.returncode}")
    return round(usage.ru_maxrss / 1024)


def peaks(names: Sequence[str]) -> dict[str, int]:
    """{experiment: MB} of these experiments and of what they are made from."""
    needs = with_needed(list(names))
    found: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        params = Path(folder) / "params"
        params.mkdir()
        for name in needs:
            short = shorten(read(PARAMS / f"{name}.yaml"))
            (params / f"{name}.yaml").write_text(yaml.safe_dump(short))
        while len(found) < len(needs):
            ready = sorted(n for n in needs if n not in found and found.keys() >= {*needs[n]})
            files = [params / f"{name}.yaml" for name in ready]
            for name, megabytes in zip(
                ready, pool.map(peak, files, repeat(Path(folder))), strict=True
            ):
                found[name] = megabytes
                print(f"{name:40s} {megabytes:6d} MB", flush=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="experiments; all whose data is here, if none")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    every = [path.stem for path in PARAMS.glob("*.yaml") if available(read(path)["dataset"])]
    measured = peaks(given.names or every)
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
