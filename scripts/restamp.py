"""Write the digests of today's code into results, after a change that affects no number.

    python scripts/restamp.py NAMES.txt [FOLDER]

NAMES.txt lists the results, one per line, that were current before the change; their folder is that
of published results by default. Only digests of code change; ``results/measured.csv`` shows that no
measurement changes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from umt_lib import paths
from umt_lib.study.analyses import analysis
from umt_lib.study.experiments import params, provenance, results


def restamped(name: str, content: bytes, folder: Path, params_dir: Path = paths.PARAMS) -> bytes:
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


def main(names: Path, folder: Path = paths.PUBLISHED) -> None:
    """Rewrite the results in ``folder`` that are listed in a file."""
    for name in names.read_text(encoding="utf-8").split():
        path = folder / f"{name}.json"
        before = results.measured_digest(folder, name)
        path.write_bytes(restamped(name, path.read_bytes(), folder))
        assert results.measured_digest(folder, name) == before


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
