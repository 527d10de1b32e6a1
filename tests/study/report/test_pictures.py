"""Pictures of data sets: which are shipped, and what a page shows where the data is missing."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure as Plain
from PIL import Image

from umt_lib import paths
from umt_lib.data import DATASETS, load
from umt_lib.data.availability import is_built_in
from umt_lib.errors import StudyError
from umt_lib.study.pipeline.collection import gather
from umt_lib.study.report import dataset_page, pictures


@pytest.fixture(scope="module")
def study():
    return gather(paths.PARAMS, paths.PUBLISHED, None)


@pytest.fixture
def without_data(monkeypatch, study):
    monkeypatch.setattr(pictures, "available", is_built_in)
    monkeypatch.setattr(dataset_page, "study", lambda: study)


def test_every_measured_data_set_has_a_picture_on_a_machine_without_its_data(study):
    for dataset in study.datasets:
        entries = study.of(dataset)
        if any(e.result for e in entries) and not is_built_in(entries[0].params["dataset"]):
            assert pictures.shipped(dataset), dataset


def test_shipped_pictures_are_small_and_of_data_sets():
    for file in pictures.FOLDER.iterdir():
        assert file.stem in DATASETS
        assert file.stat().st_size <= pictures.LARGEST
        with Image.open(file) as image:
            assert image.width > 600


def test_the_page_shows_the_shipped_picture_and_says_so(without_data, capsys):
    assert "the picture was drawn where the data was" in dataset_page.facts("psb")
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset_page.shown, "publish_display_data", lambda *a: shown.append(a))
        dataset_page.picture("psb")
    ((data, metadata),) = shown
    assert data["image/png"] == pictures.shipped("psb").read_bytes()
    assert "front view beside its rear view" in metadata["image/png"]["alt"]


def test_the_page_of_data_that_the_machine_lacks_says_so(without_data, capsys):
    assert "so there are no sizes and there is no picture" in dataset_page.facts("cremad")
    dataset_page.picture("cremad")
    assert not capsys.readouterr().out


def test_a_picture_that_is_too_large_is_refused(monkeypatch):
    drawn = pictures.draw("digit-halves", load("digit-halves"))
    assert isinstance(drawn, Plain)
    assert len(pictures.small(drawn, "digit-halves")) <= pictures.LARGEST
    monkeypatch.setattr(pictures, "LARGEST", 1000)
    with pytest.raises(StudyError, match=r"picture of digit-halves has [\d,]+ bytes"):
        pictures.small(drawn, "digit-halves")


@pytest.mark.parametrize("dataset", DATASETS)
def test_what_a_picture_shows_is_said_in_words(dataset):
    shown = pictures.shows(dataset)
    assert len(shown.split()) >= 5
    assert "`" not in shown
    assert "Plot" not in shown
