"""ModelNet40 from miniature OFF files and pictures in the publishers' layouts."""

import errno
import os
import re
import zipfile
from pathlib import Path

import miniatures
import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from umt_lib import models
from umt_lib.data import load, modelnet40
from umt_lib.data.loader import batches
from umt_lib.data.prepare import __main__ as command
from umt_lib.data.prepare import archives
from umt_lib.data.prepare import modelnet40 as recipe
from umt_lib.data.prepare.prepared import Prepared
from umt_lib.data.prepare.store import SampleError
from umt_lib.data.render import render
from umt_lib.errors import StudyError
from umt_lib.methods import METHODS

SIZE = 32
OPTIONS = ["--size", str(SIZE), "--workers", "2"]
TETRAHEDRON = "4 4 6\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3\n"
BROKEN = {
    "OFF\n0 0 0\n": "no faces",
    "OFF\n4 0 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n": "no faces",
    "OFF\n" + TETRAHEDRON.replace("1 0 0", "1 nan 0"): "a vertex is NaN or infinite",
    "OFF\n" + TETRAHEDRON[:20]: "truncated: it ends within the 4 vertices",
    "OFF" + TETRAHEDRON[:50]: "truncated: it ends within the 4 faces",
    "OFF\n"
    + TETRAHEDRON.replace("1 2 3", "1 2 4"): "a face names vertex 4, they are numbered from 0 to 3",
    "OFF\n" + TETRAHEDRON.replace("1 2 3", "1 -2 3"): (
        "a face names vertex -2, they are numbered from 0 to 3"
    ),
    "OFF\n" + TETRAHEDRON.replace("3 1 2 3", "2 1 2"): "a face has 2 corners",
    "OFF BINARY\n\0\0": "a binary OFF file; only text is read",
    "OFF\n" + TETRAHEDRON.replace("\n", " ") + "7": "more numbers than those of 4 faces",
    "OFF\nfour": "not an OFF file: words where numbers belong",
    "ply\nformat ascii": "not an OFF file: it begins with 'ply\\nform'",
    "": "not an OFF file: it begins with ''",
    "OFF 3 1 0 0 0 0 0 0 0 0 0 0 3 0 1 2": "nothing is seen: every face is a line or a point",
}


def off(mesh: trimesh.Trimesh, fused: bool) -> str:
    lines = [f"OFF{'' if fused else chr(10)}{len(mesh.vertices)} {len(mesh.faces)} 0"]
    lines += [" ".join(f"{c:.6f}" for c in vertex) for vertex in mesh.vertices]
    lines += [f"3 {a} {b} {c}" for a, b, c in mesh.faces]
    return "\n".join(lines) + "\n"


def thing(kind: str, number: int) -> trimesh.Trimesh:
    """A cone or a table-like box with a wall at its rear, of proportions of its own."""
    stretch = 1 + 0.05 * number
    if kind == "cone":
        return trimesh.creation.cone(radius=0.5, height=stretch, sections=12)
    seat, wall = trimesh.creation.box((1, 1, 0.2)), trimesh.creation.box((1, 0.1, stretch))
    return trimesh.util.concatenate([seat, wall.apply_translation((0, 0.5, stretch / 2))])


@pytest.fixture(scope="module")
def miniature(tmp_path_factory):
    """(raw folder, prepared folder): two classes, 10 models to train and 2 to test."""
    root = tmp_path_factory.mktemp("modelnet40")
    for kind in ("chair", "cone"):
        for number in range(1, 13):
            split = "train" if number <= 10 else "test"
            path = root / "ModelNet40" / kind / split / f"{kind}_{number:04d}.off"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(off(thing(kind, number), fused=number % 2 == 0))
    for number, content in enumerate(BROKEN):
        (root / f"ModelNet40/chair/train/chair_{500 + number:04d}.off").write_text(content)
    for name in ("._chair_0001.off", "chair_0001 (1).off"):
        (root / "ModelNet40/chair/train" / name).write_text("OFF\n" + TETRAHEDRON)
    (root / "ModelNet40/._chair/train").mkdir(parents=True)
    out = root / "prepared"
    assert command.main(["modelnet40", "--root", str(root), "--out", str(out), *OPTIONS]) == 0
    return root, out


