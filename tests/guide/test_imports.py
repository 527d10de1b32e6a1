"""The guide is light to import and depends on nothing of the study."""

from __future__ import annotations

import json
import subprocess
import sys

BUDGET = 20  # modules of umt_lib behind ``import umt_lib.guide``
HEAVY = ("torchvision", "torchaudio", "h5py", "pydantic", "snakemake", "papermill")
BELOW = ("errors", "paths", "files", "style", "evaluation")  # all that the guide may import
EVERY_MODULE = """
import importlib, pkgutil
for found in pkgutil.iter_modules(umt_lib.guide.__path__, "umt_lib.guide."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
"""


def loaded(statements: str = "") -> set[str]:
    """The modules of a fresh process after ``import umt_lib.guide`` and ``statements``."""
    code = f"import json, sys, umt_lib.guide\n{statements}\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def ours(modules: set[str]) -> list[str]:
    return sorted(name for name in modules if name.split(".")[0] == "umt_lib")


def test_importing_the_guide_loads_few_modules_of_ours_and_no_heavy_library():
    modules = loaded()
    assert len(ours(modules)) <= BUDGET, f"{len(ours(modules))}: {', '.join(ours(modules))}"
    assert not modules & set(HEAVY)


def test_every_module_of_the_guide_needs_evaluation_and_the_ground_only():
    modules = loaded(EVERY_MODULE)
    assert "umt_lib.guide.command" in modules
    allowed = {"umt_lib", *(f"umt_lib.{name}" for name in (*BELOW, "guide"))}
    others = [m for m in ours(modules) if ".".join(m.split(".")[:2]) not in allowed]
    assert not others, f"the guide imports {', '.join(others)}"
    assert not modules & set(HEAVY)
