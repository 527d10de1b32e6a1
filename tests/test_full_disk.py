"""A full disk, at each write: one sentence, nothing half-written, the same files afterwards.

Where the size of files allows it, the write really fails: no file may grow beyond a limit.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from forked import forked
from safetensors.torch import save

from umt_lib import files, paths
from umt_lib.errors import exit_status
from umt_lib.files import load_tensors
from umt_lib.study.experiments import command, experiment
from umt_lib.study.pipeline import publish, run_graph
from umt_lib.study.pipeline.notebook_engine import execute

TABLES = ["measured.csv", "results.csv", "results.parquet"]


@pytest.fixture
def file(params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny params with a sweep, as the only experiment of a study."""
    path = tmp_path / "params/tiny.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({**params, "sweep": {"learning_rate": [0.01, 0.1]}}))
    monkeypatch.setattr(paths, "PARAMS", path.parent)
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path / "results")
    return path


def limited(work: Callable[[], int], size: int) -> Callable[[], int]:
    """``work`` where no file can grow beyond ``size`` bytes."""

    def inside() -> int:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            return work()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return lambda: exit_status(inside)


def full_at(number: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the disk be full when the last bytes of file ``number`` are written; return the files."""
    written: list[str] = []
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        written.append(os.readlink(f"/proc/self/fd/{descriptor}").split("/")[-1])
        if len(written) == number + 1:
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(files.os, "fsync", fsync)
    return written


def held(folder: Path) -> dict[str, bytes]:
    """{file: content} of a folder, without the seconds that results and models contain."""
    found = {}
    for path in folder.rglob("*.*"):
        content = path.read_bytes()
        if path.suffix == ".json":
            content = json.dumps(json.loads(content)["measured"]).encode()
        if path.suffix == ".safetensors":
            content = save(load_tensors(path)[0])
        found[path.relative_to(folder).as_posix()] = content
    return found


def run(file: Path) -> int:
    return command.main([str(file), "--device", "cpu"])


def test_every_write_of_an_experiment(file, runs, monkeypatch, capsys):
    """Unfinished and finished models, the chosen ones, and the result."""
    monkeypatch.setattr(experiment, "SAVE_EVERY", 0.0)
    written = full_at(-1, monkeypatch)
    assert run(file) == 0
    undisturbed = held(runs)
    kinds = [name.split(".")[1:-3] for name in written]
    assert {"unfinished" in kind for kind in kinds} == {True, False}
    assert written[-1].startswith(".tiny.json.")
    capsys.readouterr()
    for number in range(len(written)):
        shutil.rmtree(runs)
        full_at(number, monkeypatch)
        assert run(file) == 2
        message = capsys.readouterr().err
        assert message.count("\n") == 1
        assert "cannot be written (No space left on device); free some space" in message
        assert not list(runs.rglob("*.partial"))
        assert not (runs / "results/tiny.json").exists()
        full_at(-1, monkeypatch)
        assert run(file) == 0
        assert held(runs) == undisturbed
        capsys.readouterr()


def test_a_write_that_really_fails(file, runs, tmp_path):
    printed = tmp_path / "printed"
    assert forked(limited(lambda: run(file), 1000), printed) == 2
    last = printed.read_text().splitlines()[-1]
    assert "seed0-learning_rate0.01.safetensors: cannot be written (File too large)" in last
    assert held(runs) == {}
    assert run(file) == 0


def test_every_write_of_publish(file, tmp_path, monkeypatch, capsys):
    """The result, then each table: what was published before stays whole."""
    monkeypatch.setattr(publish, "FEWEST", 1)
    assert run(file) == 0
    written = full_at(-1, monkeypatch)
    assert publish.main([]) == 0
    undisturbed = held(paths.PUBLISHED)
    assert [name[1:].rsplit(".", 3)[0] for name in written] == ["tiny.json", *TABLES]
    capsys.readouterr()
    for number in range(len(written)):
        shutil.rmtree(paths.PUBLISHED)
        full_at(number, monkeypatch)
        assert publish.main([]) == 2
        message = capsys.readouterr().err
        assert message.count("\n") == 1
        assert f"{['tiny.json', *TABLES][number]}: cannot be written (No space" in message
        assert held(paths.PUBLISHED).items() <= undisturbed.items()
        full_at(-1, monkeypatch)
        assert publish.main([]) == 0
        assert held(paths.PUBLISHED) == undisturbed
        capsys.readouterr()


def test_a_stamp_that_is_cut_off_is_written_again(file, tmp_path):
    def mark() -> int:
        return len(run_graph.mark(file.parent))

    printed, stamp = tmp_path / "printed", run_graph.stamps_dir() / "tiny"
    assert forked(limited(mark, 10), printed) == 2
    assert printed.read_text() == (
        f"{stamp}: cannot be written (File too large); free some space or fix the permissions, "
        f"then run the same command again\n"
    )
    assert mark() == 1
    assert stamp.read_text().startswith("missing, seen ")
    run(file)
    sources = run_graph.sources(file.parent)

    def record() -> int:
        run_graph.record_current(file.parent, "full", sources)
        return 0

    assert mark() == 0
    assert forked(limited(record, 10), printed) == 2
    assert ".current-full: cannot be written (File too large)" in printed.read_text()
    assert mark() == 0


def test_a_notebook_that_is_cut_off_is_not_kept(file, tmp_path):
    notebook, out = tmp_path / "prints.py", tmp_path / "out.ipynb"
    notebook.write_text('# %% tags=["parameters"]\nseeds = 1\n\n# %%\nprint("much " * 1000)\n')

    def work() -> int:
        return execute(str(notebook), str(out), str(file))

    printed = tmp_path / "printed"
    assert forked(limited(work, 4000), printed) == 2
    assert printed.read_text().count("\n") == 1
    assert "out.ipynb cannot be written (File too large); free some space" in printed.read_text()
    assert list(tmp_path.rglob("*.ipynb")) == []
    assert work() == 0
    assert json.loads(out.read_text())["cells"]
