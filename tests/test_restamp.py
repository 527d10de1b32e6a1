"""Renewed digests: a result made by code that moved is current again, and measured what it did."""

from __future__ import annotations

import json

import loaded
import pytest
import yaml

from umt_lib.paths import results_dir
from umt_lib.study.experiments import results
from umt_lib.study.experiments.experiment import Experiment


def test_a_restamped_result_is_current_and_nothing_measured_changes(
    params, trained_teachers, tmp_path
):
    tiny = dict(params)
    restamp = loaded.module("scripts/restamp.py")
    params |= {"method": {"name": "umt"}, "teachers": trained_teachers, "sweep": {"weight": [1, 9]}}
    for m, name in trained_teachers.items():
        teacher = {**tiny, "name": name, "method": {"name": "unimodal", "modality": m}}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(teacher))
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(params))
    Experiment.from_params(params).run("cpu", progress=False)
    file = results_dir() / "tiny.json"
    whole = json.loads(file.read_bytes())
    whole["provenance"]["code"] = "c" * 64
    whole["provenance"]["keys"] = {seed: f"{seed}" * 64 for seed in whole["provenance"]["keys"]}
    file.write_text(json.dumps(whole, indent=1) + "\n")
    before = results.measured_digest(results_dir(), "tiny")
    assert results.stale("tiny", results_dir(), tmp_path) == "made by other code"
    names = tmp_path / "names.txt"
    names.write_text("tiny\n")
    assert restamp.restamp(names, results_dir(), tmp_path) == 0
    assert results.stale("tiny", results_dir(), tmp_path) == ""
    assert results.measured_digest(results_dir(), "tiny") == before


def test_a_result_that_is_missing_is_named_and_a_forgotten_list_is_asked_for(tmp_path, capsys):
    restamp = loaded.module("scripts/restamp.py")
    (tmp_path / "names.txt").write_text("unknown\n")
    assert restamp.main([str(tmp_path / "names.txt"), str(tmp_path)]) == 2
    assert "unknown.json: cannot be read (No such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        restamp.main([])
    assert "the following arguments are required: names" in capsys.readouterr().err
