"""umt_lib is layered: a module imports only from the layers before its own, and never in a circle.

Imports inside functions and under ``if TYPE_CHECKING`` count as well: the test reads the syntax
tree of every module and runs none.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from umt_lib.paths import ROOT

LAYERS = (  # lowest first; each path in umt_lib, a module or a package
    ("errors", "paths", "files", "style", "distributed", "ranges"),
    ("data",),
    ("models",),
    ("losses", "fused_sgd"),
    ("evaluation",),
    ("methods",),
    ("training",),
    ("guide",),
    ("study/experiments",),
    ("study/analyses",),
    ("study/pipeline",),
    ("study/report",),
)
LEVEL = {path: level for level, layer in enumerate(LAYERS) for path in layer}
APART = {"guide": ("data", "models", "methods", "training")}  # lower, and still not imported
ENTRY_POINTS = ("__main__.py",)  # may import anything
INDICES = ("__init__.py", "study/__init__.py")  # above all layers: import nothing of ours


class Library:
    """The modules below a folder that holds umt_lib, and which of them import which."""

    def __init__(self, root: Path):
        self.root = root / "umt_lib"
        self.trees = {
            file.relative_to(self.root).as_posix(): ast.parse(file.read_text(encoding="utf-8"))
            for file in sorted(self.root.rglob("*.py"))
        }

    def imports(self, path: str) -> set[str]:
        """The modules that ``path`` imports by name; of a package its ``__init__.py``.

        That Python also runs the ``__init__.py`` of every folder on the way to a module is left
        out: a package's index may name the package's modules.
        """
        return {
            self._module(node.module, alias.name)
            for node in ast.walk(self.trees[path])
            if isinstance(node, ast.ImportFrom) and _is_ours(node.module) and not node.level
            for alias in node.names
        }

    def _module(self, package: str, name: str) -> str:
        base = "/".join(package.split(".")[1:])
        within = f"{base}/" if base else ""
        for path in (f"{within}{name}.py", f"{within}{name}/__init__.py", f"{base}.py"):
            if path in self.trees:
                return path
        return f"{within}__init__.py"

    def missing(self) -> list[str]:
        """Imports of modules that do not exist."""
        return [
            f"{path} -> {target}: there is no such file"
            for path in self.trees
            for target in self.imports(path)
            if target not in self.trees
        ]

    def without_layer(self) -> list[str]:
        """Modules whose layer is not told in LAYERS."""
        return [
            f"{path}: has no layer; move it into a package, or name it in LAYERS of this test"
            for path in self.trees
            if path not in (*ENTRY_POINTS, *INDICES) and _part(path) is None
        ]

    def upward(self) -> list[str]:
        """Imports that leave the order of the layers."""
        found = []
        for path in self.trees.keys() - set(ENTRY_POINTS):
            part = _part(path)
            for target in self.imports(path):
                to = _part(target)
                if part is None or to is None:
                    found.append(f"{path} -> {target}: an index or entry point, import the module")
                elif to in APART.get(part, ()):
                    found.append(f"{path} -> {target}: {part} stands apart from {to}")
                elif part != to and LEVEL[to] > LEVEL[part]:
                    found.append(f"{path} -> {target}: {part} is below {to}")
        return sorted(found)

    def circles(self) -> list[str]:
        """Every circle that a walk along the imports meets, as ``a.py -> b.py -> a.py``."""
        found, finished = [], set()

        def walk(path: str, way: list[str]) -> None:
            if path in way:
                found.append(" -> ".join([*way[way.index(path) :], path]))
            elif path in self.trees and path not in finished:
                for target in sorted(self.imports(path)):
                    walk(target, [*way, path])
                finished.add(path)

        for path in self.trees:
            walk(path, [])
        return found

    def other_forms(self) -> list[str]:
        """Imports of umt_lib in another form than ``from umt_lib... import name``."""
        found = []
        for path, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    wrong = any(_is_ours(alias.name) for alias in node.names)
                elif isinstance(node, ast.ImportFrom):
                    star = _is_ours(node.module) and node.names[0].name == "*"
                    wrong = bool(node.level) or star
                else:
                    continue
                if wrong:
                    found.append(
                        f"{path}, line {node.lineno}: `{ast.unparse(node)}`; write "
                        "`from umt_lib... import name`, the form that provenance.py follows"
                    )
        return found


def _is_ours(module: str | None) -> bool:
    return (module or "").split(".")[0] == "umt_lib"


def _part(path: str) -> str | None:
    """The entry of LAYERS that the module lies in; None for none."""
    inside = path.removesuffix(".py")
    return next((p for p in LEVEL if inside == p or inside.startswith(f"{p}/")), None)


@pytest.fixture(scope="module")
def library() -> Library:
    return Library(ROOT)


def none_of(found: list[str]) -> None:
    assert not found, "\n" + "\n".join(found)


def test_every_module_has_a_layer_and_every_import_a_file(library):
    none_of(library.without_layer() + library.missing())


def test_modules_import_only_from_the_layers_before_theirs(library):
    none_of(library.upward())


def test_modules_import_each_other_in_no_circle(library):
    none_of(library.circles())


def test_modules_of_ours_are_imported_in_one_form(library):
    none_of(library.other_forms())


def made(folder: Path, modules: dict[str, str]) -> Library:
    """A library of these modules, {path: text}."""
    for path, text in modules.items():
        file = folder / "umt_lib" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Library(folder)


@pytest.mark.parametrize(
    ("where", "text", "found"),
    [
        ("data/a.py", "from umt_lib.models import b", "data is below models"),
        (
            "data/a.py",
            "def f():\n    from umt_lib.study.report import b",
            "data is below study/rep",
        ),
        (
            "data/a.py",
            "if TYPE_CHECKING:\n    from umt_lib.training import fit",
            "data is below tra",
        ),
        ("errors.py", "from umt_lib.data.a import c", "errors is below data"),
        ("guide/a.py", "from umt_lib.data import a", "guide stands apart from data"),
        ("study/analyses/a.py", "from umt_lib.study.pipeline import b", "analyses is below study"),
        ("methods/a.py", "from umt_lib import fit", "an index or entry point"),
        ("study/report/a.py", "from umt_lib.__main__ import main", "an index or entry point"),
    ],
)
def test_an_import_from_a_layer_above_is_found(tmp_path, where, text, found):
    (line,) = made(tmp_path, {where: text}).upward()
    assert line.startswith(f"{where} -> ")
    assert found in line


def test_imports_from_layers_below_and_of_entry_points_are_allowed(tmp_path):
    modules = {
        "data/a.py": "from umt_lib.errors import StudyError\nfrom umt_lib.data import b\nimport os",
        "study/report/a.py": "from umt_lib.data import a",
        "__main__.py": "from umt_lib.study.report import a",
    }
    library = made(tmp_path, modules)
    assert not library.upward() + library.circles() + library.other_forms()


def test_a_circle_is_found(tmp_path):
    modules = {
        "data/a.py": "from umt_lib.data import b",
        "data/b.py": "def f():\n    from umt_lib.data.c import x",
        "data/c.py": "from umt_lib.data.a import y",
    }
    assert made(tmp_path, modules).circles() == ["data/a.py -> data/b.py -> data/c.py -> data/a.py"]


def test_a_circle_through_a_package_s_index_is_found(tmp_path):
    modules = {
        "data/__init__.py": "from umt_lib.data import a",
        "data/a.py": "from umt_lib.data import X",
    }
    assert made(tmp_path, modules).circles() == [
        "data/__init__.py -> data/a.py -> data/__init__.py"
    ]


@pytest.mark.parametrize(
    "text", ["import umt_lib.data", "from . import b", "from umt_lib.data import *"]
)
def test_another_form_of_import_is_found(tmp_path, text):
    (line,) = made(tmp_path, {"data/a.py": text}).other_forms()
    assert line.startswith(f"data/a.py, line 1: `{text}`")


def test_a_module_outside_the_layers_is_found(tmp_path):
    (line,) = made(tmp_path, {"data/a.py": "", "plots.py": ""}).without_layer()
    assert line.startswith("plots.py: has no layer")