def test_miniature_is_loaded_and_trains(miniature):
    _, out = miniature
    splits = load("modelnet40", folder=str(out))
    assert splits.classes == ("chair", "cone")
    assert len(splits.train) + len(splits.validation) == 20
    assert len(splits.test) == 4
    assert splits.shapes == {"front": (1, SIZE, SIZE), "rear": (1, SIZE, SIZE)}
    assert splits.train.groups is None
    chair, cone = (splits.test.inputs((splits.test.y == k).nonzero()[:, 0]) for k in (0, 1))
    assert (chair["front"] != chair["rear"]).float().mean() > 0.05  # the wall hides the seat
    assert (cone["front"] != cone["rear"]).float().mean() < 0.02  # round
    torch.manual_seed(0)
    encoders = {m: {"name": "resnet18"} for m in splits.modalities}
    model = models.build(encoders, {"name": "linear"}, splits.shapes, 2)
    optimizer, joint = torch.optim.SGD(model.parameters(), 0.05), METHODS["joint"]()
    before = {m: e.conv1.weight.clone() for m, e in model.encoders.items()}
    assert joint.step(model, optimizer, next(batches(splits, splits.train, 6, 0, 0))).isfinite()
    assert all(not torch.equal(before[m], e.conv1.weight) for m, e in model.encoders.items())


def test_every_broken_mesh_is_set_aside_with_its_reason(miniature):
    _, out = miniature
    manifest = Prepared.open(out).manifest
    reasons = [q["reason"] for q in manifest["quarantine"]]
    assert reasons == [*BROKEN.values(), "its name is not like chair_0001.off"]
    assert manifest["quarantine"][-1]["id"] == "ModelNet40/chair/train/chair_0001 (1).off"
    listed = manifest["counts"]["listed"]
    assert listed["train"] + listed["validation"] == 20 + len(BROKEN)


@pytest.mark.parametrize(
    "header",
    ["OFF\n", "OFF", "OFF ", "OFF\r\n", "OFF\n# by hand\n", "# a\nOFF\n", "off\n", "\ufeffOFF\n"],
)
def test_both_headers_give_the_same_mesh(header, tmp_path):
    path = tmp_path / "a.off"
    path.write_text(header + TETRAHEDRON, encoding="utf-8")
    vertices, faces = recipe.read_mesh(path)
    assert vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert faces.tolist() == [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]


def behind(lines: str, vertex: str = "", face: str = "") -> str:
    """The lines of a mesh with more words behind each vertex and each face."""
    counts, *rows = lines.splitlines()
    long = [row + (vertex if i < int(counts.split()[0]) else face) for i, row in enumerate(rows)]
    return "\n".join([counts, *long])


@pytest.mark.parametrize(
    "text",
    [
        "OFF\n" + behind(TETRAHEDRON, face=" 200 30 30"),
        "OFF\n" + behind(TETRAHEDRON, face=" 0.5 0.5 0.5 1"),
        "COFF\n" + behind(TETRAHEDRON, " 255 0 0 255", " 3"),
        "NOFF\n" + behind(TETRAHEDRON, " 0 0 1"),
        "STCNOFF " + behind(TETRAHEDRON, " 0 0 1 255 0 0 255 0.5 0.5"),
        "OFF\n" + TETRAHEDRON.replace("4 4 6", "4 4"),
        "OFF\n" + TETRAHEDRON.replace("\n", " "),
        "OFF\n" + TETRAHEDRON.replace(" ", "\n"),
    ],
)
def test_colours_normals_and_lines_that_end_elsewhere_give_the_same_mesh(text, tmp_path):
    (tmp_path / "plain.off").write_text("OFF\n" + TETRAHEDRON)
    (tmp_path / "a.off").write_text(text)
    for found, wanted in zip(
        recipe.read_mesh(tmp_path / "a.off"), recipe.read_mesh(tmp_path / "plain.off"), strict=True
    ):
        assert np.array_equal(found, wanted)


def test_polygons_are_cut_into_fans(tmp_path):
    path = tmp_path / "a.off"
    path.write_text("OFF\n5 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n0 0 1\n4 0 1 2 3\n3 0 1 4\n")
    assert recipe.read_mesh(path)[1].tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4]]


def test_half_the_supersampling_hardly_changes_a_large_picture():
    """What the prepared pictures save: a mean difference of a grey level or so of 255."""
    mesh = thing("chair", 4)
    few, many = (
        render(mesh.vertices, mesh.faces, 30, 30, 112, "z", s) for s in (recipe.SUPERSAMPLE, 4)
    )
    assert np.abs(few.astype(int) - many).mean() < 1.5


def test_published_pictures_are_read_in_pairs(tmp_path):
    front = tmp_path / f"cone_0001{recipe.FRONT}"
    for name, level in ((recipe.FRONT, 40), (recipe.REAR, 220)):
        Image.fromarray(np.full((48, 48, 3), level, np.uint8)).save(tmp_path / f"cone_0001{name}")
    settings = {"pictures": "mvcnn", "size": SIZE}
    views = recipe.read(front, settings)
    assert {m: (v.shape, int(v.min()), int(v.max())) for m, v in views.items()} == {
        "front": ((SIZE, SIZE), 40, 40),
        "rear": ((SIZE, SIZE), 220, 220),
    }
    front.write_bytes(front.read_bytes()[:60])
    with pytest.raises(SampleError, match=r"undecodable picture v001\.png"):
        recipe.read(front, settings)
    (tmp_path / f"cone_0001{recipe.FRONT}").write_bytes(
        (rear := tmp_path / f"cone_0001{recipe.REAR}").read_bytes()
    )
    rear.unlink()
    with pytest.raises(SampleError, match=r"rear picture .*_v007\.png is missing"):
        recipe.read(front, settings)


