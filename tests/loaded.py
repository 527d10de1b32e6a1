"""Python files that belong to no package: scripts, benchmarks, extensions of the book."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from umt_lib.paths import ROOT


def module(file: str) -> Any:
    """The module in this file, a path from the root of the repository."""
    spec = importlib.util.spec_from_file_location(Path(file).stem, ROOT / file)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
