"""Progress of ``make study``; imports nothing large, because every job imports it."""

from __future__ import annotations

import os

from umt_lib.paths import results_dir


def tally() -> str:
    """Progress of ``make study``: stale results that have been made again, as in "12/44 "."""
    todo = os.environ.get("UMT_TODO", "").split()
    done = sum((results_dir() / f"{name}.json").exists() for name in todo)
    return f"{done}/{len(todo)} " if todo else ""
