"""Spoken and written digits, from a small archive in the real format, and from the real one."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pooch
import pytest
import soundfile
import torch
from sklearn.datasets import load_digits

from umt_lib.data import av_digits
from umt_lib.data.splits import check
from umt_lib.errors import StudyError

PARTS = ("train", "validation", "test")
TAKES = 10
WRITTEN = load_digits()
REAL = {name: getattr(av_digits, name) for name in ("TAKES", "DIGEST")}
FOLDERS = [os.environ.get("UMT_DATA", ""), pooch.os_cache("umt_lib")]


def wav(wave: np.ndarray) -> bytes:
    soundfile.write(file := io.BytesIO(), wave, av_digits.RATE, "PCM_16", format="WAV")
    return file.getvalue()


def tone(hertz: float, seconds: float, loud: float = 0.3) -> np.ndarray:
    return loud * np.sin(2 * np.pi * hertz * np.arange(round(seconds * 8000)) / 8000)


@pytest.fixture(scope="module")
def recordings() -> dict[str, bytes]:
    """Sums of a tone for the digit and one for the speaker, shorter and longer than 0.8 s."""
    rng = np.random.default_rng(0)
    found = {}
    for d in range(10):
        for s, speaker in enumerate(av_digits.SPEAKERS):
            for take in range(TAKES):
                seconds = rng.uniform(0.2, 1.0)
                wave = tone(200 + 250 * d, seconds) + tone(3000 + 100 * s, seconds, 0.1)
                found[f"{d}_{speaker}_{take}.wav"] = wav(wave)
    return found


def pack(folder: Path, recordings: dict[str, bytes], top: str = "fsdd-abc") -> Path:
    """The archive as its authors' site packs it: one folder, with files that are no recordings."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / av_digits.ARCHIVE, "w:gz", compresslevel=1) as archive:
        for name, content in {"README.md": b"words", **recordings}.items():
            place = f"{top}/recordings/{name}" if name.endswith(".wav") else f"{top}/{name}"
            member = tarfile.TarInfo(place)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return folder / av_digits.ARCHIVE


