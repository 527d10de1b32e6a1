"""Forecast the time and the disk space of a run of the graph from what was measured before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from umt_lib import paths
from umt_lib.study.experiments.progress import duration, seconds_of

BENCHMARKS = paths.ROOT / "benchmarks"


def published_seconds(names: list[str], params_dir: Path) -> dict[str, float | None]:
    """The seconds that each result took where it was published; None if it was not.

    None for all in another folder than ``params/``, whose experiments may have the same names.
    """
    if params_dir.resolve() != paths.PARAMS:
        return dict.fromkeys(names)
    return {name: seconds_of(paths.PUBLISHED / f"{name}.json") for name in names}


def forecast(seconds: dict[str, float | None], cores: int) -> str:
    """One line on what it takes to make these results: time, and disk space beside what is free.

    The time is the sum of the published ones, shared by the cores; ``make study`` then builds the
    book, in the time that ``benchmarks/study_time.py`` measured. The space is that of the models,
    which ``benchmarks/disk.py`` measured, and of the results. What was never measured is counted
    and not guessed.

    Args:
        seconds: of :func:`published_seconds`.
    """
    models = _measured("disk").get("bytes", {})
    known = {n: s for n, s in seconds.items() if s and (n in models or n.startswith("analyses/"))}
    line = f"missing or stale results: {len(seconds)}"
    if known:
        time = sum(known.values()) / cores + _measured("study_time").get("book_seconds", 0)
        space = sum(models.get(name, 0) + _published_bytes(name) for name in known)
        line += (
            f"; estimated time: {duration(time)}, if {cores} of the cores here are as fast as "
            f"those of the published results; disk space: {_megabytes(space)} "
            f"({_megabytes(_free())} are free)"
        )
    if unknown := len(seconds) - len(known):
        line += f"; the cost of {unknown} of them was never measured"
    return line


def _measured(benchmark: str) -> dict:
    """What a benchmark has measured; {} in a copy of the study without it."""
    file = BENCHMARKS / f"{benchmark}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def _published_bytes(name: str) -> int:
    return (paths.PUBLISHED / f"{name}.json").stat().st_size


def _free() -> int:
    """The free bytes where results are written."""
    folder = paths.runs()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
