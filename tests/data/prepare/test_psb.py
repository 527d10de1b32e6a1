"""The Princeton Shape Benchmark at both sizes, from miniature files in the repository's layout."""

from __future__ import annotations

import hashlib
import re

import miniatures
import numpy as np
import pytest
import torch
import trimesh

from umt_lib.data import github, load, psb
from umt_lib.data.loader import batches
from umt_lib.data.prepare import __main__ as command
from umt_lib.data.prepare import psb as recipe
from umt_lib.data.prepare.modelnet40 import read_mesh
from umt_lib.data.prepare.prepared import Prepared
from umt_lib.data.render import render
from umt_lib.errors import StudyError

AZIMUTHS = 2
BOXES = {"tall_box": [1, 2, 3, 4, 606, 611], "flat_box": [5, 6, 7, 8, 9, 10, 11]}
CONES, PAIR = list(range(20, 35)), (21, 30)  # the pair has the same file
FACELESS, ALTERED, LOST = 22, 23, 24
TRAIN = f"""PSB 1
4 {6 + 15}

thing 0 0

box thing 0

tall_box box 6
{chr(10).join(map(str, BOXES["tall_box"]))}

cone 0 15
{chr(10).join(map(str, CONES))}
"""
TEST = f"""PSB 1
4 {7 + 3}
thing 0 0
box thing 0
flat_box box 7
{" ".join(map(str, BOXES["flat_box"]))}
rare_ball thing 3
40 41 42
"""


def off(number: int) -> str:
    """A box with a wall at its rear, or a cone; of proportions of its own."""
    size = np.random.default_rng(PAIR[0] if number in PAIR else number).uniform(0.5, 1.5, 3)
    if number in CONES:
        mesh = trimesh.creation.cone(radius=size[0], height=size[1], sections=8)
    else:
        wall = trimesh.creation.box((0.3, 1, 0.1)).apply_translation((0.5, 0.5, -0.8))
        mesh = trimesh.util.concatenate([trimesh.creation.box(size), wall])
    faces = [] if number == FACELESS else mesh.faces
    lines = [f"OFF\n{len(mesh.vertices)} {len(faces)} 0"]
    lines += [" ".join(f"{c:.6f}" for c in vertex) for vertex in mesh.vertices]
    return "\n".join([*lines, *(f"3 {a} {b} {c}" for a, b, c in faces)]) + "\n"


