"""Digests of code change with the syntax trees of the modules that an experiment uses."""

from __future__ import annotations

import ast
import inspect
import re
import sys

import pytest

from umt_lib import paths
from umt_lib.methods import METHODS
from umt_lib.paths import ROOT
from umt_lib.study.experiments import provenance
from umt_lib.study.experiments.provenance import (
    ast_digest,
    code_digest,
    code_key,
    digest,
    imported,
    params_key,
    training_key,
)
from umt_lib.study.pipeline import publish

SOURCE = '''"""Says what."""

from math import exp


def gain(x, power=2):
    """Doc."""
    # why
    return exp(x) + power * x


class Thing:
    """Doc."""

    rate = 0.5

    def picture(self):
        return 1
'''


@pytest.fixture
def digest_of(tmp_path):
    """ast_digest() of a text; every text in a file of its own."""
    count = iter(range(100))

    def of(text: str, name: str = "") -> str:
        folder = tmp_path / str(next(count))
        folder.mkdir()
        path = folder / (name or "module.py")
        path.write_text(text)
        return ast_digest(path)

    return of


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Says what."""', '"""Says it otherwise."""'),
        ('"""Says what."""', ""),
        ('    """Doc."""\n    # why', "    # because"),
        ("exp(x) + power * x", "(\n        exp(x)  # e\n        + power * x\n    )"),
        ("        return 1", "        return 2"),  # a picture decides no number
        ("rate = 0.5", "rate = .5"),
    ],
)
def test_words_and_formatting_do_not_count(digest_of, old, new):
    assert old in SOURCE
    assert digest_of(SOURCE.replace(old, new)) == digest_of(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("exp(x) + power", "exp(x) - power"),
        ("power=2", "power=3"),
        ("rate = 0.5", "rate = 0.25"),
        ("from math import exp", "from math import expm1 as exp"),
        ("def gain", "def loss"),
    ],
)
def test_operators_constants_and_names_count(digest_of, old, new):
    assert old in SOURCE
    assert digest_of(SOURCE.replace(old, new)) != digest_of(SOURCE)


@pytest.mark.parametrize("name", provenance.DESCRIPTION)
def test_what_a_method_is_called_does_not_count_and_its_other_attributes_do(digest_of, name):
    """Only in the body of a class, and no field of a dataclass: that is an option."""

    def method(line: str) -> str:
        return f'class M:\n    """Doc."""\n\n    {line}\n    rate: float = 0.5\n'

    plain = digest_of(method("pass").replace("    pass\n", ""))
    ignored = [f"{name} = 1", f"{name} = 2", f"{name}: ClassVar[int]", f"{name}: ClassVar = 3"]
    assert {digest_of(method(line)) for line in ignored} == {plain}
    counted = [f"{name}: int = 1", f"{name}: int = 2", f"{name}s = 1", f"{name}s = 2"]
    assert len({plain, *(digest_of(method(line)) for line in counted)}) == 5
    assert digest_of(f"{name} = 1") != digest_of(f"{name} = 2")
    in_function = "def f(x):\n    {} = {}\n    return x\n"
    assert digest_of(in_function.format(name, 1)) != digest_of(in_function.format(name, 2))


def test_the_path_of_a_module_does_not_count_and_a_new_name_of_an_import_does(digest_of):
    """A moved module leaves results current; another function under the old name does not."""
    inside = "def f(x):\n    from umt_lib.{} import loss\n    return x\n"
    text = "from umt_lib.{} import gain\n\n\n" + inside
    assert digest_of(text.format("a", "b")) == digest_of(text.format("a.c", "d"))
    assert digest_of(text.format("a", "b")) == digest_of("def f(x):\n    return x\n")
    renamed, plain = (f"from umt_lib.a import {what}\n" for what in ("loss as gain", "gain"))
    assert digest_of(renamed) != digest_of(plain)
    for_types = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    {}\n"
    one, other = (for_types.format(line) for line in ("from a import B", "import c"))
    assert digest_of(one) == digest_of(other)


def test_moved_modules_have_the_digest_of_code_they_had(tmp_path):
    """The set of digests counts: neither paths nor the number of modules with one digest."""
    old, new = tmp_path / "metrics.py", tmp_path / "evaluation" / "intervals.py"
    new.parent.mkdir()
    for path in (old, new):
        path.write_text(SOURCE)
    assert code_digest({old}) == code_digest({new}) == code_digest({old, new})
    other = tmp_path / "other.py"
    other.write_text(SOURCE.replace("rate = 0.5", "rate = 0.6"))
    assert len({code_digest(files) for files in ({old}, {other}, {old, other})}) == 3


def test_modules_that_do_not_count_are_named_by_their_path(tmp_path, monkeypatch):
    """A second report.py somewhere counts; every path named is a module that is there."""
    assert all((ROOT / "umt_lib" / path).is_file() for path in provenance.OUTSIDE)
    package = tmp_path / "umt_lib"
    (package / "data").mkdir(parents=True)
    for name in ("errors.py", "data/errors.py", "start.py"):
        (package / name).write_text("")
    lines = "from umt_lib.errors import A\nfrom umt_lib.data.errors import B\n"
    (package / "start.py").write_text(lines)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert imported(package / "start.py") == (package / "data/errors.py",)


def test_every_published_result_measured_what_publish_wrote_down():
    """So a commit that renews digests of code, and leaves measured.csv, changed no number."""
    for name, content in publish.tables(paths.PUBLISHED).items():
        if name.endswith(".csv"):
            assert (paths.PUBLISHED / name).read_bytes() == content, name


def test_of_an_init_file_the_functions_count_and_the_list_does_not(digest_of):
    index = "from a import A\n\nALL = {'a': A}\n\n\ndef build(x):\n    return ALL[x]\n"
    longer = index.replace("import A\n", "import A\nfrom b import B\n").replace("A}", "A, 'b': B}")
    assert digest_of(longer, "__init__.py") == digest_of(index, "__init__.py")
    other = index.replace("ALL[x]", "ALL[x]()")
    assert digest_of(other, "__init__.py") != digest_of(index, "__init__.py")


def test_the_digest_of_code_is_the_same_in_all_versions_of_python(digest_of, monkeypatch):
    """Python 3.12 and later give functions and classes one more field, mostly empty."""
    with_all = (
        SOURCE
        + """
