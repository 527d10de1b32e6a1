"""Run the main experiments of psb224 and those of furniture224, many at once.

    python scripts/gpu_rows.py --dry-run             what would run, in this order
    python scripts/gpu_rows.py --jobs 12             run it
    python scripts/gpu_rows.py 'psb224-*'            only these
    timeout -s INT 9m python scripts/gpu_rows.py     stop after nine minutes; the same resumes

One training of a small ResNet leaves a large GPU idle most of the time, so several run at once,
each on one thread of the processor. An experiment starts when its teachers and the experiment that
chose its learning rate are finished; these are added where they are not named. Results are in
runs/results, and an experiment that has one there is not run again. One data set is finished before
the next one begins. In the end the speed of the loader is measured, with nothing beside it.

The arrays of a data set are much smaller when compressed. Where the machine with the GPU has no raw
files, prepare them elsewhere and copy an archive:

    tar -C /data/prepared -cJf prepared.tar.xz psb224 furniture224
    tar -C /scratch -xJf prepared.tar.xz && export UMT_DATA=/scratch
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import os
import signal
import subprocess
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path

from umt_lib.errors import StudyError, exit_status, nearest
from umt_lib.paths import PARAMS, PUBLISHED, ROOT, results_dir
from umt_lib.study.pipeline.run_graph import with_needed

FIRST = (  # of psb224, in this order
    "unimodal-front",
    "unimodal-rear",
    "ume",
    "ume-mean",
    "ume-product",
    "ume-weighted",
    "joint-linear",
    "joint-mlp",
    "joint-auxiliary",
    "joint-auxiliary-mlp",
    "umt",
    "umt-mlp",
    "frozen-linear",
    "frozen-mlp",
    "ogm-ge",
    "gblend",
    "mmtm",
)
LOADER = "benchmarks/loader.py"
POLL = 0.2  # seconds between two looks at the running experiments
GRACE = 30.0  # seconds for interrupted experiments to end


def rows(params_dir: Path = PARAMS) -> list[str]:
    """The experiments in order: psb224's, then those of furniture224 without published result."""
    first = [name for tail in FIRST if (params_dir / f"{(name := f'psb224-{tail}')}.yaml").exists()]
    others = sorted(path.stem for path in params_dir.glob("furniture224-*.yaml"))
    return first + [name for name in others if not (PUBLISHED / f"{name}.json").exists()]


def finished(name: str) -> bool:
    """Whether the experiment has a result on this machine."""
    return (results_dir() / f"{name}.json").exists()


def run_all(needed: dict[str, list[str]], jobs: int, params_dir: Path = PARAMS) -> list[str]:
    """Run the experiments that are not finished, ``jobs`` at once; return those without a result.

    One that needs an experiment that failed is not run. After an interruption the running ones are
    interrupted too, and resume from their last checkpoint.
    """
    waiting = [name for name in needed if not finished(name)]
    running: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
    logs = tempfile.TemporaryDirectory()
    try:
        while waiting or running:
            for name, (process, began) in list(running.items()):
                if process.poll() is not None:
                    said = Path(logs.name, name).read_text().strip()
                    print(f"{said or name} ({time.monotonic() - began:.0f} s)", flush=True)
                    del running[name]
            ready = [name for name in waiting if all(map(finished, needed[name]))]
            for name in ready[: jobs - len(running)]:
                waiting.remove(name)
                running[name] = _start(name, params_dir, Path(logs.name)), time.monotonic()
            if not running:
                break  # what is left needs something that failed
            time.sleep(POLL)
    finally:
        for process, _ in running.values():
            process.send_signal(signal.SIGINT)
        end = time.monotonic() + GRACE
        for process, _ in running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, end - time.monotonic()))
            process.kill()
            process.wait()
        logs.cleanup()
    return [name for name in needed if not finished(name)]


def _start(name: str, params_dir: Path, logs: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "umt_lib", "run", str(params_dir / f"{name}.yaml")]
    with (logs / name).open("wb") as log:  # a pipe could fill up while nobody reads it
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "UMT_PARAMS": str(params_dir.resolve())},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches it once, from us
        )


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status (1 if an experiment failed, 2 for a StudyError)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="names; default: all")
    parser.add_argument("--jobs", type=int, default=12, help="experiments at once (default: 12)")
    parser.add_argument("--params", type=Path, default=PARAMS, help="folder of params files")
    parser.add_argument("--dry-run", action="store_true", help="print what would run")
    given = parser.parse_args(arguments)
    return exit_status(lambda: _run(given), "interrupted; the same command resumes from here")


def _run(given: argparse.Namespace) -> int:
    if given.jobs < 1:
        raise StudyError(f"--jobs {given.jobs}: give 1 or more")
    every = [*rows(given.params), LOADER]
    for pattern in given.patterns:
        if not fnmatch.filter(every, pattern):
            raise StudyError(f"{pattern!r} matches no row{nearest(pattern, every)}")
    chosen = [n for n in every if any(fnmatch.fnmatch(n, p) for p in given.patterns or ["*"])]
    needed = with_needed([name for name in chosen if name != LOADER], given.params)
    if given.dry_run:
        for name, others in needed.items():
            after = f", after {', '.join(others)}" if others else ""
            print(f"{name}{', is finished' if finished(name) else after}")
        if LOADER in chosen:
            print(LOADER)
        return 0
    left = []
    for _, names in groupby(needed, lambda name: name.partition("-")[0]):  # by data set
        left += run_all({name: needed[name] for name in names}, given.jobs, given.params)
    if left:
        print(f"{len(left)} of {len(needed)} have no result: {', '.join(left)}", file=sys.stderr)
    failed = LOADER in chosen and subprocess.run([sys.executable, LOADER], cwd=ROOT).returncode
    return 1 if left or failed else 0


if __name__ == "__main__":
    sys.exit(main())
