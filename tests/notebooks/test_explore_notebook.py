"""The explorer of the feature model runs from its first cell to its last."""

import jupytext
import nbformat
import papermill

from umt_lib.paths import ROOT
from umt_lib.study.pipeline.notebook_engine import NAME


def test_it_runs_and_shows_one_cell_and_a_line(tmp_path):
    notebook, out = tmp_path / "explore.ipynb", tmp_path / "out.ipynb"
    jupytext.write(jupytext.read(ROOT / "notebooks/explore_synthetic.py"), notebook)
    papermill.execute_notebook(
        str(notebook), str(out), parameters={"seeds": [0, 1]}, engine_name=NAME,
        kernel_name="python3", language="python", progress_bar=False,
    )  # fmt: skip
    cells = nbformat.read(out, as_version=4).cells
    assert len(cells) <= 12
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert not [o for o in outputs if o.output_type == "error"]
    assert any("joint (MLP) minus UME" in str(o.get("data", "")) for o in outputs)
