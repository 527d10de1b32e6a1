"""The benchmark of memory: what an experiment is made from runs first, all for one epoch."""

from __future__ import annotations

from pathlib import Path

import loaded
import yaml


def test_teachers_and_the_choice_of_a_rate_run_before_what_needs_them(monkeypatch):
    benchmark = loaded.module("benchmarks/peak_memory.py")
    ran = []

    def peak(file: Path, runs: Path) -> int:
        params = yaml.safe_load(file.read_text())
        ran.append((file.stem, params["training"]["epochs"], len(params["seeds"])))
        return 1

    monkeypatch.setattr(benchmark, "peak", peak)
    found = benchmark.peaks(["watch-ogm", "watch-umt"])
    names = [name for name, *_ in ran]
    assert sorted(names) == sorted(found)
    for first, then in (
        ("watch-unimodal-gyroscope", "watch-umt"),
        ("watch-unimodal-accelerometer", "watch-umt"),
        ("watch-joint-linear", "watch-ogm"),
    ):
        assert names.index(first) < names.index(then)
    assert {(epochs, seeds) for _, epochs, seeds in ran} == {(1, 1)}
