"""Publish: copy this machine's complete, current results to ``results/``, the committed ones.

umt publish
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.files import write_atomically
from umt_lib.study.analyses import analysis
from umt_lib.study.experiments import results


def publish(params_dir: Path, local: Path, published: Path) -> tuple[list[str], dict[str, str]]:
    """Copy what is current; returns the names copied and {name: why not} of the others.

    Raises:
        StudyError: a params file is wrong, or a result cannot be written.
    """
    names = sorted(path.stem for path in params_dir.glob("*.yaml"))
    reasons = {name: results.stale(name, local, params_dir) for name in names}
    for path in sorted(analysis.folder(params_dir).glob("*.yaml")):
        reasons[f"analyses/{path.stem}"] = analysis.stale(path.stem, local, params_dir)
    current = [name for name, reason in reasons.items() if not reason]
    for name in current:
        write_atomically(published / f"{name}.json", (local / f"{name}.json").read_bytes())
    return current, {name: reason for name, reason in reasons.items() if reason}


def measured(published: Path) -> str:
    """CSV: the digest of what each published result measured.

    So a commit that renews the digests of code in results, because code moved, can be seen to
    change no number: this file stays as it is.
    """
    files = [*published.glob("*.json"), *published.glob("analyses/*.json")]
    names = sorted(file.relative_to(published).with_suffix("").as_posix() for file in files)
    rows = [f"{name},{results.measured_digest(published, name)}" for name in names]
    return "\n".join(["name,sha256", *rows]) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """The command; exit status 1 when a result that is here was left out, 2 for a StudyError."""
    argparse.ArgumentParser(prog="umt publish", description=__doc__).parse_args(arguments)
    try:
        copied, refused = publish(paths.PARAMS, paths.results_dir(), paths.PUBLISHED)
        write_atomically(paths.PUBLISHED / "measured.csv", measured(paths.PUBLISHED).encode())
    except StudyError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"published {len(copied)} results to {paths.PUBLISHED}")
    wrong = {name: reason for name, reason in refused.items() if reason != "missing"}
    if missing := len(refused) - len(wrong):
        print(f"{missing} have no result here: what is published of them stays as it is")
    for name, reason in wrong.items():
        print(f"{name}: not published: {reason}; make study mends it", file=sys.stderr)
    return 1 if wrong else 0
