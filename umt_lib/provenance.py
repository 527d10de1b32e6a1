"""What a result was made from, by content: clocks decide nothing.

A result is current if the parameters, the code and the data that made it are. Code counts as
changed when its meaning may have: comments, docstrings and formatting do not count, nor does a
module the experiment does not use (a new method leaves the results of all others current).
"""

from __future__ import annotations

import ast
import csv
import hashlib
import importlib.metadata
import inspect
import json
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import torch

from umt_lib import inference, metrics, models, probes, training
from umt_lib.at_hand import at_hand
from umt_lib.data import DATASETS, Splits, load
from umt_lib.methods import METHODS
from umt_lib.models import ENCODERS, HEADS
from umt_lib.params import options
from umt_lib.paths import EQUIVALENT, ROOT

LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn")


def digest(*parts: Any) -> str:
    """Hex digest of JSON-able ``parts``."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def code_key(params: dict[str, Any]) -> str:
    """Digest of every umt_lib module that decides the numbers of this experiment."""
    return code_of(code_files(params))


def code_files(params: dict[str, Any]) -> set[Path]:
    """The modules :func:`code_key` is made of."""
    made_by = [
        DATASETS[params["dataset"]["name"]],
        METHODS[params["method"]["name"]],
        HEADS[params["head"]["name"]],
        *(ENCODERS[spec["name"]] for spec in params["encoders"].values()),
        models.LateFusion,
    ]
    modules = [training, metrics, probes, inference, models, *map(inspect.getmodule, made_by)]
    starts = [Path(module.__file__) for module in modules]
    return reached([*starts, ROOT / "umt_lib/experiment.py"])


def code_of(files: set[Path]) -> str:
    """Digest of what these modules mean, or stand for."""
    meanings = [(str(file.relative_to(ROOT)), stands_for(file)) for file in files]
    return digest(sorted(pair for pair in meanings if pair[1]))


def stands_for(file: Path) -> str:
    """Digest of the meaning a module's results were made by, "" for a module there was not then.

    That is its own meaning, or an earlier one that :mod:`umt_lib.equivalent` has shown to give the
    same numbers.
    """
    module, now = str(file.relative_to(ROOT)), meaning(file)
    return equivalents().get((module, now), now)


@cache
def equivalents() -> dict[tuple[str, str], str]:
    """{(module, digest of its meaning): digest of the earlier one it stands for}."""
    if not EQUIVALENT.exists():
        return {}
    with EQUIVALENT.open(encoding="utf-8", newline="") as file:
        return {(row["module"], row["now"]): row["before"] for row in csv.DictReader(file)}


def reached(starts: list[Path]) -> set[Path]:
    """These modules and all of umt_lib that they import, at any depth."""
    files: set[Path] = set()
    waiting = list(starts)
    while waiting:
        file = waiting.pop()
        if file not in files:
            files.add(file)
            waiting += imported(file)
    return files


def splits(params: dict[str, Any]) -> Splits:
    """The experiment's data, loaded once per process."""
    return _splits(json.dumps(params["dataset"]))


def source(params: dict[str, Any], elsewhere: str | None = None) -> str:
    """Digest of the experiment's raw data.

    A module of data that is downloaded may have a function ``source``, whose digest loading holds
    the data to: then it is known without the data.

    Args:
        elsewhere: what to take for data that is not on this machine and has no such function. A
            result can so be judged by all else where its data, prepared on a cluster, is not.
    """
    module = inspect.getmodule(DATASETS[params["dataset"]["name"]])
    if hasattr(module, "source"):
        return module.source()
    if elsewhere is not None and not at_hand(params["dataset"]):
        return elsewhere
    return splits(params).source


@cache
def _splits(dataset: str) -> Splits:
    spec = json.loads(dataset)
    return load(spec["name"], **options(spec))


def training_key(
    params: dict[str, Any],
    seed: int,
    overrides: dict[str, Any],
    teachers: dict[str, str],
    data: str | None = None,
) -> str:
    """Digest of all that decides one training; ``teachers`` {modality: their training keys}.

    Adding a seed or a swept value leaves the trainings that are there current. ``data`` is the
    digest of the raw data, where it is known already.
    """
    decides = {k: v for k, v in params.items() if k not in ("name", "seeds", "sweep")}
    decides["method"] = {**params["method"], **overrides}
    return digest(decides, seed, teachers, code_key(params), data or source(params))


@cache
def meaning(file: Path) -> str:
    """Digest of a module's syntax tree without docstrings and ``picture``: they decide nothing.

    Of a package's index only the functions: what it lists counts where it is used.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    if file.name == "__init__.py":
        tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body = node.body = [n for n in body if getattr(n, "name", "") != "picture"]
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            node.body = body[1:]
    return hashlib.sha256(_written(tree).encode()).hexdigest()


def _written(node: Any) -> str:
    """A syntax tree as text, the same in every Python: ``ast.dump`` of 3.11.

    That of 3.12 adds an empty ``type_params`` to every function and class, that of 3.13 leaves
    empty lists out; with either, results made under one Python would be stale under another.
    """
    if isinstance(node, list):
        return f"[{', '.join(_written(entry) for entry in node)}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [
        f"{name}={_written(value)}"
        for name, value in ast.iter_fields(node)
        if value is not None or not hasattr(type(node), name)  # an optional one that is not there
        if (name, value) != ("type_params", [])
    ]
    return f"{type(node).__name__}({', '.join(fields)})"


# Modules whose words change and numbers do not: sentences, paths, the files' outside, the guide's
# page, this one.
OUTSIDE = {"errors", "paths", "files", "params", "provenance", "results", "report"}


@cache
def imported(file: Path) -> tuple[Path, ...]:
    """The umt_lib modules ``file`` imports; packages' indexes are passed through, not followed."""
    found = []
    if file.name == "__init__.py":
        return ()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("umt_lib"):
            base = ROOT / node.module.replace(".", "/")
            names = [base.with_suffix(".py"), *(base / f"{alias.name}.py" for alias in node.names)]
            found += [path for path in names if path.is_file() and path.stem not in OUTSIDE]
    return tuple(found)


def environment(device: torch.device) -> dict[str, Any]:
    """Where a result was made: library versions, device, processor and commit."""
    return {
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "commit": commit(),
    }


@cache
def _processor() -> str:
    """The processor's name, or the architecture where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@cache
def commit(checkout: Path = ROOT) -> str:
    """The commit checked out, "+" after it when files differ from it, "" outside a repository."""
    try:
        git = ["git", "-C", str(checkout)]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        dirty = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return (
        head.stdout.strip() + ("+" if dirty.stdout.strip() else "") if not head.returncode else ""
    )
