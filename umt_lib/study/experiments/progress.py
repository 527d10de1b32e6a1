"""Progress of ``make study``, and its time left; imports nothing large: every job imports it.

The jobs are processes of their own, so what is to be done is in the variable ``UMT_TODO``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from umt_lib.paths import results_dir


def announce(seconds: dict[str, float | None], cores: int) -> None:
    """Record for all jobs which results are to be made, each with its seconds on one core.

    Args:
        seconds: of each result where it was published; None if it never was.
        cores: how many jobs of one core run at once.
    """
    todo = {name: [time, _date(name)] for name, time in seconds.items()}
    os.environ["UMT_TODO"] = json.dumps({"results": todo, "cores": cores})


def tally() -> str:
    """How many of the announced results have been made, and the time left: "12/44, 25 min left: ".

    The time is the published one of those that are left, times the ratio of the time that the
    finished ones took here to their published one. Without a published time, "12/44 ".
    """
    todo = json.loads(os.environ.get("UMT_TODO", "{}"))
    if not todo:
        return ""
    seconds = {name: time for name, (time, _) in todo["results"].items()}
    done = [name for name, (_, before) in todo["results"].items() if _date(name) not in (0, before)]
    here = {name: seconds_of(results_dir() / f"{name}.json") for name in done if seconds[name]}
    taken = sum(here[name] or seconds[name] for name in here)
    slower = taken / sum(seconds[name] for name in here) if here else 1
    left = sum(seconds[name] or 0 for name in seconds if name not in done) * slower / todo["cores"]
    return f"{len(done)}/{len(seconds)}" + (f", {duration(left)} left: " if left else " ")


def _date(name: str) -> int:
    """The date of a result on this machine, in nanoseconds; 0 without the file.

    A stale result is there before its job starts, so only another date tells that it was made.
    """
    try:
        return (results_dir() / f"{name}.json").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def seconds_of(result: Path) -> float | None:
    """The seconds that a result took, with all seeds and sweeps; None if it cannot be read."""
    try:
        return float(json.loads(result.read_bytes())["provenance"]["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def duration(seconds: float) -> str:
    """A duration in minutes or hours, as text.

    >>> duration(20), duration(200), duration(9000)
    ('less than 1 min', '3 min', '2.5 h')
    """
    if seconds < 60:
        return "less than 1 min"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
