"""Processes that are killed: nothing half-written is left, and the next run resumes.

The processes are forks of this one, so that they need no imports of their own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from forked import forked

from umt_lib.study.experiments import command, experiment
from umt_lib.study.experiments.experiment import Experiment


@pytest.fixture
def file(params: dict[str, Any], tmp_path: Path) -> Path:
    """The tiny params as a file."""
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(params))
    return path


def in_background(work: Callable[[], int], printed: Path) -> int:
    """:func:`forked`, with Ctrl-C ignored as in a process that a script starts with ``&``."""

    def ignoring() -> int:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return work()

    return forked(ignoring, printed)


def at_save(number: int, happens: Callable[[], Any]) -> None:
    """Checkpoint after every epoch, and let something happen after one of them."""
    saved, save = [], experiment.save_state

    def save_state(*arguments: Any) -> None:
        save(*arguments)
        saved.append(arguments)
        if len(saved) == number:
            happens()

    experiment.save_state, experiment.SAVE_EVERY = save_state, 0.0


def interrupted(file: Path, number: signal.Signals) -> Callable[[], int]:
    """The command, sent a signal in the middle of its second seed."""

    def work() -> int:
        at_save(5, lambda: os.kill(os.getpid(), number))
        return command.main([str(file), "--device", "cpu"])

    return work


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("number", "status", "sentence"),
    [(signal.SIGKILL, -9, ""), (signal.SIGINT, 130, "interrupted; the same command resumes")],
)
def test_a_killed_run_resumes_and_gives_the_same_bytes(
    params, file, runs, tmp_path, monkeypatch, number, status, sentence
):
    printed = tmp_path / "printed"
    assert in_background(interrupted(file, number), printed) == status
    assert sentence in printed.read_text()
    assert "Traceback" not in printed.read_text()
    assert left(runs) == ["seed0.safetensors", "seed1.unfinished.safetensors"]

    epochs = []
    fit = experiment.fit
    monkeypatch.setattr(
        experiment, "fit", lambda *a, **k: epochs.append(a[5].progress.epoch) or fit(*a, **k)
    )
    resumed = Experiment.from_params(params).run("cpu", progress=False)
    assert epochs == [2]  # the first seed was done, the second resumes after its second epoch
    monkeypatch.setattr(experiment, "fit", fit)
    monkeypatch.setenv("UMT_RUNS", str(tmp_path / "undisturbed"))
    undisturbed = Experiment.from_params(params).run("cpu", progress=False)
    assert resumed.measured_bytes() == undisturbed.measured_bytes()
    assert left(runs) == ["seed0.safetensors", "seed1.safetensors", "tiny.json"]