async def g(*a: int, k=None, **b) -> str:
    return f"{a!r:>{k}}" if b else b"x"
"""
    )
    here = digest_of(with_all)
    assert here == "cd2c9825b7d7ddee19efeca12e05e8bc42a18782102d8ae7e0076de5e27fabc9"
    for kind in (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef):
        if "type_params" not in kind._fields:
            monkeypatch.setattr(kind, "_fields", (*kind._fields, "type_params"))
            monkeypatch.setattr(kind, "type_params", [], raising=False)
    assert digest_of(with_all) == here


@pytest.fixture
def key_after(monkeypatch, params):
    """code_key of a method's experiment as if the file ``edited`` had another content."""
    real = provenance.ast_digest

    def key(method: str, edited: str = "", **changes) -> str:
        with monkeypatch.context() as patch:
            target = ROOT / "umt_lib" / edited
            assert not edited or target.is_file()
            patch.setattr(provenance, "ast_digest", lambda f: "new" if f == target else real(f))
            return code_key({**params, "method": {"name": method}, **changes})

    return key


def importing(module: str) -> set[str]:
    """The methods whose module, or that of a class they derive from, imports ``module``.

    So a method that is added later need not be added to the sets below.
    """
    statement = re.compile(rf"^from {re.escape(module)} import ", re.MULTILINE)

    def found(method: type) -> bool:
        modules = {
            cls.__module__ for cls in method.__mro__ if cls.__module__.startswith("umt_lib.")
        }
        return any(statement.search(inspect.getsource(sys.modules[name])) for name in modules)

    return {name for name, method in METHODS.items() if found(method)}


@pytest.mark.parametrize(
    ("edited", "touched"),
    [
        ("__init__.py", set()),  # the index: a new method leaves all results as they are
        ("umt.py", {"umt", "umt-subspace", "g2d"}),
        ("ume.py", {"ume"}),
        ("joint.py", {"joint", "joint-longer"}),
        ("unimodal_init.py", {"unimodal-init", "frozen", "mmlora", "ume-mma"}),
        ("frozen.py", {"frozen", "mmlora"}),
        (
            "common.py",
            {"ogm", "ogm-ge", "opm", "mlb", "pmr", "lfm", "mcr", "mla", "di-mml", "agm", "dus"}
            | {"sustained-boosting"},  # by way of MLA
        ),
        ("base.py", set(METHODS)),
    ],
)
def test_a_methods_file_makes_its_own_results_stale_and_no_others(key_after, edited, touched):
    changed = {n for n in METHODS if key_after(n, f"methods/{edited}") != key_after(n)}
    assert changed == touched | importing(f"umt_lib.methods.{edited.removesuffix('.py')}")


