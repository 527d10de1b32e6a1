"""How the run graph is started: the two halves of `make study`."""

import sys
from pathlib import Path

SNAKEMAKE = [str(Path(sys.executable).with_name("snakemake")), "--profile", "profiles/local"]
SERVE = [
    sys.executable,
    "-m",
    "umt_lib.study.pipeline.notebook_server",
    "serve",
    "--",
]  # and the command to serve
