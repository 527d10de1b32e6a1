"""The furniture archive and its loader."""

import csv
import hashlib
import io

import numpy as np
import pytest
import torch

from umt_lib.data import furniture
from umt_lib.data.splits import check
from umt_lib.errors import StudyError

PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def splits():
    return furniture.load()


@pytest.fixture(scope="module")
def rows():
    with open(furniture.ARCHIVE.with_name("furniture_models.csv"), newline="") as file:
        return list(csv.DictReader(file))


def test_shapes_classes_and_groups_pass_the_common_check(splits):
    check(splits, "furniture")
    assert splits.modalities == ("front", "rear")
    assert splits.shapes == {"front": (1, 32, 32), "rear": (1, 32, 32)}
    assert all(x.dtype == torch.float32 for x in splits.train.x.values())
    assert splits.source == hashlib.sha256(furniture.ARCHIVE.read_bytes()).hexdigest()


def test_models_are_cut_about_60_20_20_in_every_class(splits):
    assert 8 <= len(splits.classes) <= 13
    counts = np.array([getattr(splits, part).y.bincount().tolist() for part in PARTS]) / 6
    assert (counts.sum(0) >= 20).all()
    share = counts / counts.sum(0)
    np.testing.assert_allclose(share.T, [(0.6, 0.2, 0.2)] * len(splits.classes), atol=0.12)


def test_in_five_folds_every_design_is_tested_once():
    tested = [set(furniture.load(views=1, fold=fold).test.groups) for fold in range(5)]
    assert sum(map(len, tested)) == len(set.union(*tested))
    every = set(furniture.read(furniture.ARCHIVE)[0]["group"])
    assert set.union(*tested) == every


def test_training_pixels_are_standardised(splits):
    for x in splits.train.x.values():
        assert abs(float(x.mean())) < 1e-4
        assert abs(float(x.std()) - 1) < 1e-4
    arrays, _ = furniture.read(furniture.ARCHIVE)
    for m, x in splits.test.x.items():
        every = arrays[m] / 255
        train, test = (
            every[np.isin(arrays["group"], s.groups)] for s in (splits.train, splits.test)
        )
        assert float(x.mean()) == pytest.approx(
            (test.mean() - train.mean()) / train.std(), abs=1e-4
        )


def test_views_count_from_the_most_frontal_one(splits):
    one, two = furniture.load(views=1), furniture.load(views=2)
    for part in PARTS:
        n = len(getattr(splits, part)) // 6
        assert len(getattr(one, part)) == n
        assert len(getattr(two, part)) == 2 * n
        assert (getattr(two, part).groups == np.repeat(getattr(one, part).groups, 2)).all()
    arrays, _ = furniture.read(furniture.ARCHIVE)
    train = np.isin(arrays["group"], one.train.groups)
    first = arrays["front"][train][:, 2:4]  # azimuths -10 and 10
    correlation = np.corrcoef(first.ravel(), two.train.x["front"].ravel())  # in float64
    assert correlation[0, 1] > 0.9999


def test_loading_twice_gives_the_same_tensors(splits):
    again = furniture.load()
    assert all(
        torch.equal(getattr(splits, part).x[m], getattr(again, part).x[m])
        for part in PARTS
        for m in splits.modalities
    )
    assert again.source == splits.source


@pytest.mark.parametrize("views", [0, 7])
def test_views_out_of_range_are_told(views):
    with pytest.raises(StudyError, match=f"views={views} is out of range; choose 1 to 6"):
        furniture.load(views=views)


@pytest.mark.parametrize("fault", ["missing", "truncated", "flipped", "empty", "another"])
def test_broken_archive_names_the_file_and_the_fix(fault, tmp_path, monkeypatch):
    path, raw = tmp_path / "furniture.npz", bytearray(furniture.ARCHIVE.read_bytes())
    if fault == "truncated":
        raw = raw[: len(raw) // 2]
    elif fault == "flipped":
        raw[len(raw) // 3] ^= 0xFF
    elif fault == "empty":
        raw = b""
    elif fault == "another":
        np.savez(buffer := io.BytesIO(), front=np.zeros(3))
        raw = buffer.getvalue()
    if fault != "missing":
        path.write_bytes(raw)
    monkeypatch.setattr(furniture, "ARCHIVE", path)
    with pytest.raises(StudyError, match=r"furniture\.npz cannot be read .*git checkout"):
        furniture.load()


def test_published_list_agrees_with_the_archive(rows):
    arrays, _ = furniture.read(furniture.ARCHIVE)
    assert [row["model"] for row in rows] == arrays["model"].tolist()
    assert [row["class"] for row in rows] == arrays["classes"][arrays["label"]].tolist()
    assert [row["group"] for row in rows] == arrays["group"].tolist()
    assert [row["split"] for row in rows] == arrays["split"].tolist()


def test_every_model_has_author_licence_and_source(rows):
    for row in rows:
        assert row["licence"] in {"CC0-1.0", "CC-BY-3.0", "CC-BY-3.0-US"}
        assert row["author"].strip()
        assert row["source"].startswith("http")
        assert row["file"].endswith(".obj")
    page = furniture.ARCHIVE.with_name("FURNITURE_LICENCES.md").read_text()
    assert all(row["author"] in page for row in rows)


def test_no_image_is_empty_and_front_differs_from_rear():
    arrays, _ = furniture.read(furniture.ARCHIVE)
    for m in furniture.MODALITIES:
        assert ((arrays[m] > 0).mean((2, 3)) > 0.01).all()
    assert (arrays["front"] != arrays["rear"]).any((1, 2, 3)).mean() > 0.9


def test_augment_shifts_by_at_most_two_pixels_and_repeats_with_its_generator():
    mark = torch.zeros(64, 1, 16, 16)
    mark[:, :, 8, 8] = 1
    batch = {"front": mark, "rear": mark.clone()}
    first, again = (furniture.augment(batch, torch.Generator().manual_seed(5)) for _ in range(2))
    moved = first["front"].flatten(1).argmax(1)
    offsets = torch.stack([moved // 16 - 8, moved % 16 - 8])
    assert offsets.abs().max() == 2
    assert len(offsets.unique(dim=1).T) > 15  # of 25
    assert all(torch.equal(first[m], again[m]) for m in batch)
    assert not torch.equal(first["front"], first["rear"])
    assert first["front"].shape == mark.shape
    assert (first["front"].sum((1, 2, 3)) == 1).all()


def test_augment_repeats_the_border():
    x = torch.full((8, 1, 12, 12), -0.5)
    moved = furniture.augment({"front": x}, torch.Generator().manual_seed(0))["front"]
    assert torch.equal(moved, x)


def test_picture_shows_every_class_twice_per_sample(splits):
    figure = furniture.picture(splits, samples=2)
    assert len(figure.axes) == 4 * len(splits.classes)
    assert [axis.get_ylabel() for axis in figure.axes[:: len(splits.classes)]] == [
        "front",
        "rear",
    ] * 2
