"""The command: raw clips to arrays.

    umt prepare vggsound --root /data/vggsound --out /data/prepared/vggsound

Interrupted, or with clips added later, the same command goes on from where it is.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from umt_lib.data.prepare.store import SPLITS, prepare
from umt_lib.errors import StudyError, exit_status

RECIPES = {  # modules with a RECIPE; imported when asked for, since they need more packages
    "vggsound": "umt_lib.data.prepare.vggsound",
    "kinetics400": "umt_lib.data.prepare.kinetics",
    "ucf101": "umt_lib.data.prepare.ucf101",
    "modelnet40": "umt_lib.data.prepare.modelnet40",
    "cremad": "umt_lib.data.prepare.cremad",
    "furniture224": "umt_lib.data.prepare.furniture",
}
SHOWN = 8  # reasons of quarantine in the summary


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status (2 for a StudyError, 130 for Ctrl-C)."""
    return exit_status(lambda: _run(arguments))


def _run(arguments: list[str] | None) -> int:
    name, recipe, given = _given(arguments)
    settings = {key: getattr(given, key) for key in recipe.settings}
    if given.download:
        print(recipe.download(given.root, settings))
    samples, classes = recipe.listed(given.root, settings)
    manifest = prepare(
        name,
        samples,
        classes,
        recipe.layout(settings),
        recipe.read,
        settings,
        given.out,
        given.workers,
        recipe.official(settings),
        progress=sys.stderr.isatty(),
        min_share=given.min_share,
    )
    print(summary(manifest))
    return 0


def _given(arguments: list[str] | None) -> tuple[str, Any, argparse.Namespace]:
    """The data set's name, its recipe, and the options, which depend on it."""
    parser = argparse.ArgumentParser(
        prog="umt prepare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("dataset", choices=RECIPES, help="-h after it tells its settings")
    name = parser.parse_known_args(arguments)[0].dataset
    recipe = _recipe(name)
    parser.add_argument("-h", "--help", action="help")
    parser.add_argument("--root", type=Path, required=True, help="the folder of raw files")
    parser.add_argument("--out", type=Path, required=True, help="the folder to prepare into")
    parser.add_argument("--download", action="store_true", help="fetch what is still served")
    parser.add_argument("--workers", type=_positive, default=os.cpu_count())
    parser.add_argument(
        "--min-share", type=_share, default=0.5, help="fewer good samples are an error"
    )
    options = parser.add_argument_group(f"settings of {name}")
    for key, default in recipe.settings.items():
        options.add_argument(
            f"--{key.replace('_', '-')}", type=type(default), default=default, help=f"{default}"
        )
    return name, recipe, parser.parse_args(arguments)


def summary(manifest: dict[str, Any]) -> str:
    """Counts beside the publishers', then why samples are not used, the commonest reason first."""
    counts, official = manifest["counts"], manifest["counts"]["official"]
    parts = {part: [part] for part in SPLITS} | {"clips": list(SPLITS)}
    if "validation" not in official:  # then ours is cut from theirs
        parts["train"] = ["train", "validation"]
    lines = [f"{'':<12}{'official':>10}{'listed':>10}{'usable':>10}"]
    for key, theirs in official.items():
        ours = [len(manifest["classes"])] * 2
        if key in parts:
            ours = [sum(counts[c][p] for p in parts[key]) for c in ("listed", "good")]
        lines.append(f"{key:<12}{theirs:>10,}{ours[0]:>10,}{ours[1]:>10,}")
    reasons = Counter(q["reason"] for q in manifest["quarantine"]).most_common()
    for reason, times in reasons[:SHOWN]:
        first = [q["id"] for q in manifest["quarantine"] if q["reason"] == reason][:3]
        lines.append(f"{times:,} not usable: {reason} ({', '.join(first)}{' ...' * (times > 3)})")
    if len(reasons) > SHOWN:
        lines.append(f"and {len(reasons) - SHOWN} more reasons, in manifest.json")
    return "\n".join(lines)


def _recipe(name: str) -> Any:
    try:
        return importlib.import_module(RECIPES[name]).RECIPE
    except ModuleNotFoundError as error:
        raise StudyError(
            f"preparing {name!r} needs the package {error.name!r}; run pip install -e '.[media]' "
            f"in the repository"
        ) from None


def _positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of processes; give 1 or more")
    return int(text)


def _share(text: str) -> float:
    if not 0 <= float(text) <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share; give a number from 0 to 1")
    return float(text)


if __name__ == "__main__":
    sys.exit(main())
