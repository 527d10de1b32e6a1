"""Renewed digests: a result made by code that moved is current again, and measured what it did."""

from __future__ import annotations

import json

import loaded
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
    file.write_bytes(restamp.restamped("tiny", file.read_bytes(), results_dir(), tmp_path))
    assert results.stale("tiny", results_dir(), tmp_path) == ""
    assert results.measured_digest(results_dir(), "tiny") == before
