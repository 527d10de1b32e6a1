"""The run graph: what it would run, what it does not run twice, and what a failure stops."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from commands import SERVE, SNAKEMAKE

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.paths import PARAMS, ROOT, results_dir
from umt_lib.study.experiments import results
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.study.pipeline import publish as publishing
from umt_lib.study.pipeline import run_graph
from umt_lib.study.pipeline.publish import check, publish
from umt_lib.study.pipeline.publish import main as publish_command
from umt_lib.study.pipeline.smoke import shorten
from umt_lib.study.pipeline.units import Unit

NAMES = ("tiny-a", "tiny-b", "tiny-umt", "tiny-joint")


@pytest.fixture
def folder(params: dict[str, Any], tmp_path: Path) -> Path:
    """Params files: two teachers, their student, and a joint experiment that asks for a GPU."""
    folder = tmp_path / "params"
    folder.mkdir()
    changes = {
        "tiny-a": {"method": {"name": "unimodal", "modality": "a"}},
        "tiny-b": {"method": {"name": "unimodal", "modality": "b"}},
        "tiny-umt": {"method": {"name": "umt"}, "teachers": {"a": "tiny-a", "b": "tiny-b"}},
        "tiny-joint": {"resources": {"gpu_hours": 7}},
    }
    for name, change in changes.items():
        write(folder, {**params, **change, "name": name, "seeds": [0]})
    return folder


@pytest.fixture
def snakemake(folder: Path, runs: Path) -> Iterator[Callable[[], subprocess.CompletedProcess]]:
    """Run the graph of those files as far as the results, with a server beside it."""
    run_graph = [*SNAKEMAKE, "--config", f"params={folder}", "--", "experiments"]
    server = subprocess.Popen([*SERVE, "sleep", "1000"])
    while not (runs / "worker.sock").exists():
        time.sleep(0.05)
        assert server.poll() is None
    yield lambda: subprocess.run(run_graph, cwd=ROOT, capture_output=True, text=True, timeout=300)
    server.terminate()
    server.wait()


@pytest.fixture
def one_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny experiments, which have one seed, may be published."""
    monkeypatch.setattr(publishing, "FEWEST", 1)


def write(folder: Path, params: dict[str, Any]) -> None:
    (folder / f"{params['name']}.yaml").write_text(yaml.safe_dump(params))


def read(folder: Path, name: str) -> dict[str, Any]:
    return yaml.safe_load((folder / f"{name}.yaml").read_text())


def run(folder: Path, name: str) -> None:
    Experiment.from_params(read(folder, name)).run("cpu", progress=False)


def must_run(folder: Path) -> set[str]:
    """The names whose stamps are new, which must be those that ``mark`` returns."""
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    stale = run_graph.mark(folder)
    stamped = {name for name in names if (run_graph.stamps_dir() / name).stat().st_mtime > 0}
    assert stamped == set(stale)
    return stamped


def dry_run(*config: str) -> str:
    """What Snakemake prints of the jobs that it would run to make the book."""
    command = [*SNAKEMAKE, "-n", "--quiet", "host", "--config", *config]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_dry_run_of_the_full_study_lists_every_experiment_and_runs_none(runs):
    names = [path.stem for path in PARAMS.glob("*.yaml")]
    expected = {*run_graph.wanted(PARAMS, "full")} & {*names}
    assert {"watch-umt", "furniture-unimodal-rear"} <= expected
    printed = dry_run("study=full")
    assert {name for name in names if f"wildcards: name={name}\n" in printed} == expected
    assert not (runs / "results").exists()


def test_a_dry_run_of_the_default_study_lists_what_its_list_needs(folder):
    (folder / "default.txt").write_text("*-umt\n")
    printed = dry_run(f"params={folder}")
    listed = {name for name in NAMES if f"wildcards: name={name}\n" in printed}
    assert listed == {"tiny-umt", "tiny-a", "tiny-b"}


def jobs(printed: str) -> set[str]:
    """The names of the experiments in a dry run, and "book"."""
    found = {name for name in NAMES if f"wildcards: name={name}\n" in printed}
    return found | ({"book"} if "rule book:" in printed else set())


def test_what_is_made_from_a_stale_result_is_made_again_in_the_same_run(folder):
    for name in NAMES:
        run(folder, name)
    assert jobs(dry_run(f"params={folder}")) == {"book"}
    write(folder, {**read(folder, "tiny-joint"), "seeds": [3]})
    assert jobs(dry_run(f"params={folder}")) == {"tiny-joint", "book"}
    write(folder, {**read(folder, "tiny-a"), "training": {"epochs": 2, "batch_size": 16}})
    assert jobs(dry_run(f"params={folder}")) == {"tiny-joint", "tiny-a", "tiny-umt", "book"}


