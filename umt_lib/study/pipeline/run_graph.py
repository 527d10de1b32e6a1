"""Tell Snakemake which results are stale, by the dates of stamp files.

Snakemake compares dates, this study compares contents. So every experiment and analysis has a stamp
file under ``runs/stamps`` with the reason why its result is stale. The date of the stamp tells
Snakemake the same: later than the result's if it is stale, 1970 if it is current. The Snakefile
declares the dates of current results ancient.

    run_graph PARAMS WHICH SOURCES   records that the results of WHICH are current
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from umt_lib.errors import StudyError, exit_status, nearest
from umt_lib.paths import PARAMS, ROOT, results_dir, runs
from umt_lib.study.pipeline.units import Unit, units

STUDIES = ("default", "full")
BROKEN = (  # what reading a params file that nothing has checked can raise
    OSError,
    yaml.YAMLError,
    KeyError,
    TypeError,
    AttributeError,
    ValueError,
    ArithmeticError,
    RecursionError,
)


def stamps_dir() -> Path:
    """The folder of stamps: a file per experiment and analysis, empty if its result is current."""
    return runs() / "stamps"


def wanted(params_dir: Path, which: str) -> list[str]:
    """Names of the experiments and analyses to run.

    Args:
        which: "full" for all whose data, and that of what they need, is prepared; "default" for
            those that ``default.txt`` in ``params_dir`` lists, or for the same as "full" if there
            is no such file.

    Raises:
        StudyError: ``which`` is another word, or a line of the list matches no name.
    """
    if which not in STUDIES:
        raise StudyError(f"--config study={which}: no such study{nearest(which, STUDIES)}")
    every, listed = units(params_dir), params_dir / "default.txt"
    if which == "full" or not listed.exists():
        waiting = {unit.name for unit in every if not _ready(unit)}
        waiting |= {u.name for u in every if u.is_analysis and waiting & {*needs(u)}}
        return [unit.name for unit in every if unit.name not in waiting]
    lines = [line.strip() for line in listed.read_text(encoding="utf-8").splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    names = [unit.name for unit in every]
    if idle := [p for p in patterns if not fnmatch.filter(names, p)]:
        raise StudyError(f"{listed}: {idle[0]!r} matches no params file; correct or delete it")
    return [name for name in names if any(fnmatch.fnmatchcase(name, p) for p in patterns)]


def _ready(unit: Unit) -> bool:
    """Whether the data is prepared; True for a broken params file, whose run reports the error."""
    from umt_lib.data.availability import is_prepared  # imports the library: only for study=full

    try:
        return is_prepared(_unchecked(unit)["dataset"])
    except BROKEN:
        return True


def needs(unit: Unit) -> list[str]:
    """Names of the results that this one is made from.

    Those of an experiment are its teachers and the experiment that chose its learning rate; an
    analysis lists what it needs.

    A name without a params file is left out, and a broken params file needs nothing: its run
    reports the error, without stopping the others.
    """
    try:
        spec = _unchecked(unit)
        names = list(spec["needs"]) if unit.is_analysis else made_from(spec)
        return [name for name in names if Unit(name, unit.params_dir).file.exists()]
    except BROKEN:
        return []


def with_needed(names: list[str], params_dir: Path = PARAMS) -> dict[str, list[str]]:
    """{name: those that it needs} of these and of all that they need, each after what it needs."""
    found: dict[str, list[str]] = {}

    def add(name: str) -> None:
        if name not in found:
            needed = needs(Unit(name, params_dir))
            for other in needed:
                add(other)
            found[name] = needed

    for name in names:
        add(name)
    return found


def made_from(params: Mapping[str, Any]) -> list[str]:
    """Names of the teachers of an experiment and of the one that chose its learning rate."""
    names = [*params.get("teachers", {}).values(), params.get("learning_rate_of")]
    return [name for name in names if name]


def resources(unit: Unit) -> dict[str, int]:
    """Threads, GPUs, memory in MB and minutes of a job, from ``resources`` in its params file.

    An experiment without that key runs on one CPU core; so does one with a broken params file,
    whose run reports the error.
    """
    try:
        params = _unchecked(unit)
        if estimate := params.get("resources"):
            workers = int(params["training"].get("workers", 0))  # threads that read the data
            return {
                "threads": max(1, 1 + workers),
                "gpu": 1,
                "mem_mb": 16000,
                "runtime": round(90 * estimate["gpu_hours"]),  # half as much again: it is rough
            }
    except BROKEN:
        pass
    return {"threads": 1, "gpu": 0, "mem_mb": 2000, "runtime": 60}


def _unchecked(unit: Unit) -> dict[str, Any]:
    return yaml.safe_load(unit.file.read_text(encoding="utf-8"))


def snakemake_command(*arguments: str) -> list[str]:
    """The command that runs the graph on this machine, with a notebook server, as `make study`."""
    server = [sys.executable, "-m", "umt_lib.study.pipeline.notebook_server", "serve", "--"]
    snakemake = [str(Path(sys.executable).with_name("snakemake")), "--profile", "profiles/local"]
    return [*server, *snakemake, *arguments]


def mark(params_dir: Path, which: str = "full") -> list[str]:
    """Write all stamps; return the names of the experiments and analyses whose result is stale.

    If no file has changed since all results of ``which`` were current, the library is not imported:
    the import would take longer than everything else.

    Raises:
        StudyError: a stamp cannot be written.
    """
    current = stamps_dir() / f".current-{which}"
    if current.exists() and current.read_text() == _state(sources(params_dir)):
        return []
    reasons = {unit.name: _reason(unit) for unit in units(params_dir)}
    now = datetime.now()
    for name, reason in reasons.items():
        # with the time, since Snakemake ignores the new date of a stamp with the same content
        _write(stamps_dir() / name, f"{reason}, seen {now.isoformat()}\n" if reason else "")
        date = max(now.timestamp(), _date(results_dir() / f"{name}.json") + 1) if reason else 0
        os.utime(stamps_dir() / name, (date, date))
    return [name for name, reason in reasons.items() if reason]


def record_current(params_dir: Path, which: str, began_with: str) -> None:
    """Record the digest of all files, after all results of ``which`` have been made.

    Nothing is recorded if the sources have changed since the run graph ``began_with`` them.
    """
    if sources(params_dir) == began_with:
        _write(stamps_dir() / f".current-{which}", _state(began_with))


def sources(params_dir: Path) -> str:
    """Digest of the library with its data, the params files and the package versions."""
    return digest(ROOT / "umt_lib", params_dir, ROOT / "constraints.txt")


def _state(sources: str) -> str:
    return sources + digest(results_dir())


def digest(*places: Path) -> str:
    """Digest of the names and contents of files and of all files in folders."""
    files = [f for place in places for f in (place, *place.rglob("*"))]
    contents = {str(f): f.read_bytes() for f in files if f.is_file() and f.suffix != ".pyc"}
    parts = [f"{f} {hashlib.sha256(content).hexdigest()}" for f, content in contents.items()]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def unfinished(notebook: Path) -> Path:
    """Where a notebook is while its cells are executed."""
    return notebook.with_name(f".{notebook.stem}.partial.ipynb")


def _reason(unit: Unit) -> str:
    """Why a result is stale, or why its run has to be repeated; "" for neither."""
    try:
        if reason := unit.stale(results_dir()):
            return reason
        # killed after the cell that wrote the result
        killed = unfinished(runs() / f"notebooks/{unit.name}.ipynb").exists()
        return "its notebook was not finished" if killed else ""
    except StudyError as error:  # its run reports this, without stopping the others
        return str(error)


def _date(file: Path) -> float:
    """The date of a file, which is in the future if the clock was set back; 0 without the file."""
    return file.stat().st_mtime if file.exists() else 0


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StudyError(
            f"{path}: cannot be written ({error.strerror}); free some space or fix the "
            f"permissions, then run the same command again"
        ) from None


def main(arguments: list[str]) -> int:
    """The command; returns the exit status (2 for a StudyError, 130 for Ctrl-C)."""
    params_dir, which, began_with = arguments

    def record() -> int:
        record_current(Path(params_dir), which, began_with)
        return 0

    return exit_status(record)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
