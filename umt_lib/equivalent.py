"""Code that changed and measures what it did: shown by running both, then written down.

    git worktree add ../before COMMIT
    python -m umt_lib.equivalent ../before "rows are read by threads"

Every published experiment and one analysis of each kind are run short (one seed, one epoch) by the
code of the other checkout and by that of this one, on this machine's processor. If every
measurement is the same, bit for bit, modules that differ get a row in ``results/equivalent.csv``:
their new meaning then stands for the earlier one, and results made by that stay current. One other
digit anywhere, or data that is not here, and nothing is written. An interrupted command goes on
where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from umt_lib import analysis, graph, params, paths, provenance, results
from umt_lib.at_hand import at_hand
from umt_lib.errors import StudyError, exit_status
from umt_lib.files import write_atomically
from umt_lib.smoke import shorten

COLUMNS = ("module", "before", "now", "commit", "compared", "why")


def show(before: Path, why: str) -> tuple[int, list[str]]:
    """Run both, compare, write the rows; returns how much was compared and the modules of the rows.

    Args:
        before: a checkout, without changes, of the code the published results are from.

    Raises:
        StudyError: ``before`` is no such checkout, no module differs, a run failed, or the two
            measure different things; data of a published experiment is not here.
    """
    commit, names = provenance.commit(before), compared()
    if not commit or commit.endswith("+"):
        raise StudyError(f"{before}: not a checkout of a commit without changes; give one")
    modules = changed(before, published())
    if not modules:
        raise StudyError(f"{before}: no code that decides numbers differs from that here")
    experiments = [name for name in names if not name.startswith("analyses/")]
    if absent := [n for n in experiments if not at_hand(whole_params(n)["dataset"])]:
        raise StudyError(
            f"data of {len(absent)} of {len(experiments)} published experiments is not on this "
            f"machine, first that of {absent[0]!r}; put it under $UMT_DATA, all have to run"
        )
    folder = paths.runs() / "equivalent"
    write_short(names, folder / "params")
    for root, side in ((before, commit), (paths.ROOT, "now")):
        run(root, folder / "params", folder / side, names)
    compare(names, folder / commit, folder / "now")
    write(modules, commit, len(names), why)
    return len(names), sorted(modules)


def published() -> list[str]:
    """Names of everything published that can be run: ``<experiment>`` and ``analyses/<name>``."""
    files = [*paths.PUBLISHED.glob("*.json"), *paths.PUBLISHED.glob("analyses/*.json")]
    names = [str(file.relative_to(paths.PUBLISHED).with_suffix("")) for file in sorted(files)]
    return [name for name in names if (paths.PARAMS / f"{name}.yaml").exists()]


def compared() -> list[str]:
    """Published experiments, and of analyses that are the same function the quickest."""
    names = published()
    kinds: dict[str, list[str]] = {}
    for name in (name for name in names if name.startswith("analyses/")):
        kinds.setdefault(whole_params(name)["analysis"]["name"], []).append(name)
    quickest = {min(alike, key=_seconds) for alike in kinds.values()}
    return [name for name in names if not name.startswith("analyses/") or name in quickest]


def _seconds(name: str) -> float:
    return analysis.load(paths.PUBLISHED / f"{name}.json").provenance.seconds


def changed(before: Path, names: list[str]) -> dict[str, tuple[str, str]]:
    """{module: digests of the meaning results have now, and of that here}, of those that differ."""
    files: set[Path] = set()
    for name in names:
        kind = analysis if name.startswith("analyses/") else provenance
        files |= kind.code_files(whole_params(name))
    found = {}
    for file in files:
        module, now = str(file.relative_to(paths.ROOT)), provenance.meaning(file)
        there = before / module
        was = provenance.meaning(there) if there.exists() else ""
        if was != now:
            found[module] = provenance.equivalents().get((module, was), was), now
    return found


def whole_params(name: str) -> dict:
    """The params file of an experiment or an analysis."""
    reader = analysis.read if name.startswith("analyses/") else params.read
    return reader(paths.PARAMS / f"{name}.yaml")


def write_short(names: list[str], folder: Path) -> None:
    """The params file of everything in ``names``, at its cheapest."""
    for name in names:
        whole = whole_params(name)
        if name.startswith("analyses/"):
            spec = whole["analysis"]
            short = {**whole, "analysis": {**spec, "seeds": spec["seeds"][:1]}}
        else:
            short = shorten(whole)
        content = yaml.safe_dump(short, sort_keys=False).encode()
        write_atomically(folder / f"{name}.yaml", content)


def run(root: Path, short: Path, runs: Path, names: list[str]) -> None:
    """Everything in ``names`` by the code of ``root``, through its run graph, into ``runs``."""
    place = runs.relative_to(root) if runs.is_relative_to(root) else runs
    targets = [f"{place}/results/{name}.json" for name in names]
    served = graph.served("--config", f"params={short}", "study=full", "--", *targets)
    environment = {**os.environ, "PYTHONPATH": str(root), "UMT_RUNS": str(runs)}
    environment["CUDA_VISIBLE_DEVICES"] = ""  # a GPU does not give the same bits twice
    if subprocess.run(served, cwd=root, env=environment).returncode:
        raise StudyError(f"{root}: not everything ran (see above); the same command goes on")


def compare(names: list[str], before: Path, now: Path) -> None:
    """Raises StudyError where the two folders hold different measurements of one of ``names``."""
    if other := [name for name in names if _measured(before, name) != _measured(now, name)]:
        raise StudyError(
            f"{len(other)} of {len(names)} measure something else with the code here, the first "
            f"{other[0]!r}: it is not equivalent; run what is stale again with make study-full"
        )


def _measured(folder: Path, name: str) -> str:
    """What was measured, as text: so one NaN equals another."""
    whole = json.loads((folder / f"results/{name}.json").read_bytes())
    return json.dumps(whole["measured"], sort_keys=True)


def write(modules: dict[str, tuple[str, str]], commit: str, compared: int, why: str) -> None:
    """Rows for ``modules``; of the rows there are, those of modules changed since then go."""
    rows = []
    if paths.EQUIVALENT.exists():
        with paths.EQUIVALENT.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if serves(row)]
    rows = [row for row in rows if row["module"] not in modules]
    for module, (before, now) in modules.items():
        rows.append(dict(zip(COLUMNS, (module, before, now, commit, compared, why), strict=True)))
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(sorted(rows, key=lambda row: row["module"]))
    write_atomically(paths.EQUIVALENT, text.getvalue().encode())
    provenance.equivalents.cache_clear()


def serves(row: dict[str, str]) -> bool:
    """Whether a row is about a module as it is here."""
    file = paths.ROOT / row["module"]
    return file.exists() and provenance.meaning(file) == row["now"]


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status (2 for a StudyError, 130 for Ctrl-C)."""
    parser = argparse.ArgumentParser(prog="python -m umt_lib.equivalent", description=__doc__)
    parser.add_argument("before", type=Path, help="a checkout of the code the results are from")
    parser.add_argument("why", help="what changed, in a few words")
    given = parser.parse_args(arguments)
    return exit_status(lambda: tell(given.before.resolve(), given.why))


def tell(before: Path, why: str) -> int:
    """:func:`show`, and print what it found."""
    compared, modules = show(before, why)
    print(f"{compared} experiments and analyses measure the same, bit for bit, whatever changed in")
    print(", ".join(modules))
    stale = [name for name in published() if _stale(name)]
    print(f"stale all the same: {', '.join(stale) or 'nothing'}")
    return 0


def _stale(name: str) -> str:
    kind = analysis if name.startswith("analyses/") else results
    return kind.stale(Path(name).name, paths.PUBLISHED)


if __name__ == "__main__":
    sys.exit(main())