@pytest.fixture(scope="module")
def small(recordings, tmp_path_factory):
    """$UMT_DATA with the small archive, which is now the known one."""
    lines = [f"{name} {hashlib.sha256(b).hexdigest()}" for name, b in sorted(recordings.items())]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    folder = tmp_path_factory.mktemp("data")
    pack(folder, recordings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(av_digits, "TAKES", TAKES)
        patch.setattr(av_digits, "DIGEST", digest)
        patch.setenv("UMT_DATA", str(folder))
        yield folder


@pytest.fixture(scope="module")
def splits(small):
    return check(av_digits.load(), "av-digits")


@pytest.fixture(scope="module")
def official(small):
    return check(av_digits.load("index"), "av-digits")


def written(split) -> np.ndarray:
    """Row by row, which of scikit-learn's images is shown."""
    pixels = split.x["image"].flatten(1)
    low, high = pixels.min(), pixels.max()
    ink = ((pixels - low) / (high - low) * 16).round().numpy()
    known = {image.tobytes(): i for i, image in enumerate(WRITTEN.data.astype(np.float32))}
    assert len(known) == len(WRITTEN.data)  # no image is there twice
    return np.array([known[image.tobytes()] for image in ink])


def test_shapes_and_sizes(splits, official):
    assert splits.shapes == {"audio": (1, 32, 64), "image": (1, 8, 8)}
    assert all(x.dtype == torch.float32 for x in splits.train.x.values())
    assert [len(getattr(splits, part)) for part in PARTS] == [300, 100, 200]
    assert [len(getattr(official, part)) for part in PARTS] == [270, 30, 300]


def test_no_speaker_is_in_two_splits(splits):
    who = [set(getattr(splits, part).groups) for part in PARTS]
    assert [len(speakers) for speakers in who] == [3, 1, 2]
    assert len(set.union(*who)) == 6


def test_in_five_folds_every_speaker_is_tested_once(small):
    folds = [check(av_digits.load(fold=fold), "av-digits") for fold in range(5)]
    tested = [set(splits.test.groups) for splits in folds]
    assert sorted(speaker for who in tested for speaker in who) == sorted(av_digits.SPEAKERS)
    shown = [written(splits.test)[:10].tolist() for splits in folds]
    assert len(set(map(tuple, shown))) == 5  # and with other images


def test_the_official_test_split_is_the_first_five_takes(official, recordings):
    first = {n: b for n, b in sorted(recordings.items()) if int(n[:-4].split("_")[2]) < 5}
    sound = av_digits._spectrograms(first)
    ours = official.test.x["audio"]
    assert official.test.groups is None
    assert np.corrcoef(sound.flatten(), ours.flatten())[0, 1] == pytest.approx(1, abs=1e-5)
    counts = [getattr(official, part).y.bincount().tolist() for part in PARTS]
    assert counts == [[27] * 10, [3] * 10, [30] * 10]


@pytest.mark.parametrize("cut", ["speaker", "index"])
def test_an_image_is_of_the_digit_said_and_in_one_split_alone(cut, splits, official):
    shown = [written(getattr(splits if cut == "speaker" else official, part)) for part in PARTS]
    for part, index in zip(PARTS, shown, strict=True):
        split = getattr(splits if cut == "speaker" else official, part)
        assert (WRITTEN.target[index] == split.y.numpy()).all()
    train, validation, test = map(set, shown)
    assert len(train | validation | test) == len(train) + len(validation) + len(test)


def test_images_of_a_digit_are_shown_equally_often(official):
    shown = written(official.test)  # 30 of each digit
    for k in range(10):
        counts = np.unique(shown[official.test.y.numpy() == k], return_counts=True)[1]
        assert counts.max() - counts.min() <= 1


def test_training_values_are_standardised(splits):
    for x in splits.train.x.values():
        assert abs(float(x.mean())) < 1e-4
        assert abs(float(x.std()) - 1) < 1e-4
    assert abs(float(splits.test.x["image"].mean())) > 1e-4


def test_a_recording_is_in_the_middle_and_louder_is_the_same():
    soft, loud = (wav(tone(1000, 0.4, a)) for a in (0.05, 0.5))
    x = av_digits._spectrograms({"soft": soft, "loud": loud})[:, 0]  # (2, mels, frames)
    torch.testing.assert_close(x[0], x[1], atol=0.02, rtol=0.02)
    power = x[1].sum(0)
    sounding = (power > power[0] + 1).nonzero()[:, 0]  # the first frame is silent
    assert len(sounding) == pytest.approx(32, abs=3)  # 0.4 s of 12.5 ms
    assert sounding.double().mean() == pytest.approx(31.5, abs=1)


def test_a_longer_recording_loses_its_ends_alike():
    wave = np.concatenate([tone(500, 0.4), tone(1000, 0.8), tone(2000, 0.4)])
    cut, middle = av_digits._spectrograms({"cut": wav(wave), "middle": wav(tone(1000, 0.8))})[:, 0]
    assert np.corrcoef(cut[:, 2:-2].flatten(), middle[:, 2:-2].flatten())[0, 1] > 0.99


def test_higher_tones_are_in_higher_bands():
    waves = {str(hz): wav(tone(hz, 0.4)) for hz in (300, 1000, 3000)}
    spread = av_digits._spectrograms(waves)[:, 0].std(dim=2)  # a steady band is flat over time
    low, middle, high = spread.argmax(dim=1)
    assert low < middle < high


def test_loading_twice_gives_the_same_bytes(splits):
    again = av_digits.load()
    for part in PARTS:
        for m, x in getattr(splits, part).x.items():
            assert getattr(again, part).x[m].numpy().tobytes() == x.numpy().tobytes()
    assert again.source == splits.source


def test_whoever_packed_the_archive(splits, recordings, small, tmp_path, monkeypatch):
    backwards = dict(reversed(recordings.items()))
    path = pack(tmp_path / "other", backwards, top="free-spoken-digit-dataset-26eb9aa")
    assert path.read_bytes() != (small / path.name).read_bytes()
    monkeypatch.setenv("UMT_DATA", str(path.parent))
    again = av_digits.load()
    assert again.source == splits.source
    assert torch.equal(again.test.x["audio"], splits.test.x["audio"])


@pytest.mark.parametrize("fault", ["truncated", "text", "no recording", "changed", "one more"])
def test_a_wrong_archive_is_reported_in_one_sentence(
    fault, small, recordings, tmp_path, monkeypatch
):
    given = dict(recordings)
    if fault == "no recording":
        del given["3_theo_7.wav"]
    elif fault == "changed":
        given["3_theo_7.wav"] = given["3_theo_8.wav"]
    elif fault == "one more":
        given["3_theo_10.wav"] = given["3_theo_7.wav"]
    path = pack(tmp_path / "bad", given)
    whole = path.read_bytes()
    if fault == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif fault == "text":
        path.write_text("<html>not found</html>")
    monkeypatch.setenv("UMT_DATA", str(path.parent))
    with pytest.raises(StudyError) as told:
        av_digits.load()
    sentence = {
        "no recording": "lacks 1 of 600 recordings, first 3_theo_7.wav",
        "changed": "have the digest",
        "one more": "have the digest",
    }.get(fault, "cannot be read")
    assert sentence in str(told.value)
    assert str(path) in str(told.value)
    assert str(told.value).endswith("; delete it and run the same command again to download it")
    assert "\n" not in str(told.value)


def test_an_unknown_split_is_named(small):
    with pytest.raises(StudyError, match="unknown split 'speakers'; did you mean 'speaker'"):
        av_digits.load("speakers")


def test_picture_shows_every_digit_in_both_modalities(splits):
    figure = av_digits.picture(splits)
    assert [ax.get_title() for ax in figure.axes[:10]] == list("0123456789")
    assert all(len(ax.images) == 1 for ax in figure.axes)
    figure.canvas.draw()


def test_the_real_archive(monkeypatch):
    found = [f for f in FOLDERS if f and (Path(f) / av_digits.ARCHIVE).is_file()]
    if not found:
        pytest.skip(f"{av_digits.ARCHIVE} is neither in $UMT_DATA nor in the user cache")
    monkeypatch.setenv("UMT_DATA", str(found[0]))
    for name, value in REAL.items():
        monkeypatch.setattr(av_digits, name, value)
    splits = check(av_digits.load(), "av-digits")
    assert [len(getattr(splits, part)) for part in PARTS] == [1500, 500, 1000]
    assert splits.train.y.bincount().tolist() == [150] * 10
    official = check(av_digits.load("index"), "av-digits")
    assert [len(getattr(official, part)) for part in PARTS] == [2430, 270, 300]
