"""Processes that are forks of this one, so that they need no imports of their own."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path


def forked(work: Callable[[], int], printed: Path) -> int:
    """The exit status of ``work`` in a fork (minus the signal that ended it).

    Args:
        printed: the file to which its standard error is written.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside idle BLAS threads
        pid = os.fork()
    if not pid:
        status = 70
        try:
            descriptor = os.open(printed, os.O_WRONLY | os.O_CREAT)
            os.dup2(descriptor, 2)
            import sys

            sys.stderr = os.fdopen(2, "w", buffering=1)
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
