"""Every experiment for one epoch: what is written, and what is printed before the run graph."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from umt_lib.paths import PARAMS
from umt_lib.study.experiments.params import check
from umt_lib.study.pipeline.smoke import few, shorten

EMBEDDED = ("synthetic", "shared-nuisance", "digit-pairs", "digit-halves", "watch", "furniture")
SMOKE = """
import os
from pathlib import Path
from umt_lib import paths
from umt_lib.study.pipeline import smoke

def replaced(program, command):  # what is not flushed is lost, as when a process is replaced
    for text in (os.getcwd(), os.environ["UMT_RUNS"], os.environ["UMT_DATA"], *command):
        os.write(2, f"{text}\\n".encode())
    os._exit(0)

os.execv = replaced
paths.PARAMS = Path("params").resolve()
raise SystemExit(smoke.main([]))
"""


@pytest.fixture
def smoke(params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the command in a folder with params/tiny.yaml; ``add`` adds another file to it."""
    monkeypatch.setenv("UMT_RUNS", "my runs")
    monkeypatch.setenv("UMT_DATA", "data")
    (tmp_path / "params").mkdir()
    (tmp_path / "params/tiny.yaml").write_text(yaml.safe_dump(params))

    def run(add: dict[str, str]) -> subprocess.CompletedProcess:
        for name, text in add.items():
            (tmp_path / f"params/{name}.yaml").write_text(text)
        command = [sys.executable, "-c", SMOKE]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    return run


def test_every_params_file_is_shortened_to_a_valid_one():
    for path in PARAMS.glob("*.yaml"):
        short = shorten(yaml.safe_load(path.read_text()))
        check(short, str(path))
        assert (len(short["seeds"]), short["training"]["epochs"]) == (1, 1)
        assert "sweep" not in short


def test_few_experiments_run_every_variant_and_data_set_and_what_they_need():
    every = {path.stem: yaml.safe_load(path.read_text()) for path in PARAMS.glob("*.yaml")}
    here = {n: p for n, p in every.items() if p["dataset"]["name"] in EMBEDDED}
    found = few(here)
    assert len(found) < len(here) / 2

    def variants(names: Iterable[str]) -> set[str]:
        kept = ({**here[n], "method": {**here[n]["method"], "modality": ""}} for n in names)
        return {f"{p['method']} {p['head']['name']}" for p in kept}

    assert variants(found) == variants(here)
    assert {here[n]["dataset"]["name"] for n in found} == set(EMBEDDED)
    for name in found:
        params = here[name]
        needed = {*params.get("teachers", {}).values(), params.get("learning_rate_of")} - {None}
        assert needed <= found, name


def test_relative_folders_are_those_of_the_caller_and_what_is_left_out_is_printed(smoke, tmp_path):
    prepared = (PARAMS / "modelnet40-joint-linear.yaml").read_text()
    done = smoke({"modelnet40-joint-linear": prepared})
    assert done.stdout == "smoke: 1 experiments are left out: their data is not available\n"
    _, runs, data, *command = done.stderr.splitlines()
    assert (runs, data) == (str(tmp_path / "my runs/smoke"), str(tmp_path / "data"))
    assert f"params={runs}/params" in command
    assert [path.name for path in (tmp_path / "my runs/smoke/params").iterdir()] == ["tiny.yaml"]


@pytest.mark.parametrize("text", ["a: [", "name: broken\n", "3"])
def test_a_broken_params_file_is_one_sentence(smoke, text):
    done = smoke({"broken": text})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "params/broken.yaml: " in done.stderr