def write_list(folder, contents: dict[str, str]) -> None:
    """The checksums of these files as those of the data set."""
    lines = [
        f"{hashlib.sha256(text.encode()).hexdigest()}  {len(text)}  {path}"
        for path, text in contents.items()
    ]
    (folder / "psb.sha256").write_text("\n".join(lines) + "\n")
    github._read_list.cache_clear()


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A folder of raw files and their checksums, with one mesh missing and one altered."""
    root, lists = tmp_path_factory.mktemp("psb"), tmp_path_factory.mktemp("checksums")
    numbers = [*BOXES["tall_box"], *BOXES["flat_box"], *CONES, 40, 41, 42]
    contents = {"classes/train.cla": TRAIN, "classes/test.cla": TEST}
    contents |= {f"processed-models/m{number}.off": off(number) for number in numbers}
    for path, text in contents.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    (root / f"processed-models/m{ALTERED}.off").write_text(off(ALTERED).replace("3 0", "3 1"))
    (root / f"processed-models/m{LOST}.off").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(github, "CHECKSUMS", lists)
        patch.setattr(github, "ADDRESS", "http://127.0.0.1:9")
        write_list(lists, contents)
        yield root
    github._read_list.cache_clear()


def prepare(root, out, *options: str) -> int:
    given = ["psb", "--root", str(root), "--out", str(out), "--workers", "2", *options]
    return command.main([*given, "--azimuths", str(AZIMUTHS)])


@pytest.fixture(scope="module")
def prepared(raw, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "psb"
    assert prepare(raw, out) == 0
    return out


@pytest.fixture(scope="module")
def large(raw, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "psb224"
    assert prepare(raw, out, "--size", "224") == 0
    return out


def parts(folder, fold=0):
    splits = load("psb", folder=str(folder), fold=fold)
    return splits.train, splits.validation, splits.test


def test_the_halves_are_joined_and_small_classes_are_left_out(prepared):
    splits = load("psb", folder=str(prepared))
    assert splits.classes == ("box", "cone")
    names = {0: {f"m{n}" for of in BOXES.values() for n in of}, 1: {f"m{n}" for n in CONES}}
    for part in parts(prepared):
        for k, group in zip(part.y.tolist(), part.groups, strict=True):
            assert group in names[k]
    assert splits.shapes == {"front": (1, 64, 64), "rear": (1, 64, 64)}


def test_every_model_is_tested_once_and_copies_are_together(prepared):
    tested = [set(parts(prepared, fold)[2].groups) for fold in range(5)]
    assert sum(map(len, tested)) == len(set.union(*tested))
    usable = {s["id"] for s in Prepared.open(prepared).manifest["samples"]}
    copies = {f"m{max(PAIR)}", "m611"}
    assert copies < usable
    assert set.union(*tested) == usable - copies
    y = sum(len(part) for part in parts(prepared))
    assert y == AZIMUTHS * len(usable)
    assert {len(part.y) for part in parts(prepared)} != {
        len(set(p.groups)) for p in parts(prepared)
    }


def test_meshes_that_cannot_be_used_are_named_with_the_reason(prepared):
    reasons = {q["id"]: q["reason"] for q in Prepared.open(prepared).manifest["quarantine"]}
    assert reasons.pop(f"m{ALTERED}").startswith("altered: sha256 ")
    assert reasons == {f"m{FACELESS}": "no faces", f"m{LOST}": "missing"}


@pytest.mark.parametrize(("name", "size", "supersample"), [("psb", 64, 4), ("psb224", 224, 2)])
def test_a_sample_is_a_model_from_opposite_sides(name, size, supersample, raw, prepared, large):
    splits = load(name, folder=str(prepared if name == "psb" else large))
    at = int(np.flatnonzero(splits.test.y.numpy() == 0)[0])
    number = splits.test.groups[at]
    mesh = read_mesh(raw / f"processed-models/{number}.off")
    x = splits.test.inputs(slice(at, at + AZIMUTHS))
    for m, turn in (("front", 0), ("rear", 180)):
        for row, angle in enumerate((-10, 10)):
            wanted = torch.from_numpy(render(*mesh, turn + angle, 20, size, "y", supersample))
            found = x[m][row, 0]
            assert torch.equal(found, wanted / 255 if name == "psb" else wanted)
    assert not torch.equal(x["front"], x["rear"])


def test_both_sizes_have_the_same_models_in_the_same_folds(prepared, large):
    for fold in (0, 4):
        small = parts(prepared, fold)
        splits = load("psb224", folder=str(large), fold=fold)
        for ours, theirs in zip(small, (splits.train, splits.validation, splits.test), strict=True):
            assert ours.groups.tolist() == theirs.groups.tolist()
            assert torch.equal(ours.y, theirs.y)
    assert splits.shapes == {"front": (1, 224, 224), "rear": (1, 224, 224)}


def test_images_of_another_size_are_refused(prepared, large):
    with pytest.raises(StudyError, match=r"other settings than requested \(size: 64 -> 224\)"):
        load("psb224", folder=str(prepared))
    with pytest.raises(StudyError, match=r"\(size: 224 -> 64\)"):
        load("psb", folder=str(large))


def test_training_images_are_shifted_each_on_its_own():
    ramp = 8 * torch.arange(32)[:, None] + torch.arange(32)
    moved = psb.shifted(
        dict.fromkeys(("front", "rear"), ramp.repeat(512, 1, 1)), torch.Generator().manual_seed(0)
    )
    steps = {-(8 * down + right) for down in range(-2, 3) for right in range(-2, 3)}
    for images in moved.values():
        shifts = (images - ramp)[:, 4:-4, 4:-4].flatten(1)
        assert (shifts == shifts[:, :1]).all()  # a whole image moves as one
        assert set(shifts[:, 0].tolist()) == steps
        assert images.min() >= 0
        assert images.max() <= ramp.max()
    assert not torch.equal(moved["front"], moved["rear"])


@pytest.mark.parametrize(("name", "kind"), [("psb", torch.float32), ("psb224", torch.uint8)])
def test_batches_are_shifted_images(name, kind, prepared, large):
    splits = load(name, folder=str(prepared if name == "psb" else large))
    batch = next(batches(splits, splits.train, 16, seed=0, epoch=0))
    seen = splits.train.inputs(batch.index)
    for m, x in batch.x.items():
        assert (x.shape, x.dtype) == (seen[m].shape, kind)
        assert not torch.equal(x, seen[m])
        assert x.max() <= (1 if name == "psb" else 255)


def test_a_repaired_mesh_is_read_and_the_others_are_not_read_again(raw, tmp_path, capsys):
    def content(number, text):
        (raw / f"processed-models/m{number}.off").write_text(text)

    damaged = (raw / f"processed-models/m{ALTERED}.off").read_text()
    assert prepare(raw, tmp_path / "psb") == 0
    try:
        content(ALTERED, off(ALTERED))
        capsys.readouterr()
        assert prepare(raw, tmp_path / "psb") == 0
    finally:
        content(ALTERED, damaged)
    assert "2 are to be read" in capsys.readouterr().err  # that one, and the one without faces
    ids = {q["id"] for q in Prepared.open(tmp_path / "psb").manifest["quarantine"]}
    assert ids == {f"m{FACELESS}", f"m{LOST}"}


def test_a_download_gets_what_is_missing_or_altered(raw, tmp_path, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(
        github.Repository, "_download", lambda self, root, file, user: asked.append(file.path) or 1
    )
    assert prepare(raw, tmp_path / "psb", "--download") == 0
    assert sorted(asked) == [f"processed-models/m{n}.off" for n in (ALTERED, LOST)]
    assert "2 files of 33 were downloaded" in capsys.readouterr().out


def test_without_network_a_download_ends_in_one_sentence(raw, tmp_path, capsys):
    assert prepare(raw, tmp_path / "psb", "--download") == 2
    error = capsys.readouterr().err
    assert re.search(r"m2[34]\.off cannot be downloaded .*run the same command again", error)
    assert not (tmp_path / "psb").exists()


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("root", r"classes/train\.cla: missing; check --root, or use --download"),
        ("list", r"classes/test\.cla: altered: sha256 .*; check --root, or use --download"),
        ("short", r"classes/train\.cla: truncated: 5 of \d+ bytes; check --root"),
        ("azimuths", r"azimuths is 10; give 1 to 9"),
    ],
)
def test_bad_folders_and_settings_are_refused(fault, sentence, raw, tmp_path, capsys):
    root = tmp_path / "root"
    for path, text in (("train", TRAIN), ("test", TEST)):
        (root / "classes").mkdir(parents=True, exist_ok=True)
        (root / f"classes/{path}.cla").write_text(text)
    if fault == "root":
        root = tmp_path
    elif fault == "list":
        (root / "classes/test.cla").write_text(TEST.replace("40", "43"))
    elif fault == "short":
        (root / "classes/train.cla").write_text("PSB 1")
    given = ["psb", "--root", str(root), "--out", str(tmp_path / "out")]
    assert command.main([*given, *(["--azimuths", "10"] if fault == "azimuths" else [])]) == 2
    assert re.search(sentence, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_a_classification_gives_every_model_the_classes_above_it(tmp_path):
    (tmp_path / "a.cla").write_text(TRAIN)
    assert recipe.read_classification(tmp_path / "a.cla") == {
        ("thing",): [],
        ("thing", "box"): [],
        ("thing", "box", "tall_box"): BOXES["tall_box"],
        ("cone",): CONES,
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("OFF\n4 4 6", r"does not begin with 'PSB 1'"),
        ("", r"does not begin with 'PSB 1'"),
        ("PSB 1", r"truncated: it ends within its first lines"),
        ("PSB 1\n2 2\na 0 1\n7\n", r"truncated: it ends within its 2 classes"),
        ("PSB 1\n1 2\na 0 2\n7\n", r"truncated: it ends within its 1 classes"),
        ("PSB 1\n1 1\na 0 1\nm7\n", r"a word where a number belongs .*'m7'"),
        ("PSB 1\n1 1\na b 1\n7\n", r"class 'a' is below 'b', which is not listed before it"),
        ("PSB 1\n2 2\na 0 1\n7\na 0 1\n8\n", r"class 'a' is listed twice"),
        ("PSB 1\n1 2\na 0 1\n7\n", r"1 models, 1 of them different, where 2 are stated"),
        ("PSB 1\n1 2\na 0 2\n7 7\n", r"2 models, 1 of them different, where 2 are stated"),
        ("PSB 1\n1 1\na 0 1\n7\n8\n", r"more words than those of its 1 classes"),
    ],
)
def test_a_malformed_classification_is_refused(text, sentence, tmp_path):
    (tmp_path / "a.cla").write_text(text)
    with pytest.raises(StudyError, match=rf"a\.cla: .*{sentence}.*get the file again"):
        recipe.read_classification(tmp_path / "a.cla")


def test_azimuths_are_symmetric():
    assert recipe.azimuths(1).tolist() == [0]
    assert recipe.azimuths(4).tolist() == [-30, -10, 10, 30]


def test_the_shipped_checksums_are_those_of_the_whole_benchmark():
    github._read_list.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(github, "CHECKSUMS", github.Path(github.__file__).parent / "checksums")
        listed = recipe.REPOSITORY.files()
    github._read_list.cache_clear()
    assert set(recipe.LISTS) < set(listed)
    numbers = {n for n in range(1815) if f"processed-models/m{n}.off" in listed}
    assert len(numbers) == len(listed) - len(recipe.LISTS) == 1814
    assert all(pair < numbers for pair in recipe.COPIES)


def test_it_can_be_drawn(prepared):
    figure = psb.picture(load("psb", folder=str(prepared)))
    figure.canvas.draw()
    assert [axis.get_title() for axis in figure.axes[:2]] == ["box", "cone"]


def test_its_params_files_run(prepared, tmp_path):
    names = miniatures.shortened("psb", prepared, tmp_path, ("joint-linear", "umt"))
    found = miniatures.one_by_one(names, tmp_path)
    samples = len(load("psb", folder=str(prepared)).test)
    assert [r.measured.seeds[0].test.samples for r in found] == [samples] * 4
