"""Where things lie: published results in the repository, this machine's under ``runs/``."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARAMS = ROOT / "params"
PUBLISHED = ROOT / "results"


def runs() -> Path:
    """This machine's folder, never committed; ``UMT_RUNS`` moves it, say to a scratch disk."""
    return Path(os.environ.get("UMT_RUNS", ROOT / "runs"))


def results_dir() -> Path:
    """One ``<experiment>.json`` per finished experiment of this machine."""
    return runs() / "results"


def checkpoints_dir() -> Path:
    """One folder per experiment: finished models and the states of unfinished ones."""
    return runs() / "checkpoints"
