"""UTD-MHAD, from miniature MATLAB files of the real layout: one take of each action and person."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future

import numpy as np
import pytest
import scipy.io
import torch

from umt_lib.data import github, load, utd_mhad, utd_mhad3
from umt_lib.data.prepare import __main__ as command
from umt_lib.data.prepare import store
from umt_lib.data.prepare import utd_mhad as raw
from umt_lib.data.prepare.prepared import Prepared
from umt_lib.data.splits import five_folds
from umt_lib.errors import StudyError
from umt_lib.models import build

SETTINGS = {"samples": 6, "frames": 4, "depth_frames": 0, "size": 8}
OPTIONS = ["--samples", "6", "--frames", "4", "--size", "8", "--workers", "1"]
ACTIONS, PEOPLE = range(1, 28), range(1, 9)
ALL = {*PEOPLE}
HIP = 3  # the fourth joint of Skeleton_joint_order.txt, from 0


def arrays(action: int, person: int) -> dict[str, np.ndarray]:
    """The variables of one clip; the action is a sensor's offset and the motion of a hand."""
    stream = np.random.default_rng([action, person])
    time = np.arange(7 + person)
    iner = stream.normal(size=(len(time), 6)) + action
    skel = stream.normal(size=(20, 3, 5)) + 10 * person  # where in the room
    skel[11, 1] += action
    depth = np.zeros((240, 320, 3), np.uint16)
    depth[60:180, 100:140] = 2500  # 120 pixels high
    depth[70:80, 140:160, 1] = 2000  # an arm
    return {"d_iner": iner, "d_skel": skel, "d_depth": depth}


def write(root, action: int, person: int, **changed) -> None:
    found = arrays(action, person) | changed
    for m, (name, _) in raw.VARIABLES.items():
        path = root / "data" / m.capitalize() / f"a{action}_s{person}_t1_{m}.mat"
        if m == "depth" and person > 1:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(path, {name: found[name]}, do_compression=True)


def list_files(root, folder) -> None:
    """Write the list of the files in the root, as it is shipped for the real ones."""
    lines = [
        f"{hashlib.sha256(content).hexdigest()}  {len(content)}  {path.relative_to(root)}\n"
        for path in sorted(root.rglob("*.mat"))
        for content in [path.read_bytes()]
    ]
    (folder / "small.sha256").write_text("".join(lines))
    github._read_list.cache_clear()


