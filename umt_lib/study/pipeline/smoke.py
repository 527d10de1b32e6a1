"""Run every experiment whose data is on this machine for one seed and one epoch.

The results are in ``runs/smoke``.

umt smoke
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import NoReturn

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
    argparse.ArgumentParser(
        prog="umt smoke", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(arguments)
    return exit_status(_smoke)


def _smoke() -> NoReturn:
    smoke = paths.runs().resolve() / "smoke"
    shutil.rmtree(smoke, ignore_errors=True)
    folder = smoke / "params"
    check_writable(folder)
    left_out = []
    for path in sorted(paths.PARAMS.glob("*.yaml")):
        params = read(path)
        if not available(params["dataset"]):
            left_out.append(path.stem)
            continue
        short = yaml.safe_dump(shorten(params), sort_keys=False)
        write_atomically(folder / path.name, short.encode())
    if left_out:
        left = f"smoke: {len(left_out)} experiments are left out: their data is not available"
        print(left, flush=True)  # this process is replaced
    os.environ["UMT_RUNS"] = str(smoke)
    os.environ["UMT_DATA"] = str(Path(os.environ.get("UMT_DATA", ".")).resolve())
    os.chdir(paths.ROOT)
    command = run_graph.snakemake_command("--config", f"params={folder}", "--", "experiments")
    os.execv(command[0], command)
