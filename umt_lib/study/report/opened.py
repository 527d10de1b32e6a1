"""The results that pages show: by default those of this repository and of this machine."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from umt_lib import paths
from umt_lib.study.pipeline.collection import Study, gather


class Folders(NamedTuple):
    """Folders of params files and results; with ``local`` None, published results only."""

    params: Path
    published: Path
    local: Path | None


_chosen: list[Folders] = []


def folders() -> Folders:
    """The folders that :func:`choose` was given, or those of this repository."""
    return _chosen[-1] if _chosen else Folders(paths.PARAMS, paths.PUBLISHED, paths.results_dir())


def choose(given: Folders) -> None:
    """Show the results in these folders from now on."""
    _chosen[:] = [given]
    study.cache_clear()


@cache
def study() -> Study:
    """All params files with their results, read once."""
    return gather(*folders())


def literature() -> Path:
    """The file of accuracies that others reported."""
    return folders().published / "literature.csv"
