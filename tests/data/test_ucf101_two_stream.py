"""Predictions of two-stream networks: found, verified, and belonging to their clips."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pooch
import pytest
import torch

from umt_lib.data import github, plain_pickle
from umt_lib.data import ucf101_two_stream as two_stream
from umt_lib.data.downloads import VARIABLE
from umt_lib.data.ucf101_two_stream import NETWORKS
from umt_lib.errors import StudyError

KNOWN = two_stream.clips()
ROWS = np.random.default_rng(0).normal(size=(len(KNOWN.names), 101)).astype(np.float32)
CONTENT = pickle.dumps(dict(zip(KNOWN.names, ROWS, strict=True)), 3)
REAL = {"RGB 1": 81.26, "RGB 2": 74.49, "RGB 3": 69.23, "RGB 4": 67.64, "flow": 79.67}


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty user cache, no $UMT_DATA, no network; CONTENT is the listed file of all networks."""
    lists = tmp_path / "checksums"
    lists.mkdir()
    line = f"{hashlib.sha256(CONTENT).hexdigest()}  {len(CONTENT)}  "
    for network in NETWORKS:
        text = f"{line}{two_stream.SPATIAL}\n{line}{two_stream.MOTION}\n"
        (lists / f"{network.repository.checksums}.sha256").write_text(text)
    monkeypatch.setattr(github, "CHECKSUMS", lists)
    monkeypatch.setattr(github, "ADDRESS", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(pooch, "os_cache", lambda _: tmp_path / "cache")
    monkeypatch.delenv(VARIABLE, raising=False)
    github._read_list.cache_clear()
    yield tmp_path / "cache"
    github._read_list.cache_clear()


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def written(folder: Path, content: object) -> Path:
    return put(folder / "some.pickle", pickle.dumps(content, 3))


def test_the_clips_are_those_of_the_official_test_list():
    assert (len(KNOWN.names), len(KNOWN.classes), len(set(KNOWN.groups))) == (3783, 101, 707)
    assert int(KNOWN.training.sum()) == 9537
    assert KNOWN.names[0] == "ApplyEyeMakeup_g01_c01"
    for name, y, group, number in zip(
        KNOWN.names, KNOWN.y.tolist(), KNOWN.groups, KNOWN.number, strict=True
    ):
        assert name.startswith(f"{KNOWN.classes[y]}_g{number:02d}_c")
        assert group == f"{KNOWN.classes[y]}/g{number:02d}"


def test_other_counts_than_the_official_ones_are_refused(tmp_path, monkeypatch):
    counts = two_stream.SPLIT.read_text()
    changed = put(tmp_path / "split.csv", counts.replace(",101,6,4,", ",101,6,5,", 1).encode())
    assert changed.read_text() != counts
    monkeypatch.setattr(two_stream, "SPLIT", changed)
    with pytest.raises(StudyError, match=r"split\.csv: .* not the official testlist01\.txt"):
        two_stream.clips()


def test_rows_belong_to_their_clips_in_whatever_order_and_spelling(tmp_path):
    order = np.random.default_rng(1).permutation(len(ROWS))
    spelled = {
        f"v_{KNOWN.names[i].replace('HandstandPushups', 'HandStandPushups')}": ROWS[i]
        for i in order
    }
    assert any("HandStandPushups" in name for name in spelled)
    found = two_stream.predictions(written(tmp_path, spelled), KNOWN)
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found.numpy(), ROWS)


def test_other_clips_shapes_and_values_are_refused(tmp_path):
    first, second = KNOWN.names[:2]
    good = dict(zip(KNOWN.names, ROWS, strict=True))
    fewer = {name: row for name, row in good.items() if name != first}
    short, lists = {**good, second: ROWS[1][:-1]}, {**good, second: ROWS[1].tolist()}
    broken = ROWS[1].copy()
    broken[3] = np.nan
    for content, message in (
        (list(good), "holds a list, not {clip: logits}"),
        (fewer, f"has 3,782 clips, without {first}; .* has 3,783"),
        ({**fewer, "Archery_g99_c01": ROWS[0]}, f"has 3,783 clips, without {first}"),
        ({**good, "Archery_g99_c01": ROWS[0]}, "has 3,784 clips; "),
        (short, rf"{second} has \(100,\), not 101 logits"),
        (lists, f"{second} has list, not 101 logits"),
        ({**good, second: broken}, f"{second} has NaN or infinity"),
        ({**good, second: ROWS[1].astype(object)}, "the pickle names the type 'O8'"),
    ):
        with pytest.raises(StudyError, match=message) as error:
            two_stream.predictions(written(tmp_path, content), KNOWN)
        assert str(error.value).startswith(str(tmp_path / "some.pickle"))


def test_a_file_is_found_by_its_name_or_in_a_clone_and_in_the_cache(cache, tmp_path, monkeypatch):
    first, *_, flow = NETWORKS
    data = tmp_path / "data"
    monkeypatch.setenv(VARIABLE, str(data))
    kept = put(cache / two_stream.FOLDER / first.owner / first.path)
    assert two_stream.find(first) == kept
    clone = put(data / two_stream.FOLDER / first.owner / first.path)
    assert two_stream.find(first) == clone
    flat = put(data / two_stream.FOLDER / first.file)
    assert two_stream.find(first) == flat
    with pytest.raises(StudyError, match="cannot be downloaded"):  # RGB is not flow
        two_stream.find(flow)


def test_every_network_is_loaded_and_none_is_mistaken_for_another(cache, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    for network in NETWORKS:
        put(tmp_path / two_stream.FOLDER / network.file)
    split, known = two_stream.load()
    assert list(split.x) == ["RGB 1", "RGB 2", "RGB 3", "RGB 4", "flow"]
    assert all(torch.equal(x, torch.from_numpy(ROWS)) for x in split.x.values())
    assert torch.equal(split.y, known.y)


def test_a_truncated_and_an_altered_file_are_named_and_never_unpickled(cache, monkeypatch):
    monkeypatch.setattr(plain_pickle, "read", lambda *_: pytest.fail("read an unknown file"))
    network = NETWORKS[0]
    place = cache / two_stream.FOLDER / network.file
    for content, message in (
        (CONTENT[:1000], r"is truncated: 1,000 of [\d,]+ bytes; delete it"),
        (CONTENT[:-1] + b"!", r"is altered: sha256 \w+\.\.\., not \w+\.\.\.; delete it"),
    ):
        put(place, content)
        with pytest.raises(StudyError, match=message):
            two_stream.load()


def test_without_file_and_network_one_sentence_says_where_the_file_goes(cache):
    with pytest.raises(StudyError, match=r"cannot be downloaded .*put the file at .*pickle by"):
        two_stream.find(NETWORKS[0])
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_a_network_has_the_scale_on_which_it_was_trained():
    scales = {network.name: network.trained_scale for network in NETWORKS}
    assert scales.pop("flow") == pytest.approx(1 / 19)
    assert list(scales.values()) == pytest.approx([3 / 19] * 4)


def test_the_real_predictions_have_the_known_accuracies(monkeypatch):
    monkeypatch.setattr(github, "ADDRESS", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    try:
        split, _ = two_stream.load()
    except StudyError:
        pytest.skip("the files are not on this machine")
    right = {m: (x.argmax(1) == split.y).double().mean().item() for m, x in split.x.items()}
    assert {m: round(100 * value, 2) for m, value in right.items()} == REAL
