"""Run notebooks in processes forked from a server that has already imported everything.

    notebook_server serve -- COMMAND ...      a server for as long as COMMAND runs
    notebook_server run NOTEBOOK OUT -f PARAMS

``run`` imports only the standard library and passes its terminal to a forked child. Without a
server it executes the notebook itself, with the same engine and the same numbers. There is no
server on a machine with a GPU, because CUDA does not work after a fork, nor outside Linux.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from umt_lib.errors import StudyError, exit_status
from umt_lib.paths import runs
from umt_lib.study.experiments.progress import tally

GPUS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
PRELOAD = (
    "matplotlib.pyplot",
    "pandas",
    "torch._dynamo",  # imported by the first optimiser, which costs more than a small experiment
    "umt_lib.study.pipeline.notebook_engine",
    "umt_lib.study.experiments.experiment",
)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the notebook's or the command's exit status (2 for a StudyError)."""
    parser = argparse.ArgumentParser(
        prog="python -m umt_lib.study.pipeline.notebook_server", description=__doc__
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    server = verbs.add_parser("serve", help="serve while COMMAND runs, and exit with its status")
    server.add_argument("command", nargs="+")
    runner = verbs.add_parser("run", help="execute NOTEBOOK with the parameters of a file")
    for name in ("notebook", "out"):
        runner.add_argument(name, type=Path)
    runner.add_argument("-f", dest="params", type=Path, required=True)
    given = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one worker per core; read at torch's import
    if given.verb == "serve":
        return exit_status(lambda: serve(given.command))
    return exit_status(lambda: run(given.notebook, given.out, given.params))


def run(notebook: Path, out: Path, params: Path) -> int:
    """Execute ``notebook`` in a child of the server, or here without one; return the exit status.

    Raises:
        StudyError: the child was killed, or what ``notebook_engine.execute`` raises.
    """
    began, job = time.monotonic(), [str(notebook), str(out), str(params)]
    server = _connect()
    if server is None:
        from umt_lib.study.pipeline.notebook_engine import execute

        status = execute(*job)
    else:
        with server:
            request = {"job": job, "cwd": os.getcwd(), "environment": dict(os.environ)}
            socket.send_fds(server, [b"!"], [1, 2])
            server.sendall(json.dumps(request).encode() + b"\n")
            if not (answer := server.recv(16)):
                raise StudyError(f"{params.stem}: its process was killed; run the command again")
            status = int(answer)
    if status == 0:
        print(f"{tally()}{params.stem}, {time.monotonic() - began:.0f} s", flush=True)
    return status


def _connect() -> socket.socket | None:
    """A connection to the server of this runs folder, or None if there is no server."""
    server = socket.socket(socket.AF_UNIX)
    with suppress(OSError), _address() as address:
        server.connect(address)
        return server
    server.close()
    return None


def serve(command: list[str]) -> int:
    """Run ``command`` with a server for its :func:`run` calls; return its exit status.

    Raises:
        StudyError: another server uses this runs folder.
    """
    with _locked() as lock:
        process = subprocess.Popen(command, process_group=0, pass_fds=[lock])
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda n, _: os.killpg(process.pid, n))
        if sys.platform == "linux" and not any(map(os.path.exists, GPUS)):
            _answer_while(process)
        status = process.wait()
    return 128 - status if status < 0 else status  # 128 + n after signal n, as in a shell


def _answer_while(process: subprocess.Popen) -> None:
    """Fork a child for every client until ``process`` ends."""
    parent = os.getppid()
    children: set[int] = set()
    with _address() as address, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(1024)
        listener.settimeout(0.2)
        while process.poll() is None:
            if os.getppid() != parent:
                os.killpg(process.pid, signal.SIGTERM)
            children -= {pid for pid in children if os.waitpid(pid, os.WNOHANG)[0]}
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            for module in PRELOAD:
                importlib.import_module(module)
            gc.freeze()  # a child that collects garbage copies no page of what was imported
            if not (pid := os.fork()):
                listener.close()
                _child(client)
            children.add(pid)
            client.close()


def _child(client: socket.socket) -> None:
    """Run the notebook of ``client`` with its terminal, folder and environment; send the status."""
    status = 1
    try:
        os.setpgid(0, 0)  # Ctrl-C reaches the client, whose end ends this process
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        _, terminal, _, _ = socket.recv_fds(client, 1, 2)
        for number, descriptor in enumerate(terminal, start=1):
            os.dup2(descriptor, number)
        request = json.loads(client.makefile().readline())
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["cwd"])
        threading.Thread(target=_end_with, args=(client,), daemon=True).start()
        status = sys.modules["umt_lib.study.pipeline.notebook_engine"].execute(*request["job"])
    except StudyError as error:
        print(error, file=sys.stderr)
        status = 2
    except BaseException:
        traceback.print_exc()
    finally:
        print(end="", flush=True)
        client.sendall(str(status).encode())
        os._exit(status)


def _end_with(client: socket.socket) -> None:
    """Kill this process when ``client`` ends; files stay intact, all are written atomically."""
    client.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _locked() -> Iterator[int]:
    """Hold the lock of the runs folder; the system releases it when its last holder ends."""
    import fcntl

    try:
        runs().mkdir(parents=True, exist_ok=True)
        lock = (runs() / "worker.lock").open("a")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StudyError(
            f"another study is running in {runs()}; wait for it or set UMT_RUNS to another folder"
        ) from None
    except OSError as error:
        raise StudyError(f"{runs()}: cannot be written ({error.strerror}); fix that") from None
    with lock:
        (runs() / "worker.sock").unlink(missing_ok=True)
        yield lock.fileno()


@contextmanager
def _address() -> Iterator[str]:
    """The path of the socket, by a file descriptor, because it may have at most 107 bytes."""
    folder = os.open(runs(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/worker.sock"
    finally:
        os.close(folder)


if __name__ == "__main__":
    sys.exit(main())
