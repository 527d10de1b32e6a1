"""The command as a stranger runs it: the last lines, exit statuses, nothing half-written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import guide_cases as cases
import numpy as np
import pytest

from umt_lib.guide import VERDICTS, checks, command, readers, recommend

COMMAND = [sys.executable, "-m", "umt_lib", "guide"]


@pytest.fixture
def npz(tmp_path) -> Path:
    features, labels = cases.noise(40)
    np.savez(tmp_path / "mine.npz", **features, labels=labels)
    return tmp_path / "mine.npz"


@pytest.fixture
def quick(monkeypatch):
    """The command with one small cross-validation, done once for all tests here."""
    monkeypatch.setattr(command, "recommend", lambda *_, **__: found())


def found(kept: list = []):  # noqa: B006
    if not kept:
        kept.append(recommend(*cases.noise(40), folds=2))
    return kept[0]


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_raw_inputs_serve_to_detect_interactions(tmp_path, capsys, impatient):
    hidden, labels = cases.xor(240)
    np.savez(tmp_path / "mine.npz", labels=labels, **{m: x[:, 1:] for m, x in hidden.items()})
    pictures = {m: x[:, :, None] * np.ones((1, 1, 3)) for m, x in hidden.items()}
    np.savez(tmp_path / "raw.npz", **pictures)
    line = [str(tmp_path / "mine.npz"), "--folds", "3"]
    assert command.main(line) == 0
    without = capsys.readouterr().out
    assert without.endswith("verdict: no clear winner\ncheapest: most frequent class\n")
    assert "note: features alone cannot show" in without
    assert command.main([*line, "--inputs", str(tmp_path / "raw.npz")]) == 0
    within = capsys.readouterr().out
    assert within.endswith("verdict: interactions\ncheapest: frozen MLP head\n")
    assert "features alone" not in within


@pytest.mark.usefixtures("brief")
def test_raw_inputs_are_read_in_the_rows_that_are_drawn(tmp_path, capsys):
    features, labels = cases.noise(200)
    np.savez(tmp_path / "mine.npz", labels=labels, **features)
    raw = {m: np.random.default_rng(0).normal(size=(200, 3)) for m in "ab"}
    drawn = checks.draw(labels, 4, 60, 0)
    raw["a"][np.setdiff1d(np.arange(200), drawn)] = np.nan  # would be refused if it were used
    np.savez(tmp_path / "raw.npz", **raw)
    line = [str(tmp_path / "mine.npz"), "--inputs", str(tmp_path / "raw.npz"), "--folds", "2"]
    assert command.main([*line, "--max-samples", "60"]) == 0
    assert "verdict: " in capsys.readouterr().out
    assert command.main(line) == 2
    assert (
        "raw.npz: 'a' holds NaN, infinity or a number beyond 1e+30, first in row"
        in capsys.readouterr().err
    )


@pytest.mark.usefixtures("quick")
def test_the_source_is_read_for_the_seed_and_the_folds_that_are_given(npz):
    asked = []

    def load(source: str, seed: int, folds: int) -> readers.Source:
        asked.append((seed, folds))
        return readers.load(source)

    assert command.main([str(npz), "--seed", "4", "--folds", "3"], load) == 0
    assert command.main([str(npz)], load) == 0
    assert asked == [(4, 3), (0, 5)]


BAD_INPUTS = {
    "holds inputs of ['a'], ": {"a": np.zeros((40, 3))},
    "'b' has shape (39, 3) and": {"a": np.zeros((40, 3)), "b": np.zeros((39, 3))},
    "holds <U1; give numbers": {"a": np.zeros((40, 3)), "b": np.full((40, 3), "x")},
    "'b' holds NaN, infinity or a number beyond 1e+30, first in row 0": {
        "a": np.eye(40, 3),
        "b": np.full((40, 3), np.inf),
    },
}


@pytest.mark.parametrize("sentence", BAD_INPUTS)
def test_inputs_that_do_not_fit_are_refused(npz, tmp_path, capsys, sentence):
    np.savez(tmp_path / "raw.npz", **BAD_INPUTS[sentence])
    assert command.main([str(npz), "--inputs", str(tmp_path / "raw.npz")]) == 2
    assert sentence in capsys.readouterr().err
    assert command.main([str(npz), "--inputs", str(tmp_path / "none.npz")]) == 2
    assert "none.npz: no such file or folder of inputs" in capsys.readouterr().err


def test_the_whole_command(npz, tmp_path):
    out, numbers = tmp_path / "report.html", tmp_path / "all.json"
    line = [*COMMAND, npz, "--out", out, "--json", numbers, "--folds", "2"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    whole = json.loads(numbers.read_text())
    last = f"verdict: {whole['verdict']}\ncheapest: {whole['cheapest']}"
    assert done.stdout.endswith(f"\n{last}\n")
    assert done.stdout.count("verdict:") == 1
    features, labels = cases.noise(40)
    again = recommend(features, labels, folds=2, source=str(npz)).to_dict()
    for kept in (whole, again):
        kept["cost"].pop("seconds")
    assert whole == again
    assert out.read_text().startswith("<!doctype html>")
    assert left(tmp_path) == ["all.json", "mine.npz", "report.html"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.npz"], "none.npz: no such file or folder; check the path"),
        (["mine.npz", "--out", "."], ".: is a folder; name a file to write"),
        (["mine.npz", "--out", "no/r.html"], "no/r.html: cannot be written, there is no folder no"),
        (["mine.npz", "--out", "mine.npz"], "mine.npz: holds the features; name another file"),
        (
            ["mine.npz", "--out", "r", "--json", "r"],
            "r: both --out and --json name this file; name two",
        ),
        (["n" * 300 + ".npz"], "n" * 300 + ".npz: cannot be used (File name too long); check"),
        (["mine.npz", "--folds", "1"], "folds is 1; give 2 or more"),
        (["mine.npz", "--max-samples", "0"], "max_samples is 0; give how many"),
        (["mine.npz", "--seed", "-1"], "seed is -1; give a whole number"),
        ([""], "source: the name is empty; give a file or a folder"),
        (["mine.npz", "--inputs", ""], "--inputs: the name is empty; give a file or a folder"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(npz, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(npz.parent)
    assert command.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(sentence)
    assert err.count("\n") == 1
    assert left(npz.parent) == ["mine.npz"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("option", ["--out", "--json"])
@pytest.mark.parametrize(
    "name", ["mine.npz", "raw.npz", "arrays/a.npy", "link", "arrays/../raw.npz"]
)
def test_no_output_replaces_an_input(npz, tmp_path, monkeypatch, capsys, option, name):
    """Neither features nor raw inputs, neither files nor arrays of a folder, by whatever path."""
    monkeypatch.chdir(tmp_path)
    raw = {m: np.zeros((40, 3)) for m in "ab"}
    np.savez("raw.npz", **raw)
    Path("arrays").mkdir()
    for m, x in raw.items():
        np.save(f"arrays/{m}.npy", x)
    Path("link").symlink_to("raw.npz")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.np*")}
    inputs = "arrays" if name == "arrays/a.npy" else "raw.npz"
    assert command.main(["mine.npz", "--inputs", inputs, option, name]) == 2
    what = "features" if name == "mine.npz" else "inputs"
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"{name}: holds the {what}; name another file to write\n")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.np*")} == before
    assert Path("link").is_symlink()


@pytest.mark.usefixtures("quick")
def test_a_new_file_in_a_folder_of_inputs_may_be_written(npz, tmp_path, capsys):
    (tmp_path / "arrays").mkdir()
    for m, x in cases.noise(40)[0].items():
        np.save(tmp_path / f"arrays/{m}.npy", x)
    line = [npz, "--inputs", tmp_path / "arrays", "--out", tmp_path / "arrays/report.html"]
    assert command.main([str(a) for a in line]) == 0
    assert left(tmp_path / "arrays") == ["a.npy", "b.npy", "report.html"]


def test_the_help_describes_every_option_and_file_format(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stopped:
        command.main(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    for option in ("inputs FILE", "out FILE", "json FILE", "seed N", "folds N", "max-samples N"):
        assert re.search(rf"^  --{option}\s+[a-z]", text, re.MULTILINE)
    assert readers.FORMATS in text
    assert all(verdict in text.replace("\n", " ") for verdict in VERDICTS)
    assert "`" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_lack_of_permission_is_reported_before_any_work(npz, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command.os, "access", lambda *_: False)  # root may write anywhere
    monkeypatch.setattr(command, "recommend", None)
    (tmp_path / "r.html").write_text("the last one")
    assert command.main([str(npz), "--out", str(tmp_path / "r.html")]) == 2
    assert "r.html: cannot be written; fix the permissions" in capsys.readouterr().err
    assert command.main([str(npz), "--json", "/proc/r.json"]) == 2  # not even by root
    assert "/proc/r.json: cannot be written (No such file" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "kind"), [("--out", ".html"), ("--json", ".json")])
@pytest.mark.parametrize("name", ["other.npz", "make.py", "report"])
def test_no_file_of_another_kind_is_replaced(npz, monkeypatch, capsys, option, kind, name):
    monkeypatch.setattr(command, "recommend", None)
    monkeypatch.chdir(npz.parent)
    Path(name).write_text("precious")
    assert command.main(["mine.npz", option, name]) == 2
    assert capsys.readouterr().err == (
        f"{name}: exists and is no {kind} file, so it is not replaced; name a file that ends in "
        f"{kind}\n"
    )
    assert Path(name).read_text() == "precious"
    assert left(npz.parent) == sorted(["mine.npz", name])


@pytest.mark.usefixtures("quick")
def test_the_last_report_is_replaced(npz):
    files = [npz.with_name("r.html"), npz.with_name("r.json")]
    for path in files:
        path.write_text("the last one")
    assert command.main([str(npz), "--out", str(files[0]), "--json", str(files[1])]) == 0
    assert files[0].read_text().startswith("<!doctype html>")
    assert json.loads(files[1].read_text())["verdict"] == found().verdict


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("option", ["--out", "--json"])
def test_a_full_disk_is_reported_and_a_device_is_not_replaced(npz, capsys, option):
    assert command.main([str(npz), option, "/dev/full"]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "/dev/full: cannot be written (No space left on device)\n")
    assert Path("/dev/full").is_char_device()


@pytest.mark.usefixtures("quick")
def test_a_full_disk_leaves_the_last_report_as_it_was(npz, tmp_path, monkeypatch, capsys):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    report = tmp_path / "r.html"
    report.write_text("the last one")
    monkeypatch.setattr(os, "fsync", full)
    assert command.main([str(npz), "--out", str(report)]) == 2
    assert "r.html: cannot be written (No space left on device)" in capsys.readouterr().err
    assert report.read_text() == "the last one"
    assert left(tmp_path) == ["mine.npz", "r.html"]


@pytest.mark.usefixtures("quick")
def test_numbers_may_go_to_a_pipe(npz, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert command.main([str(npz), "--json", str(pipe)]) == 0
    assert json.loads(os.read(reader, 2**20))["verdict"] == found().verdict
    os.close(reader)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("refused", ["--json", "--out"])
def test_either_both_outputs_are_written_or_none(npz, tmp_path, monkeypatch, capsys, refused):
    other = {"--json": "--out", "--out": "--json"}[refused]
    names = {"--json": "all.json", "--out": "report.html"}
    assert command.main([str(npz), refused, "/dev/full", other, str(tmp_path / names[other])]) == 2
    assert "/dev/full: cannot be written (No space left" in capsys.readouterr().err
    assert left(tmp_path) == ["mine.npz"]
    files = {option: tmp_path / name for option, name in names.items()}
    opened, line = Path.open, [str(npz), *(str(a) for pair in files.items() for a in pair)]

    def full(path: Path, *arguments, **options):
        if path.name == f".{names[refused]}.partial":
            raise OSError(28, "No space left on device")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", full)
    assert command.main(line) == 2
    assert f"{names[refused]}: cannot be written (No space left" in capsys.readouterr().err
    assert left(tmp_path) == ["mine.npz"]
    monkeypatch.undo()


def test_repeated_rows_are_named_before_the_verdict(tmp_path, capsys):
    features, labels = cases.noise(60)
    np.savez(
        tmp_path / "twice.npz",
        labels=np.tile(labels, 2),
        **{m: np.tile(x, (2, 1)) for m, x in features.items()},
    )
    assert command.main([str(tmp_path / "twice.npz"), "--folds", "2"]) == 0
    assert capsys.readouterr().out.startswith("note: 120 rows repeat: they are the same in every")


@pytest.mark.usefixtures("quick")
def test_no_output_replaces_an_array_of_a_folder_in_any_format(tmp_path, capsys):
    (tmp_path / "arrays").mkdir()
    features, labels = cases.noise(40)
    for m, x in features.items():
        np.savetxt(tmp_path / f"arrays/{m}.csv", x, delimiter=",")
    np.save(tmp_path / "arrays/labels.npy", labels)
    line = [str(tmp_path / "arrays"), "--json", str(tmp_path / "arrays/a.csv")]
    assert command.main(line) == 2
    assert "a.csv: holds the features; name another file to write" in capsys.readouterr().err


def forked(arguments: list, out: Path, err: Path) -> int:
    """The process id of the command in a fork of this process, which needs no imports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside idle BLAS threads
        pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in the background
        for number, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
        status = command.main([str(a) for a in arguments])
    finally:
        os._exit(status)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.usefixtures("quick")
def test_a_full_disk_under_standard_output_is_reported(npz, tmp_path):
    err = tmp_path / "err"
    found()  # before the fork, so that it is kept
    assert ended(forked([npz], Path("/dev/full"), err)) == 2
    assert err.read_text() == "standard output: cannot be written (No space left on device)\n"


def test_ctrl_c_is_reported_and_leaves_nothing(npz, tmp_path, monkeypatch):
    def interrupted(*_, **__) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

    monkeypatch.setattr(command, "recommend", interrupted)
    out, err = tmp_path / "out", tmp_path / "err"
    assert ended(forked([npz, "--out", tmp_path / "report.html"], out, err)) == 130
    assert out.read_text() == ""
    assert err.read_text() == f"{npz}: interrupted; nothing was written\n"
    assert left(tmp_path) == ["err", "mine.npz", "out"]
