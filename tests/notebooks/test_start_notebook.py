"""The notebook that JupyterLab opens first leads to all others."""

import re

import jupytext

from umt_lib.paths import ROOT


def test_it_links_every_other_notebook_and_nothing_that_is_missing():
    text = "".join(cell.source for cell in jupytext.read(ROOT / "notebooks/start.py").cells)
    linked = re.findall(r"\[(\w+)\]\((\w+\.py)\)", text)
    assert all(f"{name}.py" == file for name, file in linked)
    others = {file.name for file in (ROOT / "notebooks").glob("*.py")} - {"start.py"}
    assert {file for _, file in linked} == others


def test_make_lab_opens_it():
    assert "jupyter lab notebooks/start.py" in (ROOT / "Makefile").read_text(encoding="utf-8")
