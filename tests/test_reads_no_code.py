"""No file that is read can run code: what could is not called, except in the places listed here."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from umt_lib.paths import ROOT

MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "code"}
CALLS = {"eval", "exec", "__import__", "os.system", "os.popen", "yaml.load"}
CALLS |= {"yaml.unsafe_load", "yaml.full_load", "pd.read_pickle", "pd.eval"}
ALLOWED = {  # (file, what): why
    ("umt_lib/data/plain_pickle.py", "import pickle"): "its unpickler looks up no name",
    ("umt_lib/data/watch.py", "np.load(allow_pickle)"): "after the digest of the file was compared",
    ("umt_lib/study/experiments/params.py", "yaml.load"): "with a subclass of the safe loader",
}


def found(text: str) -> Iterator[str]:
    """What in a module can run code that it reads."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (f"import {a.name}" for a in node.names if a.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            yield f"import {node.module}"
        elif isinstance(node, ast.Call | ast.Name | ast.Attribute):
            yield from _called(node)


def _called(node: ast.Call | ast.Name | ast.Attribute) -> Iterator[str]:
    if not isinstance(node, ast.Call):  # also partial(eval, ...) and f = yaml.load
        if (name := ast.unparse(node)) in CALLS:
            yield name
        return
    name, function = ast.unparse(node.func), node.args[0] if node.args else None
    if name.split(".")[-1] == "partial" and function is not None:
        name = ast.unparse(function)
    given = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
    if name == "np.load" and given.get("allow_pickle", False) is not False:
        yield "np.load(allow_pickle)"
    if name == "torch.load" and given.get("weights_only") is not True:
        yield "torch.load"
    if given.get("shell", False) is not False:
        yield "shell"


def test_nothing_else_can_run_what_it_reads():
    files = [
        f for part in ("umt_lib", "scripts", "benchmarks") for f in (ROOT / part).rglob("*.py")
    ]
    files += ROOT.glob("notebooks/*.py")
    assert len(files) > 200
    places = {
        (f.relative_to(ROOT).as_posix(), what) for f in files for what in found(f.read_text())
    }
    assert places == set(ALLOWED)


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "list(map(eval, texts))",
        "yaml.load(text, yaml.Loader)",
        "np.load(path, allow_pickle=True)",
        "partial(np.load, path, allow_pickle=unknown)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "subprocess.run(command, shell=True)",
        "pd.read_pickle(path)",
    ],
)
def test_what_could_run_code_is_found(text):
    assert list(found(text))


@pytest.mark.parametrize(
    "text",
    ["model.eval()", "np.load(path, allow_pickle=False)", "torch.load(path, weights_only=True)"],
)
def test_what_could_not_is_not(text):
    assert not list(found(text))
