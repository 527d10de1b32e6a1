"""``umt new`` in a copy of the repository: only the test that looks for marks fails afterwards."""

from __future__ import annotations

import inspect
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from umt_lib.data import DATASETS
from umt_lib.errors import StudyError
from umt_lib.methods import METHODS
from umt_lib.paths import PARAMS, ROOT
from umt_lib.study.pipeline import new
from umt_lib.study.pipeline.new_files import (
    AVAILABILITY,
    COMPARED,
    MARKER,
    Files,
    Sweep,
    left,
    module_name,
)

METHOD = ["method", "label-smoothing", "--like", "joint-linear", "--sweep", "smoothing=0.1,0.2"]
DATASET = ["dataset", "gestures", "--like", "watch"]
ONE_EPOCH = ["--set", "training.epochs=1", "--set", "seeds=[0]", "--device", "cpu"]
FOLDERS = ("umt_lib", "book", "notebooks", "params", "tests", "benchmarks")
FILES = ("pyproject.toml", "README.md", "CONTRIBUTING.md")


class Copy(NamedTuple):
    """The repository after both commands."""

    root: Path
    before: dict[str, bytes]
    after: dict[str, bytes]
    written: dict[str, set[str]]  # {"method": paths of new and changed files, "dataset": ...}
    printed: dict[str, str]

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python there, with the library that lies there."""
        environment = {**os.environ, "PYTHONPATH": str(self.root), "UMT_RUNS": "runs"}
        environment["OMP_NUM_THREADS"] = "1"
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True
        )

    def umt(self, *commands: list[str]) -> subprocess.CompletedProcess[str]:
        """Run commands one after the other in one process; the status is that of the last."""
        code = "import sys; from umt_lib.__main__ import main\n"
        return self.python("-c", code + f"sys.exit([main(c) for c in {commands}][-1])")


def contents(root: Path) -> dict[str, bytes]:
    """Every file, by path."""
    files = [f for f in root.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    return {str(f.relative_to(root)): f.read_bytes() for f in files}


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Copy:
    root = tmp_path_factory.mktemp("repository")
    ignored = shutil.ignore_patterns("__pycache__", "_build")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    for file in FILES:
        shutil.copy(ROOT / file, root)
    (root / "results").mkdir()
    shutil.copy(ROOT / "results/literature.csv", root / "results")
    now = contents(root)
    made = Copy(root, now, {}, {}, {})
    for command in (METHOD, DATASET):
        run = made.umt(["new", *command])
        assert run.returncode == 0, run.stderr
        before, now = now, contents(root)
        made.written[command[0]] = {p for p in now if before.get(p) != now[p]}
        made.printed[command[0]] = run.stdout
    return made._replace(after=now)


def test_only_new_files_and_lines_are_added(copy):
    """The README's answer is renewed, all else that was there is only added to."""
    for path, old in copy.before.items():
        if path not in ("README.md", "book/images/gains.svg"):
            kept = iter(copy.after[path].splitlines())
            assert all(line in kept for line in old.splitlines()), path
    assert not [path for path in copy.after if path.endswith((".partial", ".before"))]


