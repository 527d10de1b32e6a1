"""CONTRIBUTING.md names the layers and the modules that exist; test_new.py walks its lists."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from test_layers import LAYERS

from umt_lib.data import DATASETS
from umt_lib.data.prepare.__main__ import RECIPES
from umt_lib.methods import METHODS
from umt_lib.paths import ROOT

LIBRARY = ROOT / "umt_lib"


def section(title: str) -> str:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


NAMED = set(re.findall(r"(?<![\w*])\w+\.py\b", section("The tree")))
FOLDERS = {word.rstrip("/") for word in section("The tree").split() if word.endswith("/")}


def test_the_layers_are_those_of_the_layer_test_in_its_order():
    cells = re.findall(r"(?m)^\| (`.*?) \|", section("Layers"))
    assert [tuple(re.findall(r"`([\w/]+)`", cell)) for cell in cells] == [*LAYERS]


def is_named_as_a_group(file: Path) -> bool:
    """Methods, data sets, recipes, and what belongs to one analysis or one page."""
    of_registries = {
        sys.modules[o.__module__].__file__ for o in (*DATASETS.values(), *METHODS.values())
    }
    recipes = {str(ROOT / f"{module.replace('.', '/')}.py") for module in RECIPES.values()}
    report = (f"report/*_{kind}.py" for kind in ("figure", "figures", "text", "page", "pages"))
    groups = ("analyses/*/*.py", *report, "__init__.py")
    return str(file) in of_registries | recipes or any(file.match(group) for group in groups)


def test_the_tree_names_every_module_and_package():
    files = sorted(LIBRARY.rglob("*.py"))
    missing = [f.name for f in files if f.name not in NAMED and not is_named_as_a_group(f)]
    assert not missing, "add them to the tree in CONTRIBUTING.md"
    assert {f.parent.name for f in files} <= FOLDERS


def test_everything_that_the_tree_names_exists():
    files = {f.name for folder in (LIBRARY, ROOT / "notebooks") for f in folder.rglob("*.py")}
    folders = {f.name for f in (*ROOT.iterdir(), *LIBRARY.rglob("*")) if f.is_dir()}
    assert files >= NAMED
    assert folders | {"runs", "analyses"} >= FOLDERS