def test_a_run_that_was_killed_after_it_wrote_its_result_is_repeated(folder, runs):
    """Its notebook is not complete; the trained models are."""
    for name in ("tiny-a", "tiny-joint"):
        run(folder, name)
    assert must_run(folder) == {"tiny-b", "tiny-umt"}
    (runs / "notebooks").mkdir()
    run_graph.unfinished(runs / "notebooks/tiny-a.ipynb").touch()
    assert must_run(folder) == {"tiny-a", "tiny-b", "tiny-umt"}


def test_a_result_is_complete_although_its_run_was_killed_before_it_ended(folder):
    """Snakemake has recorded the start of its job and not the end."""
    for name in ("tiny-a", "tiny-b", "tiny-joint"):
        run(folder, name)
    started = urlsafe_b64encode(str(results_dir() / "tiny-a.json").encode()).decode()
    record = ROOT / ".snakemake/incomplete" / started
    record.parent.mkdir(parents=True, exist_ok=True)
    record.touch()
    try:
        assert jobs(dry_run(f"params={folder}")) == {"tiny-umt", "book"}
    finally:
        record.unlink()


def test_the_default_study_has_the_teachers_of_its_experiments():
    names = {path.stem for path in PARAMS.glob("*.yaml")}
    listed = {*run_graph.wanted(PARAMS, "default")} & names
    assert {"watch-umt", "furniture-unimodal-rear"} <= listed < names
    assert all({*run_graph.needs(Unit(name))} <= listed for name in listed)


def test_a_pattern_of_the_default_list_that_matches_nothing_is_refused(tmp_path):
    for name in ("a-umt", "a-ume"):
        (tmp_path / f"{name}.yaml").write_text("{}")
    assert run_graph.wanted(tmp_path, "default") == ["a-ume", "a-umt"]
    (tmp_path / "default.txt").write_text("# why\n*-umt\n")
    assert run_graph.wanted(tmp_path, "default") == ["a-umt"]
    (tmp_path / "default.txt").write_text("*-utm\n")
    with pytest.raises(StudyError, match=r"default.txt: '\*-utm' matches no params file"):
        run_graph.wanted(tmp_path, "default")


def test_an_experiment_needs_its_teachers_and_the_one_that_chose_its_rate(folder):
    umt = {**read(folder, "tiny-umt"), "learning_rate_of": "tiny-joint"}
    write(folder, umt)
    assert run_graph.needs(Unit("tiny-umt", folder)) == ["tiny-a", "tiny-b", "tiny-joint"]
    assert list(run_graph.with_needed(["tiny-umt"], folder)) == [
        *run_graph.made_from(umt),
        "tiny-umt",
    ]


