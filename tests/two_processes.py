"""What torchrun starts in a test: the params files given, one after another, in one group."""

from __future__ import annotations

import sys
from pathlib import Path

from umt_lib import distributed
from umt_lib.study.experiments import params
from umt_lib.study.experiments.experiment import Experiment

if __name__ == "__main__":
    with distributed.process_group():
        for file in sys.argv[1:]:
            Experiment.from_params(params.read(Path(file))).run("cpu", progress=False)