def styled(root: Path, *files: str) -> None:
    """Hold files to the style of the repository."""
    ruff = Path(sys.executable).with_name("ruff")
    for check in (["check"], ["format", "--check"]):
        command = [ruff, *check, "--no-cache", *files]
        run = subprocess.run(command, cwd=root, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr


def test_the_new_files_have_the_style_of_the_others(copy):
    python = [p for p in copy.after if p.endswith(".py") and p not in copy.before]
    assert len(python) == 4
    styled(copy.root, *python, "umt_lib/methods/__init__.py", "umt_lib/data/__init__.py")


def test_all_tests_pass_but_the_one_that_names_what_is_left(copy):
    """What every method must do, the generated tests, the rules for params files and digests."""
    mine = "label-smoothing or label_smoothing or gestures or params_files or left or no_others"
    files = [
        "tests/methods/test_all.py",
        "tests/methods/test_label_smoothing.py",
        "tests/data/test_gestures.py",
        "tests/study/experiments/test_params_files.py",
        "tests/study/experiments/test_provenance.py",
        "tests/test_todo.py",
    ]
    options = ["-n", "0", "-p", "no:cacheprovider", "-rfE", "-k", mine]
    run = copy.python("-m", "pytest", *options, *files)
    summary = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert len(summary) == 1, run.stdout
    assert summary[0].startswith("FAILED tests/test_todo.py")
    assert int(re.search(r"(\d+) passed", run.stdout)[1]) > 40
    written = {p for p in copy.after if p not in copy.before and not p.startswith("params/")}
    assert len(written) == 6
    for path in written | {"book/references.bib"}:
        assert f"\n{path}:" in run.stdout


def test_it_is_printed_what_is_left(copy):
    printed = "".join(copy.printed.values())
    assert sorted(re.findall(r"(?m)^  (\S+:\d+: .*)$", printed)) == sorted(left(copy.root))


def test_what_has_to_run_first_is_printed_in_order(copy):
    once = "--set training.epochs=1 --set seeds=[0]"
    assert copy.printed["method"].splitlines()[-3:] == [
        "It runs as it is, after what it takes teachers or a rate from:",
        "  umt run params/synthetic-joint-linear.yaml",
        f"  umt run params/synthetic-label-smoothing.yaml {once}",
    ]
    assert copy.printed["dataset"].splitlines()[-2:] == [
        "It runs as it is:",
        f"  umt run params/gestures-joint-linear.yaml {once}",
    ]


def test_both_can_be_run(copy):
    files = [f"params/{name}.yaml" for name in ("gestures-joint-linear", "watch-label-smoothing")]
    own_rate = ["--set", "learning_rate_of=null"]
    run = copy.umt(*(["run", file, *ONE_EPOCH, *own_rate] for file in files))
    assert run.returncode == 0, run.stderr
    assert re.search(r"gestures-joint-linear-trial-\w+: test accuracy", run.stdout)
    assert re.search(r"watch-label-smoothing-trial-\w+: test accuracy", run.stdout)


def test_the_book_is_built_without_a_warning(copy):
    code = """
from pathlib import Path
from umt_lib import paths
from umt_lib.study.report import build
params = Path("few")
params.mkdir()
for name in ("synthetic-label-smoothing", "gestures-joint-linear"):
    (params / f"{name}.yaml").write_text((paths.PARAMS / f"{name}.yaml").read_text())
build.build(build.Sources(Path("book"), params, paths.PUBLISHED, None, None), Path("html"))
"""
    run = copy.python("-c", code)
    assert run.returncode == 0, run.stderr
    for page in ("methods/label-smoothing.html", "datasets/gestures.html"):
        assert MARKER in (copy.root / "html" / page).read_text(encoding="utf-8")


def test_twice_is_refused_and_nothing_changes(copy):
    before = contents(copy.root)
    run = copy.umt(["new", *DATASET], ["new", *METHOD])
    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        "umt new: the name 'gestures' is a data set already; choose another",
        "umt new: the name 'label-smoothing' is a method already; choose another",
    ]
    assert contents(copy.root) == before


@pytest.mark.parametrize("tail", ["label-smoothing", "umt", "joint-mlp"])
def test_experiments_of_a_new_data_set_are_those_of_the_other(copy, tail):
    one, other = (
        yaml.safe_load((copy.root / f"params/{dataset}-{tail}.yaml").read_text())
        for dataset in ("gestures", "watch")
    )
    assert one["dataset"] == {"name": "gestures"}
    for m, teacher in one.get("teachers", {}).items():
        assert teacher == f"gestures-unimodal-{m}"
    rates = [params.get("learning_rate_of", "").partition("-")[2] for params in (one, other)]
    assert rates[0] == rates[1]
    differ = {"name", "dataset", "teachers", "learning_rate_of"}
    assert {k: v for k, v in one.items() if k not in differ} == {
        k: v for k, v in other.items() if k not in differ
    }


def test_a_sweep_is_in_every_params_file_and_lengthens_the_estimated_time(copy):
    for dataset in COMPARED:
        text = (copy.root / f"params/{dataset}-label-smoothing.yaml").read_text()
        params, like = yaml.safe_load(text), (PARAMS / f"{dataset}-joint-linear.yaml").read_text()
        assert params["sweep"] == {"smoothing": [0.1, 0.2]}
        assert params["learning_rate_of"] == f"{dataset}-joint-linear"
        assert params["method"] == {"name": "label-smoothing"}
        hours = re.search(r"an estimated (\d+) hour", like)
        if hours:  # one sweep instead of another
            assert f"an estimated {hours[1]} hour" in text


