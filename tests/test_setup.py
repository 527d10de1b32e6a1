"""The files a fresh machine is set up from agree with each other."""

import os
import re
import subprocess
import sysconfig
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from umt_lib.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {k: v for k, v in PROJECT["optional-dependencies"].items() if k != "all"}
REQUIREMENTS = [*map(Requirement, chain(PROJECT["dependencies"], *EXTRAS.values()))]
CONDA_NAMES = {
    "matplotlib-base": "matplotlib",
    "pytorch": "torch",
    "snakemake-minimal": "snakemake",
}


@pytest.fixture(scope="module")
def conda() -> list:
    """The dependencies of environment.yml."""
    return yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]


def test_every_dependency_is_listed_once():
    names = [requirement.name for requirement in REQUIREMENTS]
    assert len(names) == len(set(names))


def test_all_names_every_extra_but_the_cluster_s():
    (everything,) = map(Requirement, PROJECT["optional-dependencies"]["all"])
    assert everything.extras == EXTRAS.keys() - {"slurm"}


def test_the_constraints_pin_every_dependency_within_its_range():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines]
    for requirement in REQUIREMENTS:
        found = [pin for pin in pins if pin.name == requirement.name]
        assert found, requirement
        for pin in found:
            (exact,) = pin.specifier
            assert exact.operator == "==", pin
            assert requirement.specifier.contains(exact.version), (pin, requirement)


def test_conda_packages_have_the_ranges_of_pyproject(conda):
    ranges = {r.name: r.specifier for r in REQUIREMENTS}
    for line in conda[2:-1]:
        requirement = Requirement(line)  # conda's notation of a range is that of pip
        name = CONDA_NAMES.get(requirement.name, requirement.name)
        assert requirement.specifier == ranges[name], line


def test_conda_pins_python_to_a_minor_and_ends_with_pip(conda):
    assert re.fullmatch(r"python=3\.\d+", conda[0])
    version = conda[0].removeprefix("python=")
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(f"{version}.0")
    assert conda[1] == "pip"
    assert conda[-1] == {"pip": ["-e .[all]"]}


def test_make_alone_prints_every_verb():
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"\.PHONY: (.*)", makefile).group(1).split())
    alone = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    command = ["make", "--no-print-directory"]  # also where `make test` is what runs this
    printed = subprocess.check_output(command, cwd=ROOT, text=True, env=alone)
    assert {line.split()[0] for line in printed.splitlines()} == phony
    assert all(len(line.split()) > 3 for line in printed.splitlines())


def test_every_hook_is_a_program_of_the_environment():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert {hook["language"] for hook in hooks} == {"system"}  # nothing to download
    programs = [hook["entry"].split()[0] for hook in hooks]
    assert {"end-of-file-fixer", "check-yaml", "ruff", "mypy"} <= {Path(p).name for p in programs}
    for program in programs:
        assert program.startswith(".venv/bin/")
        assert (Path(sysconfig.get_path("scripts")) / Path(program).name).exists(), program


def test_an_old_python_is_refused_in_one_sentence(tmp_path):
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n')
    old.chmod(0o755)
    done = subprocess.run(
        ["sh", "scripts/setup.sh"], cwd=ROOT, env={"PYTHON": str(old), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("setup: Python 3.9.2 is too old; name 3.11 or newer")


FAKE = """#!/bin/sh
# a Python that makes environments with copies of itself, and notes what they install
case "$*" in
--version*) echo Python 3.MINOR.0 ;;
-c*exit*) exit $((MINOR < 11)) ;;
-c*) echo 3 MINOR ;;
"-m venv "*)
    copy=$(cat "$0")
    [ "$3" != --clear ] || rm -rf .venv/*
    mkdir -p .venv/bin
    echo "$copy" >.venv/bin/python
    printf '#!/bin/sh\\n' >.venv/bin/jupytext-config
    chmod +x .venv/bin/*
    ;;
*" uv")
    UV || exit 1
    printf '#!/bin/sh\\necho "$@" >>installed\\n' >.venv/bin/uv
    chmod +x .venv/bin/uv
    ;;
*) echo "$@" >>installed ;;
esac
"""


@pytest.mark.parametrize(
    ("uv", "cpu"),
    [
        ("true", "--torch-backend cpu"),
        ("false", "--extra-index-url https://download.pytorch.org/whl/cpu"),
    ],
)
def test_another_python_or_torch_makes_the_environment_anew_and_is_kept(tmp_path, uv, cpu):
    study, programs = tmp_path / "my study", tmp_path / "bin"
    (study / "scripts").mkdir(parents=True)
    for file in ("scripts/setup.sh", "pyproject.toml", "constraints.txt"):
        (study / file).write_bytes((ROOT / file).read_bytes())
    programs.mkdir()
    for name, minor in (("python3", "9"), ("python3.11", "11"), ("python3.12", "12")):
        fake = FAKE.replace("MINOR", minor).replace("UV", uv)
        (programs / name).write_text(fake)
        (programs / name).chmod(0o755)

    def setup(**given: str) -> tuple[str, str]:
        """Whether and how the packages are installed, and the Python that has them."""
        (study / "installed").unlink(missing_ok=True)
        env = {"PATH": f"{programs}:/usr/bin:/bin", **given}
        subprocess.run(["sh", "scripts/setup.sh"], cwd=study, env=env, check=True)
        note = study / "installed"
        how = note.read_text().partition(" -c constraints.txt")[2].strip() if note.exists() else "-"
        version = subprocess.check_output([study / ".venv/bin/python", "--version"], text=True)
        return how, version.split(".")[1]

    assert setup(PYTHON="python3.11") == ("", "11")
    assert setup() == ("-", "11")  # though python3 is too old
    assert setup(TORCH_BACKEND="cpu") == (cpu, "11")
    assert setup() == ("-", "11")
    assert setup(PYTHON="python3.12") == (cpu, "12")
    assert setup(PYTHON="python3.12", TORCH_BACKEND="cpu") == ("-", "12")


def test_the_citation_names_the_seed_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    (paper,) = citation["references"]
    assert [a["family-names"] for a in paper["authors"]][::7] == ["Du", "Zhao"]
    assert (paper["volume"], paper["start"], paper["end"]) == (202, 8632, 8656)


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## \[(.*)\] - ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert PROJECT["version"] == citation["version"] == newest.group(1)
