"""The examples in the docstrings of these packages show what the functions return."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

PACKAGES = (
    "umt_lib.losses",
    "umt_lib.evaluation",
    "umt_lib.guide",
    "umt_lib.study.analyses.batched",
    "umt_lib.study.analyses.regime_map",
)


def modules() -> list[str]:
    """These modules and all that are in them; a ``__main__`` runs a command when imported."""
    found = [*PACKAGES]
    for package in map(importlib.import_module, PACKAGES):
        inside = pkgutil.iter_modules(getattr(package, "__path__", ()), f"{package.__name__}.")
        found += [module.name for module in inside if not module.name.endswith(".__main__")]
    return found


@pytest.mark.parametrize("module", modules())
def test_the_examples_of_a_module_are_true(module):
    outcome = doctest.testmod(importlib.import_module(module))
    assert outcome.failed == 0, f"{module}: see the captured output"


@pytest.mark.parametrize("package", PACKAGES)
def test_there_are_examples(package):
    finder = doctest.DocTestFinder()
    names = [m for m in modules() if m.startswith(package)]
    found = [test for m in names for test in finder.find(importlib.import_module(m))]
    assert sum(len(test.examples) for test in found) > 0
