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

hidden = {*json.loads(sys.argv[1])}

class Finder:  # finds what another finds, without the hidden packages
    def __init__(self, other):
        self.other = other

    def __getattr__(self, name):
        return getattr(self.other, name)

    def find_spec(self, name, *place):
        return None if name.partition(".")[0] in hidden else self.other.find_spec(name, *place)

sys.meta_path[:] = map(Finder, sys.meta_path)
sys.path.insert(0, sys.argv[2])

import umt_lib, umt_lib.methods, umt_lib.training, umt_lib.guide
from umt_lib import DATASETS, METHODS, recommend
assert umt_lib.__file__.startswith(sys.argv[2]), umt_lib.__file__
splits = {name: DATASETS[name]() for name in ("digit-halves", "furniture", "synthetic")}
print(json.dumps([recommend.__module__, len(METHODS), *(len(s.train) for s in splits.values())]))
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


def test_it_has_every_file_of_the_library_and_nothing_else(wheel):
    files = {file for file in (ROOT / "umt_lib").rglob("*") if file.is_file()}
    library = {f.relative_to(ROOT).as_posix() for f in files if "__pycache__" not in f.parts}
    about = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info/"
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if not name.startswith(about)} == library


def test_the_library_needs_no_other_package(wheel, tmp_path):
    target = tmp_path / "target"
    options = ["--no-deps", "--no-index", "--quiet", "--target", target]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, wheel], check=True)
    allowed = required(PROJECT["dependencies"])
    hidden = {
        module
        for module, names in metadata.packages_distributions().items()
        if not {normal(name) for name in names} & (allowed | {"umt-lib"})
    }
    assert {"torchvision", "jupyterlab", "papermill", "snakemake", "IPython", "plotly"} <= hidden
    assert not {"torch", "numpy", "sklearn", "pydantic", "typing_extensions"} & hidden
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", LIBRARY, json.dumps(sorted(hidden)), target],
        cwd=tmp_path, env=clean, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    module, methods, *samples = json.loads(done.stdout)
    assert module == "umt_lib.guide.recommend"
    assert methods > 20
    assert min(samples) > 100  # two of these data sets are files of the wheel, or of scikit-learn
