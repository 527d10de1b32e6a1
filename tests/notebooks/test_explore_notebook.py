"""The explorer of the feature model, whose sliders, without a kernel, train to the end at once."""

import jupytext
import papermill
from nbformat import v4

from umt_lib.paths import ROOT
from umt_lib.study.pipeline.notebook_engine import NAME


def test_it_runs_and_shows_sliders_a_cell_and_a_line(tmp_path):
    notebook = tmp_path / "explore.ipynb"
    source = jupytext.read(ROOT / "notebooks/explore_synthetic.py")
    checked = "assert 'Finished' in status.value and '<svg' in cell.value and '<svg' in along.value"
    source.cells.append(v4.new_code_cell(checked))
    jupytext.write(source, notebook)
    papermill.execute_notebook(
        str(notebook), None, {"seeds": [0, 1], "line": [0.5, 1.0]}, NAME,
        kernel_name="python3", language="python", progress_bar=False,
    )  # fmt: skip
    assert len(source.cells) <= 12
