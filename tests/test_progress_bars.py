"""No progress bar is written to a file or a pipe."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from umt_lib.paths import ROOT
from umt_lib.study.experiments.experiment import Experiment

BARS = [
    (file, call)
    for folder in ("umt_lib", "scripts")
    for file in sorted((ROOT / folder).rglob("*.py"))
    for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "tqdm"
]


@pytest.mark.parametrize(("file", "bar"), BARS, ids=lambda x: x.stem if isinstance(x, Path) else "")
def test_every_bar_is_disabled_where_there_is_no_terminal(file, bar):
    """tqdm does that for ``disable=None``; True disables a bar everywhere."""
    (disable,) = [keyword.value for keyword in bar.keywords if keyword.arg == "disable"]
    values = [disable.body, disable.orelse] if isinstance(disable, ast.IfExp) else [disable]
    assert {value.value for value in values} <= {None, True}
    assert values[0].value is None


def test_a_piped_run_writes_no_bar(params, capfd):
    Experiment.from_params(params).run("cpu", progress=True)
    assert capfd.readouterr().err == ""