class Here:
    """An executor that works in this process, where the list of files is the miniature one."""

    def __init__(self, *_):
        pass

    def submit(self, function, *arguments) -> Future:
        future: Future = Future()
        future.set_result(function(*arguments))
        return future

    def shutdown(self, **_):
        pass


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The root of the raw files, which are listed."""
    root, lists = (tmp_path_factory.mktemp(name) for name in ("root", "lists"))
    for action in ACTIONS:
        for person in PEOPLE:
            write(root, action, person)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(github, "CHECKSUMS", lists)
        patch.setattr(raw, "REPOSITORY", github.Repository("some/one", "0" * 40, "small"))
        patch.setattr(store, "ProcessPoolExecutor", Here)
        list_files(root, lists)
        yield root
    github._read_list.cache_clear()


@pytest.fixture(scope="module")
def prepared(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "utd-mhad"
    assert command.main(["utd-mhad", "--root", str(small), "--out", str(out), *OPTIONS]) == 0
    return out


@pytest.fixture(scope="module")
def with_depth(small, tmp_path_factory):
    """Prepared with depth, which only the first person has."""
    out = tmp_path_factory.mktemp("prepared") / "depth"
    options = [*OPTIONS, "--depth-frames", "2", "--min-share", "0"]
    assert command.main(["utd-mhad", "--root", str(small), "--out", str(out), *options]) == 0
    return out


@pytest.fixture
def clip(small, tmp_path, monkeypatch):
    """The inertial file of a clip of its own, and what writes it again and lists it or not."""

    def written(listed: bool = True, **changed):
        write(tmp_path, 1, 1, **changed)
        if listed:
            list_files(tmp_path, tmp_path)
        return tmp_path / "data/Inertial/a1_s1_t1_inertial.mat"

    monkeypatch.setattr(github, "CHECKSUMS", tmp_path)
    yield written
    github._read_list.cache_clear()


def test_the_shipped_list_is_the_whole_data_set():
    listed = github.Repository("", "", "utd-mhad").files()
    clips = [p.split("/")[-1].rsplit("_", 1)[0] for p in listed if p.startswith("data/Inertial/")]
    assert len(clips) == 861
    for m in raw.VARIABLES:
        assert sum(path.startswith(f"data/{m.capitalize()}/") for path in listed) == 861
        assert all(f"data/{m.capitalize()}/{clip}_{m}.mat" in listed for clip in clips)
    every = np.array(sorted(map(raw._numbers, clips)))
    odd = int((every[:, 1] % 2).sum())
    assert raw.official_counts({}) == {"train": odd, "test": 861 - odd, "classes": 27}
    for fold, tested in enumerate(utd_mhad.PEOPLE):
        _, _, test = five_folds(every[:, 0], every[:, 1], fold)
        assert set(every[test, 1]) == set(tested)


def test_modalities_are_what_the_files_hold(prepared):
    two, three = load("utd-mhad", folder=str(prepared)), load("utd-mhad3", folder=str(prepared))
    assert two.shapes == {"inertial": (6, 6), "skeleton": (60, 4)}
    assert three.shapes == {"accelerometer": (3, 6), "gyroscope": (3, 6), "skeleton": (60, 4)}
    assert two.classes == utd_mhad.CLASSES
    for part in ("train", "validation", "test"):
        one, other = getattr(two, part), getattr(three, part)
        sensor = torch.cat([other.x["accelerometer"], other.x["gyroscope"]], 1)
        assert torch.equal(one.x["inertial"], sensor)
        assert torch.equal(one.x["skeleton"], other.x["skeleton"])
        assert one.y.tolist() == other.y.tolist()
        hand = one.x["skeleton"][:, 3 * 11 + 1].mean(1)  # it moves by the action's number
        assert np.corrcoef(hand, one.y)[0, 1] > 0.9


def test_labels_and_people_are_those_of_the_file_names(small, prepared):
    manifest = Prepared.open(prepared).manifest
    for sample in manifest["samples"]:
        action, person, _ = raw._numbers(sample["id"])
        assert (sample["label"], sample["group"]) == (action - 1, str(person))
        assert sample["split"] == ("test" if person % 2 == 0 else sample["split"])
    row = manifest["samples"][-1]["row"]
    inertial = np.load(prepared / "inertial.npy")[row]
    source = arrays(27, 8)["d_iner"]
    assert np.allclose(inertial[:, 0], source[0])
    assert np.allclose(inertial[:, -1], source[-1])


def test_every_person_is_tested_once_in_five_folds(prepared):
    tested = []
    for fold in range(5):
        splits = load("utd-mhad", folder=str(prepared), fold=fold)
        parts = [set(s.groups.tolist()) for s in (splits.train, splits.validation, splits.test)]
        assert set.union(*parts) == ALL
        tested += parts[2]
        assert parts[1] == set(utd_mhad.PEOPLE[(fold + 1) % 5])
    assert sorted(tested) == sorted(ALL)


def test_the_published_split_is_odd_against_even_people(prepared):
    held = set()
    for fold in range(4):
        splits = load("utd-mhad", folder=str(prepared), split="published", fold=fold)
        assert set(splits.test.groups.tolist()) == {2, 4, 6, 8}
        (person,) = set(splits.validation.groups.tolist())
        assert set(splits.train.groups.tolist()) == {1, 3, 5, 7} - {person}
        held.add(person)
    assert held == {1, 3, 5, 7}


def test_channels_are_standardised_by_the_training_clips(prepared):
    splits = load("utd-mhad3", folder=str(prepared))
    for x in splits.train.x.values():
        assert torch.allclose(x.mean((0, 2)), torch.zeros(x.shape[1]), atol=1e-5)
        assert torch.allclose(x.std((0, 2)), torch.ones(x.shape[1]), atol=1e-5)
    assert splits.test.x["gyroscope"].mean((0, 2)).abs().max() > 1e-4


def test_where_a_person_stands_is_removed_and_how_the_body_moves_is_not(clip):
    still = arrays(1, 1)["d_skel"]
    here = raw.read(clip(), SETTINGS)["skeleton"]
    there = raw.read(clip(d_skel=still + np.array([1.0, -2.0, 3.0])[:, None]), SETTINGS)["skeleton"]
    assert np.allclose(here, there, atol=1e-5)
    squat = still - np.linspace(0, 1, 5)
    down = raw.read(clip(d_skel=squat), SETTINGS)["skeleton"].reshape(20, 3, 4)
    fall = down[HIP] - here.reshape(20, 3, 4)[HIP]
    assert np.allclose(fall[:, -1] - fall[:, 0], -1, atol=1e-5)


def test_clips_keep_both_ends_and_are_interpolated_between():
    ramp = np.arange(9.0)[:, None] * [1, -2]
    assert raw.resampled(ramp, 5).tolist() == [[0, 0], [2, -4], [4, -8], [6, -12], [8, -16]]
    assert raw.resampled(ramp[:2], 3).tolist() == [[0, 0], [0.5, -1], [1, -2]]


def test_depth_is_the_square_around_the_person(with_depth):
    splits = np.load(with_depth / "depth.npy")[0]
    assert (splits.shape, splits.dtype) == ((2, 8, 8), np.uint8)
    first, last = raw.pictures(arrays(1, 1)["d_depth"], 3, 120)[[0, 1]]
    assert first.shape == (120, 120)
    assert set(np.unique(first)) == {0, 128}  # the median is grey
    assert (first > 0).sum() == 120 * 40  # the pixels as they are
    assert set(np.unique(last)) == {0, 64, 128}  # half a metre nearer
    moved = np.roll(arrays(1, 1)["d_depth"], (-50, 100), axis=(0, 1)) + 0
    assert np.array_equal(raw.pictures(moved, 3, 120)[1], last)
    with pytest.raises(store.SampleError, match="'d_depth' is 0 everywhere"):
        raw.pictures(np.zeros((240, 320, 3), np.uint16), 2, 8)


def test_depth_is_a_fourth_modality_where_its_files_are(with_depth, prepared, monkeypatch):
    manifest = Prepared.open(with_depth).manifest
    assert [s["group"] for s in manifest["samples"]] == ["1"] * 27
    lost = {q["reason"] for q in manifest["quarantine"]}
    assert lost == {"Depth file is missing"}
    splits = utd_mhad3.load(folder=str(with_depth), depth=True, fold=2)  # 1 is trained on
    assert splits.shapes["depth"] == (2, 1, 8, 8)
    assert splits.train.x["depth"].dtype == torch.uint8
    series = {"name": "series-cnn", "channels": [4]}
    encoders = dict.fromkeys(splits.modalities, series) | {"depth": {"name": "resnet18"}}
    model = build(encoders, {"name": "linear"}, splits.shapes, 27)
    assert model(splits.train.inputs(slice(0, 2))).fused.shape == (2, 27)
    with pytest.raises(StudyError, match=r"holds no 'depth'; prepare .* --depth-frames 8"):
        utd_mhad3.load(folder=str(prepared), depth=True)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"d_iner": np.ones((6, 9))}, r"a1_s1_t1_inertial\.mat: 'd_iner' is float64 of shape \(6"),
        ({"d_iner": np.ones((1, 6))}, r"'d_iner' is float64 of shape \(1, 6\), not \(time, 6\)"),
        ({"d_skel": np.ones((20, 3))}, r"a1_s1_t1_skeleton\.mat: 'd_skel' is .* not \(20, 3, time"),
        ({"d_iner": np.array(["text"])}, r"'d_iner' is <U4 of shape"),
        ({"d_iner": np.full((9, 6), 1j)}, r"'d_iner' is complex128 of shape"),
    ],
)
def test_another_layout_is_named_with_its_file_and_variable(clip, changed, sentence):
    path = clip(**changed)
    with pytest.raises(store.SampleError, match=sentence):
        raw.read(path, SETTINGS)


def test_another_file_is_named(clip):
    path = clip()
    scipy.io.savemat(path, {"other": np.ones((9, 6))})
    with pytest.raises(store.SampleError, match=r"inertial\.mat has no variable 'd_iner', but oth"):
        raw.read(path, SETTINGS)
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + b"\x89")
    with pytest.raises(store.SampleError, match=r"inertial\.mat is not a readable MATLAB 5 file"):
        raw.read(path, SETTINGS)
    path.write_bytes(b"")
    with pytest.raises(store.SampleError, match=r"inertial\.mat is not a readable MATLAB 5 file"):
        raw.read(path, SETTINGS)


def test_a_file_with_other_content_than_the_listed_one_is_not_used(clip):
    raw.read(clip(), SETTINGS)
    path = clip(listed=False, d_skel=arrays(1, 1)["d_skel"] + 1)
    with pytest.raises(store.SampleError, match=r"Skeleton/a1_s1_t1_skeleton\.mat is altered: sha"):
        raw.read(path, SETTINGS)


def test_bad_files_are_listed_and_the_command_resumes_when_they_are_repaired(
    small, tmp_path, capsys
):
    out = tmp_path / "out"
    lost, bad = (small / f"data/{name}.mat" for name in NAMES)
    content = {path: path.read_bytes() for path in (lost, bad)}
    arguments = ["utd-mhad", "--root", str(small / "data"), "--out", str(out), *OPTIONS]
    try:
        lost.unlink()
        bad.write_bytes(content[bad][:-50])
        assert command.main(arguments) == 0
        printed = capsys.readouterr().out
        assert "1 not usable: Skeleton file is missing (a3_s3_t1)" in printed
        assert "1 not usable: Inertial/a4_s4_t1_inertial.mat is not a readable MATLAB 5" in printed
        assert len(load("utd-mhad", folder=str(out)).train) > 0
    finally:
        for path, before in content.items():
            path.write_bytes(before)
    assert command.main(arguments) == 0
    assert "2 are to be read" in (captured := capsys.readouterr()).err
    assert "not usable" not in captured.out


NAMES = "Skeleton/a3_s3_t1_skeleton", "Inertial/a4_s4_t1_inertial"


def test_a_file_of_another_name_is_left_out(small, tmp_path):
    path = small / "data/Inertial/a1_s9_t1_inertial.mat"
    path.write_bytes(b"")
    try:
        samples, _ = raw.list_samples(small, SETTINGS)
    finally:
        path.unlink()
    assert len(samples) == 217
    assert samples[-1].left_out == "its name is not like a1_s1_t1_inertial"


def test_a_wrong_root_and_wrong_options_are_one_sentence(small, prepared, tmp_path, capsys):
    given = ["utd-mhad", "--root", str(tmp_path), "--out", str(tmp_path / "out")]
    assert command.main(given) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "has no folders data/Inertial and data/Skeleton; give the folder of a clone" in printed
    assert not (tmp_path / "out").exists()
    for options, sentence in (
        ({"split": "odd"}, "unknown split 'odd'"),
        ({"fold": 5}, "fold is 5; give 0 to 4"),
    ):
        with pytest.raises(StudyError, match=sentence):
            utd_mhad.load(folder=str(prepared), **options)


def test_only_what_is_needed_is_downloaded(small, monkeypatch):
    asked = []
    monkeypatch.setattr(
        github.Repository, "download", lambda *given: asked.append(list(given[2])) or 3
    )
    assert "432 files are complete" in raw.download(small, SETTINGS)
    assert "459 files are complete" in raw.download(small, SETTINGS | {"depth_frames": 8})
    assert not any("Depth" in path for path in asked[0])


def test_pictures_show_every_modality(prepared, with_depth):
    for splits in (
        load("utd-mhad3", folder=str(prepared)),
        utd_mhad3.load(folder=str(with_depth), depth=True, fold=2),
    ):
        figure = utd_mhad.picture(splits)
        assert set(splits.modalities) <= {ax.get_ylabel() for ax in figure.axes}
        figure.canvas.draw()
