"""What a study will cost is announced before it begins, and the time left while it runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from commands import SNAKEMAKE

from umt_lib import paths
from umt_lib.paths import PARAMS, PUBLISHED, ROOT, results_dir
from umt_lib.study.experiments.progress import announce, tally
from umt_lib.study.pipeline import forecast as module
from umt_lib.study.pipeline import run_graph
from umt_lib.study.pipeline.forecast import forecast, published_seconds


def result(file: Path, seconds: float) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"provenance": {"seconds": seconds}}))


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two published experiments with measured models, one without, and an analysis."""
    benchmarks = tmp_path / "benchmarks"
    benchmarks.mkdir()
    (benchmarks / "disk.json").write_text(json.dumps({"bytes": {"a": 5_000_000, "b": 70_000_000}}))
    (benchmarks / "study_time.json").write_text(json.dumps({"book_seconds": 120}))
    for name, seconds in (("a", 600), ("b", 1200), ("unmeasured", 60), ("analyses/c", 360)):
        result(tmp_path / f"results/{name}.json", seconds)
    monkeypatch.setattr(module, "BENCHMARKS", benchmarks)
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path / "results")
    return tmp_path


def test_the_forecast_adds_up_what_was_measured(study):
    line = forecast(published_seconds(["a", "b", "analyses/c"], PARAMS), cores=2)
    assert line.startswith(
        "missing or stale results: 3; estimated time: 20 min, if 2 of the cores here are as fast "
        "as those of the published results; disk space: 75 MB ("
    )  # (600 + 1200 + 360) / 2 + 120 seconds
    assert "never measured" not in line
    free = shutil.disk_usage(study).free / 1e6
    assert float(line.split("(")[1].split(" MB")[0].replace(",", "")) == pytest.approx(free, 0.1)
    assert "4 min" in forecast(published_seconds(["analyses/c"], PARAMS), cores=3)


def test_what_was_never_measured_is_counted_and_not_guessed(study):
    line = forecast(published_seconds(["a", "unmeasured", "never-run"], PARAMS), cores=1)
    assert "estimated time: 12 min, if 1 of the cores" in line
    assert line.endswith("; the cost of 2 of them was never measured")
    assert forecast({"never-run": None}, 1) == (
        "missing or stale results: 1; the cost of 1 of them was never measured"
    )


def test_experiments_of_another_folder_are_not_those_of_the_study(study, tmp_path):
    """Those of ``umt smoke`` have the same names, and take a fraction of the time."""
    assert published_seconds(["a"], tmp_path) == {"a": None}
    assert published_seconds(["a"], PARAMS) == {"a": 600}


def test_the_time_left_follows_the_speed_of_this_machine(runs, monkeypatch):
    monkeypatch.delenv("UMT_TODO", raising=False)
    assert tally() == ""
    monkeypatch.setenv("UMT_TODO", "")  # announce() sets it; it is removed after the test
    for name in ("a", "c"):  # stale results, which are there until their jobs start
        result(results_dir() / f"{name}.json", 600)
        os.utime(results_dir() / f"{name}.json", (1000, 1000))
    announce({"a": 600, "analyses/b": 1200, "c": None}, cores=2)
    assert tally() == "0/3, 15 min left: "
    (results_dir() / "c.json").unlink()  # its job has started
    assert tally() == "0/3, 15 min left: "
    result(results_dir() / "a.json", 1800)  # three times as slow
    assert tally() == "1/3, 30 min left: "
    result(results_dir() / "c.json", 7)
    assert tally() == "2/3, 30 min left: "
    result(results_dir() / "analyses/b.json", 7)
    assert tally() == "3/3 "


def test_the_graph_announces_only_what_is_left(runs):
    """Published results that are current are put where this machine's are, all but one."""
    wanted = run_graph.wanted(PARAMS, "default")
    command = [*SNAKEMAKE, "-n"]

    def announced() -> list[str]:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [line for line in done.stderr.splitlines() if "missing or stale" in line]

    (first,) = announced()
    assert first.startswith(f"missing or stale results: {len(wanted)}; estimated time: ")
    assert "; disk space: " in first
    *current, _ = [name for name in wanted if run_graph.Unit(name).stale(PUBLISHED) == ""]
    for name in current:
        (results_dir() / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PUBLISHED / f"{name}.json", results_dir() / f"{name}.json")
    (left,) = announced()
    assert left.startswith(f"missing or stale results: {len(wanted) - len(current)}; ")
