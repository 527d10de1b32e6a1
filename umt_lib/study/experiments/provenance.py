"""Digests of what a result was made from: parameters, code, data and teachers.

A result is current if these digests are the same as when it was made; the dates of files are not
used. The digest of code depends on syntax trees: comments, docstrings and formatting do not change
it, nor does a module that the experiment does not use (a new method leaves the results of all other
methods current), nor the path of a module (code that is only moved keeps its results).
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
from umt_lib.data.prepare.prepared import digest
from umt_lib.data.splits import fold_of
from umt_lib.evaluation import metrics, probes
from umt_lib.methods import METHODS
from umt_lib.models import ENCODERS, HEADS, inference
from umt_lib.paths import ROOT
from umt_lib.study.experiments.params import options

LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn")
DESCRIPTION = ("title", "family", "year", "baseline")  # class attributes that affect no number


def params_key(params: dict[str, Any]) -> str:
    """Digest of a params file's contents, without ``resources``."""
    return digest({key: value for key, value in params.items() if key != "resources"})


def code_key(params: dict[str, Any]) -> str:
    """Digest of every umt_lib module that affects the numbers of this experiment."""
    return code_digest(code_files(params))


def code_files(params: dict[str, Any]) -> set[Path]:
    """The modules that :func:`code_key` is computed from."""
    made_by = [
        DATASETS[params["dataset"]["name"]],
        METHODS[params["method"]["name"]],
        HEADS[params["head"]["name"]],
        *(ENCODERS[spec["name"]] for spec in params["encoders"].values()),
        models.LateFusion,
    ]
    modules = [training, metrics, probes, inference, models, *map(inspect.getmodule, made_by)]
    starts = [file_of(module) for module in modules]
    return import_closure([*starts, ROOT / "umt_lib/study/experiments/experiment.py"])


def file_of(module: ModuleType | None) -> Path:
    """The file of a module that ``inspect.getmodule`` returned."""
    assert module is not None
    assert module.__file__ is not None
    return Path(module.__file__)


def code_digest(files: set[Path]) -> str:
    """Digest of the set of :func:`ast_digest` of these modules; their paths do not count."""
    return digest(sorted({ast_digest(file) for file in files}))


def import_closure(starts: list[Path]) -> set[Path]:
    """These modules and all umt_lib modules that they import, directly or indirectly."""
    files: set[Path] = set()
    waiting = list(starts)
    while waiting:
        file = waiting.pop()
        if file not in files:
            files.add(file)
            waiting += imported(file)
    return files


def splits(params: dict[str, Any], seed: int) -> Splits:
    """The experiment's data for a training seed, loaded once per process.

    If the ``load`` of the data set has an argument ``fold``, the seed chooses the fold.
    """
    fold = fold_of(seed) if has_folds(params["dataset"]["name"]) else None
    return _splits(json.dumps(params["dataset"]), fold)


def has_folds(dataset: str) -> bool:
    """Whether each seed has a split of its own: true for small data sets."""
    return "fold" in inspect.signature(DATASETS[dataset]).parameters


def source(params: dict[str, Any], elsewhere: str | None = None) -> str:
    """Digest of the experiment's raw data.

    The module of a data set that is downloaded may have a function ``source`` with the digest that
    loading checks the data against. Then the digest is known without the data.

    Args:
        elsewhere: the digest to return for data that is not on this machine and has no such
            function. A result whose data was prepared on a cluster can so be checked for everything
            except its data.
    """
    known = getattr(inspect.getmodule(DATASETS[params["dataset"]["name"]]), "source", None)
    if known is not None:
        return known()
    if elsewhere is not None and not available(params["dataset"]):
        return elsewhere
    return splits(params, 0).source


@cache
def _splits(dataset: str, fold: int | None) -> Splits:
    spec = json.loads(dataset)
    return load(spec["name"], **options(spec), **({} if fold is None else {"fold": fold}))


