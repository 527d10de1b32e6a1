"""YouTube-8M in small: a list of ten files, of which some are missing, truncated or altered."""

from __future__ import annotations

import csv
import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from tfrecords import example, record

from umt_lib import data
from umt_lib.data import github, youtube8m
from umt_lib.data.prepare import __main__ as command
from umt_lib.data.prepare import tfrecord
from umt_lib.data.prepare import youtube8m as recipe
from umt_lib.data.prepare.prepared import Prepared
from umt_lib.data.prepare.store import SampleError
from umt_lib.errors import StudyError

NAMES = {**{k: f"Thing {k}" for k in range(110)}, 3: "Cat", 5: "Dog", 200: "Piano", 201: ""}
CLASSES = ["Piano", "Cat", "Dog"]
FILES, EACH = 10, 3  # videos of each class in a file


def video(name: str, labels: list[int], value: float, rgb: int = 1024) -> bytes:
    """Its features are about ``value``, whole numbers in ``audio``."""
    stream = np.random.default_rng(int.from_bytes(name.encode(), "little"))
    x = {"mean_audio": np.full(128, value), "mean_rgb": value + stream.random(rgb)}
    return record(
        example(id=[name.encode()], labels=labels, **{m: v.tolist() for m, v in x.items()})
    )


def content(number: int) -> bytes:
    """A file: videos of one class each, and one without and one with two labels of the list."""
    labels = [[11, 200]] * EACH + [[0, 3]] * EACH + [[0, 5]] * EACH
    videos = [video(f"{number}v{i}", two, 10.0 * two[1]) for i, two in enumerate(labels)]
    others = [video(f"{number}none", [12, 7], 0.0), video(f"{number}two", [3, 5, 12, 13], 0.0)]
    return b"".join(videos + others)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """All ten files, the file of label names, and a list of classes."""
    root = tmp_path / "root"
    labels = "Index,Name\n" + "".join(f"{k},{name}\n" for k, name in NAMES.items())
    files = {recipe.LABEL_FILE: labels.encode()}
    files |= {f"train_validation/validate{n:04d}.tfrecord": content(n) for n in range(FILES)}
    for name, raw in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(raw)
    use_list(tmp_path, monkeypatch, files)
    (tmp_path / "three.csv").write_text("class\n" + "\n".join(CLASSES) + "\n")
    yield root
    github._read_list.cache_clear()


def use_list(folder: Path, monkeypatch, files: dict[str, bytes]) -> None:
    rows = [f"{hashlib.sha256(raw).hexdigest()}  {len(raw)}  {name}" for name, raw in files.items()]
    (folder / "youtube8m.sha256").write_text("\n".join(rows) + "\n")
    monkeypatch.setattr(github, "CHECKSUMS", folder)
    github._read_list.cache_clear()
    recipe.videos.cache_clear()


def shard(root: Path, number: int) -> Path:
    return root / f"train_validation/validate{number:04d}.tfrecord"


def run(root: Path, *options: str, classes: str = "three.csv") -> int:
    """Prepare into the folder "out" beside the root."""
    where = ["--root", str(root), "--out", str(root.parent / "out"), "--workers", "2"]
    return command.main(["youtube8m", *where, "--classes", str(root.parent / classes), *options])


def listed(root: Path, classes: str = "three.csv"):
    path = root.parent / classes
    settings = {"classes": str(path) if path.exists() else classes}
    return recipe.list_samples(root, settings)


def test_a_sample_is_a_video_with_one_label_of_the_list(root):
    assert run(root) == 0
    splits = data.load("youtube8m", folder=str(root.parent / "out"))
    assert splits.classes == tuple(CLASSES)
    assert splits.shapes == {"audio": (128,), "rgb": (1024,)}
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [54, 18, 18]
    digest = Prepared.open(root.parent / "out").source
    assert splits.source == f"10 of 100 files, 90 videos, {digest}"
    for split in (splits.train, splits.validation, splits.test):
        cat, dog, piano = split.x["audio"][:, 0].unique(sorted=True)  # 30, 50, 2000 standardised
        expected = torch.stack([piano, cat, dog])[split.y]
        assert torch.equal(split.x["audio"][:, 0], expected)
    for x in splits.train.x.values():
        assert torch.allclose(x.mean(0), torch.zeros(x.shape[1]), atol=1e-5)
        assert torch.allclose(x.std(0), torch.ones(x.shape[1]), atol=1e-4)
    youtube8m.picture(splits).canvas.draw()


def test_features_of_both_modalities_are_of_the_same_video(root):
    assert run(root) == 0
    prepared = Prepared.open(root.parent / "out")
    for sample in prepared.manifest["samples"]:
        raw = recipe.videos(shard(root, int(sample["group"][-4:])))[sample["id"].split("/")[1]]
        for m, x in raw.x.items():
            assert np.array_equal(np.load(prepared.folder / f"{m}.npy")[sample["row"]], x)


