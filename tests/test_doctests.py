"""The examples in docstrings show what the functions return."""

from __future__ import annotations

import doctest
import importlib

import pytest

from umt_lib.paths import ROOT

PROMPT = ">>> "
FILES = sorted(f for f in (ROOT / "umt_lib").rglob("*.py") if PROMPT in f.read_text("utf-8"))
MODULES = [".".join(f.relative_to(ROOT).with_suffix("").parts) for f in FILES]


@pytest.mark.parametrize("module", [name.removesuffix(".__init__") for name in MODULES])
def test_the_examples_of_a_module_are_true(module):
    outcome = doctest.testmod(importlib.import_module(module))
    assert outcome.attempted > 0, f"{module}: {PROMPT!r} is in no docstring that doctest reads"
    assert outcome.failed == 0, f"{module}: see the captured output"
