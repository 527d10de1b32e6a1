"""Measure speed and utilisation of joint ResNet-18 training on a GPU, in the shape of VGG-Sound.

    python benchmarks/gpu.py [--rows 1024] [--batch 64] [--workers 4] [--out FILE]

Three measurements in one run, on random content in real formats, with all files in memory:

- ours: joint late fusion in bf16 from prepared arrays, with our loader and the method's step;
- only the loader, and only the step, on a batch that is on the GPU already;
- plain: a simple fp32 loop with a DataLoader that decodes three JPEGs and loads a spectrogram per
  sample, with the same networks and batch size, and ``--plain-workers`` processes (one per core).

The share of peak is the number of floating-point operations (multiply and add) per second in our
loop, relative to a product of large bf16 matrices in the same run. The idle share is the share of
the time between the first and the last kernel in which no kernel or copy ran.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import torch
import torchvision
from loader import CLASSES, prepared
from PIL import Image
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision.transforms import v2 as transforms

from umt_lib import models
from umt_lib.data import Splits
from umt_lib.data.loader import batches
from umt_lib.data.splits import Batch
from umt_lib.methods import METHODS
from umt_lib.study.experiments.provenance import environment

WARM = 12  # steps that are not timed: allocation, choice of algorithms, threads that start
MATRIX = 8192
QUALITY, COARSE = 90, 16  # of the JPEGs; the pictures are smooth, like photographs


class Ours:
    """A training step as in fit()."""

    def __init__(self, splits: Splits, device: torch.device):
        torch.manual_seed(0)
        encoders = {m: {"name": "resnet18"} for m in splits.modalities}
        model = models.build(encoders, {"name": "linear"}, splits.shapes, CLASSES, bf16=True)
        self.model, self.method = model.to(device).train(), METHODS["joint"]()
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.01, 0.9, weight_decay=1e-4)

    def __call__(self, batch: Batch) -> Tensor:
        return self.method.step(self.model, self.optimizer, batch)


def endless(splits: Splits, size: int, workers: int, device: torch.device) -> Iterator[Batch]:
    """Batches of one long epoch, in which every stored row occurs many times."""
    rows = np.tile(np.arange(len(splits.train)), 200)
    return batches(splits, splits.train.take(rows).to(device), size, 0, 0, workers)


def rate(step, feed: Iterable, size: int, steps: int) -> float:
    """Samples/s of ``step`` over ``steps`` batches of ``feed``, after :data:`WARM` of them."""
    feed = iter(feed)
    for batch in islice(feed, WARM):
        step(batch)
    torch.cuda.synchronize()
    began = time.perf_counter()
    for batch in islice(feed, steps):
        step(batch)
    torch.cuda.synchronize()
    return size * steps / (time.perf_counter() - began)


def idle(step, feed: Iterator, steps: int) -> float:
    """The share of time without a kernel or copy on the GPU, over ``steps`` steps."""
    with profile(activities=[ProfilerActivity.CUDA]) as recorded:
        for batch in islice(feed, steps):
            step(batch)
        torch.cuda.synchronize()
    on_gpu = [e for e in recorded.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    spans = sorted((e.time_range.start, e.time_range.end) for e in on_gpu)
    busy, until = 0.0, spans[0][0]
    for start, end in spans:
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    return 1 - busy / (until - spans[0][0])


def peak(device: torch.device) -> float:
    """TFLOP/s of a product of two large bf16 matrices, the median of ten."""
    a, b = (torch.randn(MATRIX, MATRIX, device=device, dtype=torch.bfloat16) for _ in range(2))
    times = []
    for _ in range(13):
        torch.cuda.synchronize()
        began = time.perf_counter()
        a @ b
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return 2 * MATRIX**3 / statistics.median(times[3:]) / 1e12


class Jpegs(Dataset):
    """A folder of pictures and spectrograms, which are decoded when a sample is read."""

    def __init__(self, folder: Path, samples: int, times: int):
        self.folder, self.samples, self.times = folder, samples, times
        self.look = transforms.Compose(
            [
                transforms.RandomResizedCrop(224, antialias=True),
                transforms.RandomHorizontalFlip(),
                transforms.ToImage(),
                transforms.ToDtype(torch.float32, scale=True),
                transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            ]
        )

    def __len__(self) -> int:
        return self.samples * self.times

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        i = index % self.samples
        frames = [Image.open(self.folder / f"{i}-{k}.jpg").convert("RGB") for k in range(3)]
        sound = torch.from_numpy(np.load(self.folder / f"{i}.npy"))
        return torch.stack([self.look(frame) for frame in frames]), sound, i % CLASSES


def drawn(folder: Path, samples: int, sound: tuple[int, ...]) -> None:
    """Write three smooth pictures and a spectrogram of shape ``sound`` for every sample."""
    stream = np.random.default_rng(0)
    for i in range(samples):
        for k in range(3):
            coarse = stream.integers(0, 256, (COARSE, COARSE, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((256, 256), Image.Resampling.BICUBIC)
            picture.save(folder / f"{i}-{k}.jpg", quality=QUALITY)
        np.save(folder / f"{i}.npy", stream.standard_normal(sound, dtype=np.float32))


class Plain(nn.Module):
    """A simple model: two ResNet-18, frames averaged, one linear head."""

    def __init__(self):
        super().__init__()
        self.video, self.audio = torchvision.models.resnet18(), torchvision.models.resnet18()
        self.audio.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        self.video.fc = self.audio.fc = nn.Identity()
        self.head = nn.Linear(1024, CLASSES)

    def forward(self, frames: Tensor, sound: Tensor) -> Tensor:
        video = self.video(frames.flatten(0, 1)).view(len(frames), 3, -1).mean(1)
        return self.head(torch.cat([video, self.audio(sound)], 1))


def plain(folder: Path, samples: int, size: int, workers: int, device, steps: int) -> float:
    """Samples/s of the plain loop."""
    torch.manual_seed(0)
    model, loss = Plain().to(device).train(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, 0.9, weight_decay=1e-4)

    def step(batch: list[Tensor]) -> None:
        frames, sound, y = (part.to(device) for part in batch)
        optimizer.zero_grad()
        value = loss(model(frames, sound), y)
        value.backward()
        optimizer.step()
        value.item()

    data = Jpegs(folder, samples, 200)
    return rate(step, DataLoader(data, size, shuffle=True, num_workers=workers), size, steps)


def measure(given: argparse.Namespace) -> dict:
    """Measure and print everything, in samples/s unless the name has another unit."""
    device, size, found = torch.device("cuda"), given.batch, {}

    def report(name: str, value: float) -> None:
        found[name] = round(value, 3)
        print(f"{name} {found[name]}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        splits = prepared(Path(folder), given.rows)
        ours, feed = Ours(splits, device), endless(splits, size, given.workers, device)
        report("samples_per_second", rate(ours, feed, size, given.steps))
        report("idle_share", idle(ours, feed, given.steps))
        batch = next(feed)
        loader = endless(splits, size, given.workers, device)
        report("loader_samples_per_second", rate(lambda b: b, loader, size, 2 * given.steps))
        report("step_samples_per_second", rate(ours, repeat(batch), size, given.steps))
    with FlopCounterMode(display=False) as counter:
        ours(batch)
    memory = torch.cuda.max_memory_allocated()
    with tempfile.TemporaryDirectory() as folder:
        samples, sound = given.rows // 4, tuple(batch.x["audio"].shape[1:])
        drawn(Path(folder), samples, sound)
        rated = plain(Path(folder), samples, size, given.plain_workers, device, given.steps)
        report("plain_samples_per_second", rated)
    report("ratio", found["samples_per_second"] / found["plain_samples_per_second"])
    report("loader_ratio", found["loader_samples_per_second"] / found["step_samples_per_second"])
    report("gflop_per_sample", counter.get_total_flops() / size / 1e9)
    report("tflops", found["gflop_per_sample"] * found["samples_per_second"] / 1e3)
    report("tflops_of_matrices", peak(device))
    report("share_of_peak", found["tflops"] / found["tflops_of_matrices"])
    report("memory_gb", memory / 1e9)
    return {
        **found,
        "rows": given.rows,
        "batch": size,
        "workers": given.workers,
        "plain_workers": given.plain_workers,
        "cores": os.cpu_count(),
        "environment": environment(device),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=4, help="threads of our loader")
    parser.add_argument("--plain-workers", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    measured = measure(given)
    print(json.dumps(measured, indent=1))
    if given.out:
        given.out.write_text(json.dumps(measured, indent=1) + "\n")
