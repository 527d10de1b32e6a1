"""What the run graph asks before it starts: which results are not current.

Snakemake compares dates, this study contents. So every experiment gets a stamp file under
``runs/stamps`` that says in words why its result must be made again, and whose date says the same
to Snakemake: now where it must, 1970 where it need not. All other dates are declared ancient.

    run_graph PARAMS WHICH SOURCES   writes down that the results of WHICH are current
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import sys
from datetime import datetime
from pathlib import Path

import yaml

from umt_lib.data.availability import prepared
from umt_lib.errors import StudyError
from umt_lib.paths import ROOT, results_dir, runs

ESTIMATE = re.compile(r"an estimated (?P<hours>\d+) hours? and \d+ GB on one GPU")


def stamps_dir() -> Path:
    """One file per experiment, empty where its result is current."""
    return runs() / "stamps"


def wanted(names: list[str], params_dir: Path, which: str) -> list[str]:
    """Those of ``names`` that the study called ``which`` runs.

    Args:
        which: "full" for all whose data is prepared; "default" for what ``default.txt`` in
            ``params_dir`` lists, which is also all where there is no such file.

    Raises:
        StudyError: a line of the list matches no name.
    """
    listed = params_dir / "default.txt"
    if which == "full" or not listed.exists():
        return [name for name in names if _ready(params_dir / f"{name}.yaml")]
    lines = [line.strip() for line in listed.read_text(encoding="utf-8").splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    if idle := [p for p in patterns if not fnmatch.filter(names, p)]:
        raise StudyError(f"{listed}: {idle[0]!r} matches no params file; correct or delete it")
    return [name for name in names if any(fnmatch.fnmatchcase(name, p) for p in patterns)]


def _ready(file: Path) -> bool:
    """Whether a params file's data is prepared. A broken file is ready: its run says why."""
    try:
        return prepared(yaml.safe_load(file.read_text(encoding="utf-8"))["dataset"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return True


def hours(file: Path) -> int:
    """Hours on one GPU that the first line of a params file estimates; 0 where it says none."""
    with file.open(encoding="utf-8") as text:
        found = ESTIMATE.search(text.readline())
    return int(found["hours"]) if found else 0


def served(*arguments: str) -> list[str]:
    """The command that runs the graph on this machine, warm workers beside it, as `make study`."""
    snakemake = [str(Path(sys.executable).with_name("snakemake")), "--profile", "profiles/local"]
    return [
        sys.executable,
        "-m",
        "umt_lib.study.pipeline.notebook_server",
        "serve",
        "--",
        *snakemake,
        *arguments,
    ]


def mark(names: list[str], params_dir: Path, which: str = "full") -> list[str]:
    """Stamp every experiment and every ``analyses/<name>``; returns those that are not current.

    Where everything lies as it lay when all of ``which`` was current, nothing is asked of the
    library, whose import takes longer than all else.

    Raises:
        StudyError: a stamp cannot be written.
    """
    current = stamps_dir() / f".current-{which}"
    if current.exists() and current.read_text() == _state(sources(params_dir)):
        return []
    reasons = {name: _reason(name, params_dir) for name in names}
    now = datetime.now().isoformat()
    for name, reason in reasons.items():
        # With the time in it: what Snakemake has seen with these very words it takes for unchanged.
        _write(stamps_dir() / name, f"{reason}, seen {now}\n" if reason else "")
        os.utime(stamps_dir() / name, None if reason else (0, 0))
    return [name for name, reason in reasons.items() if reason]


def settle(params_dir: Path, which: str, began_with: str) -> None:
    """After all experiments: remember that this is what ``which``, all current, looks like.

    Unless the sources are no longer the ones the run graph ``began_with``.
    """
    if sources(params_dir) == began_with:
        _write(stamps_dir() / f".current-{which}", _state(began_with))


def sources(params_dir: Path) -> str:
    """Digest of the library with its data, the params files and the versions of the packages."""
    return _digest(ROOT / "umt_lib", params_dir, ROOT / "constraints.txt")


def _state(sources: str) -> str:
    return sources + _digest(results_dir())


def _digest(*places: Path) -> str:
    files = [f for place in places for f in (place, *place.rglob("*"))]
    contents = {str(f): f.read_bytes() for f in files if f.is_file() and f.suffix != ".pyc"}
    parts = [f"{f} {hashlib.sha256(content).hexdigest()}" for f, content in contents.items()]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def _reason(name: str, params_dir: Path) -> str:
    if not (results_dir() / f"{name}.json").exists():
        return "missing"
    from umt_lib.study.analyses import analysis
    from umt_lib.study.experiments import results

    stale = analysis.stale if name.startswith("analyses/") else results.stale
    try:
        return stale(Path(name).name, results_dir(), params_dir)
    except StudyError as error:  # its own run says so, without stopping the others
        return str(error)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StudyError(
            f"{path}: cannot be written ({error.strerror}); free some space or mend the "
            f"permissions, then run the same command again"
        ) from None


if __name__ == "__main__":
    settle(Path(sys.argv[1]), *sys.argv[2:])