def test_over_five_folds_every_video_is_tested_once_and_in_the_fold_of_its_file(root):
    assert run(root) == 0
    folder = str(root.parent / "out")
    raw = torch.from_numpy(np.load(root.parent / "out/rgb.npy"))
    samples = Prepared.open(folder).manifest["samples"]
    for fold in range(5):
        rows = {after: [] for after in range(5)}  # by how many files after the first of the fold
        for sample in samples:
            rows[(int(sample["group"][-4:]) - fold) % 5].append(sample["row"])
        splits, train = youtube8m.load(folder, fold), raw[rows[2] + rows[3] + rows[4]]
        for part, of in ((splits.test, rows[0]), (splits.validation, rows[1])):
            assert len(part) == 18
            expected = (raw[of] - train.mean(0)) / train.std(0)
            assert torch.allclose(part.x["rgb"], expected, atol=1e-4)
        assert len(splits.train) == 54
    with pytest.raises(StudyError, match="fold is 5; give 0 to 4"):
        youtube8m.load(folder, 5)


def test_files_that_cannot_be_used_are_named_and_the_others_are(root, capsys):
    whole, changed = shard(root, 3).read_bytes(), bytearray(shard(root, 4).read_bytes())
    shard(root, 2).unlink()
    shard(root, 3).write_bytes(whole[:-100])
    changed[5000] ^= 1
    shard(root, 4).write_bytes(changed)
    assert run(root) == 0
    said = capsys.readouterr().out
    assert "1 not usable: missing; 7 of 10 files are used (validate0002)" in said
    assert f"truncated: {len(whole) - 100:,} of {len(whole):,} bytes; 7 of 10 files" in said
    assert "1 not usable: altered: sha256 " in said
    manifest = Prepared.open(root.parent / "out").manifest
    assert {s["group"][-1] for s in manifest["samples"]} == set("0156789")
    before = {s["id"]: (s["row"], s["sha256"], s["split"]) for s in manifest["samples"]}

    for number in (2, 3, 4):  # repaired: the others keep rows and splits
        shard(root, number).write_bytes(content(number))
    recipe.videos.cache_clear()
    assert run(root) == 0
    manifest = Prepared.open(root.parent / "out").manifest
    after = {s["id"]: (s["row"], s["sha256"], s["split"]) for s in manifest["samples"]}
    assert len(after) == 90
    assert before.items() < after.items()
    assert not manifest["quarantine"]


