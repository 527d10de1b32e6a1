import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from umt_lib.data import digit_pairs
from umt_lib.data.splits import check
from umt_lib.errors import StudyError

PARTS = ("train", "validation", "test")
DIGITS = load_digits()
DIGIT_OF = {
    (image / 16).astype(np.float32).tobytes(): int(digit)
    for image, digit in zip(DIGITS.images, DIGITS.target, strict=True)
}


def halves(x):
    """Bytes of the cue and of the code image of every sample, as two lists."""
    pictures = x[:, 0].numpy()
    return [[p[:, cut].tobytes() for p in pictures] for cut in (slice(0, 8), slice(8, 16))]


def digits(x):
    """Which digit cue and code really are: (n,), (n,), looked up by their pixels."""
    return [np.array([DIGIT_OF[image] for image in side]) for side in halves(x)]


@pytest.fixture(scope="module")
def splits():
    return check(digit_pairs.load(6000, 500, 1000, classes=3, q_left=0.7, q_right=0.3), "digits")


def test_pictures_are_two_unchanged_digits(splits):
    assert splits.shapes == {"left": (1, 8, 16), "right": (1, 8, 16)}
    assert splits.train.x["left"].dtype == torch.float32
    assert set(np.concatenate(digits(splits.test.x["right"]))) == {0, 1, 2}


def test_no_image_is_in_two_splits_or_two_modalities(splits):
    pools = {(p, m): {i for s in halves(getattr(splits, p).x[m]) for i in s}
             for p in PARTS for m in splits.modalities}  # fmt: skip
    assert sum(map(len, pools.values())) == len(set().union(*pools.values()))
    used = sum(map(len, pools.values()))
    assert used == (DIGITS.target < 3).sum()  # and none is wasted


def test_cues_and_codes_have_the_reliability_asked_for(splits):
    y = splits.train.y.numpy()
    (cue_left, c1), (cue_right, c2) = (digits(splits.train.x[m]) for m in ("left", "right"))
    assert (cue_left == y).mean() == pytest.approx(0.7 + 0.3 / 3, abs=0.02)
    assert (cue_right == y).mean() == pytest.approx(0.3 + 0.7 / 3, abs=0.02)
    assert ((c1 + c2) % 3 == y).mean() == pytest.approx(0.5 + 0.5 / 3, abs=0.02)
    for code in (c1, c2):
        assert (code == y).mean() == pytest.approx(1 / 3, abs=0.03)


def test_same_seed_same_bytes_and_the_test_set_stays():
    first, again = digit_pairs.load(50, 20, 20), digit_pairs.load(50, 20, 20)
    assert torch.equal(first.train.x["left"], again.train.x["left"])
    assert first.source == again.source
    assert len(first.source) == 64
    assert torch.equal(first.test.x["left"], digit_pairs.load(90, 20, 20).test.x["left"])
    assert not torch.equal(
        first.test.x["left"], digit_pairs.load(50, 20, 20, data_seed=1).test.x["left"]
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"classes": 11}, "classes is 11; there are only 10 digits"),
        ({"classes": 1}, "give 2 or more"),
        ({"q_left": 1.5}, "'left': reliability 1.5"),
        ({"r": -0.1}, "'paired': reliability -0.1"),
        ({"data_seed": -2}, "data_seed is -2"),
    ],
)
def test_bad_options_are_named(options, sentence):
    with pytest.raises(StudyError, match=sentence):
        digit_pairs.load(**options)


def test_picture_shows_each_class(splits):
    figure = digit_pairs.picture(splits)
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert {"class 0", "class 1", "class 2"} <= set(labels)
    figure.canvas.draw()
