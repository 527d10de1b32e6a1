"""Write every file that a new method or data set needs.

    umt new method label-smoothing --like joint-linear --sweep smoothing=0.05,0.1,0.2
    umt new dataset gestures --like watch

The method or data set runs at once, as the one it is like. What has to be filled in is marked in
the files, and a test fails while a mark is left. Files that are there are not overwritten.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import keyword
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import yaml
from pydantic import BaseModel

from umt_lib import data, methods
from umt_lib.data import DATASETS
from umt_lib.errors import StudyError, exit_status, nearest
from umt_lib.methods import METHODS, Method
from umt_lib.paths import ROOT
from umt_lib.study.pipeline.new_files import (
    COMPARED,
    Files,
    Sweep,
    class_name,
    class_of,
    left,
    module_name,
    of_dataset,
    of_method,
    tails,
)
from umt_lib.study.pipeline.run_graph import with_needed

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
FIELD = re.compile(r"[a-z][a-z0-9_]*")
LONGEST = 30  # characters of a name, so that no line of code becomes too long
RESERVED = {"learning_rate", "name", "self"}  # mean something else in params files or methods
IMPORTED = {"Batch", "Output", "Tensor"}  # classes that a method's module imports


def check(kind: str, name: str) -> None:
    """Refuse a name that cannot become one of a method or data set.

    Raises:
        StudyError: saying what is wrong with it.
    """
    module, cls, words = module_name(name), class_name(name), name.replace("-", " ")
    package, taken = (methods, METHODS) if kind == "method" else (data, DATASETS)
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        problem = f"is not lower-case letters, digits and hyphens, at most {LONGEST} of them"
    elif name in taken:
        problem = f"is a {'method' if kind == 'method' else 'data set'} already"
    elif keyword.iskeyword(module) or keyword.iskeyword(cls):  # such as lambda, true
        problem = "is a keyword of Python"
    elif module in vars(package) or (ROOT / package.__name__.replace(".", "/") / module).is_dir():
        problem = f"is that of {package.__name__}.{module}"
    elif kind == "method" and cls in {*vars(methods), *IMPORTED}:
        problem = f"would make a second class {cls}"
    elif kind == "method" and (known := [m for m in METHODS.values() if m.title == words]):
        problem = f"is the title of {known[0].__name__}"
    elif found := list((ROOT / "tests").rglob(f"test_{module}.py")):
        problem = f"has a test already, {found[0].relative_to(ROOT)}"
    else:
        return
    raise StudyError(f"umt new: the name {name!r} {problem}; choose another")


def write(root: Path, files: Files) -> None:
    """Write all files, or none of them.

    Raises:
        StudyError: a new file is there already, or one cannot be written; nothing is changed then.
    """
    if there := [path for path in files.new if (root / path).exists()]:
        raise StudyError(f"umt new: {there[0]} is there already; choose another name")
    texts = {root / path: text for path, text in {**files.new, **files.changed}.items()}
    partial, before = (
        {path: path.with_name(f".{path.name}.{end}") for path in texts}
        for end in ("partial", "before")
    )
    try:
        for path, text in texts.items():
            partial[path].write_text(text, encoding="utf-8")
            if path.exists():
                before[path].write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
        for path in texts:
            partial[path].replace(path)
    except BaseException as error:
        for path in texts:
            if before[path].exists():
                before[path].replace(path)
            elif str(path.relative_to(root)) in files.new:
                path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise StudyError(
                f"umt new: {error.filename}: cannot be written ({error.strerror}); nothing was "
                f"changed; free some space or correct the permissions and run the command again"
            ) from None
        raise
    finally:
        for path in (*partial.values(), *before.values()):
            with contextlib.suppress(OSError):
                path.unlink()


def sweep(text: str, parent: type[Method] = Method) -> Sweep:
    """``smoothing=0.05,0.1,0.2`` as a sweep.

    Args:
        parent: the class that the new one is derived from.

    Raises:
        StudyError: it is no such text, or the name cannot be a field of a method.
    """
    field, _, listed = text.partition("=")
    try:
        values = yaml.safe_load(f"[{listed}]")
        numbers = all(type(value) in (int, float) and math.isfinite(value) for value in values)
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError):
        values, numbers = [], False
    if not numbers or not 2 <= len(values) <= 5 or len(set(values)) < len(values):
        raise StudyError(
            f"umt new: --sweep {text!r} does not give 2 to 5 different numbers; write it as "
            f"smoothing=0.05,0.1,0.2"
        )
    options = {option.name for option in dataclasses.fields(parent)}
    attributes = {*dir(parent), *get_type_hints(Method)} - options
    taken = field in RESERVED | attributes | {*dir(BaseModel)}  # of the class that checks params
    if taken or not FIELD.fullmatch(field) or keyword.iskeyword(field):
        raise StudyError(
            f"umt new: --sweep {text!r}: {field!r} cannot be a field of a method; choose another"
        )
    return Sweep(field, values)


def renew_readme() -> str:
    """Renew the answer in README.md and its figure; return "" or the error.

    A process of its own, since this one does not know the new data set.
    """
    command = [sys.executable, "-m", "umt_lib", "book", "--readme"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
    return lines[-1] if run.returncode else ""


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status (2 for a StudyError, 130 for Ctrl-C)."""
    parser = argparse.ArgumentParser(
        prog="umt new", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind, like in (
        ("method", "an experiment that every data set has, without the data set's name"),
        ("dataset", "a data set with the same modalities"),
    ):
        options = kinds.add_parser(kind)
        options.add_argument("name", help="what params files call it")
        options.add_argument("--like", required=True, help=like)
        if kind == "method":
            options.add_argument(
                "--sweep",
                action="append",
                default=[],
                metavar="FIELD=V,V,V",
                help="a hyper-parameter of its own, and the values to try on validation",
            )
    given = parser.parse_args(arguments)
    return exit_status(lambda: _run(given), "umt new: interrupted")


def _run(given: argparse.Namespace) -> int:
    if not (ROOT / "book/_toc.yml").exists():
        raise StudyError(f"umt new: {ROOT} is not the study's repository; run it in a clone")
    known = tails() if given.kind == "method" else COMPARED
    if given.like not in known:
        raise StudyError(f"umt new: --like: unknown {given.like!r}{nearest(given.like, known)}")
    check(given.kind, given.name)
    if given.kind == "method":
        if len(given.sweep) > 1:
            raise StudyError(
                f"umt new: --sweep is given {len(given.sweep)} times; keep one, because a method "
                f"sweeps one hyper-parameter of its own"
            )
        swept = [sweep(text, class_of(given.like)) for text in given.sweep]
        files = of_method(given.name, given.like, *swept)
    else:
        files = of_dataset(given.name, given.like)
    before = left(ROOT)
    write(ROOT, files)
    print(report(files, [place for place in left(ROOT) if place not in before]))
    if given.kind == "dataset":
        if failed := renew_readme():
            raise StudyError(
                f"umt new: all files are written but the answer in README.md ({failed}); run "
                f"umt book --readme"
            )
        print("\nREADME.md: its answer is renewed")
    params = [path for path in files.new if path.startswith("params/")]
    first = next((path for path in params if path.endswith("-joint-linear.yaml")), params[0])
    *needed, name = with_needed([Path(first).stem])
    commands = [f"umt run params/{other}.yaml" for other in needed]
    commands.append(f"umt run params/{name}.yaml --set training.epochs=1 --set seeds=[0]")
    print(
        f"\nThe times in the params files are those of {given.like}; correct what you measure.\n"
        f"It runs as it is{', after what it takes teachers or a rate from' if needed else ''}:"
    )
    print("\n".join(f"  {command}" for command in commands))
    return 0


def report(files: Files, places: list[str]) -> str:
    """What was written, and which places are left to fill in."""
    params = [path for path in files.new if path.startswith("params/")]
    lines = [f"written   {path}" for path in files.new if path not in params]
    lines += [f"written   {params[0]} and {len(params) - 1} more in params/"]
    lines += [f"changed   {path}" for path in files.changed]
    lines += ["", "To be filled in; `make test` names what is left:"]
    return "\n".join([*lines, *(f"  {place}" for place in places)])
