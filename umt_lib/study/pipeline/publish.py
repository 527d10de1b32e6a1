"""Copy the current results of this machine to ``results/``, which is committed.

umt publish            copy, then write the tables measured.csv, results.csv and results.parquet
umt publish --check    copy nothing; exit status 1 if a published result is stale or damaged, or
                       has no params file
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import pandas as pd

from umt_lib import paths
from umt_lib.errors import exit_status
from umt_lib.files import write_atomically
from umt_lib.study.experiments import results
from umt_lib.study.pipeline.units import Unit, units

FEWEST = 5  # seeds of a published experiment, by book/protocol.md
LISTED = 3  # names of a group in a message


def publish(params_dir: Path, local: Path, published: Path) -> tuple[list[str], dict[str, str]]:
    """Copy current results; return the names of those copied and {name: why not} of the others.

    A current result of fewer than ``FEWEST`` seeds is not copied.

    Raises:
        StudyError: a params file is wrong, or a result cannot be written.
    """
    reasons = {unit.name: unit.stale(local) or _too_few(unit) for unit in units(params_dir)}
    current = [name for name, reason in reasons.items() if not reason]
    for name in current:
        write_atomically(published / f"{name}.json", (local / f"{name}.json").read_bytes())
    for file, content in tables(published).items():
        write_atomically(published / file, content)
    return current, {name: reason for name, reason in reasons.items() if reason}


def _too_few(unit: Unit) -> str:
    """Why the seeds of an experiment do not suffice, or ""."""
    seeds = unit.read().get("seeds", [])
    if unit.is_analysis or len(seeds) >= FEWEST:
        return ""
    return f"has fewer than {FEWEST} seeds (add some to its file)"


def tables(published: Path) -> dict[str, bytes]:
    """{file: content} of the tables that are made from published results.

    ``measured.csv`` has a digest of the measurements of each result. A commit that only renews the
    digests of code in results, because code has moved, leaves this file unchanged, which shows that
    no number has changed. ``results.csv`` and ``results.parquet`` are
    :func:`umt_lib.study.experiments.results.frame`.
    """
    files = [*published.glob("*.json"), *published.glob("analyses/*.json")]
    names = sorted(file.relative_to(published).with_suffix("").as_posix() for file in files)
    digests = [results.measured_digest(published, name) for name in names]
    measured, frame = pd.DataFrame({"name": names, "sha256": digests}), results.frame(published)
    parquet = io.BytesIO()
    frame.to_parquet(parquet, index=False)
    texts = {"measured.csv": measured, "results.csv": frame}
    written = {name: t.to_csv(index=False, lineterminator="\n") for name, t in texts.items()}
    return {name: text.encode() for name, text in written.items()} | {
        "results.parquet": parquet.getvalue()
    }


def check(params_dir: Path, published: Path) -> dict[str, str]:
    """{name: reason} of every published result that is stale or damaged."""
    reasons = {unit.name: unit.stale(published) for unit in units(params_dir)}
    return {name: why for name, why in reasons.items() if why not in ("", results.MISSING)}


def orphans(params_dir: Path, folder: Path) -> list[Path]:
    """Results in a folder that no params file has, so that nothing can measure them again."""
    named = {folder / f"{unit.name}.json" for unit in units(params_dir)}
    return sorted({*folder.glob("*.json"), *folder.glob("analyses/*.json")} - named)


def messages(reasons: dict[str, str], params_dir: Path) -> list[str]:
    """One sentence for each reason and data set, with the command that measures again.

    Args:
        reasons: {name: why its result is not published, or stale}.
    """
    groups: dict[tuple[str, str], list[Unit]] = {}
    for name, why in reasons.items():
        unit = Unit(name, params_dir)
        kind = "analyses" if unit.is_analysis else f"of {unit.read()['dataset']['name']}"
        groups.setdefault((why, kind), []).append(unit)
    lines = []
    for (why, kind), members in groups.items():
        first, more = members[0], len(members) - LISTED
        command = f"umt {'analyse' if first.is_analysis else 'run'}"
        if len(members) == 1:
            lines.append(f"{first.name}: {why}; run {command} {paths.shown(first.file)}")
            continue
        names = ", ".join(unit.file.stem for unit in members[:LISTED])
        names += f" and {more} more" if more > 0 else ""
        file = paths.shown(first.file.with_name("NAME.yaml"))
        lines.append(f"{len(members)} {kind} ({names}): {why}; run {command} {file} for each")
    return lines


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status.

    It is 1 if a result is stale, damaged, of too few seeds or without params file, 2 for a
    StudyError.
    """
    parser = argparse.ArgumentParser(
        prog="umt publish", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="is a published result stale?")
    given = parser.parse_args(arguments)
    return exit_status(_check if given.check else _publish)


def _check() -> int:
    stale = check(paths.PARAMS, paths.PUBLISHED)
    for line in messages(stale, paths.PARAMS):
        print(f"{line}, then umt publish", file=sys.stderr)
    unknown = orphans(paths.PARAMS, paths.PUBLISHED)
    for file in unknown:
        print(f"{paths.shown(file)}: has no params file; delete it", file=sys.stderr)
    print(f"{len(stale)} published results are stale")
    return 1 if stale or unknown else 0


def _publish() -> int:
    copied, refused = publish(paths.PARAMS, paths.results_dir(), paths.PUBLISHED)
    print(f"published {len(copied)} results to {paths.PUBLISHED}")
    wrong = {name: why for name, why in refused.items() if why != results.MISSING}
    if missing := len(refused) - len(wrong):
        print(f"{missing} have no result on this machine; their published results are kept")
    for line in messages(wrong, paths.PARAMS):
        print(f"not published: {line}, then umt publish", file=sys.stderr)
    return 1 if wrong else 0
