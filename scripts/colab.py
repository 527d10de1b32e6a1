"""Write notebooks/ as .ipynb files that set themselves up in Google Colab.

    python scripts/colab.py FOLDER

Colab opens notebooks from GitHub only, and this repository has text notebooks. A workflow writes
these files to the branch ``colab``. Needs jupytext, and an address in pyproject.toml.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import jupytext
from nbformat import v4

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from umt_lib.errors import StudyError, exit_status
from umt_lib.paths import ROOT
from umt_lib.study.report.home import KEY, repository

SET_UP = """\
# The study and what it needs: some minutes
!git clone --quiet --depth 1 {address} /content/study
%pip install --quiet "/content/study[run,lab]"
import sys
sys.path.insert(0, "/content/study")  # before the installed copy: it has the results
%cd /content/study/notebooks
"""


def write(folder: Path, address: str) -> int:
    """Write every notebook into ``folder``, with a first cell that installs the study."""
    if not address:
        raise StudyError(f"pyproject.toml: there is no {KEY} under [project.urls]; add it first")
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted((ROOT / "notebooks").glob("*.py")):
        notebook = jupytext.read(file)
        notebook.cells.insert(0, v4.new_code_cell(SET_UP.format(address=address), id="set-up"))
        jupytext.write(notebook, folder / f"{file.stem}.ipynb")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    sys.exit(exit_status(lambda: write(given.folder, repository())))
