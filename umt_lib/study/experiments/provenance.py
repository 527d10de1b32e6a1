"""What a result was made from, by content: clocks decide nothing.

A result is current if the parameters, the code and the data that made it are. Code counts as
changed when its meaning may have: comments, docstrings and formatting do not count, nor does a
module the experiment does not use (a new method leaves the results of all others current). Where a
module lies does not count either: code that is moved, and is otherwise the same, keeps its results.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import inspect
import json
import platform
import subprocess
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from umt_lib import models, training
from umt_lib.data import DATASETS, Splits, load
from umt_lib.data.availability import available
from umt_lib.evaluation import metrics, probes
from umt_lib.methods import METHODS
from umt_lib.models import ENCODERS, HEADS, inference
from umt_lib.paths import ROOT
from umt_lib.study.experiments.params import options

LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn")
DESCRIPTION = ("title", "family", "year", "baseline")  # class attributes that decide no number


def digest(*parts: Any) -> str:
    """Hex digest of JSON-able ``parts``."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def params_key(params: dict[str, Any]) -> str:
    """Digest of a params file's contents, without ``resources``."""
    return digest({key: value for key, value in params.items() if key != "resources"})


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
    starts = [file_of(module) for module in modules]
    return reached([*starts, ROOT / "umt_lib/study/experiments/experiment.py"])


def file_of(module: ModuleType | None) -> Path:
    """The file of a module, as ``inspect.getmodule`` gives it."""
    assert module is not None
    assert module.__file__ is not None
    return Path(module.__file__)


def code_of(files: set[Path]) -> str:
    """Digest of the set of what these modules mean, wherever they lie."""
    return digest(sorted({meaning(file) for file in files}))


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
    known = getattr(inspect.getmodule(DATASETS[params["dataset"]["name"]]), "source", None)
    if known is not None:
        return known()
    if elsewhere is not None and not available(params["dataset"]):
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
    decides = {k: v for k, v in params.items() if k not in ("name", "resources", "seeds", "sweep")}
    decides["method"] = {**params["method"], **overrides}
    return digest(decides, seed, teachers, code_key(params), data or source(params))


@cache
def meaning(file: Path) -> str:
    """Digest of a module's syntax tree without what decides nothing.

    That is: docstrings, ``picture``, the class attributes that describe a method, and where the
    other modules of umt_lib lie (names that they are given here do count). Of a package's index
    only the functions count: what it lists counts where it is used.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    node: Any
    if file.name == "__init__.py":
        tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for node in ast.walk(tree):
        for block in ("body", "orelse", "finalbody"):
            if isinstance(statements := getattr(node, block, None), list):
                counted = [s for part in statements for s in _counted(part)]
                if isinstance(node, ast.ClassDef):
                    counted = [s for s in counted if not _describes(s)]
                setattr(node, block, counted)
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            node.body = node.body[1:]
    return hashlib.sha256(_written(tree).encode()).hexdigest()


def _counted(statement: Any) -> list[ast.AST]:
    """The statement, nothing, or for an import from umt_lib the names that it gives anew."""
    if _is_for_types(statement) or getattr(statement, "name", "") == "picture":
        return []
    if not _is_ours(statement):
        return [statement]
    return [alias for alias in statement.names if alias.asname]


def _describes(statement: ast.AST) -> bool:
    """Whether this statement of a class only says what a method is called, as ``title = ...`` does.

    A field of a dataclass, ``year: int = 5``, counts: it is an option.
    """
    if isinstance(statement, ast.AnnAssign):
        names = [statement.target] if "ClassVar" in ast.dump(statement.annotation) else []
    else:
        names = statement.targets if isinstance(statement, ast.Assign) else []
    return bool(names) and all(getattr(name, "id", "") in DESCRIPTION for name in names)


def _is_ours(node: ast.AST) -> bool:
    """Whether this is ``from umt_lib... import``, the one form in which umt_lib imports itself."""
    return isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "umt_lib"


def _is_for_types(node: ast.AST) -> bool:
    """Whether this is ``if TYPE_CHECKING:``, which never runs."""
    return isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"


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


# Modules, by their path in umt_lib, whose words change and numbers do not: sentences, paths, the
# files' outside, the guide's page, this one.
OUTSIDE = (
    "errors.py",
    "files.py",
    "guide/report.py",
    "paths.py",
    "study/experiments/params.py",
    "study/experiments/provenance.py",
    "study/experiments/results.py",
)


@cache
def imported(file: Path) -> tuple[Path, ...]:
    """The umt_lib modules ``file`` imports; packages' indexes are passed through, not followed."""
    if file.name == "__init__.py":
        return ()
    outside = {ROOT / "umt_lib" / path for path in OUTSIDE}
    found: list[Path] = []
    waiting: list[Any] = [ast.parse(file.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if _is_ours(node):
            base = ROOT / node.module.replace(".", "/")
            names = [base.with_suffix(".py"), *(base / f"{alias.name}.py" for alias in node.names)]
            found += [path for path in names if path.is_file() and path not in outside]
        elif not _is_for_types(node):
            waiting += ast.iter_child_nodes(node)
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
