"""Watch: accelerometer and gyroscope of a wrist watch, 7 shoulder exercises, 10 people.

Burns et al. 2018, "Shoulder physiotherapy exercise recognition: machine learning the inertial
signals from a smartwatch" (arXiv:1802.01489); the recordings come with the PyPI package seglearn
(BSD). Each person did 20 repetitions of each exercise with each arm: 140 series at 50 Hz of
acceleration (in g, gravity included) and angular rate (rad/s).

People, not windows, are the independent samples: windows of one person overlap and repeat one
movement, so a confidence interval over windows is too narrow. People 1 and 2, 3 and 4, 5 and 6,
8 and 9, 7 and 10 have series of almost equal length for every exercise, as if each pair had
exercised together; both people of a pair are in the same split. The five pairs are the five folds.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import torch

from umt_lib.data.splits import Split, Splits, five_folds
from umt_lib.errors import StudyError
from umt_lib.style import Figure

SHA256 = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"
FIX = "reinstall it with: pip install --force-reinstall --no-deps seglearn==1.2.5"
RATE = 50  # Hz
COLUMNS = {"accelerometer": slice(0, 3), "gyroscope": slice(3, 6)}  # x, y, z each
PAIRS = ((7, 10), (8, 9), (1, 2), (3, 4), (5, 6))  # of people
CLASSES = {  # the file's abbreviations, in its order of labels
    "PEN": "pendulum",
    "ABD": "abduction",
    "FEL": "forward elevation",
    "IR": "internal rotation",
    "ER": "external rotation",
    "TRAP": "trapezius extension",
    "ROW": "upright row",
}


def load(seconds: float = 2.0, overlap: float = 0.5, fold: int = 0) -> Splits:
    """Load "accelerometer" and "gyroscope", float32 (n, 3, time): x, y, z over a window.

    Channels are standardised by their mean and standard deviation over the training windows.
    ``groups`` are people; train, validation and test have 6, 2 and 2 people.

    Args:
        seconds: length of a window; one repetition takes about two seconds.
        overlap: fraction of a window that the next window repeats, from 0 to below 1.
        fold: which of the five pairs of people is the test split, 0 to 4; see
            :func:`umt_lib.data.splits.five_folds`.

    Raises:
        StudyError: seglearn or its file is missing, the file has other content than the known one,
            or an option is out of range.
    """
    if not 0 <= overlap < 1:
        raise StudyError(f"data set 'watch': overlap is {overlap}; give 0 or more and less than 1")
    data = _recordings(_find())
    shortest = min(map(len, data["X"]))
    length = round(seconds * RATE)
    if not 2 <= length <= shortest:
        raise StudyError(
            f"data set 'watch': windows of {seconds} s; give {2 / RATE} to {shortest / RATE} s"
        )
    stride = max(1, round(length * (1 - overlap)))
    windows, y, people = [], [], []
    for series, label, person in zip(data["X"], data["y"], data["subject"], strict=True):
        cut = np.lib.stride_tricks.sliding_window_view(series, length, axis=0)[::stride]
        windows.append(cut)  # (windows, 6, length)
        y += [label] * len(cut)
        people += [person] * len(cut)
    x, y, people = np.concatenate(windows), np.array(y), np.array(people)
    pair = np.array([k for p in people for k, of in enumerate(PAIRS) if p in of])
    parts = five_folds(y, pair, fold)
    mean, std = (f(x[parts[0]], axis=(0, 2), keepdims=True) for f in (np.mean, np.std))
    x = torch.from_numpy(((x - mean) / std).astype(np.float32))
    everyone = Split({m: x[:, c] for m, c in COLUMNS.items()}, torch.from_numpy(y), people)
    train, validation, test = (everyone.take(rows) for rows in parts)
    return Splits(train, validation, test, tuple(CLASSES.values()), SHA256)


def _find() -> Path:
    """Path of the file in the installed package, found without importing the package."""
    spec = importlib.util.find_spec("seglearn")
    if spec is None or spec.origin is None:
        raise StudyError("data set 'watch': the package seglearn is not installed; " + FIX)
    return Path(spec.origin).parent / "data" / "watch_dataset.npy"


def _recordings(path: Path) -> dict:
    """Read the dict in ``path``: X, a list of (time, 6) series, with y and subject per series.

    The file is pickled, and unpickling can run any code that the file contains. So its digest is
    compared with the known one first.
    """
    if not path.is_file():
        raise StudyError(f"data set 'watch': {path} is missing; {FIX}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise StudyError(
            f"data set 'watch': {path} has sha256 {found[:12]}..., not {SHA256[:12]}...; {FIX}"
        )
    return np.load(path, allow_pickle=True).item()


def picture(splits: Splits) -> Figure:
    """Plot one training window per exercise: standardised x, y, z of each modality over time."""
    train, colors = splits.train, ("#0072B2", "#D55E00", "#000000")
    rows = len(splits.classes)
    figure = Figure(figsize=(9, 1.1 * rows + 0.8), layout="constrained")
    axes = figure.subplots(rows, len(train.x), sharex=True, sharey=True, squeeze=False)
    for k, line in enumerate(axes):
        samples = (train.y == k).nonzero()[:, 0]
        i = samples[len(samples) // 2]  # in a first window the arm often does not move yet
        for ax, (m, x) in zip(line, train.x.items(), strict=True):
            seconds = np.arange(x.shape[-1]) / RATE
            for axis, color, signal in zip("xyz", colors, x[i].numpy(), strict=True):
                ax.plot(seconds, signal, color=color, linewidth=1.3, label=axis)
            ax.spines[["top", "right"]].set_visible(False)
            if k == 0:
                ax.set_title(f"{m} (standardised)")
        line[0].set_ylabel(splits.classes[k], rotation=0, ha="right", va="center")
    for ax in axes[-1]:
        ax.set_xlabel("time (s)")
    lines, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(lines, names, ncols=3, frameon=False, loc="outside upper right")
    return figure
