"""Measure the loader, in samples/s, and the rate of ResNet-18 training on the same machine.

    python benchmarks/loader.py [--rows 512] [--batch 32] [--workers 2] [--out FILE]

A prepared folder in the shape of VGG-Sound (3 frames of 256 pixels, a log-spectrogram of 10 s) is
made of random numbers. Its files stay in memory, so the speed of the disk is not measured. The
loader makes whole epochs of cropped and mirrored batches on the device; training repeats steps of
joint late fusion on one batch that is on the device already. The two do not run at the same time,
because they would share the cores of a CPU. Training needs about 0.2 GB per sample of a batch in
fp32.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from umt_lib import models
from umt_lib.data import Splits, load
from umt_lib.data.loader import batches
from umt_lib.data.prepare.store import Sample, prepare
from umt_lib.data.prepare.vggsound import RECIPE
from umt_lib.methods import METHODS
from umt_lib.study.experiments.provenance import environment

CLASSES = 4
WARM = 2  # steps and batches that are not timed


def noise(source: Path, settings: dict) -> dict[str, np.ndarray]:
    """Random rows in the layout of VGG-Sound."""
    stream = np.random.default_rng()
    return {
        m: stream.integers(0, 256, shape, dtype=np.uint8).astype(kind)
        for m, (shape, kind) in RECIPE.layout(RECIPE.settings).items()
    }


def prepared(folder: Path, rows: int) -> Splits:
    """``rows`` training samples, and one of each class in the other splits."""
    wanted = {"train": rows, "validation": CLASSES, "test": CLASSES}
    samples = [
        Sample(f"{split}{i}", i % CLASSES, split, "", Path(__file__))
        for split, n in wanted.items()
        for i in range(n)
    ]
    names, layout = [str(k) for k in range(CLASSES)], RECIPE.layout(RECIPE.settings)
    workers = os.cpu_count() or 1
    prepare(
        "vggsound",
        samples,
        names,
        layout,
        noise,
        RECIPE.settings,
        folder,
        workers,
        {},
    )
    return load("vggsound", folder=str(folder))


def loaded(splits: Splits, size: int, workers: int, device: torch.device, epochs: int) -> float:
    """Samples/s of the loader with the start of its threads, the median over epochs."""
    train, rates = splits.train.to(device), []
    for epoch in range(epochs + 1):
        began = time.perf_counter()
        for batch in batches(splits, train, size, 0, epoch, workers):
            last = batch
        synchronise(device, last.y)
        rates.append(len(train) / (time.perf_counter() - began))
    return statistics.median(rates[1:])  # the first epoch reads the files


def consumed(splits: Splits, size: int, bf16: bool, device: torch.device, steps: int) -> float:
    """Samples/s of joint training with two ResNet-18, the median over steps."""
    torch.manual_seed(0)
    encoders = {m: {"name": "resnet18"} for m in splits.modalities}
    model = models.build(encoders, {"name": "linear"}, splits.shapes, CLASSES, bf16=bf16)
    model = model.to(device).train()
    optimizer, joint = torch.optim.SGD(model.parameters(), 0.01, 0.9), METHODS["joint"]()
    batch, rates = next(batches(splits, splits.train.to(device), size, 0, 0)), []
    for _ in range(WARM + steps):
        began = time.perf_counter()
        synchronise(device, joint.step(model, optimizer, batch))
        rates.append(len(batch.y) / (time.perf_counter() - began))
    return statistics.median(rates[WARM:])


def synchronise(device: torch.device, value: torch.Tensor) -> None:
    """Wait until ``value`` is computed."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    value.sum().item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as folder:
        splits = prepared(Path(folder), given.rows)
        loader = loaded(splits, given.batch, given.workers, device, given.epochs)
        training = consumed(splits, given.batch, given.precision == "bf16", device, given.steps)
    measured = {
        "loader_samples_per_second": round(loader, 1),
        "training_samples_per_second": round(training, 1),
        "ratio": round(loader / training, 2),
        "rows": given.rows,
        "batch": given.batch,
        "workers": given.workers,
        "precision": given.precision,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "environment": environment(device),
    }
    print(json.dumps(measured, indent=1))
    if given.out:
        given.out.write_text(json.dumps(measured, indent=1) + "\n")
