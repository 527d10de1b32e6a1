"""The storm of kills: short, on the cheapest command, and what it would notice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import loaded
import pytest


@pytest.fixture(scope="module")
def script():
    return loaded.module("benchmarks/storm.py")


def test_a_preparation_that_is_killed_twice_ends_with_the_same_files(script, tmp_path):
    out = tmp_path / "storm.json"
    assert script.main(["--kills", "2", "--verbs", "prepare", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["kills_by_verb"] == {"prepare": 2}
    assert found["different_files"] == 0


def test_all_processes_of_a_command_are_killed(script, tmp_path):
    """Also those in a process group of their own, as the run graph is."""
    code = """
import os, subprocess, sys, time
for i in range(2):
    child = subprocess.Popen(["sleep", "1000"], process_group=0)
    open(f"{child.pid}.pid", "w").close()
time.sleep(1000)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, start_new_session=True)
    while len(children := list(tmp_path.glob("*.pid"))) < 2:
        assert process.poll() is None
    script.kill_session(process.pid)
    process.wait()
    assert [script._session(int(child.stem)) for child in children] == [0, 0]


def test_a_process_whose_first_thread_has_ended_is_killed(script, tmp_path):
    """Its other threads still hold its files and locks."""
    code = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    status = Path(f"/proc/{process.pid}/stat")
    while status.read_text().rpartition(")")[2].split()[0] != "Z":
        assert process.poll() is None
    try:
        script.kill_session(process.pid)
        assert process.wait(10) == -signal.SIGKILL
    finally:
        process.kill()


def result(folder: Path, accuracy: float, seconds: float) -> None:
    path = folder / "runs/results/a.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"measured": accuracy, "provenance": seconds}))


def test_other_seconds_are_no_difference_and_other_measurements_and_leftovers_are(script, tmp_path):
    result(tmp_path, 0.5, 1.0)
    before = script.contents(tmp_path, pages=True)
    result(tmp_path, 0.5, 2.0)
    assert script.contents(tmp_path, pages=True) == before
    leftover = tmp_path / "runs/results/.a.json.7.partial"
    leftover.write_text("")
    assert script.contents(tmp_path, pages=True) != before
    leftover.unlink()
    result(tmp_path, 0.6, 1.0)
    assert script.contents(tmp_path, pages=True) != before
    (tmp_path / "runs/results/a.json").write_text('{"measured": 0.5')
    assert script.contents(tmp_path, pages=True) != before


def test_a_page_that_is_half_written_is_a_difference_where_pages_count(script, tmp_path):
    page = tmp_path / script.HTML / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("<html></html>")
    before = script.contents(tmp_path, pages=True)
    page.write_text("<html>")
    assert script.contents(tmp_path, pages=True) != before
    assert script.contents(tmp_path, pages=False) == {}
