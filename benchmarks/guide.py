"""Measure the time and memory of ``umt guide`` on large features: 2 x 512 columns, 20 classes.

    python benchmarks/guide.py [--out benchmarks/guide.json]

Two inputs are made, of 10,000 and of 100,000 samples, as memory-mapped arrays in a folder. Each run
has its own process and one thread; measured are its CPU time and the peak of its resident memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from umt_lib.study.experiments.provenance import environment

SAMPLES = {"small": 10_000, "large": 100_000}
COLUMNS, CLASSES, SHARED = 512, 20, 16


def make(folder: Path, samples: int) -> None:
    """Features of two modalities that show the class and share some noise."""
    rng = np.random.default_rng(0)
    y = rng.integers(CLASSES, size=samples)
    shared = rng.normal(size=(samples, SHARED)).astype(np.float32)
    for name in ("audio", "video"):
        centres = 0.12 * rng.normal(size=(CLASSES, COLUMNS)).astype(np.float32)
        mix = 0.5 * rng.normal(size=(SHARED, COLUMNS)).astype(np.float32)
        noise = rng.normal(size=(samples, COLUMNS)).astype(np.float32)
        np.save(folder / f"{name}.npy", centres[y] + shared @ mix + noise)
    np.save(folder / "labels.npy", y)


def measure(folder: Path) -> tuple[float, float]:
    """CPU seconds and peak memory (MB) of the guide; SystemExit if it fails."""
    command = [sys.executable, "-m", "umt_lib", "guide", str(folder)]
    child = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"umt guide {folder}: exit status {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found: dict[str, object] = {}
    for size, samples in SAMPLES.items():
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), samples)
            seconds, megabytes = measure(Path(folder))
        print(f"{samples:7d} samples: {seconds:.0f} CPU s, {megabytes:.0f} MB", flush=True)
        found |= {f"{size}_samples": samples, f"{size}_seconds": round(seconds, 1)}
        found |= {f"{size}_mb": round(megabytes)}
    found |= {"cores": os.cpu_count(), "environment": environment(torch.device("cpu"))}
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")
