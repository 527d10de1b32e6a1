"""Run one experiment.

    umt run params/watch-umt.yaml

On several GPUs: torchrun --nproc-per-node 4 -m umt_lib run params/watch-umt.yaml

With --set the run is a trial: its result and its models get a name of their own, under runs/trials
and runs/checkpoints, so the result of the params file is kept. So is the run of a changed copy in
another folder of a file of params/.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml

from umt_lib import distributed
from umt_lib.errors import StudyError, exit_status
from umt_lib.evaluation import intervals
from umt_lib.study.experiments import params as params_files
from umt_lib.study.experiments import trials


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status (2 for a StudyError, 130 for Ctrl-C)."""
    parser = argparse.ArgumentParser(
        prog="umt run", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("params", type=Path, help="a file of params/")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ...")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace a value of the file, e.g. --set training.epochs=1 --set seeds=[0]",
    )
    given = parser.parse_args(arguments)
    return exit_status(
        lambda: _run(given), f"{given.params}: interrupted; the same command resumes from here"
    )


def _run(given: argparse.Namespace) -> int:
    params = params_files.read(given.params)
    for setting in given.set:
        replace(params, setting)
    with distributed.process_group():
        experiment, to = trials.prepare(params, str(given.params), changed=bool(given.set))
        result = experiment.run(given.device, to=to)
        writes = distributed.is_main()
    if writes:
        mean, low, high, n = intervals.accuracy_interval(result.accuracy)
        spread = f"[{low:.1%}, {high:.1%}], {n} seeds" if n > 1 else "(one seed)"
        print(f"{result.name}: test accuracy {mean:.1%} {spread}")
        if to:
            print(trials.where(to, given.params.stem))
    return 0


def replace(params: dict[str, Any], setting: str) -> None:
    """Replace or add the value at a dotted key, as in ``training.epochs=1``; the value is YAML.

    Whether the key and its value are valid is checked with the rest of the params.

    Raises:
        StudyError: the setting is not KEY=VALUE, names a key within something that has no keys, or
            the name of the experiment.
    """
    key, equals, value = setting.partition("=")
    if not equals or not key:
        raise StudyError(f"--set {setting}: not a key with a value; use KEY=VALUE")
    if key == "name":  # the result would replace that of another experiment
        raise StudyError(
            f"--set {setting}: the name is that of the file; copy the file to rename it"
        )
    *parents, last = key.split(".")
    at: Any = params
    for parent in parents:
        at = at.setdefault(parent, {}) if isinstance(at, dict) else None
    if not isinstance(at, dict):
        raise StudyError(
            f"--set {setting}: {key.rpartition('.')[0]!r} has no keys; see the params file"
        )
    try:
        at[last] = params_files.parse(value)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # 2020-99-99, [[[...
        why = " ".join(str(error).split())
        raise StudyError(
            f"--set {setting}: the value is not readable as YAML ({why}); correct or quote it"
        ) from None
