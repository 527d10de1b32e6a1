"""Folders that cannot be written to: every command says so in one sentence, and writes nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from forked import forked

from umt_lib import paths
from umt_lib.errors import exit_status
from umt_lib.study.analyses import analysis
from umt_lib.study.experiments import command
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.study.pipeline import notebook_server, publish, run_graph, smoke
from umt_lib.study.report import build

NOBODY = 65534
COMMANDS: dict[str, Callable[[Path], int]] = {
    "run": lambda folder: command.main([str(folder / "params/tiny.yaml"), "--device", "cpu"]),
    "analyse": lambda folder: analysis.main([str(folder / "params/analyses/theory.yaml")]),
    "publish": lambda folder: publish.main([]),
    "book": lambda folder: build.main([]),
    "smoke": lambda folder: smoke.main([]),
    "serve": lambda folder: notebook_server.main(["serve", "--", "true"]),
    "graph": lambda folder: exit_status(lambda: len(run_graph.mark(folder / "params"))),
}


@pytest.fixture
def folder(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Params files and a result, which anybody may read: others than root, whom nothing stops."""
    folder = Path(tempfile.mkdtemp())
    (folder / "params/analyses").mkdir(parents=True)
    (folder / "params/tiny.yaml").write_text(yaml.safe_dump(params))
    shutil.copy(paths.PARAMS / "analyses/theory.yaml", folder / "params/analyses")
    monkeypatch.setattr(paths, "PARAMS", folder / "params")
    monkeypatch.setattr(paths, "PUBLISHED", folder / "results")
    monkeypatch.setattr(build.paths, "ROOT", folder)
    monkeypatch.setenv("UMT_RUNS", str(folder / "runs"))
    yield folder
    os.chmod(folder, 0o755)
    shutil.rmtree(folder)


def refused(work: Callable[[], int], folder: Path, printed: Path) -> tuple[int, str]:
    """The status and the message of ``work`` in a process that cannot write to ``folder``."""
    os.chmod(folder, 0o555)

    def as_nobody() -> int:
        if os.geteuid() == 0:
            os.seteuid(NOBODY)
        return work()

    return forked(as_nobody, printed), printed.read_text()


def left(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_cannot_be_written_to_is_named_and_stays_as_it_is(folder, tmp_path, name):
    if name == "publish":
        result = Experiment.from_params(yaml.safe_load((folder / "params/tiny.yaml").read_text()))
        result.run("cpu", progress=False)
    before = left(folder)
    status, message = refused(lambda: COMMANDS[name](folder), folder, tmp_path / "printed")
    assert status == 2, message
    assert message.count("\n") == 1
    assert str(folder) in message
    assert "cannot be written" in message
    assert left(folder) == before
