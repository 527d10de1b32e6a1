"""Write the digests of today's code into results, after a change that affects no number.

    python scripts/restamp.py NAMES.txt [FOLDER]

NAMES.txt lists the results, one per line, that were current before the change; their folder is that
of published results by default. Only digests of code change; ``results/measured.csv`` shows that no
measurement changes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from umt_lib import paths
from umt_lib.errors import StudyError, exit_status
from umt_lib.files import write_atomically
from umt_lib.study.analyses import analysis
from umt_lib.study.experiments import params, provenance, results


def restamped(name: str, content: bytes, folder: Path, params_dir: Path) -> bytes:
    """The content of a results file with the digests of today's code and no other change.

    Args:
        folder: where the results of its teachers are.
    """
    spec = json.loads(content)
    made = spec["provenance"]
    old = {"code": made["code"], **made.get("keys", {})}
    if name.startswith("analyses/"):
        new = {"code": analysis.code_key(analysis.read(params_dir / f"{name}.yaml"))}
    else:
        new = _keys(params.read(params_dir / f"{name}.yaml"), spec, folder, params_dir)
    for key, digest in old.items():
        content = content.replace(digest.encode(), new[key].encode())
    return content


def _keys(
    experiment: dict[str, Any], spec: dict[str, Any], folder: Path, params_dir: Path
) -> dict[str, str]:
    data = provenance.source(experiment, elsewhere=spec["provenance"]["source"])
    names = experiment.get("teachers", {})
    teachers = {m: results.load(folder / f"{name}.json") for m, name in names.items()}
    found = {"code": provenance.code_key(experiment)}
    for seed in spec["provenance"]["keys"]:
        keys = {m: results.teacher_key(t, seed, data, params_dir) for m, t in teachers.items()}
        chosen = spec["measured"]["chosen"]
        found[seed] = provenance.training_key(experiment, int(seed), chosen, keys, data)
    return found


def restamp(names: Path, folder: Path, params_dir: Path = paths.PARAMS) -> int:
    """Rewrite the results in ``folder`` that are listed in a file; return the exit status 0.

    Raises:
        StudyError: a file cannot be read, or a result cannot be written.
    """
    try:
        for name in names.read_text(encoding="utf-8").split():
            path = folder / f"{name}.json"
            before = results.measured_digest(folder, name)
            write_atomically(path, restamped(name, path.read_bytes(), folder, params_dir))
            assert results.measured_digest(folder, name) == before
    except OSError as error:
        raise StudyError(
            f"{error.filename}: cannot be read ({error.strerror}); list results of {folder}, "
            f"such as watch-umt, one per line"
        ) from None
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit status, 2 for a StudyError."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", type=Path, help="a file with the names of results, one per line")
    parser.add_argument("folder", type=Path, nargs="?", default=paths.PUBLISHED, help="of results")
    given = parser.parse_args(arguments)
    return exit_status(lambda: restamp(given.names, given.folder))


if __name__ == "__main__":
    sys.exit(main())
