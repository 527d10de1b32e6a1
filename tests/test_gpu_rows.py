"""Experiments for a GPU run many at once, in order, each after those that it needs."""

from __future__ import annotations

import signal
import subprocess
import time
from types import SimpleNamespace

import loaded
import pytest
import yaml

from umt_lib.paths import PARAMS, results_dir
from umt_lib.study.pipeline.smoke import shorten


@pytest.fixture(scope="module")
def script():
    return loaded.module("scripts/gpu_rows.py")


COPIES = {  # of experiments that take a second, under the names of the rows
    "psb224-unimodal-front": "synthetic-unimodal-a",
    "psb224-unimodal-rear": "synthetic-unimodal-b",
    "psb224-umt": "synthetic-umt",
    "psb224-ogm-ge": "synthetic-ogm-ge",
    "psb224-joint-linear": "synthetic-joint-linear",
}


@pytest.fixture
def folder(tmp_path):
    """Params files of one epoch; joint training fails, and OGM-GE needs it."""
    named = {old: new for new, old in COPIES.items()}
    for new, old in COPIES.items():
        spec = shorten(yaml.safe_load((PARAMS / f"{old}.yaml").read_text()))
        spec["name"] = new
        if "teachers" in spec:
            spec["teachers"] = {m: named[name] for m, name in spec["teachers"].items()}
        if "learning_rate_of" in spec:
            spec["learning_rate_of"] = named[spec["learning_rate_of"]]
        if new == "psb224-joint-linear":
            spec["head"] = {"name": "linnear"}
        (tmp_path / f"{new}.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    return tmp_path


def test_the_rows_are_those_of_psb224_and_what_furniture224_lacks(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "PUBLISHED", tmp_path)
    (tmp_path / "furniture224-umt.json").write_text("{}")
    rows = script.rows()
    assert rows[:2] == ["psb224-unimodal-front", "psb224-unimodal-rear"]
    first = [name for name in rows if name.startswith("psb224-")]
    assert rows[: len(first)] == first
    assert len(first) == len(script.FIRST)
    others = {
        f"furniture224-{path.stem.partition('-')[2]}" for path in PARAMS.glob("furniture224-*")
    }
    assert set(rows[len(first) :]) == others - {"furniture224-umt"}
    assert all((PARAMS / f"{name}.yaml").exists() for name in rows)


def test_what_an_experiment_needs_comes_before_it(script, capsys):
    assert script.main(["--dry-run", "psb224-ogm-ge", "psb224-ume", "*loader*"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "psb224-unimodal-front",
        "psb224-unimodal-rear",
        "psb224-ume, after psb224-unimodal-front, psb224-unimodal-rear",
        "psb224-joint-linear",
        "psb224-ogm-ge, after psb224-joint-linear",
        "benchmarks/loader.py",
    ]


def test_all_run_but_what_needs_a_failed_one(script, folder, capsys, monkeypatch):
    started, start = [], script._start
    monkeypatch.setattr(
        script, "_start", lambda name, *more: started.append(name) or start(name, *more)
    )
    given = ["--params", str(folder), "--jobs", "2", "psb224-*"]
    assert script.main(given) == 1
    out, err = capsys.readouterr()
    assert sorted(started[:2]) == ["psb224-unimodal-front", "psb224-unimodal-rear"]
    assert set(started) == set(COPIES) - {"psb224-ogm-ge"}
    assert "psb224-umt: test accuracy" in out
    assert "'linnear'" in out
    assert err == "2 of 5 have no result: psb224-joint-linear, psb224-ogm-ge\n"
    assert (results_dir() / "psb224-umt.json").exists()
    started.clear()
    assert script.main(given) == 1
    assert started == ["psb224-joint-linear"]  # finished ones are not run again


def test_an_interruption_ends_what_runs(script, monkeypatch, capsys):
    processes = []

    def start(name, params, logs):
        processes.append(subprocess.Popen(["sleep", "60"], start_new_session=True))
        return processes[-1]

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(script, "_start", start)
    monkeypatch.setattr(script, "time", SimpleNamespace(sleep=interrupt, monotonic=time.monotonic))
    assert script.main(["psb224-unimodal-*"]) == 130
    assert [process.returncode for process in processes] == [-signal.SIGINT] * 2
    assert "interrupted; the same command resumes" in capsys.readouterr().err


def test_what_does_not_end_when_interrupted_is_killed(script, monkeypatch):
    processes = []

    def start(name, params, logs):
        ready = logs / "ready"
        command = f"trap '' INT; touch '{ready}'; while :; do sleep 0.1; done"
        processes.append(subprocess.Popen(["sh", "-c", command], start_new_session=True))
        while not ready.exists():
            time.sleep(0.01)
        return processes[-1]

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(script, "_start", start)
    monkeypatch.setattr(script, "GRACE", 0.2)
    monkeypatch.setattr(script, "time", SimpleNamespace(sleep=interrupt, monotonic=time.monotonic))
    assert script.main(["psb224-unimodal-front"]) == 130
    assert [process.returncode for process in processes] == [-signal.SIGKILL]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["psb224-umtt"], "'psb224-umtt' matches no row; did you mean 'psb224-umt"),
        (["--jobs", "0"], "--jobs 0: give 1 or more"),
    ],
)
def test_wrong_arguments_are_refused(script, given, sentence, capsys):
    assert script.main(given) == 2
    assert sentence in capsys.readouterr().err