def training_key(
    params: dict[str, Any],
    seed: int,
    overrides: dict[str, Any],
    teachers: dict[str, str],
    data: str | None = None,
) -> str:
    """Digest of everything that determines one training.

    Adding a seed or a swept value leaves the other trainings current.

    Args:
        teachers: {modality: training key of its teacher}.
        data: digest of the raw data, if it is known already.
    """
    left_out = ("name", "resources", "seeds", "sweep", "learning_rate_of")
    counted = {key: value for key, value in params.items() if key not in left_out}
    rate = {field: v for field, v in overrides.items() if field == "learning_rate"}
    counted["training"] = {**params["training"], **rate}
    counted["method"] = {
        **params["method"],
        **{k: v for k, v in overrides.items() if k not in rate},
    }
    return digest(counted, seed, teachers, code_key(params), data or source(params))


@cache
def ast_digest(file: Path) -> str:
    """Digest of a module's syntax tree without the parts that affect no number.

    Left out are docstrings, functions called ``picture``, the class attributes that describe a
    method, and imports from matplotlib and umt_lib (new names given with ``as`` do count). Of the
    ``__init__.py`` of a package only the functions count: what it imports counts where it is used.
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
    """The statement, or nothing; of an import from umt_lib, only its new names (``as``)."""
    if _is_for_types(statement) or _is_for_figures(statement):
        return []
    if not _is_ours(statement):
        return [statement]
    return [alias for alias in statement.names if alias.asname]


def _describes(statement: ast.AST) -> bool:
    """Whether this statement of a class only describes a method, as ``title = ...`` does.

    A field of a dataclass, ``year: int = 5``, does not: it is an option.
    """
    if isinstance(statement, ast.AnnAssign):
        names = [statement.target] if "ClassVar" in ast.dump(statement.annotation) else []
    else:
        names = statement.targets if isinstance(statement, ast.Assign) else []
    return bool(names) and all(getattr(name, "id", "") in DESCRIPTION for name in names)


def _is_ours(node: ast.AST) -> bool:
    """Whether this is ``from umt_lib... import``, the only form of import within umt_lib."""
    return isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "umt_lib"


def _is_for_figures(node: ast.AST) -> bool:
    """Whether this is a function called ``picture`` or an import of matplotlib."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        name = getattr(node, "module", None) or node.names[0].name
        return name.split(".")[0] == "matplotlib"
    return getattr(node, "name", "") == "picture"


def _is_for_types(node: ast.AST) -> bool:
    """Whether this is ``if TYPE_CHECKING:``, which never runs."""
    return isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"


def _written(node: Any) -> str:
    """A syntax tree as text that is the same in every version of Python: ``ast.dump`` of 3.11.

    ``ast.dump`` of 3.12 adds an empty ``type_params`` to every function and class, that of 3.13
    omits empty lists. With either, results made under one version would be stale under another.
    """
    if isinstance(node, list):
        return f"[{', '.join(_written(entry) for entry in node)}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [
        f"{name}={_written(value)}"
        for name, value in ast.iter_fields(node)
        if value is not None or not hasattr(type(node), name)  # omit optional fields without value
        if (name, value) != ("type_params", [])
    ]
    return f"{type(node).__name__}({', '.join(fields)})"


# Modules, by their path in umt_lib, that affect no number: messages, checks of params files, paths,
# the format of files, figures, the report of the guide, and this module.
OUTSIDE = (
    "errors.py",
    "files.py",
    "guide/report.py",
    "paths.py",
    "style.py",
    "study/analyses/values.py",
    "study/experiments/params.py",
    "study/experiments/provenance.py",
    "study/experiments/results.py",
)


@cache
def imported(file: Path) -> tuple[Path, ...]:
    """The umt_lib modules that ``file`` imports; imports of an ``__init__.py`` are not followed."""
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
    """Where a result was made: versions of libraries and Python, device or processor, commit."""
    return {
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "commit": commit(),
    }


@cache
def _processor() -> str:
    """The name of the processor, or the architecture if the system does not report a name."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@cache
def commit(checkout: Path = ROOT) -> str:
    """The commit that is checked out, followed by "+" if files differ; "" outside a repository."""
    try:
        git = ["git", "-C", str(checkout)]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        dirty = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return (
        head.stdout.strip() + ("+" if dirty.stdout.strip() else "") if not head.returncode else ""
    )
