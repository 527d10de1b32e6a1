"""Warm papermill: notebooks run in children forked from a process that has imported everything.

    python -m umt_lib.worker serve -- COMMAND ...      a server for as long as COMMAND runs
    python -m umt_lib.worker run NOTEBOOK OUT -f PARAMS

``run`` imports the standard library alone and hands its terminal to a forked child; without a server
it executes the notebook itself, with the same engine, to the same numbers. Nothing is forked where
there is a GPU: CUDA does not survive it.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from umt_lib.errors import StudyError
from umt_lib.paths import ROOT, results_dir, runs

GPUS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the notebook's or the command's exit status."""
    parser = argparse.ArgumentParser(prog="python -m umt_lib.worker", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    server = verbs.add_parser("serve", help="serve while COMMAND runs, and exit with its status")
    server.add_argument("command", nargs="+")
    runner = verbs.add_parser("run", help="execute NOTEBOOK with the parameters of a file")
    runner.add_argument("notebook", type=Path)
    runner.add_argument("out", type=Path)
    runner.add_argument("-f", dest="params", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        if given.verb == "serve":
            return serve(given.command)
        return run(given.notebook, given.out, given.params)
    except StudyError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{given.params.stem}: interrupted; the next run goes on from here", file=sys.stderr)
        return INTERRUPTED


def run(notebook: Path, out: Path, params: Path) -> int:
    """Execute ``notebook`` in a warm child, or here if nobody serves; returns the exit status."""
    began = time.monotonic()
    request = {"job": [str(notebook), str(out), str(params)], "env": dict(os.environ)}
    try:
        with _address() as address, socket.socket(socket.AF_UNIX) as server:
            server.connect(address)
            socket.send_fds(server, [json.dumps({**request, "cwd": os.getcwd()}).encode()], [1, 2])
            server.shutdown(socket.SHUT_WR) if False else None
            answer = server.recv(16)
    except OSError:
        status = execute(notebook, out, params)
    else:
        if not answer:
            raise StudyError(f"{params.stem}: its process was killed; run the same command again")
        status = int(answer)
    if status == 0:
        print(f"{_tally()}{params.stem}, {time.monotonic() - began:.0f} s", flush=True)
    return status
