"""Analyses: checked params, whole files, staleness by content, and what they need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.paths import ROOT, results_dir
from umt_lib.study.analyses import analysis
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.study.pipeline.collection import AnalysisEntry, gather

TINY = {
    "name": "tiny-map",
    "analysis": {
        "name": "map",
        "world": "synthetic",
        "dials": {"uni": [0.5], "paired": [0.5], "asymmetry": [0.0], "n_train": [64]},
        "tuning": [0, 1],
        "report": [2, 3],
        "strategies": ["UME"],
    },
}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A params folder with one analysis."""
    (tmp_path / "params/analyses").mkdir(parents=True)
    return tmp_path / "params"


def write(folder: Path, params: dict) -> Path:
    path = folder / f"analyses/{params['name']}.yaml"
    path.write_text(yaml.safe_dump(params))
    return path


@pytest.mark.parametrize("path", sorted(paths.PARAMS.glob("analyses/*.yaml")), ids=lambda p: p.stem)
def test_every_file_is_valid_and_needs_what_exists(path):
    params = analysis.read(path)
    assert len(params["analysis"].get("seeds", range(5))) >= 5 or "guide" in path.stem
    for need in params.get("needs", []):
        assert (paths.PARAMS / f"{need}.yaml").exists(), need
    opening, _, _ = path.read_text().partition("\nname:")
    assert opening.startswith("# ")
    assert "minute" in opening


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"anlysis": {}}, "unknown key 'anlysis'; did you mean 'analysis'?"),
        ({"analysis": {"name": "mup"}}, "unknown 'mup'; did you mean 'map'?"),
        ({"analysis": {**TINY["analysis"], "tunning": [0]}}, "did you mean 'tuning'?"),
        ({"analysis": {**TINY["analysis"], "cells": "many"}}, "analysis.cells"),
        ({"analysis": {**TINY["analysis"], "progress": True}}, "unknown key 'analysis.progress'"),
        ({"analysis": {**TINY["analysis"], "workers": 2}}, "unknown key 'analysis.workers'"),
        ({"needs": "all"}, "needs"),
    ],
)
def test_a_wrong_key_or_type_is_refused(folder, change, message):
    with pytest.raises(StudyError, match=message.replace("?", r"\?")) as error:
        analysis.read(write(folder, {**TINY, **change}))
    assert "tiny-map.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        ("kinds", {"training_epochs": 0}, "training_epochs"),
        ("kinds", {"training_epochs": -1}, "training_epochs"),
        ("kinds", {"seeds": [0, 0]}, "seeds"),
        ("kinds", {"n_train": 0}, "n_train"),
        ("theory", {"seeds": []}, "seeds"),
        ("theory", {"seeds": [-1]}, "seeds.0"),
        ("theory", {"seeds": [2**31]}, "seeds.0"),
        ("theory", {"epochs": 0}, "epochs"),
        ("theory", {"weight": -1.0}, "weight"),
        ("theory", {"weight": 1.0e300}, "weight"),
        ("theory", {"n_train": 2}, "n_train"),
        ("theory", {"n_train": 10**15}, "n_train"),
        ("guide-real", {"sets": {}}, "sets"),
        ("guide-real", {"sets": {"wiki": 1}}, "sets.wiki"),
        ("map-synthetic", {"tuning": [0, 0]}, "tuning"),
        ("map-synthetic", {"report": [1, 1]}, "report"),
        ("map-synthetic", {"report": [1]}, "report"),
        ("map-synthetic", {"strategies": []}, "strategies"),
        ("map-synthetic", {"strategies": ["UME", "UME"]}, "strategies"),
        ("map-synthetic", {"dials": {"asymmetry": [5.0]}}, "dials.asymmetry.0"),
        ("map-synthetic", {"dials": {"updates": [0]}}, "dials.updates.0"),
        ("map-synthetic", {"dials": {"updates": [1.5]}}, "dials.updates.0"),
        ("map-synthetic", {"dials": {"uni": [0.2, 0.2]}}, "dials.uni"),
        ("map-synthetic", {"dials": {"uni": []}}, "dials.uni"),
        ("map-synthetic", {"dials": {"n_train": [0]}}, "dials.n_train.0"),
        ("map-synthetic", {"dials": {"n_train": [-4]}}, "dials.n_train.0"),
        ("map-synthetic", {"dials": {"n_train": [512.5]}}, "dials.n_train.0"),
        ("map-shared-nuisance", {"dials": {"rho": [-1.0]}}, "dials.rho.0"),
        ("map-shared-nuisance", {"dials": {"quiet": [0.0]}}, "dials.quiet.0"),
        ("features-quiet-pairs", {"dials": {"paired": [1.5]}}, "dials.paired.0"),
        ("features-quiet-pairs", {"tuning": [1, 1]}, "tuning"),
        ("guide-on-map-synthetic", {"seeds": []}, "seeds"),
        ("guide-on-map-synthetic", {"seeds": [1, 1]}, "seeds"),
        ("guide-on-map-synthetic", {"seeds": [-1]}, "seeds.0"),
        ("guide-on-map-synthetic", {"guide_seeds": 0}, "guide_seeds"),
        ("guide-on-map-synthetic", {"cells": -1}, "cells"),
        ("guide-on-map-synthetic", {"n_validation": 0}, "n_validation"),
        ("guide-on-map-synthetic", {"part": "all"}, "part"),
        ("trade-off-synthetic", {"seeds": []}, "seeds"),
        ("trade-off-synthetic", {"seeds": [-1]}, "seeds.0"),
        ("trade-off-synthetic", {"uni": []}, "uni"),
        ("trade-off-synthetic", {"weights": [1.0, 1.0]}, "weights"),
        ("ave-features", {"seeds": [1, 1]}, "seeds"),
        ("ave-features", {"folds": 1}, "folds"),
        ("ave-features", {"guide_folds": 0}, "guide_folds"),
        ("diagnosis-watch", {"seeds": []}, "seeds"),
        ("diagnosis-watch", {"samples": 0}, "samples"),
        ("guide-watch", {"seeds": []}, "seeds"),
        ("guide-watch", {"folds": 1}, "folds"),
    ],
)
def test_a_value_that_measures_nothing_is_refused_when_the_file_is_read(
    tmp_path, name, change, key
):
    with pytest.raises(StudyError) as error:
        analysis.read(copied(tmp_path, name, change))
    (value,) = change.values()
    for part in key.split(".")[1:]:
        value = value[int(part) if part.isdigit() else part]
    text = str(error.value)
    assert text.startswith(f"{tmp_path / name}.yaml: analysis.{key}: ")
    assert f"should {'' if key != 'part' else 'be '}" in text
    assert text.endswith(f", not {value!r}")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("trade-off-synthetic", {"few_weights": [7.0]}, "few_weights has 7.0, which is not among"),
        ("guide-on-map-synthetic", {"guide_seeds": 6}, "guide_seeds is 6; there are 5 seeds"),
        ("guide-on-map-synthetic", {"dataset": "lasy"}, "no map of 'lasy'; did you mean 'lazy'"),
        ("guide-real", {"sets": {"breast-cancer": 5, "wik": 5}}, "set 'wik': there is no such set"),
        ("map-synthetic", {"report": [2, 3]}, "seed 2 is a tuning seed and a report seed"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused_before_any_training(
    tmp_path, monkeypatch, name, change, message, capsys
):
    def fails(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr("umt_lib.study.analyses.guide_check.direct.fit", fails)
    monkeypatch.setattr("umt_lib.study.analyses.batched.fit._step", fails)
    assert analysis.main([str(copied(tmp_path, name, change))]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{name}: ")
    assert message in line


def copied(folder: Path, name: str, change: dict) -> Path:
    """A copy of a file of params/analyses with other values; of a mapping, some are replaced."""
    params = yaml.safe_load((paths.PARAMS / f"analyses/{name}.yaml").read_text())
    for key, value in change.items():
        old = params["analysis"].get(key)
        params["analysis"][key] = {**old, **value} if key == "dials" else value
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(params))
    return path


def test_an_experiments_file_is_refused_with_the_command_for_it(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text("name: tiny\nmethod: {name: joint}\n")
    with pytest.raises(StudyError, match="is the params file of an experiment; run umt run"):
        analysis.read(file)


def test_a_file_is_named_as_its_analysis(folder):
    path = write(folder, TINY)
    path = path.rename(path.with_name("other.yaml"))
    with pytest.raises(StudyError, match="make it 'other'"):
        analysis.read(path)


def test_it_measures_writes_and_is_current(folder):
    first = analysis.run(analysis.read(write(folder, TINY)))
    file = results_dir() / "analyses/tiny-map.json"
    assert analysis.load(file) == first
    assert analysis.stale("analyses/tiny-map", results_dir(), folder) == ""
    again = analysis.run(analysis.read(write(folder, TINY)))
    assert again.measured == first.measured

    write(folder, {**TINY, "analysis": {**TINY["analysis"], "report": [3, 4]}})
    assert analysis.stale("analyses/tiny-map", results_dir(), folder) == "made with other params"
    write(folder, TINY)
    whole = file.read_text()
    file.write_text(whole.replace(first.provenance.code, "0" * 64))
    assert analysis.stale("analyses/tiny-map", results_dir(), folder) == "made by other code"
    other, empty = first.model_copy(update={"name": "x"}), first.model_copy(update={"measured": {}})
    for content in (whole[: len(whole) // 2], other.model_dump_json(), empty.model_dump_json()):
        file.write_text(content)
        assert analysis.stale("analyses/tiny-map", results_dir(), folder) == "damaged"
    file.write_text(whole[: len(whole) // 2])
    with pytest.raises(StudyError, match="delete it and run its analysis again"):
        analysis.load(file)
    file.unlink()
    assert analysis.stale("analyses/tiny-map", results_dir(), folder) == "missing"


def test_a_changed_copy_of_a_file_keeps_the_result_of_the_file(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("UMT_PARAMS", str(folder))
    assert analysis.main([str(write(folder, TINY)), "--workers", "1"]) == 0
    file = results_dir() / "analyses/tiny-map.json"
    kept = file.read_bytes()
    copy = tmp_path / "tiny-map.yaml"
    copy.write_text(yaml.safe_dump({**TINY, "analysis": {**TINY["analysis"], "report": [3, 4]}}))
    assert analysis.main([str(copy), "--workers", "1"]) == 0
    assert "a trial, in" in capsys.readouterr().out
    assert file.read_bytes() == kept
    (trial,) = (paths.runs() / "trials").glob("tiny-map-trial-*.json")
    assert analysis.load(trial).params["analysis"]["report"] == [3, 4]


def test_the_code_that_counts_is_what_the_numbers_come_from(monkeypatch):
    """The models a map trains count; another method does not."""
    from umt_lib.study.experiments import provenance

    counted = []
    real = provenance.ast_digest
    monkeypatch.setattr(
        provenance, "ast_digest", lambda file: counted.append(file.name) or real(file)
    )
    analysis.code_key(TINY)
    assert {"measure.py", "train.py", "fit.py", "umt.py", "heads.py", "synthetic.py"} <= {*counted}
    assert "joint_longer.py" not in counted


def test_diagnoses_of_finished_models_follow_their_results(folder, params):
    for head in ("linear", "mlp"):
        spec = {**params, "name": f"tiny-joint-{head}", "head": {"name": head}}
        Experiment.from_params(spec).run("cpu")
    needs = ["tiny-joint-linear", "tiny-joint-mlp"]
    spec = {"name": "diagnosis", "dataset": "tiny", "seeds": [0, 1], "samples": 30}
    wanted = {"name": "diagnosis-tiny", "analysis": spec, "needs": needs}
    result = analysis.run(analysis.read(write(folder, wanted)))
    heads = result.measured["heads"]
    assert heads["linear"]["EMAP gap"] == [0.0, 0.0]  # additive, exactly
    assert len(heads["mlp"]["utilisation of a"]) == 2
    assert analysis.stale("analyses/diagnosis-tiny", results_dir(), folder) == ""

    other = {**params, "name": "tiny-joint-mlp", "head": {"name": "mlp"}, "seeds": [0, 2]}
    Experiment.from_params(other).run("cpu")
    assert (
        analysis.stale("analyses/diagnosis-tiny", results_dir(), folder)
        == "made from other results"
    )
    (results_dir() / "tiny-joint-mlp.json").unlink()
    with pytest.raises(StudyError, match=r"needs the result of 'tiny-joint-mlp'.*first"):
        analysis.run(wanted)


def test_the_book_shows_a_current_one_and_a_published_one_with_a_mark(folder, tmp_path):
    write(folder, TINY)
    local, published = results_dir(), tmp_path / "published"
    assert gather(folder, published, local).analyses[0].origin == "not run yet"
    analysis.run(TINY)
    (entry,) = gather(folder, published, local).analyses
    assert isinstance(entry, AnalysisEntry)
    assert entry.result is entry.local
    assert entry.origin == "this machine"
    file = local / "analyses/tiny-map.json"
    file.write_text(file.read_text().replace(entry.local.provenance.params, "0"))
    (entry,) = gather(folder, published, local).analyses
    assert entry.result is None
    (entry,) = gather(folder, local, None).analyses
    assert (entry.origin, entry.stale) == ("published, stale", "made with other params")


def test_the_command_ends_in_one_sentence(folder, runs, capsys):
    path = write(folder, {**TINY, "needs": ["nothing"]})
    command = [sys.executable, "-m", "umt_lib", "analyse", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("tiny-map: needs the result of 'nothing'")
    assert len(done.stderr.splitlines()) == 1
    assert not (runs / "results/analyses").exists()
    write(folder, TINY)
    assert analysis.main([str(path)]) == 0
    assert capsys.readouterr().out.startswith("tiny-map, ")
    assert json.loads((runs / "results/analyses/tiny-map.json").read_text())["measured"]["cells"]
