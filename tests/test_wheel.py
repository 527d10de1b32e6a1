"""The wheel: the library works with the packages that it requires, and with no other."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from umt_lib.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LIBRARY = """
import json, sys
blocked = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(blocked))  # to import one of them is an error
sys.path.insert(0, sys.argv[2])

import umt_lib, umt_lib.methods, umt_lib.training, umt_lib.guide
from umt_lib import DATASETS, METHODS, recommend
assert umt_lib.__file__.startswith(sys.argv[2]), umt_lib.__file__
splits = {name: DATASETS[name]() for name in ("digit-halves", "furniture", "synthetic")}
train = splits["digit-halves"].train
features = {m: x[:80].flatten(1).numpy() for m, x in train.x.items()}
found = recommend(features, train.y[:80].numpy() % 2)
print(json.dumps([found.verdict, len(METHODS)]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built without a network from a copy of what it is made of."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "umt_lib", source / "umt_lib", ignore=shutil.ignore_patterns("__py*"))
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "-w", folder]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, source], check=True)
    (made,) = folder.glob("umt_lib-*.whl")
    return made


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required(lines: Iterable[str]) -> set[str]:
    """The distributions that these requirements bring, with those that they require in turn."""
    found: set[str] = set()
    waiting = [(Requirement(line), "") for line in lines]
    while waiting:
        requirement, extra = waiting.pop()
        name = normal(requirement.name)
        if name in found or (
            requirement.marker and not requirement.marker.evaluate({"extra": extra})
        ):
            continue
        try:
            more = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # of another platform
            continue
        found.add(name)
        waiting += [(Requirement(line), e) for line in more for e in ("", *requirement.extras)]
    return found


def test_it_has_every_file_of_the_library(wheel):
    tracked = {
        p for p in (ROOT / "umt_lib").rglob("*") if p.is_file() and "__pycache__" not in str(p)
    }
    names = zipfile.ZipFile(wheel).namelist()
    assert {p.relative_to(ROOT).as_posix() for p in tracked} <= {*names}
    assert not [
        n for n in names if n.split("/")[0] not in ("umt_lib", wheel.name[:-16] + ".dist-info")
    ]


def test_the_library_needs_no_other_package(wheel, tmp_path):
    target = tmp_path / "target"
    options = ["--no-deps", "--no-index", "--quiet", "--target", target]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, wheel], check=True)
    allowed = required(PROJECT["dependencies"])
    blocked = {
        module
        for module, names in metadata.packages_distributions().items()
        if not {normal(name) for name in names} & (allowed | {"umt-lib"})
    }
    assert {"torchvision", "jupyterlab", "papermill", "snakemake", "IPython", "plotly"} <= blocked
    assert not {"torch", "numpy", "sklearn", "pydantic", "typing_extensions"} & blocked
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", LIBRARY, json.dumps(sorted(blocked)), target],
        cwd=tmp_path, env=clean, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    verdict, methods = json.loads(done.stdout)
    assert verdict
    assert methods > 20
