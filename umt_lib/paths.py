"""Paths: published results lie in the repository, this machine's results under ``runs/``."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARAMS = ROOT / "params"
PUBLISHED = ROOT / "results"


def runs() -> Path:
    """Folder of this machine's outputs, never committed: ``$UMT_RUNS``, or ``runs/``."""
    return Path(os.environ.get("UMT_RUNS") or ROOT / "runs")


def params_dir() -> Path:
    """Folder of the params files that results belong to: ``$UMT_PARAMS``, or ``params/``.

    The run graph sets the variable when it runs the files of another folder.
    """
    return Path(os.environ.get("UMT_PARAMS") or PARAMS)


def shown(path: Path) -> str:
    """The path as a message shows it: relative to where we run, if it lies there."""
    path, here = Path(os.path.abspath(path)), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def prepared_dir(folder: str | Path) -> Path:
    """Folder of prepared data: ``$UMT_DATA/folder`` if it exists, else relative to where we run.

    An absolute path is returned as it is.
    """
    given = Path(os.environ.get("UMT_DATA", ".")) / folder
    return given if given.exists() else Path(folder)


def data_variable() -> str:
    """State the value of ``$UMT_DATA``, for error messages."""
    given = os.environ.get("UMT_DATA")
    return f"now it is {given}" if given else "now it is not set"


def results_dir() -> Path:
    """Folder of this machine's results: one ``<experiment>.json`` per finished experiment."""
    return runs() / "results"


def checkpoints_dir() -> Path:
    """Folder of checkpoints: one folder per experiment, of finished and unfinished trainings."""
    return runs() / "checkpoints"