def test_a_change_of_the_shared_losses_counts_for_the_methods_that_use_them(key_after):
    changed = {n for n in METHODS if key_after(n, "losses.py") != key_after(n)}
    users = {"umt", "umt-subspace", "g2d", "lfm", "mcr", "di-mml", "pmr", "mla"}
    users |= {"sustained-boosting"}  # by way of MLA
    assert changed == users | importing("umt_lib.losses")


@pytest.mark.parametrize(
    "edited",
    [
        "training.py",
        "study/experiments/experiment.py",
        "evaluation/metrics.py",
        "evaluation/probes.py",
        "models/inference.py",
        "data/splits.py",
        "data/synthetic.py",
        "models/late_fusion.py",
        "models/heads.py",
        "models/encoders.py",
        "models/__init__.py",
    ],
)
def test_what_every_experiment_uses_counts_for_all(key_after, edited):
    assert all(key_after(name, edited) != key_after(name) for name in METHODS)


@pytest.mark.parametrize(
    "edited", ["errors.py", "paths.py", "study/experiments/results.py", "data/watch.py"]
)
def test_what_decides_no_number_counts_for_none(key_after, edited):
    assert all(key_after(name, edited) == key_after(name) for name in METHODS)


def test_another_data_set_is_another_file(key_after):
    watch = {"dataset": {"name": "watch"}}
    assert key_after("joint", "data/watch.py", **watch) != key_after("joint", **watch)
    assert key_after("joint", "data/synthetic.py", **watch) == key_after("joint", **watch)


def test_imports_are_found_in_every_form():
    found = {
        path.relative_to(ROOT / "umt_lib").as_posix()
        for path in imported(ROOT / "umt_lib/training.py")
    }
    wanted = {"data/splits.py", "models/inference.py", "methods/base.py", "evaluation/probes.py"}
    assert wanted <= found
    assert "errors.py" not in found


def test_one_training_is_decided_by_everything_but_names_seeds_and_sweeps(params):
    base = training_key(params, 0, {}, {})
    same = {"name": "other", "seeds": [5], "sweep": {"weight": [1, 2]}}
    assert training_key({**params, **same}, 0, {}, {}) == base
    changed = [
        training_key(params, 1, {}, {}),
        training_key(params, 0, {"weight": 2.0}, {}),
        training_key(params, 0, {}, {"a": "another teacher"}),
        training_key({**params, "training": {"epochs": 4}}, 0, {}, {}),
        training_key({**params, "head": {"name": "mlp"}}, 0, {}, {}),
        training_key({**params, "dataset": {**params["dataset"], "noise": 0.4}}, 0, {}, {}),
    ]
    assert len({base, *changed}) == 7


def test_a_swept_value_is_the_same_training_as_one_written_in_the_file(params):
    swept = training_key({**params, "method": {"name": "umt"}}, 0, {"weight": 2.0}, {})
    written = training_key({**params, "method": {"name": "umt", "weight": 2.0}}, 0, {}, {})
    assert swept == written


def test_the_data_counts_by_its_bytes(params, monkeypatch):
    from dataclasses import replace

    before = training_key(params, 0, {}, {})
    splits = provenance.splits(params, 0)
    assert provenance.splits(dict(params), 5) is splits  # fold 0 again
    monkeypatch.setattr(provenance, "splits", lambda p, seed: replace(splits, source="other bytes"))
    assert training_key(params, 0, {}, {}) != before


def test_digest_ignores_the_order_of_keys_and_nothing_else():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert len({digest([1, 2]), digest([2, 1]), digest("12"), digest(1, 2), digest([1], [2])}) == 5


def test_the_environment_names_what_a_reader_would_ask(params):
    import torch

    found = provenance.environment(torch.device("cpu"))
    assert found["libraries"]["torch"] == torch.__version__.split("+")[0]
    assert set(found) == {"libraries", "python", "device", "commit"}
    assert found["device"]


def test_an_estimate_of_the_time_makes_no_result_stale(params):
    estimated = {**params, "resources": {"gpu_hours": 3}}
    assert params_key(estimated) == params_key(params)
    assert training_key(estimated, 0, {}, {}) == training_key(params, 0, {}, {})
    assert params_key({**params, "seeds": [7]}) != params_key(params)