def test_augment_shifts_each_view_by_up_to_a_sixteenth_and_repeats_with_its_generator():
    mark = torch.zeros(64, 64, 64, dtype=torch.uint8)
    mark[:, 32, 32] = 255
    batch = {"front": mark, "rear": mark}
    x, again = (modelnet40.augment(batch, torch.Generator().manual_seed(5)) for _ in range(2))
    assert all(torch.equal(x[m], again[m]) for m in x)
    assert not torch.equal(x["front"], x["rear"])
    moved = x["front"].flatten(1).argmax(1)
    offsets = torch.stack([moved // 64, moved % 64]) - 32
    assert offsets.min() == -4
    assert offsets.max() == 4
    assert x["front"].shape == modelnet40.transform(batch)["front"].shape == (64, 1, 64, 64)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("overlap", r"sample 'cone_0001' is in (train|validation) and in test"),
        ("nothing", r"ModelNet40: no folders <class>/train"),
        ("pictures", r"unknown pictures 'render'; did you mean 'rendered'"),
    ],
)
def test_bad_folders_and_settings_are_refused(fault, sentence, tmp_path, capsys):
    if fault == "overlap":
        for split, numbers in (("train", range(1, 21)), ("test", (1, 30))):
            for number in numbers:
                path = tmp_path / f"ModelNet40/cone/{split}/cone_{number:04d}.off"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    more = ["--pictures", "render"] if fault == "pictures" else []
    given = ["modelnet40", "--root", str(tmp_path), "--out", str(tmp_path / "out"), *OPTIONS, *more]
    assert command.main(given) == 2
    assert re.search(sentence, capsys.readouterr().err)


def test_an_archive_is_unpacked_once_and_truncated_files_again(tmp_path):
    archive, folder = tmp_path / "a.zip", tmp_path / "out"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("ModelNet40/cone/train/cone_0001.off", "OFF\n" + TETRAHEDRON)
        packed.writestr("ModelNet40/cone/train/cone_0002.off", "OFF\n" + TETRAHEDRON)
    assert archives.unpack(archive, folder) == 2
    first, second = sorted((folder / "ModelNet40/cone/train").iterdir())
    first.write_text("OFF")  # as an interruption leaves it
    before = second.stat().st_mtime_ns
    archives.unpack(archive, folder)
    assert first.read_text() == second.read_text() == "OFF\n" + TETRAHEDRON
    assert second.stat().st_mtime_ns == before
    archive.write_bytes(archive.read_bytes()[:100])
    with pytest.raises(StudyError, match=r"a\.zip: damaged .* delete it"):
        archives.unpack(archive, folder)


def test_a_full_disk_ends_unpacking_in_one_sentence(tmp_path, monkeypatch):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("x.off", "OFF")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "extract", full)
    with pytest.raises(StudyError, match=r"out: cannot be written .*free some space"):
        archives.unpack(archive, tmp_path / "out")


def test_a_failed_download_says_how_to_download_by_hand(tmp_path):
    with pytest.raises(StudyError, match=r"x\.zip: cannot be downloaded .*curl -L -C - -O"):
        archives.fetch("http://127.0.0.1:9/x.zip", tmp_path)
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.skipif("UMT_LISTS" not in os.environ, reason="UMT_LISTS names no folder of real lists")
def test_the_real_names_give_the_official_counts(tmp_path):
    for split in ("train", "test"):
        names = (Path(os.environ["UMT_LISTS"]) / f"modelnet40_views_{split}.txt").read_text()
        for line in names.splitlines():
            path = tmp_path / line.split("\t")[0].removeprefix("../")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    samples, classes = recipe.list_samples(tmp_path, {"pictures": "mvcnn", "size": 224})
    splits = np.array([s.split for s in samples])
    assert len(classes) == 40
    assert (splits == "train").sum() + (splits == "validation").sum() == 9843
    assert (splits == "validation").sum() == 985
    assert (splits == "test").sum() == 2468


def test_its_params_files_run(miniature, tmp_path):
    names = miniatures.shortened("modelnet40", miniature[1], tmp_path)
    found = miniatures.one_by_one(names, tmp_path)
    assert [r.measured.seeds[0].test.samples for r in found] == [4] * 3
