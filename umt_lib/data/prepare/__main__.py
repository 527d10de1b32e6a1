"""The command ``umt prepare``: convert the raw files of a data set to arrays."""

from __future__ import annotations

import argparse
import importlib
import math
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from umt_lib.data.prepare.recipe import Recipe
from umt_lib.data.prepare.store import SPLITS, prepare
from umt_lib.errors import StudyError, exit_status, nearest

RECIPES = {  # modules with a RECIPE; imported only when used, since they need more packages
    "vggsound": "umt_lib.data.prepare.vggsound",
    "kinetics400": "umt_lib.data.prepare.kinetics",
    "ucf101": "umt_lib.data.prepare.ucf101",
    "modelnet40": "umt_lib.data.prepare.modelnet40",
    "cremad": "umt_lib.data.prepare.cremad",
    "furniture224": "umt_lib.data.prepare.furniture",
    "youtube8m": "umt_lib.data.prepare.youtube8m",
    "psb": "umt_lib.data.prepare.psb",
    "utd-mhad": "umt_lib.data.prepare.utd_mhad",
}
DESCRIPTION = """\
Convert the raw files of a data set to arrays for training.

If the command is interrupted, run it again to resume. If raw files were added
or repaired, run it again to prepare these too."""
EXAMPLE = """\
example:
  umt prepare vggsound --root /data/vggsound --out /data/prepared/vggsound

"umt prepare DATASET --help" lists the options and settings of a data set."""
MAX_REASONS = 8  # in the summary


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status (2 for a StudyError, 130 for Ctrl-C).

    Raises:
        SystemExit: after ``--help`` (status 0) or a usage error (status 2).
    """
    return exit_status(lambda: _run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: list[str]) -> int:
    dataset, recipe, given = _parse(arguments)
    settings = {key: getattr(given, key) for key in recipe.settings}
    if given.out.resolve() == given.root.resolve():
        raise StudyError(f"{given.out}: is --root and --out; give another folder as --out")
    if given.download:
        print(recipe.download(given.root, settings))
    if not given.root.is_dir():
        raise StudyError(
            f"{given.root.absolute()}: no such folder; give the folder of the raw files of "
            f"{dataset} as --root, or use --download to see how to get them"
        )
    samples, classes = recipe.list_samples(given.root, settings)
    manifest = prepare(
        dataset,
        samples,
        classes,
        recipe.layout(settings),
        recipe.read,
        settings,
        given.out,
        given.workers,
        recipe.official_counts(settings),
        min_share=given.min_share,
        report=lambda text: print(text, file=sys.stderr),
    )
    print(summary(manifest))
    return 0


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports a usage error in one sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parse(arguments: list[str]) -> tuple[str, Recipe, argparse.Namespace]:
    """The data set's name, its recipe, and the options, which depend on the data set."""
    parser = _Parser(
        prog="umt prepare",
        usage="umt prepare DATASET --root ROOT --out OUT [options]",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ", ".join(RECIPES)
    if arguments and arguments[0].startswith("-") and arguments[0] not in ("-h", "--help"):
        parser.error(f"name the data set before {arguments[0]}, one of {names}")
    parser.add_argument("dataset", metavar="DATASET", type=_dataset, help=f"one of {names}")
    dataset = parser.parse_args(arguments[:1]).dataset
    recipe = _recipe(dataset)
    parser = _Parser(
        prog=f"umt prepare {dataset}",
        description=recipe.description.replace("``", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--root", type=_folder, required=True, help="folder of the raw files")
    parser.add_argument("--out", type=_folder, required=True, help="folder to write the arrays to")
    parser.add_argument(
        "--download",
        action="store_true",
        help="first download into ROOT what can be downloaded, and print what is left to do",
    )
    parser.add_argument(
        "--workers",
        type=_positive,
        default=os.cpu_count(),
        help="number of processes (default: one per core)",
    )
    parser.add_argument(
        "--min-share",
        type=_share,
        default=0.5,
        help="fail if less than this share of the listed samples is usable (default: %(default)s)",
    )
    options = parser.add_argument_group("settings, which the arrays depend on")
    for key, default in recipe.settings.items():
        options.add_argument(
            f"--{key.replace('_', '-')}",
            type=_finite if isinstance(default, float) else type(default),
            default=default,
            help=f"{recipe.help[key]} (default: %(default)s)",
        )
    return dataset, recipe, parser.parse_args(arguments[1:])


def summary(manifest: dict[str, Any]) -> str:
    """Table of official, listed and usable counts, then the reasons why samples are not usable."""
    counts, official = manifest["counts"], manifest["counts"]["official"]
    parts = {part: [part] for part in SPLITS} | {"clips": list(SPLITS), "models": list(SPLITS)}
    if "validation" not in official:  # then validation is part of the official training split
        parts["train"] = ["train", "validation"]
    lines = [f"{'':<12}{'official':>10}{'listed':>10}{'usable':>10}"]
    for key, published in official.items():
        ours = [len(manifest["classes"])] * 2
        if key in parts:
            ours = [sum(counts[c][p] for p in parts[key]) for c in ("listed", "good")]
        lines.append(f"{key:<12}{published:>10,}{ours[0]:>10,}{ours[1]:>10,}")
    reasons = Counter(q["reason"] for q in manifest["quarantine"]).most_common()
    for reason, times in reasons[:MAX_REASONS]:
        first = [q["id"] for q in manifest["quarantine"] if q["reason"] == reason][:3]
        lines.append(f"{times:,} not usable: {reason} ({', '.join(first)}{' ...' * (times > 3)})")
    if len(reasons) > MAX_REASONS:
        lines.append(f"and {len(reasons) - MAX_REASONS} more reasons, in manifest.json")
    return "\n".join(lines)


def _recipe(dataset: str) -> Recipe:
    try:
        return importlib.import_module(RECIPES[dataset]).RECIPE
    except ModuleNotFoundError as error:
        raise StudyError(
            f"preparing {dataset!r} needs the package {error.name!r}; run pip install -e "
            f"'.[media]' in the repository"
        ) from None


def _dataset(text: str) -> str:
    if text not in RECIPES:
        raise argparse.ArgumentTypeError(f"unknown data set {text!r}{nearest(text, RECIPES)}")
    return text


def _folder(text: str) -> Path:
    if not text:  # Path("") is the current folder
        raise argparse.ArgumentTypeError("the name of the folder is empty; give a folder")
    return Path(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes; give 1 or more")
    return int(text)


def _finite(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return number


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share; give a number from 0 to 1")
    return share


if __name__ == "__main__":
    sys.exit(main())
