"""The guide's notebook runs as it is and shows the verdict of the guide."""

from __future__ import annotations

import jupytext
import numpy as np
import papermill
import pytest

from umt_lib.errors import StudyError
from umt_lib.guide import readers, recommend
from umt_lib.paths import ROOT
from umt_lib.study.pipeline.notebook_engine import NAME

NOTEBOOK = ROOT / "notebooks/guide.py"


def executed(tmp_path, **parameters) -> list[dict]:
    """What the cells show."""
    source = tmp_path / "guide.ipynb"
    jupytext.write(jupytext.read(NOTEBOOK), source)
    notebook = papermill.execute_notebook(
        source, None, parameters, NAME, kernel_name="python3", progress_bar=False
    )
    return [o.get("data", {}) for cell in notebook.cells for o in cell.get("outputs", [])]


def test_it_runs_by_default_without_any_runs(tmp_path, runs):
    shown = executed(tmp_path)
    assert sum("image/svg+xml" in data for data in shown) == 1
    assert any("frozen linear head" in data.get("text/html", "") for data in shown)
    assert "**What we saw.** The verdict of our rule is **" in shown[-1]["text/markdown"]
    assert not runs.exists()


def test_it_shows_the_verdict_of_the_guide(tmp_path):
    rng, mine = np.random.default_rng(0), tmp_path / "mine.npz"
    np.savez(mine, a=rng.normal(size=(50, 2)), b=rng.normal(size=(50, 2)), labels=np.arange(50) % 2)
    shown = executed(tmp_path, source=str(mine), seed=3)
    given = readers.load(str(mine))
    found = recommend(given.features, given.labels, given.groups, seed=3)
    assert f"our rule is **{found.verdict}**: {found.reason}." in shown[-1]["text/markdown"]
    assert f"Cheapest: **{found.cheapest}**." in shown[-1]["text/markdown"]


def test_raw_inputs_from_a_second_file_are_used(tmp_path, monkeypatch):
    rng, y = np.random.default_rng(0), np.arange(60) % 2
    np.savez(
        tmp_path / "mine.npz", a=rng.normal(size=(60, 2)), b=rng.normal(size=(60, 2)), labels=y
    )
    np.savez(tmp_path / "raw.npz", a=rng.normal(size=(60, 3, 3)), b=rng.normal(size=(60, 5)))
    monkeypatch.chdir(tmp_path)  # names as they are beside the notebook
    shown = executed(tmp_path, source="mine.npz", inputs="raw.npz")
    given = readers.load("mine.npz")
    extra = readers.inputs("raw.npz", given)
    with_inputs = recommend(given.features, given.labels, extra=extra)
    assert with_inputs.warnings != recommend(given.features, given.labels).warnings
    text = shown[-1]["text/markdown"]
    assert all(f"- {warning}" in text for warning in with_inputs.warnings)


def test_a_missing_source_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError) as caught:
        executed(tmp_path, source="none.npz")
    assert caught.value.ename == StudyError.__name__
    assert "none.npz: no such file or folder; check the path" in caught.value.evalue


def test_it_has_at_most_twelve_cells_and_a_sentence_at_the_end():
    notebook = jupytext.read(NOTEBOOK)
    assert len(notebook.cells) <= 12
    assert "What we saw" in notebook.cells[-1].source
