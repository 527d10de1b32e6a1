"""JupyterLab saves a notebook as it is in the repository, so that opening one changes no file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from jupytext.sync_contentsmanager import build_sync_jupytext_contents_manager_class

from umt_lib.paths import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


@pytest.fixture
def manager(tmp_path):
    """What reads and writes notebooks for JupyterLab, in a copy of the repository's notebooks."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    shutil.copy(ROOT / "jupytext.toml", tmp_path)
    manager = build_sync_jupytext_contents_manager_class(LargeFileManager)()
    manager.root_dir = str(tmp_path)
    return manager


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_that_was_run_is_saved_as_it_was(manager, file):
    model = manager.get(f"notebooks/{file.name}")
    metadata = model["content"]["metadata"]
    kernel = KernelSpecManager().get_kernel_spec("python3")
    metadata["kernelspec"] = {  # what JupyterLab writes after a kernel has started
        "display_name": kernel.display_name,
        "language": kernel.language,
        "name": "python3",
    }
    metadata["language_info"] = {"name": "python", "version": "3.11.7", "file_extension": ".py"}
    manager.save(model, f"notebooks/{file.name}")
    saved = Path(manager.root_dir) / "notebooks" / file.name
    assert saved.read_text() == file.read_text()
