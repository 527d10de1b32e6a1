"""Run every experiment whose data is on this machine for one seed and one epoch.

The results are in ``runs/smoke``.

    umt smoke          every experiment
    umt smoke --few    each variant of a method on one data set, joint training on each, and what
                       these need
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from umt_lib import paths
from umt_lib.data.availability import available
from umt_lib.errors import exit_status
from umt_lib.files import check_writable, write_atomically
from umt_lib.study.experiments.params import read
from umt_lib.study.pipeline import run_graph


def shorten(params: dict) -> dict:
    """The same experiment as cheap as possible: one seed, one epoch, one probe, no sweep.

    Its learning rate is the first of its sweep, or that of the experiment it depends on.
    """
    rate = {k: v[0] for k, v in params.get("sweep", {}).items() if k == "learning_rate"}
    training = {**params["training"], **rate, "epochs": 1, "probe_every": 1}
    kept = {key: value for key, value in params.items() if key != "sweep"}
    return {**kept, "training": training, "seeds": params["seeds"][:1]}


def main(arguments: list[str] | None = None) -> int:
    """The command: write the short params files, then replace this process by the run graph."""
    parser = argparse.ArgumentParser(
        prog="umt smoke", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--few", action="store_true", help="not every variant on every data set")
    given = parser.parse_args(arguments)
    return exit_status(lambda: _smoke(given.few))


def few(experiments: Mapping[str, dict[str, Any]]) -> set[str]:
    """Names of experiments that together run every variant of a method and every data set.

    A variant is a method with its options and head. Each runs on one data set, the next one for
    the next variant, and joint training with a linear head on all; what these need is included.

    Args:
        experiments: {name: parameters}; names that are not among them are left out.
    """
    by_variant: dict[str, list[str]] = {}
    for name, params in experiments.items():
        method = {k: v for k, v in params["method"].items() if k != "modality"}
        by_variant.setdefault(json.dumps([method, params["head"]["name"]]), []).append(name)
    chosen = [names[i % len(names)] for i, names in enumerate(by_variant.values())]
    chosen += [name for name in experiments if name.endswith("-joint-linear")]
    found: set[str] = set()
    while chosen:
        name = chosen.pop()
        if name in experiments and name not in found:
            found.add(name)
            chosen += run_graph.made_from(experiments[name])
    return found


def _smoke(only_few: bool) -> NoReturn:
    smoke = paths.runs().resolve() / "smoke"
    shutil.rmtree(smoke, ignore_errors=True)
    folder = smoke / "params"
    check_writable(folder)
    every = {path.stem: read(path) for path in sorted(paths.PARAMS.glob("*.yaml"))}
    able = {name: params for name, params in every.items() if available(params["dataset"])}
    for name in few(able) if only_few else able:
        short = yaml.safe_dump(shorten(able[name]), sort_keys=False)
        write_atomically(folder / f"{name}.yaml", short.encode())
    if left := len(every) - len(able):
        text = f"smoke: {left} experiments are left out: their data is not available"
        print(text, flush=True)  # this process is replaced
    os.environ["UMT_RUNS"] = str(smoke)
    os.environ["UMT_DATA"] = str(Path(os.environ.get("UMT_DATA", ".")).resolve())
    os.chdir(paths.ROOT)
    command = run_graph.snakemake_command("--config", f"params={folder}", "--", "experiments")
    os.execv(command[0], command)
