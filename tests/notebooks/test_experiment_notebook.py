"""The notebook does what the library does: the same numbers, the same errors."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import papermill
import pytest
import yaml

from umt_lib import paths
from umt_lib.data import DATASETS, load
from umt_lib.data.availability import available
from umt_lib.errors import StudyError
from umt_lib.paths import PARAMS, ROOT
from umt_lib.study.experiments import results
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.study.experiments.params import Params, check, options
from umt_lib.study.pipeline.notebook_engine import MEASURED, NAME, execute
from umt_lib.style import Figure

NOTEBOOK = ROOT / "notebooks/experiment.py"


@pytest.fixture
def file(params, tmp_path) -> Path:
    """The tiny params as a file, one seed."""
    params["seeds"] = [0]
    params["training"]["probe_every"] = 1
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(params))
    return path


@pytest.fixture
def expected(params, file, runs, tmp_path, monkeypatch) -> bytes:
    """What the library measures without the notebook, in a runs folder of its own."""
    monkeypatch.setenv("UMT_RUNS", str(tmp_path / "library"))
    result = Experiment.from_params(params).run("cpu", progress=False)
    monkeypatch.setenv("UMT_RUNS", str(runs))
    return result.measured_bytes()


def test_the_worker_measures_what_the_library_does(file, expected, runs, tmp_path):
    out = tmp_path / "out.ipynb"
    assert execute(str(NOTEBOOK), str(out), str(file)) == 0
    assert results.load(runs / "results/tiny.json").measured_bytes() == expected
    notebook = nbformat.read(out, as_version=4)
    assert notebook.metadata[MEASURED] == results.measured_digest(runs / "results", "tiny")
    cells = notebook.cells
    shown = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    assert sum("image/" in str([*data]) for data in shown) == 3  # samples, curves, saturation
    assert "**What we saw.** tiny classifies " in shown[-1]["text/markdown"]


@pytest.fixture
def source(tmp_path) -> Path:
    """The notebook as papermill reads it."""
    path = tmp_path / "experiment.ipynb"
    jupytext.write(jupytext.read(NOTEBOOK), path)
    return path


def test_with_a_kernel_it_measures_what_the_library_does_and_shows_every_figure_once(
    source, file, expected, runs
):
    """As in JupyterLab and in plain papermill. The figures are samples, curves, saturation."""
    out = source.with_name("out.ipynb")
    plain = [sys.executable, "-m", "papermill", source, out, "-f", file, "-k", "python3"]
    done = subprocess.run(plain, check=True, capture_output=True, text=True)
    assert "unknown parameter" not in done.stderr
    assert results.load(runs / "results/tiny.json").measured_bytes() == expected
    cells = nbformat.read(out, as_version=4).cells
    shown = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    assert ["image/" in str([*data]) for data in shown] == [True, False, True, True, False]


def test_a_changed_parameter_makes_a_trial_and_keeps_the_result_of_the_params_file(
    params, file, expected, source, runs, tmp_path, monkeypatch
):
    """As ``papermill -y`` changes it."""
    monkeypatch.setattr(paths, "PARAMS", file.parent)
    assert execute(str(NOTEBOOK), str(tmp_path / "out.ipynb"), str(file)) == 0
    model = (runs / "checkpoints/tiny/seed0.safetensors").read_bytes()
    changed = {**params, "training": {"epochs": 1}}
    notebook = papermill.execute_notebook(
        source, None, changed, NAME, kernel_name="python3", progress_bar=False
    )
    assert results.load(runs / "results/tiny.json").measured_bytes() == expected
    assert (runs / "checkpoints/tiny/seed0.safetensors").read_bytes() == model
    (trial,) = (runs / "trials").iterdir()
    assert results.load(trial).params["training"] == {"epochs": 1}
    shown = notebook.cells[-1].outputs[-1].data["text/markdown"]
    assert f"This is a trial, in {trial}; the result of tiny is kept." in shown


def test_no_interval_of_an_accuracy_leaves_0_to_100(params, source):
    params["training"]["epochs"] = 1
    params["dataset"] |= {"n_test": 5, "uni_a": [0.9]}  # few samples: the seeds differ much
    notebook = papermill.execute_notebook(
        source, None, params, NAME, kernel_name="python3", progress_bar=False
    )
    shown = notebook.cells[-1].outputs[-1].data["text/markdown"]
    low, high = re.search(r"95% interval (\S+)% to (\S+)%", shown).groups()
    assert 0 <= float(low) < float(high) <= 100


FILES = [yaml.safe_load(path.read_text()) for path in sorted(PARAMS.glob("*-joint-linear.yaml"))]


@pytest.mark.parametrize(
    "spec",
    [p["dataset"] for p in FILES if "folder" not in p["dataset"] and available(p["dataset"])],
    ids=lambda spec: spec["name"],
)
def test_the_samples_of_every_data_set_are_a_figure_that_notebooks_show_once(spec):
    splits = load(spec["name"], **options(spec))
    assert type(inspect.getmodule(DATASETS[spec["name"]]).picture(splits)) is Figure


def test_every_key_of_a_params_file_is_a_parameter_of_the_notebook(source):
    """papermill warns of others."""
    assert set(papermill.inspect_notebook(source)) == set(Params.model_fields)


def test_figures_are_of_the_class_that_notebooks_show_once():
    foreign = re.compile(r"matplotlib\.pyplot|matplotlib import pyplot|matplotlib\.figure")
    files = [*(ROOT / "umt_lib").rglob("*.py"), *(ROOT / "notebooks").glob("*.py")]
    using = [file.stem for file in files if foreign.search(file.read_text(encoding="utf-8"))]
    assert using == ["notebook_server"]  # imports pyplot in advance, for notebooks


def test_a_misspelt_parameter_is_refused_before_anything_trains(params, runs, source):
    with pytest.raises(papermill.PapermillExecutionError) as caught:
        papermill.execute_notebook(
            source, None, {**params, "sedes": [0]}, NAME, kernel_name="python3", progress_bar=False
        )
    assert caught.value.ename == "StudyError"
    assert "unknown key 'sedes'; did you mean 'seeds'?" in caught.value.evalue
    assert not runs.exists()


def test_a_wrong_params_file_is_named_in_the_sentence(params, file, tmp_path):
    file.write_text(yaml.safe_dump({**params, "name": "other"}))
    with pytest.raises(StudyError, match=r"tiny\.yaml: name is 'other'; make it 'tiny'"):
        execute(str(NOTEBOOK), str(tmp_path / "out.ipynb"), str(file))


def test_the_defaults_are_a_whole_params_file():
    (cell,) = [
        c for c in jupytext.read(NOTEBOOK).cells if "parameters" in c.metadata.get("tags", [])
    ]
    defaults: dict = {}
    exec(cell.source, {}, defaults)
    check({k: v for k, v in defaults.items() if v is not None}, "the defaults")


def test_it_has_at_most_twelve_cells_and_a_sentence_at_the_end():
    notebook = jupytext.read(NOTEBOOK)
    assert len(notebook.cells) <= 12
    assert "What we saw" in notebook.cells[-1].source
