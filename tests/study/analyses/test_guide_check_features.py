"""Features of finished runs as the guide takes them, by the name of a data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from umt_lib import paths
from umt_lib.data import load as load_data
from umt_lib.errors import StudyError
from umt_lib.study.analyses.guide_check import features


@pytest.fixture
def ours(params, tmp_path, monkeypatch) -> Path:
    """A params folder with the two uni-modal experiments of a tiny data set."""
    folder = tmp_path / "params"
    folder.mkdir()
    for m in "ab":
        name = f"synthetic-unimodal-{m}"
        theirs = {**params, "name": name, "method": {"name": "unimodal", "modality": m}}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(theirs))
    monkeypatch.setattr(paths, "PARAMS", folder)
    return folder


def test_runs_of_ours_give_validation_features(params, ours):
    from umt_lib.study.experiments.experiment import Experiment

    with pytest.raises(StudyError, match=r"unimodal-a.*no such checkpoint; run umt run .*first"):
        features.load("synthetic")
    for file in ours.iterdir():
        Experiment.from_params(yaml.safe_load(file.read_text())).run("cpu", progress=False)
    source = features.load("synthetic", seed=1)
    shapes = {m: z.shape for m, z in source.features.items()}
    assert shapes == {"a": (40, 6), "b": (40, 6)}
    assert {len(z) for z in source.extra.values()} == {40}
    assert source.name == "synthetic, validation split, uni-modal encoders of seed 1"
    with pytest.raises(StudyError, match=r"synthetic: .* has no seed 7; give one of \[0, 1\]"):
        features.load("synthetic", seed=7)


def test_a_class_of_ours_in_too_few_groups_is_left_out_and_named(monkeypatch):
    splits = load_data("synthetic", n_train=60, n_validation=40, n_test=50)
    y = splits.validation.y
    groups = torch.arange(40) % 8 + 8 * y  # eight groups of either class ...
    rare = splits.classes[1]
    groups[y == 1] = 100 + groups[y == 1] % 2  # ... and now two of the second
    held = replace(splits.validation, groups=groups.numpy())
    columns = {m: np.arange(40.0)[:, None] for m in splits.modalities}
    found = columns, replace(splits, validation=held)
    monkeypatch.setattr(features, "last_layer", lambda dataset, seed: found)
    source = features.load("synthetic")
    assert source.name.endswith(f"seed 0, without {rare} (too few samples or groups)")
    rows = np.flatnonzero(y != 1)
    assert not (source.labels == 1).any()
    assert source.groups.tolist() == groups[rows].tolist()
    assert all(x[:, 0].tolist() == rows.tolist() for x in source.features.values())
    assert {len(x) for x in source.extra.values()} == {len(rows)}


def test_a_class_of_ours_with_too_few_samples_for_the_folds_is_left_out(monkeypatch):
    splits = load_data("synthetic", n_train=60, n_validation=40, n_test=50)
    few = torch.cat([torch.where(splits.validation.y == k)[0][:n] for k, n in ((0, 15), (1, 7))])
    held = splits.validation.take(few)
    columns = {m: np.arange(22.0)[:, None] for m in splits.modalities}
    found = columns, replace(splits, validation=held)
    monkeypatch.setattr(features, "last_layer", lambda dataset, seed: found)
    assert "without" not in features.load("synthetic", folds=3).name  # three folds need six
    seen = features.validation("synthetic", 0)
    assert seen.without == (splits.classes[1],)
    assert set(seen.y.tolist()) == {0}
    held = splits.validation.take(few[6:20])
    found = {m: x[:14] for m, x in columns.items()}, replace(splits, validation=held)
    assert features.validation("synthetic", 0).without == ()  # no class has ten: the guide refuses


def test_a_file_is_read_and_an_unknown_name_is_refused(tmp_path):
    a = np.arange(8.0)[:, None]
    np.savez(tmp_path / "mine.npz", audio=a, video=a, labels=np.arange(8) % 2)
    assert set(features.load(str(tmp_path / "mine.npz")).features) == {"audio", "video"}
    with pytest.raises(StudyError, match=r"no such file or folder; check the path"):
        features.load(str(tmp_path / "none.npz"))
    sentence = "digitpairs: no such file, folder or data set; did you mean 'digit-pairs'?"
    with pytest.raises(StudyError, match=sentence.replace("?", r"\?")):
        features.load("digitpairs")


def test_a_data_set_without_unimodal_experiments_is_refused_and_not_offered(ours):
    sentence = r"graded-pairs: .* no uni-modal experiments \(params/graded-pairs-unimodal-\*\.yaml"
    with pytest.raises(
        StudyError, match=rf"{sentence}\).*; give a file of features, or one of synthetic$"
    ):
        features.load("graded-pairs")
    with pytest.raises(StudyError, match=r"no such file, .* \(known: synthetic\)$"):
        features.load("graded-pear")
