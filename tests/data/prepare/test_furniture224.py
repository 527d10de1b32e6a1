"""Furniture at any size, from miniature OFF files under the names of the shipped models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from umt_lib.data import furniture, furniture224, load
from umt_lib.data.loader import batches
from umt_lib.data.prepare import __main__ as command
from umt_lib.data.prepare.furniture import ELEVATION, SUPERSAMPLE, azimuths
from umt_lib.data.prepare.modelnet40 import read_mesh
from umt_lib.data.prepare.prepared import Prepared
from umt_lib.data.render import render
from umt_lib.data.splits import five_folds

SIZE, VIEWS, LOST = 32, 2, 5
PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def models() -> list[str]:
    return furniture.read(furniture.ARCHIVE)[0]["model"].tolist()


@pytest.fixture(scope="module")
def raw(tmp_path_factory, models):
    """A box of its own for every model but one, each with a wall at its rear."""
    root, stream = tmp_path_factory.mktemp("meshes"), np.random.default_rng(0)
    for number, model in enumerate(models):
        box = trimesh.creation.box(stream.uniform(0.5, 1.5, 3))
        wall = trimesh.creation.box((0.3, 1, 0.1)).apply_translation((0.5, 0.5, -0.8))
        file = root / f"{model}.off"
        file.parent.mkdir(exist_ok=True)
        if number != LOST:
            trimesh.util.concatenate([box, wall]).export(file)
    return root


@pytest.fixture(scope="module")
def prepared(raw, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "furniture224"
    options = ["--size", str(SIZE), "--views", str(VIEWS), "--workers", "2"]
    assert command.main(["furniture224", "--root", str(raw), "--out", str(out), *options]) == 0
    return out


@pytest.fixture(scope="module")
def splits(prepared):
    return load("furniture224", folder=str(prepared))


def rows_of(fold):
    """Rows of the archive in train, validation and test."""
    arrays, _ = furniture.read(furniture.ARCHIVE)
    return five_folds(arrays["label"], arrays["group"], fold)


@pytest.mark.parametrize("fold", [0, 3])
def test_samples_are_those_of_the_small_pictures_less_what_is_missing(prepared, models, fold):
    small = furniture.load(views=VIEWS, fold=fold)
    splits = load("furniture224", folder=str(prepared), fold=fold)
    assert splits.classes == small.classes
    for part, rows in zip(PARTS, rows_of(fold), strict=True):
        ours, theirs = getattr(splits, part), getattr(small, part)
        kept = np.array(models)[rows].repeat(VIEWS) != models[LOST]
        assert ours.y.tolist() == theirs.y[kept].tolist()
        assert ours.groups.tolist() == theirs.groups[kept].tolist()
        assert {m: x.shape[1:] for m, x in ours.inputs(slice(0, 2)).items()} == dict.fromkeys(
            furniture.MODALITIES, (1, SIZE, SIZE)
        )


def test_a_missing_mesh_is_named(prepared, models):
    quarantine = Prepared.open(prepared).manifest["quarantine"]
    assert quarantine == [{"id": models[LOST], "reason": "file is missing"}]


@pytest.mark.parametrize("views", [0, 7])
def test_views_that_the_archive_does_not_have_are_refused(raw, tmp_path, capsys, views):
    out = tmp_path / "out"
    given = ["furniture224", "--root", str(raw), "--out", str(out), "--views", str(views)]
    assert command.main(given) == 2
    assert capsys.readouterr().err == f"furniture224: views is {views}; give 1 to 6\n"
    assert not out.exists()


def test_a_sample_is_a_model_from_opposite_sides(raw, splits, models):
    assert azimuths(VIEWS).tolist() == [-10, 10]
    first = models[rows_of(0)[2][0]]
    shape = read_mesh(raw / f"{first}.off")
    x = splits.test.inputs(slice(0, VIEWS))
    for m, turn in (("front", 0), ("rear", 180)):
        for row, angle in enumerate((-10, 10)):
            view = render(*shape, turn + angle, ELEVATION, SIZE, "y", SUPERSAMPLE)
            assert np.array_equal(x[m][row, 0], view)
    assert not torch.equal(x["front"], x["rear"])


def test_training_pictures_move_by_up_to_a_sixteenth_each_on_its_own():
    ramp = 8 * torch.arange(SIZE)[:, None] + torch.arange(SIZE)
    at = {m: ramp.repeat(512, 1, 1) for m in furniture.MODALITIES}
    moved = furniture224.augment(at, torch.Generator().manual_seed(0))
    middle = slice(4, -4)
    seen = {m: (x[:, 0] - ramp)[:, middle, middle].flatten(1) for m, x in moved.items()}
    for shifts in seen.values():
        assert (shifts == shifts[:, :1]).all()  # a whole picture moves as one
        steps = {-(8 * down + right) for down in range(-2, 3) for right in range(-2, 3)}
        assert set(shifts[:, 0].tolist()) == steps
    assert not torch.equal(seen["front"], seen["rear"])
    edge = moved["front"][:, 0]
    assert (edge.amin((1, 2)) >= 0).all()
    assert (edge.amax((1, 2)) <= ramp.max()).all()


def test_batches_are_moved_pictures(splits):
    batch = next(batches(splits, splits.train, 16, seed=0, epoch=0))
    looked_at = splits.train.inputs(batch.index)
    for m, x in batch.x.items():
        assert (x.shape, x.dtype) == (looked_at[m].shape, torch.uint8)
        assert not torch.equal(x, looked_at[m])
