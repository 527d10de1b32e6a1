"""Measure the wall time of `make study`, and the share of training and evaluation in its CPU time.

    python benchmarks/study_time.py [--out benchmarks/study_time.json]

Runs `make study` in this checkout, runs it again with nothing to do, and rebuilds the book. The
share is the sum of the seconds of all experiments and analyses, each in one process on one thread,
divided by the CPU time of everything that `make` started. Packages must be installed. The results
of this machine are deleted first.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path

import torch

from umt_lib.paths import ROOT, results_dir, runs
from umt_lib.study.experiments.provenance import environment


def timed(verb: str) -> tuple[float, float]:
    """Wall and CPU seconds of ``make verb``."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(["make", verb], cwd=ROOT, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    shutil.rmtree(runs(), ignore_errors=True)
    shutil.rmtree(ROOT / "book/_build", ignore_errors=True)
    wall, cpu = timed("study")
    made = [json.loads(file.read_text()) for file in results_dir().rglob("*.json")]
    inside = sum(result["provenance"]["seconds"] for result in made)
    again, _ = timed("study")
    shutil.rmtree(ROOT / "book/_build", ignore_errors=True)
    book, _ = timed("book")
    measured = {
        "study_minutes": round(wall / 60, 1),
        "cpu_minutes": round(cpu / 60, 1),
        "training_and_evaluation_share": round(inside / cpu, 3),
        "no_op_seconds": round(again, 1),
        "book_seconds": round(book, 1),
        "cores": os.cpu_count(),
        "environment": environment(torch.device("cpu")),
    }
    print(json.dumps(measured, indent=1))
    if given.out:
        given.out.write_text(json.dumps(measured, indent=1) + "\n")