def steps(of: str) -> list[str]:
    """The paths that the check-list for adding ``of`` in CONTRIBUTING.md names."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split(f"## Add a {of}\n")[1].split("\n## ")[0]
    return re.findall(r"(?m)^- \[ \] `([^`]+)`", section)


@pytest.mark.parametrize(("of", "command"), [("method", METHOD), ("data set", DATASET)])
def test_the_check_list_names_every_file_that_is_written_and_no_other(copy, of, command):
    kind, name, *_ = command
    named = set()
    for step in steps(of):
        pattern = re.escape(step).replace("<name>", name).replace("<module>", module_name(name))
        pattern = re.sub(r"<[a-z\\ ]+>", "[a-z0-9-]+", pattern)
        found = {path for path in copy.written[kind] if re.fullmatch(pattern, path)}
        assert found, f"CONTRIBUTING.md: `umt new {kind}` does not write {step}"
        named |= found
    assert named == copy.written[kind]


REFUSED = {
    "Label-Smoothing": "is not lower-case",
    "2-steps": "is not lower-case",
    "label--smoothing": "is not lower-case",
    "x" * 31: "is not lower-case",
    "umt": "is a method already",
    "lambda": "is a keyword of Python",
    "true": "is a keyword of Python",
    "common": "is that of umt_lib.methods.common",
    "setting": "would make a second class Setting",
    "tensor": "would make a second class Tensor",
    "loader": "has a test already, tests/data/test_loader.py",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_cannot_be_is_refused(name, monkeypatch, capsys):
    monkeypatch.setattr(new, "write", lambda *_: pytest.fail("written"))
    assert new.main(["method", name, "--like", "joint-linear"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"umt new: the name {name!r} {REFUSED[name]}")
    assert said.endswith("; choose another\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dataset", "watch", "--like", "watch"], "the name 'watch' is a data set already"),
        (["dataset", "prepare", "--like", "watch"], "'prepare' is that of umt_lib.data.prepare"),
        (["dataset", "newer", "--like", "wach"], "unknown 'wach'; did you mean 'watch'?"),
        (["method", "newer", "--like", "joint"], "unknown 'joint'; did you mean 'joint-"),
        (["method", "newer", "--like", "unimodal-audio"], "unknown 'unimodal-audio'"),
        (["dataset", "du2023", "--like", "watch"], "has an entry 'du2023'; choose another name"),
        (["method", "newer", "--like", "umt", "--sweep", "loss=1,2"], "'loss' cannot be a field"),
        (["method", "newer", "--like", "umt", "--sweep", "self=1,2"], "'self' cannot be a field"),
        (["method", "newer", "--like", "umt", "--sweep", "json=1,2"], "'json' cannot be a field"),
        (["method", "newer", "--like", "umt", "--sweep", "Tensor=1,2"], "'Tensor' cannot be a"),
        (["method", "newer", "--like", "umt", "--sweep", "targets=1,2"], "'targets' cannot be a"),
        (["method", "newer", "--like", "umt", "--sweep", "weight=-1,2"], "method.weight: input"),
        (
            ["method", "newer", "--like", "umt", "--sweep", "a=1,2", "--sweep", "b=3,4"],
            "--sweep is given 2 times; keep one",
        ),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(arguments, sentence, monkeypatch, capsys):
    monkeypatch.setattr(new, "write", lambda *_: pytest.fail("written"))
    assert new.main(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "values",
    ["1", "1,1", "a,b", "[,", "[" * 3000, "2020-99-99", ".nan,1", "1,1.0e+400", f"1,1{'0' * 400}"],
)
def test_a_sweep_of_other_than_different_finite_numbers_is_refused(values):
    with pytest.raises(StudyError, match=r"does not give 2 to 5 different numbers; write it as"):
        new.sweep(f"weight={values}")


@pytest.mark.parametrize("field", ["loss", "a b", "class", "learning_rate", "name", "title"])
def test_a_sweep_of_what_cannot_be_a_field_is_refused(field):
    with pytest.raises(StudyError, match=f"'{field}' cannot be a field of a method"):
        new.sweep(f"{field}=0.1,0.2")


def test_outside_a_clone_it_says_where_to_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(new, "ROOT", tmp_path)
    assert new.main(DATASET) == 2
    assert capsys.readouterr().err.endswith("is not the study's repository; run it in a clone\n")


def test_a_file_that_is_there_is_never_overwritten(tmp_path):
    (tmp_path / "b").write_text("mine")
    with pytest.raises(StudyError, match="umt new: b is there already"):
        new.write(tmp_path, Files({"a": "1", "b": "2"}, {}))
    assert contents(tmp_path) == {"b": b"mine"}


@pytest.mark.parametrize("fails_at", range(7))
@pytest.mark.parametrize("error", [OSError(28, "No space left", "x"), KeyboardInterrupt()])
def test_all_files_are_written_or_none(tmp_path, monkeypatch, fails_at, error):
    """Three files and the old content of one are written beside their places, then three moved."""
    (tmp_path / "index").write_text("old")
    calls, write_text, replace = [], Path.write_text, Path.replace

    def failing(function):
        def call(*arguments, **options):
            calls.append(function)
            if len(calls) == fails_at + 1:
                raise error
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(Path, "write_text", failing(write_text))
    monkeypatch.setattr(Path, "replace", failing(replace))
    expected = StudyError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected, match=r"nothing was changed|^$"):
        new.write(tmp_path, Files({"a": "1", "b": "2"}, {"index": "changed"}))
    assert contents(tmp_path) == {"index": b"old"}


def test_a_table_that_is_not_renewed_is_an_error(monkeypatch, capsys):
    """A process of its own renews it, on a disk that may be full by then."""
    problem = "README.md: cannot be written (No space left on device)"
    done = subprocess.CompletedProcess([], 2, stdout="", stderr=f"{problem}\n")
    monkeypatch.setattr(new, "write", lambda root, files: None)
    monkeypatch.setattr(new.subprocess, "run", lambda *arguments, **options: done)
    assert new.main(DATASET) == 2
    assert capsys.readouterr().err == (
        f"umt new: all files are written but the answer in README.md ({problem}); run "
        f"umt book --readme\n"
    )


@pytest.mark.parametrize("like", ["modality-dropout", "furniture224", "av-digits"])
def test_the_longest_name_makes_no_line_too_long(like, tmp_path):
    name = "-".join(["ninechars"] * 3)
    of = new.of_dataset if like in DATASETS else new.of_method
    new.check("dataset", name)
    assert len(name) == new.LONGEST - 1
    for folder in ("umt_lib", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "study", "*.npz")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    files = of(name, like)
    python = {p: text for p, text in {**files.new, **files.changed}.items() if p.endswith(".py")}
    for path, text in python.items():
        (tmp_path / path).write_text(text)
    styled(tmp_path, *python)


def test_a_field_that_the_other_method_has_is_not_added_again():
    files = new.of_method("my-umt", "umt", Sweep("weight", [1.0, 2.0]))
    assert "weight" not in files.new["umt_lib/methods/my_umt.py"]
    assert all(
        yaml.safe_load(files.new[f"params/{d}-my-umt.yaml"])["sweep"] == {"weight": [1.0, 2.0]}
        for d in COMPARED
    )


def test_a_new_field_takes_fractions_and_an_example_of_a_range_is_shown():
    files = new.of_method("newer", "joint-linear", new.sweep("weight=1,2"))
    code = files.new["umt_lib/methods/newer.py"]
    assert "    weight: float = 2.0\n" in code
    assert f"# {MARKER} its range, such as Annotated[float, Field(ge=0, lt=1)]" in code
    params = yaml.safe_load(files.new["params/watch-newer.yaml"])
    assert all(type(value) is float for value in params["sweep"]["weight"])


@pytest.mark.parametrize(
    ("like", "tail"),
    [
        ("joint-mlp", "newer-mlp"),
        ("joint-attention", "newer-attention"),
        ("umt", "newer"),
        ("ume-product", "newer"),
        ("cggm-released", "newer"),
    ],
)
def test_a_head_that_is_not_linear_is_in_the_name_and_options_are_kept(like, tail):
    files = new.of_method("newer", like)
    for dataset in COMPARED:
        params = yaml.safe_load(files.new[f"params/{dataset}-{tail}.yaml"])
        old = yaml.safe_load((PARAMS / f"{dataset}-{like}.yaml").read_text())
        assert params.pop("name") == f"{dataset}-{tail}"
        assert params.pop("method") == {**old.pop("method"), "name": "newer"}
        rate = old.get("sweep", {}).pop("learning_rate", None)
        if rate:  # of a reference
            assert params.pop("learning_rate_of").startswith(f"{dataset}-joint-")
        assert params.pop("sweep", {}) == old.pop("sweep", {})
        differ = {"name", "resources"}  # fewer trainings need fewer hours
        assert {k: v for k, v in params.items() if k not in differ} == {
            k: v for k, v in old.items() if k not in differ
        }


@pytest.mark.parametrize("like", ["synthetic", "av-digits", "ucf101", "furniture224"])
def test_a_new_data_set_has_every_method_and_is_available_where_the_other_is(like, tmp_path):
    files = new.of_dataset("newer", like)
    params = [yaml.safe_load(text) for path, text in files.new.items() if "params/" in path]
    assert {p["method"]["name"] for p in params} == set(METHODS)
    folder = {"ucf101": "ucf101", "furniture224": "furniture224"}.get(like)
    spec = {"name": "newer", "folder": folder} if folder else {"name": "newer"}
    assert all(p["dataset"] == spec for p in params)
    (tmp_path / "newer.py").write_text(files.new["umt_lib/data/newer.py"])
    module = runpy.run_path(str(tmp_path / "newer.py"))
    old = sys.modules[DATASETS[like].__module__]
    for function in AVAILABILITY:
        assert module.get(function) is getattr(old, function, None)
    parameters = inspect.signature(module["load"]).parameters
    assert {k: v.default for k, v in parameters.items()} == ({"folder": folder} if folder else {})