def test_an_unknown_study_is_refused(folder):
    with pytest.raises(StudyError, match=r"study=ful: no such study; did you mean 'full'\?"):
        run_graph.wanted(folder, "ful")
    command = [*SNAKEMAKE, "-n", "--config", f"params={folder}", "study=ful"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "--config study=ful: no such study; did you mean 'full'?" in done.stderr


def test_a_params_file_that_is_wrong_fails_in_its_own_run(snakemake, folder):
    """The names of a teacher and of another experiment misspelt, and a number for a mapping."""
    joint = read(folder, "tiny-joint")
    write(folder, {**joint, "resources": 3})
    write(folder, {**joint, "name": "rate", "learning_rate_of": "tiny-jont"})
    umt = read(folder, "tiny-umt")
    write(folder, {**umt, "teachers": {**umt["teachers"], "b": "tiny-bb"}})
    assert run_graph.needs(Unit("rate", folder)) == []
    assert run_graph.needs(Unit("tiny-umt", folder)) == ["tiny-a"]
    done = snakemake()
    assert done.returncode == 1
    neither = f"has neither a params file in {folder} nor a result; did you mean"
    assert f"teachers.b: 'tiny-bb' {neither} 'tiny-b'?" in done.stderr
    assert f"learning_rate_of: 'tiny-jont' {neither} 'tiny-joint'?" in done.stderr
    assert "tiny-joint.yaml: resources: " in done.stderr
    assert {p.stem for p in results_dir().glob("*.json")} == {"tiny-a", "tiny-b"}


@pytest.mark.parametrize(
    "text",
    ["resources: 3", "resources: {gpu_hours: .inf}", "resources: {gpu_hours: a}", "a: [", "\x80"],
)
def test_a_broken_params_file_asks_for_the_least_and_needs_nothing(tmp_path, text):
    (tmp_path / "broken.yaml").write_text(text, encoding="latin-1")
    broken = Unit("broken", tmp_path)
    assert run_graph.resources(broken)["runtime"] == 60
    assert run_graph.needs(broken) == []
    assert run_graph.wanted(tmp_path, "full") == ["broken"]


def test_a_file_of_another_folder_gives_the_result_of_its_name(snakemake, folder):
    """Not a trial, as it would be on its own: the graph waits for this result."""
    for path in folder.iterdir():
        path.unlink()
    joint = yaml.safe_load((PARAMS / "synthetic-joint-linear.yaml").read_text())
    write(folder, shorten(joint))
    done = snakemake()
    assert done.returncode == 0, done.stderr
    assert [p.stem for p in results_dir().glob("*.json")] == ["synthetic-joint-linear"]


def test_a_failure_stops_its_students_alone_and_the_next_run_goes_on(snakemake, folder):
    teacher = read(folder, "tiny-b")
    write(folder, {**teacher, "sedes": [1]})
    done = snakemake()
    assert done.returncode == 1
    assert "tiny-b.yaml: unknown key 'sedes'; did you mean 'seeds'?" in done.stderr
    assert "2 of 4 experiments have no result: tiny-b, tiny-umt" in done.stderr
    assert {p.stem for p in results_dir().glob("*.json")} == {"tiny-a", "tiny-joint"}
    assert done.stdout.splitlines()[-1].startswith("2/4 tiny-")

    write(folder, teacher)
    before = (results_dir() / "tiny-a.json").stat().st_mtime_ns
    done = snakemake()
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("1/2 tiny-b, ")
    assert done.stdout.splitlines()[1].startswith("2/2 tiny-umt, ")
    assert (results_dir() / "tiny-a.json").stat().st_mtime_ns == before

    run_graph.record_current(folder, "full", run_graph.sources(folder))
    again = snakemake()
    assert (again.returncode, again.stdout) == (0, "")


def test_what_is_stale_twice_for_one_reason_has_two_different_stamps(folder):
    """Snakemake takes a newer input for unchanged if its bytes are those of the last run."""
    stamp, seen = run_graph.stamps_dir() / "tiny-joint", set()
    for _ in range(2):
        run_graph.mark(folder)
        seen.add(stamp.read_text())
    assert len(seen) == 2
    assert all(text.startswith("missing, seen ") for text in seen)


def test_contents_decide_what_is_stale_and_dates_do_not(folder):
    for name in NAMES:
        run(folder, name)
    assert must_run(folder) == set()
    for path in [*folder.iterdir(), *results_dir().iterdir()]:
        os.utime(path, (0, 0) if "joint" in path.stem else None)
    assert must_run(folder) == set()

    joint = read(folder, "tiny-joint")
    write(folder, {**joint, "training": {**joint["training"], "epochs": 2}})
    assert must_run(folder) == {"tiny-joint"}
    stamp = (run_graph.stamps_dir() / "tiny-joint").read_text()
    assert stamp.startswith("made with other params, seen ")

    teacher = read(folder, "tiny-a")
    write(folder, {**teacher, "training": {**teacher["training"], "epochs": 2}})
    assert must_run(folder) == {"tiny-joint", "tiny-a", "tiny-umt"}


def test_a_run_that_ends_before_all_results_are_made_has_failed(folder, runs):
    """With --keep-going, Snakemake has called such a run a success after kill -9 of another."""
    for name in ("tiny-umt", "tiny-b"):
        (folder / f"{name}.yaml").unlink()
    options = ["--omit-from", str(runs / "results/tiny-a.json"), "--config", f"params={folder}"]
    done = subprocess.run([*SNAKEMAKE, *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "1 of 2 experiments have no result: tiny-a; the same command resumes" in done.stderr


def test_what_is_stale_runs_again_although_the_clock_was_set_back(folder):
    for name in ("tiny-a", "tiny-joint"):
        run(folder, name)
        os.utime(results_dir() / f"{name}.json", (time.time() + 86400,) * 2)
    write(folder, {**read(folder, "tiny-joint"), "seeds": [3]})
    command = [*SNAKEMAKE, "-n", "--quiet", "host", "--config", f"params={folder}", "--"]
    done = subprocess.run([*command, "experiments"], cwd=ROOT, capture_output=True, text=True)
    listed = {name for name in NAMES if f"wildcards: name={name}\n" in done.stdout + done.stderr}
    assert listed == {"tiny-joint", "tiny-b", "tiny-umt"}


def test_results_of_two_machines_are_merged(folder, tmp_path, monkeypatch, one_seed):
    """Each publishes what it has measured; the tables are those of one machine that has all.

    The second has a stale result of an experiment whose current one the first has published.
    """
    published, wanted = tmp_path / "published", read(folder, "tiny-a")
    for machine, names in (("one", ["tiny-a", "tiny-joint"]), ("two", ["tiny-b", "tiny-joint"])):
        monkeypatch.setenv("UMT_RUNS", str(tmp_path / machine))
        if machine == "two":
            write(folder, {**wanted, "seeds": [5]})
            run(folder, "tiny-a")
            write(folder, wanted)
        for name in names:
            run(folder, name)
        copied, refused = publish(folder, results_dir(), published)
        assert copied == names
    assert refused["tiny-a"] == "made with other params"
    first = tmp_path / "one/results/tiny-a.json"
    assert (published / "tiny-a.json").read_bytes() == first.read_bytes()
    copied = {path.name for path in published.glob("*.json")}
    assert copied == {"tiny-a.json", "tiny-b.json", "tiny-joint.json"}
    measured = (published / "measured.csv").read_bytes()
    run(folder, "tiny-a")
    publish(folder, results_dir(), tmp_path / "whole")
    assert (tmp_path / "whole/measured.csv").read_bytes() == measured
    assert check(folder, published) == {}


def test_what_was_settled_is_current_until_something_changes(folder, monkeypatch):
    run(folder, "tiny-joint")
    began_with = run_graph.sources(folder)
    run_graph.record_current(folder, "full", began_with)
    monkeypatch.setattr(run_graph, "_reason", lambda unit: unit.name * (unit.name == "tiny-joint"))
    assert run_graph.mark(folder) == []
    write(folder, {**read(folder, "tiny-joint"), "seeds": [3]})
    assert run_graph.mark(folder) == ["tiny-joint"]
    run_graph.record_current(folder, "full", began_with)  # a file was edited while the graph ran
    assert run_graph.mark(folder) == ["tiny-joint"]
    run_graph.record_current(folder, "default", began_with)
    assert not (run_graph.stamps_dir() / ".current-default").exists()


def test_a_record_that_cannot_be_written_is_one_sentence(folder, runs, capsys):
    (run_graph.stamps_dir() / ".current-full").mkdir(parents=True)  # where the record belongs
    assert run_graph.main([str(folder), "full", run_graph.sources(folder)]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert ".current-full: cannot be written (Is a directory); free some space" in printed


def test_a_damaged_result_is_made_again(folder):
    run(folder, "tiny-joint")
    path = results_dir() / "tiny-joint.json"
    path.write_text(path.read_text()[:100])
    assert "tiny-joint" in must_run(folder)


def test_publishing_takes_what_is_current_and_says_why_not_the_rest(folder, tmp_path, one_seed):
    run(folder, "tiny-joint")
    run(folder, "tiny-a")
    write(folder, {**read(folder, "tiny-a"), "seeds": [5]})
    copied, refused = publish(folder, results_dir(), tmp_path / "published")
    assert copied == ["tiny-joint"]
    assert refused == {
        "tiny-a": "made with other params",
        "tiny-b": "missing",
        "tiny-umt": "missing",
    }
    ours, theirs = results_dir() / "tiny-joint.json", tmp_path / "published/tiny-joint.json"
    assert theirs.read_bytes() == ours.read_bytes()
    tables = {"measured.csv", "results.csv", "results.parquet"}
    assert {path.name for path in theirs.parent.iterdir()} == {"tiny-joint.json", *tables}
    (row,) = pd.read_csv(theirs.with_name("results.csv")).to_dict("records")
    assert (row["experiment"], row["seed"]) == ("tiny-joint", 0)
    assert row["test_accuracy"] == results.load(ours).accuracy[0]
    parquet = pd.read_parquet(theirs.with_name("results.parquet"))
    assert parquet["probe.a"].tolist() == [row["probe.a"]]


def test_the_check_before_a_release_fails_while_a_published_result_is_stale(
    folder, tmp_path, monkeypatch, capsys, one_seed
):
    run(folder, "tiny-joint")
    published = tmp_path / "published"
    publish(folder, results_dir(), published)
    for name, place in (("PARAMS", folder), ("PUBLISHED", published)):
        monkeypatch.setattr(paths, name, place)
    assert publish_command(["--check"]) == 0
    assert capsys.readouterr().out == "0 published results are stale\n"
    unknown = published / "tiny-old.json"
    unknown.write_bytes((published / "tiny-joint.json").read_bytes())
    assert publish_command(["--check"]) == 1
    assert capsys.readouterr().err == f"{paths.shown(unknown)}: has no params file; delete it\n"
    unknown.unlink()
    write(folder, {**read(folder, "tiny-joint"), "seeds": [5]})
    before = (published / "tiny-joint.json").read_bytes()
    assert publish_command(["--check"]) == 1
    printed = capsys.readouterr()
    assert "tiny-joint: made with other params" in printed.err
    assert printed.out == "1 published results are stale\n"
    (published / "tiny-joint.json").write_bytes(before[:100])
    assert publish_command(["--check"]) == 1
    assert "tiny-joint: damaged" in capsys.readouterr().err


def test_the_command_to_publish_fails_for_what_is_stale_not_for_what_never_ran(
    folder, tmp_path, monkeypatch, capsys, one_seed
):
    run(folder, "tiny-joint")
    for name, place in (("PARAMS", folder), ("PUBLISHED", tmp_path / "published")):
        monkeypatch.setattr(paths, name, place)
    assert publish_command([]) == 0
    printed = capsys.readouterr()
    assert "published 1 results" in printed.out
    assert "3 have no result on this machine" in printed.out
    assert printed.err == ""
    write(folder, {**read(folder, "tiny-joint"), "seeds": [5]})
    assert publish_command([]) == 1
    assert (
        "not published: tiny-joint: made with other params; run umt run" in capsys.readouterr().err
    )


def test_an_experiment_of_fewer_than_five_seeds_is_not_published(
    folder, tmp_path, monkeypatch, capsys
):
    run(folder, "tiny-joint")
    for name, place in (("PARAMS", folder), ("PUBLISHED", tmp_path / "published")):
        monkeypatch.setattr(paths, name, place)
    monkeypatch.chdir(tmp_path)
    assert publish_command([]) == 1
    assert capsys.readouterr().err == (
        "not published: tiny-joint: has fewer than 5 seeds (add some to its file); "
        "run umt run params/tiny-joint.yaml, then umt publish\n"
    )
    assert not list(paths.PUBLISHED.glob("*.json"))
    write(folder, {**read(folder, "tiny-joint"), "seeds": [0, 1, 2, 3, 4]})
    run(folder, "tiny-joint")
    assert publish_command([]) == 0
    assert [path.stem for path in paths.PUBLISHED.glob("*.json")] == ["tiny-joint"]


def test_an_analysis_has_no_seeds_of_its_own_and_is_published(tmp_path, monkeypatch):
    name, published = "analyses/theory", tmp_path / "published"
    (tmp_path / "analyses").mkdir()
    shutil.copy(PARAMS / f"{name}.yaml", tmp_path / "analyses")
    local = results_dir() / f"{name}.json"
    local.parent.mkdir(parents=True)
    shutil.copy(paths.PUBLISHED / f"{name}.json", local)
    monkeypatch.setattr(Unit, "stale", lambda *_: "")
    assert publish(tmp_path, results_dir(), published) == ([name], {})
    assert (published / f"{name}.json").read_bytes() == local.read_bytes()


def test_no_published_experiment_has_fewer_than_five_seeds():
    seeds = pd.read_csv(paths.PUBLISHED / "results.csv").groupby("experiment").size()
    assert (seeds >= 5).all()


def test_what_is_stale_is_one_sentence_for_each_reason_and_data_set(monkeypatch):
    """With the command of an experiment or of an analysis, whether or not make study runs it."""
    monkeypatch.chdir(ROOT)
    watch = [f"watch-{tail}" for tail in ("joint-linear", "joint-mlp", "umt", "ume", "ogm")]
    reasons = dict.fromkeys([*watch, "synthetic-umt"], "made with other params")
    reasons |= {"watch-ume-mean": "damaged", "analyses/theory": "made by other code"}
    reasons |= {"analyses/diagnosis-watch": "made by other code"}
    assert publishing.messages(reasons, PARAMS) == [
        "5 of watch (watch-joint-linear, watch-joint-mlp, watch-umt and 2 more): made with other "
        "params; run umt run params/NAME.yaml for each",
        "synthetic-umt: made with other params; run umt run params/synthetic-umt.yaml",
        "watch-ume-mean: damaged; run umt run params/watch-ume-mean.yaml",
        "2 analyses (theory, diagnosis-watch): made by other code; run umt analyse "
        "params/analyses/NAME.yaml for each",
    ]


def test_a_job_asks_for_what_its_params_file_estimates(folder, runs):
    command = [*SNAKEMAKE, "-n", "--quiet", "host", "--config", f"params={folder}", "--"]
    done = subprocess.run([*command, "experiments"], cwd=ROOT, capture_output=True, text=True)
    jobs = (done.stdout + done.stderr).split("rule ")
    job = {n: next(j for j in jobs if f"name={n}\n" in j) for n in ("tiny-joint", "tiny-a")}
    assert all(f" {r}," in job["tiny-joint"] for r in ("gpu=1", "mem_mb=16000", "runtime=630"))
    assert all(f" {r}," in job["tiny-a"] for r in ("gpu=0", "mem_mb=2000", "runtime=60"))


def test_a_job_on_a_gpu_has_a_core_for_each_thread_that_reads_its_data(folder):
    assert run_graph.resources(Unit("tiny-joint", folder))["threads"] == 1
    params = read(folder, "tiny-joint")
    params["training"]["workers"] = 3
    write(folder, params)
    assert run_graph.resources(Unit("tiny-joint", folder))["threads"] == 4


def test_the_cluster_profile_submits_and_leaves_what_jobs_ask_for_to_the_graph():
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    assert profile["executor"] == "slurm"
    assert "set-resources" not in profile


def test_the_long_params_files_say_how_long():
    """A job of one that did not would be stopped after an hour."""
    short = {"youtube8m", "psb", "utd-mhad", "utd-mhad3"}  # prepared too, but for a CPU
    for path in PARAMS.glob("*.yaml"):
        params = yaml.safe_load(path.read_text())
        long = "folder" in params["dataset"] and params["dataset"]["name"] not in short
        assert long is ("resources" in params), path


def test_the_graph_runs_in_a_folder_with_spaces_and_brackets(folder, tmp_path, monkeypatch):
    """The checkout with its environment, the params files, and everything that is written."""
    study = tmp_path / "my study (1)"
    study.mkdir()
    for part in ("umt_lib", "notebooks", "profiles"):
        shutil.copytree(ROOT / part, study / part)
    for part in ("Snakefile", "constraints.txt"):
        shutil.copy(ROOT / part, study)
    (study / ".venv").symlink_to(sys.prefix)
    folder = folder.rename(study / "params [2]")
    (folder / "analyses").mkdir()
    theory = {**yaml.safe_load((PARAMS / "analyses/theory.yaml").read_text()), "analysis": "none"}
    (folder / "analyses/broken.yaml").write_text(yaml.safe_dump(theory))
    runs = tmp_path / "my runs (3)"
    monkeypatch.setenv("UMT_RUNS", str(runs))
    monkeypatch.setenv("PYTHONPATH", str(study))
    python = str(study / ".venv/bin/python")
    graph = [python, "-m", "snakemake", "--profile", "profiles/local"]
    graph += ["--config", f"params={folder}", "study=full", "--"]

    def run(target: str) -> subprocess.CompletedProcess:
        command = [python, *SERVE[1:], *graph, target]
        return subprocess.run(command, cwd=study, capture_output=True, text=True, timeout=300)

    done = run("experiments")
    assert done.returncode == 0, done.stderr
    assert results.load(runs / "results/tiny-umt.json").name == "tiny-umt"
    assert f"{folder}/analyses/broken.yaml: " in run(f"{runs}/results/analyses/broken.json").stderr


def test_everything_that_is_filled_into_a_shell_command_is_quoted():
    rules = (ROOT / "Snakefile").read_text().split("    shell:\n")[1:]
    filled = [re.findall(r"{(.*?)}", rule.split("\n\n")[0]) for rule in rules]
    assert [len(names) > 1 for names in filled] == [True] * 3  # book, experiment, analysis
    assert [name for names in filled for name in names if not name.endswith(":q")] == []


@pytest.mark.parametrize(
    "module", ["pipeline.run_graph", "pipeline.notebook_server", "report.build"]
)
def test_what_every_job_imports_and_what_runs_when_nothing_changed_is_small(module):
    """The library takes seconds to import: a client of the warm process leaves that to it."""
    code = f"import sys, umt_lib.study.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