def test_a_video_in_two_files_is_used_once(root, tmp_path, monkeypatch):
    again = content(1) + video("7v0", [200], 5.0) + video("1v0", [5], 5.0)
    shard(root, 1).write_bytes(again)
    files = {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*.*"))}
    use_list(tmp_path, monkeypatch, files)
    samples, _ = listed(root)
    twins = [(s.id, s.left_out) for s in samples if s.within == "7v0"]
    assert twins == [
        ("validate0001/7v0", ""),
        ("validate0007/7v0", "the same video is in validate0001"),
    ]
    assert run(root) == 0
    assert len(Prepared.open(root.parent / "out").manifest["samples"]) == 90


def test_a_file_that_changes_after_it_was_listed_gives_no_sample(root):
    path = shard(root, 0)
    assert recipe.read(path / "0v0", {})["audio"][0] == 2000
    recipe.videos.cache_clear()
    path.write_bytes(content(1))
    with pytest.raises(SampleError, match="changed since it was listed"):
        recipe.read(path / "0v0", {})
    path.write_bytes(content(0)[:-1])
    recipe.videos.cache_clear()
    with pytest.raises(SampleError, match=r"changed since it was listed \(truncated"):
        recipe.read(path / "0v0", {})


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (record(example(labels=[3])), "record 2 is not a video: 'id'"),
        (video("a", [3], 0.0, rgb=1000), "record 2: mean_rgb is not 1024 numbers"),
    ],
)
def test_a_record_that_is_no_video_is_named(tmp_path, broken, why):
    path = tmp_path / "file"
    path.write_bytes(video("b", [3], 0.0) + broken)
    with pytest.raises(tfrecord.RecordError, match=why):
        recipe.videos(path)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ("class\nCat\nDogg\n", r"'Dogg' is not a label of YouTube-8M; did you mean 'Dog'"),
        ("class\nCat\nDog\nCat\n", r"'Cat' is listed 2 times; list it once"),
        ("class\nCat\n", "1 classes; list two or more"),
        ("name\nCat\nDog\n", r"not a list of classes \(KeyError: 'class'\)"),
        ("class\nCat\nThing 7\n", "not enough"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_in_one_sentence(root, capsys, names, why):
    (root.parent / "odd.csv").write_text(names)
    for number in range(3, FILES):
        shard(root, number).unlink()
    if why == "not enough":
        shard(root, 2).write_bytes(shard(root, 2).read_bytes()[:100])
        why = r"class 'Cat' without .*: 6, and 10 are needed \(2 of 10 .*0002.tfrecord is truncated"
        (root.parent / "odd.csv").write_text("class\nCat\nDog\n")
    assert run(root, classes="odd.csv") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    with pytest.raises(StudyError, match=why):
        listed(root, "odd.csv")
    assert not (root.parent / "out").exists()


def test_the_lists_by_frequency_are_ranks(root):
    names = recipe._label_names(root)
    for name, ranks in (("frequent-30", range(10, 40)), ("frequent-100", range(10, 110))):
        assert recipe._classes(name, names) == {k: NAMES[k] for k in ranks}
    samples, classes = listed(root, "frequent-30")  # 30 videos have the label 11 alone, 10 the 12
    assert classes == ["Thing 11", "Thing 12"]
    assert [sum(s.label == k for s in samples) for k in (0, 1)] == [30, 10]
    with pytest.raises(StudyError, match="unknown classes 'sound'; did you mean 'sounds'"):
        recipe._classes("sound", names)


def test_the_list_of_the_study_is_of_different_things():
    with recipe.SOUNDS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [row["class"] for row in rows]
    assert len(names) == len(set(names)) == 40
    assert names == sorted(names)
    assert all(row["nearest class of VGG-Sound"] for row in rows)
    assert recipe._classes("sounds", dict(enumerate(names))) == dict(enumerate(names))


def test_the_real_files_are_listed():
    assert len(recipe._files()) == youtube8m.FILES
    assert recipe.LABEL_FILE in recipe.LABELS.files()


def test_a_wrong_root_and_missing_label_names_are_one_sentence(root, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    where = ["--root", str(tmp_path / "empty"), "--out", str(tmp_path / "out")]
    assert command.main(["youtube8m", *where]) == 2
    said = capsys.readouterr().err
    assert "yt_label_ref.csv: missing; it has the names of the labels: use --download" in said
    assert said.count("\n") == 1
    for number in range(FILES):
        shard(root, number).unlink()
    with pytest.raises(
        StudyError, match=r"none of the 10 files of videos can be used .* --download"
    ):
        listed(root)
    (root / recipe.LABEL_FILE).write_text("Index,Name\n3,Dog\n")
    with pytest.raises(StudyError, match=r"yt_label_ref.csv: truncated: .* use --download"):
        listed(root)


def test_files_in_the_root_itself_are_found(root):
    expected, _ = listed(root)
    for number in range(FILES):
        shard(root, number).rename(root / shard(root, number).name)
    found, _ = listed(root)
    assert [s.id for s in found] == [s.id for s in expected]


def test_a_download_fetches_what_is_missing_or_damaged(root, tmp_path, monkeypatch, capsys):
    class Quiet(SimpleHTTPRequestHandler):
        asked: list[str] = []  # noqa: RUF012

        def log_message(self, *words):
            Quiet.asked.append(self.path.rsplit("/", 1)[1])

    served = tmp_path / "served"
    for repository in (recipe.VIDEOS, recipe.LABELS):
        folder = served / repository.name / repository.commit
        folder.parent.mkdir(parents=True)
        folder.symlink_to(root)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    mine = tmp_path / "mine"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=served)) as http:
        threading.Thread(target=http.serve_forever).start()
        monkeypatch.setattr(github, "ADDRESS", f"http://127.0.0.1:{http.server_port}")
        shard(mine, 1).parent.mkdir(parents=True)
        shard(mine, 1).write_bytes(content(1))
        shard(mine, 2).write_bytes(content(2)[:-1])
        assert run(mine, "--download") == 0
        assert "10 files were downloaded" in capsys.readouterr().out
        assert shard(mine, 1).name not in Quiet.asked
        assert recipe.download(mine, {}).startswith("0 files were downloaded")
        http.shutdown()
    assert len(Prepared.open(tmp_path / "out").manifest["samples"]) == 90
    shard(mine, 5).unlink()
    assert run(mine, "--download") == 2  # no network
    said = capsys.readouterr().err
    assert "validate0005.tfrecord cannot be downloaded" in said
    assert "run the same command again to resume" in said
    assert said.count("\n") == 1


def test_a_folder_of_another_data_set_is_refused(root):
    assert run(root) == 0
    with pytest.raises(StudyError, match="holds 'youtube8m', not 'furniture224'"):
        data.load("furniture224", folder=str(root.parent / "out"))
