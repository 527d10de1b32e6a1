"""The notebook that opens a result: what it shows with models on this machine, and without."""

from __future__ import annotations

import jupytext
import papermill
import pytest
import tiny_study

from umt_lib.errors import StudyError
from umt_lib.paths import ROOT
from umt_lib.study.experiments import results
from umt_lib.study.experiments.command import main
from umt_lib.study.pipeline.notebook_engine import NAME
from umt_lib.study.report import open_page, opened


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tiny_study.Folders:
    return tiny_study.make(tmp_path_factory.mktemp("open"))


@pytest.fixture(autouse=True)
def chosen(folders, monkeypatch):
    """The results of the tiny study are those that are opened."""
    monkeypatch.setenv("UMT_RUNS", str(folders.local.parent))
    before = opened.folders()
    opened.choose(opened.Folders(folders.params, folders.published, folders.local))
    open_page._loaded.cache_clear()
    yield
    opened.choose(before)


def executed(tmp_path, **parameters) -> list[dict]:
    """What the cells show."""
    source = tmp_path / "open.ipynb"
    jupytext.write(jupytext.read(ROOT / "notebooks/open_result.py"), source)
    notebook = papermill.execute_notebook(
        str(source), None, parameters, NAME, kernel_name="python3", progress_bar=False
    )
    return [o.get("data", {}) for cell in notebook.cells for o in cell.get("outputs", [])]


def text_of(shown: list[dict]) -> str:
    return "\n".join(data.get("text/markdown", "") for data in shown)


def test_a_result_of_this_machine_has_curves_confusion_and_samples(folders, tmp_path):
    shown = executed(tmp_path, name="synthetic-joint-mlp", seed=1, find="joint")
    text = text_of(shown)
    record = results.load(folders.local / "synthetic-joint-mlp.json").measured.seeds[1]
    accuracy = f"{record.test.accuracy:.1%}"
    assert (
        f"Seed 1: {accuracy} of 60 test samples are correct (in the results file: {accuracy})"
        in text
    )
    assert "## synthetic, joint (MLP): " in text
    assert "| `synthetic-joint-mlp` |" in text
    assert "| this machine | 2 of 2 seeds |" in text
    assert "probe of a" in text
    assert "](/" not in text  # links to pages of the book lead nowhere here
    figures = [data for data in shown if {"image/png", "image/svg+xml"} & data.keys()]
    assert len(figures) == 3  # curves, confusion, samples


def test_a_published_result_says_that_its_models_are_missing(tmp_path):
    text = text_of(executed(tmp_path, name="synthetic-umt", find="umt"))
    assert "cannot be shown:** this result is published, and its models are not on this" in text
    assert "`umt run params/synthetic-umt.yaml` trains them" in text
    assert "| published | no |" in text


def test_a_missing_model_is_named(folders):
    model = folders.local.parent / "checkpoints/synthetic-ume-mean/seed0.safetensors"
    aside = model.rename(model.with_suffix(".aside"))
    try:
        text = open_page.confusion("synthetic-ume-mean", 0)
    finally:
        aside.rename(model)
    assert "cannot be shown:** synthetic-ume-mean: there is no model of seed 0" in text


def test_a_trial_is_opened_like_an_experiment(folders, capsys):
    file = folders.params / "synthetic-joint-linear.yaml"
    assert main([str(file), "--set", "training.epochs=1", "--set", "seeds=[0]"]) == 0
    name = capsys.readouterr().out.partition(":")[0]
    assert "-trial-" in name
    assert f"| `{name}` |" in open_page.listed("trial")
    assert "synthetic, joint (linear)" in open_page.heading(name)
    assert not open_page.compared(name)
    assert open_page.confusion(name, 0) is None  # a figure


def test_what_cannot_be_opened_is_named_with_the_fix():
    with pytest.raises(
        StudyError, match="no experiment 'synthetic-unt'; did you mean 'synthetic-um"
    ):
        open_page.heading("synthetic-unt")
    with pytest.raises(StudyError, match=r"not run yet; run umt run params/synthetic-joint-longer"):
        open_page.heading("synthetic-joint-longer")
