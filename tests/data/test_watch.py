import sys

import numpy as np
import pytest
import torch

from umt_lib.data import watch
from umt_lib.data.splits import check
from umt_lib.errors import StudyError


@pytest.fixture(scope="module")
def splits():
    return check(watch.load(), "watch")


@pytest.fixture(scope="module")
def raw():
    return watch._recordings(watch._find())


def test_shapes_and_size(splits):
    assert splits.shapes == {"accelerometer": (3, 100), "gyroscope": (3, 100)}
    assert splits.train.x["gyroscope"].dtype == torch.float32
    assert len(splits.classes) == 7
    assert 2000 < len(splits.train) < 4000


def test_people_are_groups_and_partners_stay_together(splits):
    parts = [set(s.groups.tolist()) for s in (splits.train, splits.validation, splits.test)]
    assert sorted(p for part in parts for p in part) == list(range(1, 11))
    for pair in ({1, 2}, {3, 4}, {5, 6}, {8, 9}, {7, 10}):
        assert sum(pair <= part for part in parts) == 1


def test_in_five_folds_every_person_is_tested_once_and_validates_once():
    folds = [check(watch.load(fold=fold), "watch") for fold in range(5)]
    for part in ("validation", "test"):
        people = [sorted(set(getattr(splits, part).groups.tolist())) for splits in folds]
        assert sorted(people) == [[1, 2], [3, 4], [5, 6], [7, 10], [8, 9]]
    with pytest.raises(StudyError, match="fold is 5; give 0 to 4"):
        watch.load(fold=5)


def test_train_channels_are_standardised(splits):
    for x in splits.train.x.values():
        np.testing.assert_allclose(x.mean(dim=(0, 2)), 0, atol=1e-4)
        np.testing.assert_allclose(x.std(dim=(0, 2)), 1, atol=1e-3)
    assert splits.test.x["accelerometer"].mean(dim=(0, 2)).abs().max() > 1e-3


def test_the_file_is_what_the_labels_say(raw):
    assert raw["X_labels"] == ["ax", "ay", "az", "wx", "wy", "wz"]
    assert raw["y_labels"] == list(watch.CLASSES)
    gravity = np.median([np.median(np.linalg.norm(x[:, :3], axis=1)) for x in raw["X"]])
    assert 0.9 < gravity < 1.25  # in g, the arm at rest most of the time


def test_most_series_hold_twenty_repetitions(raw):
    cycles = []
    for x in raw["X"]:
        turning = x[:, 3:] - x[:, 3:].mean(axis=0)
        power = (np.abs(np.fft.rfft(turning, axis=0)) ** 2).sum(axis=1)
        cycles.append(power.argmax())
    assert np.mean(np.abs(np.array(cycles) - 20) <= 2) > 0.9


def test_windows_are_pieces_of_one_series(raw):
    """The first window of a series is its first samples, up to a linear map per channel."""
    split = watch.load(seconds=1.0, overlap=0.0).validation
    person = split.groups[0]
    first = np.flatnonzero(raw["subject"] == person)[0]
    series = raw["X"][first]
    for m, columns in watch.COLUMNS.items():
        window = split.x[m][0].numpy()
        for channel, original in zip(window, series[:50, columns].T, strict=True):
            assert np.corrcoef(channel, original)[0, 1] == pytest.approx(1, abs=1e-5)
    people = set(split.groups.tolist())
    counts = [len(x) // 50 for x, s in zip(raw["X"], raw["subject"], strict=True) if s in people]
    assert len(split) == sum(counts)


def test_loading_repeats(splits):
    assert torch.equal(watch.load().test.x["gyroscope"], splits.test.x["gyroscope"])


def test_seglearn_is_never_imported(splits):
    assert "seglearn" not in sys.modules


def test_a_changed_file_is_never_unpickled(tmp_path, monkeypatch):
    bad = tmp_path / "watch_dataset.npy"
    bad.write_bytes(watch._find().read_bytes()[:-1] + b"!")
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpickled an unknown file"))
    with pytest.raises(StudyError, match=r"watch_dataset\.npy has sha256 .*pip install"):
        watch._recordings(bad)


def test_a_missing_file_or_package_says_how_to_get_it(tmp_path, monkeypatch):
    with pytest.raises(StudyError, match=r"nothing\.npy is missing; .*pip install"):
        watch._recordings(tmp_path / "nothing.npy")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StudyError, match=r"seglearn is not installed; .*pip install"):
        watch.load()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"overlap": 1.0}, "overlap is 1.0"),
        ({"overlap": -0.5}, "overlap is -0.5"),
        ({"seconds": 0.0}, "windows of 0.0 s"),
        ({"seconds": 30.0}, "windows of 30.0 s"),
    ],
)
def test_bad_options_are_named(options, sentence):
    with pytest.raises(StudyError, match=sentence):
        watch.load(**options)


def test_picture_shows_every_exercise(splits):
    figure = watch.picture(splits)
    assert set(splits.classes) <= {ax.get_ylabel() for ax in figure.axes}
    figure.canvas.draw()
