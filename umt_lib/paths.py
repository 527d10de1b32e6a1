"""Where things lie: published results in the repository, this machine's under ``runs/``."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARAMS = ROOT / "params"
PUBLISHED = ROOT / "results"


def runs() -> Path:
    """This machine's folder, never committed; ``UMT_RUNS`` moves it, say to a scratch disk."""
    return Path(os.environ.get("UMT_RUNS", ROOT / "runs"))


def prepared(folder: str | Path) -> Path:
    """A folder of prepared data: under ``$UMT_DATA`` if it is there, else where the command runs.

    An absolute one is itself.
    """
    given = Path(os.environ.get("UMT_DATA", ".")) / folder
    return given if given.exists() else Path(folder)


def results_dir() -> Path:
    """One ``<experiment>.json`` per finished experiment of this machine."""
    return runs() / "results"


def checkpoints_dir() -> Path:
    """One folder per experiment: finished models and the states of unfinished ones."""
    return runs() / "checkpoints"
