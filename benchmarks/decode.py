"""Measure the preparation of clips, in clips/s, and plain PyAV decoding of the same clips.

    python benchmarks/decode.py [--clips 96] [--workers 2] [--rounds 7] [--out FILE]

The clips of 10 s (h264 and AAC in mp4) show a moving pattern with noise, in the two sizes that are
common for such data sets. Plain decoding decodes every picture and every sound frame and discards
it. Preparation does the same and also crops, scales, resamples, transforms, hashes and stores. Both
use the same number of processes. The time is from the start of the first clip to the end of the
last one, so it does not include the start of processes. The two take turns, so that other load on
the machine affects both.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from umt_lib.data.prepare.store import Sample, prepare
from umt_lib.data.prepare.vggsound import RECIPE
from umt_lib.study.experiments.provenance import environment

FPS, RATE, SECONDS, DIFFERENT = 25, 44_100, 10, 4
SIZES = {"large": (640, 360), "small": (340, 256)}


def film(path: Path, width: int, height: int, seed: int) -> None:
    """Write a video of ten seconds with about the bit rate of videos on the web."""
    stream = np.random.default_rng(seed)
    pattern = np.kron(
        stream.integers(0, 200, (height // 20 + 1, width // 20 + 1, 3)), np.ones((20, 20, 1))
    )[:height, :width].astype(np.uint8)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=RATE)
        audio.layout = "mono"
        for i in range(FPS * SECONDS):
            grain = stream.integers(0, 20, (height, width, 1), dtype=np.uint8)
            picture = np.roll(pattern, 3 * i, axis=1) + grain
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        wave = (0.1 * stream.normal(size=(1, RATE * SECONDS))).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        frame.sample_rate = RATE
        container.mux(audio.encode(frame))
        container.mux(audio.encode())


def plain(path: Path) -> tuple[float, float]:
    """Decode a file; return the times of start and end."""
    began = time.monotonic()
    with av.open(str(path)) as container:
        for stream in container.streams:
            stream.codec_context.thread_count = 1
        for _ in container.decode():
            pass
    return began, time.monotonic()


def timed(source: Path, settings: dict) -> dict[str, np.ndarray]:
    """Read a clip as the recipe does, and log the times of start and end."""
    began = time.monotonic()
    rows = RECIPE.read(source, settings)
    with open(settings["log"], "a") as log:
        log.write(f"{began} {time.monotonic()}\n")
    return rows


def plain_rate(paths: list[Path], workers: int) -> float:
    """Clips/s of plain decoding."""
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(workers, context) as pool:
        return rate(list(pool.map(plain, paths)))


def prepared_rate(paths: list[Path], workers: int) -> float:
    """Clips/s of preparation."""
    samples = [Sample(str(i), 0, "train", "", path) for i, path in enumerate(paths)]
    with tempfile.TemporaryDirectory() as folder:
        settings = {**RECIPE.settings, "log": f"{folder}/log"}
        layout, out = RECIPE.layout(settings), Path(folder) / "out"
        prepare("speed", samples, ["0"], layout, timed, settings, out, workers, {})
        lines = Path(settings["log"]).read_text().splitlines()
    return rate([tuple(map(float, line.split())) for line in lines])


def rate(times: list[tuple[float, float]]) -> float:
    """Clips/s from the times of start and end of every clip."""
    began, ended = zip(*times, strict=True)
    return len(times) / (max(ended) - min(began))


def turns(width: int, height: int, clips: int, workers: int, rounds: int) -> dict[str, Any]:
    """Rates of plain decoding and of preparation for one size of clips, medians over ``rounds``."""
    with tempfile.TemporaryDirectory() as folder:
        films = [Path(folder) / f"{seed}.mp4" for seed in range(DIFFERENT)]
        for seed, path in enumerate(films):
            film(path, width, height, seed)
        size = statistics.mean(path.stat().st_size for path in films)
        paths = [films[i % DIFFERENT] for i in range(clips)]
        rates = [(plain_rate(paths, workers), prepared_rate(paths, workers)) for _ in range(rounds)]
    return {
        "plain_clips_per_second": round(statistics.median(p for p, _ in rates), 2),
        "prepared_clips_per_second": round(statistics.median(p for _, p in rates), 2),
        "ratio": round(statistics.median(prepared / p for p, prepared in rates), 3),
        "clip": f"{width} x {height}, {FPS} frames/s, {SECONDS} s, {size / 1e6:.1f} MB",
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    measured: dict[str, Any] = {}
    for name, size in SIZES.items():
        found = turns(*size, given.clips, given.workers, given.rounds)
        measured |= {f"{name}_{key}": value for key, value in found.items()}
    measured |= {
        "rounds": given.rounds,
        "workers": given.workers,
        "cores": os.cpu_count(),
        "environment": environment(torch.device("cpu")),
    }
    print(json.dumps(measured, indent=1))
    if given.out:
        given.out.write_text(json.dumps(measured, indent=1) + "\n")
