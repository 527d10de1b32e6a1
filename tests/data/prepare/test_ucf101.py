"""UCF101 from miniature XviD clips in the publishers' layout, and its official lists."""

import os
import re
import shutil
from pathlib import Path

import av
import clips
import miniatures
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from umt_lib import models, paths
from umt_lib.data import load, ucf101
from umt_lib.data.loader import batches
from umt_lib.data.prepare import __main__ as command
from umt_lib.data.prepare import ucf101 as recipe
from umt_lib.data.prepare.store import SampleError
from umt_lib.errors import StudyError
from umt_lib.methods import METHODS
from umt_lib.study.experiments import provenance, results

CLASSES = ("Archery", "YoYo")
SIZE = 32
OPTIONS = ["--frames", "2", "--stacks", "2", "--size", str(SIZE), "--workers", "2"]


def clip(kind: str, group: int, number: int = 1) -> str:
    return f"{kind}/v_{kind}_g{group:02d}_c{number:02d}.avi"


def write_lists(root: Path, train: list[str], test: list[str]) -> None:
    folder = root / "ucfTrainTestlist"
    folder.mkdir(parents=True, exist_ok=True)
    known = [f"{label} {kind}\n" for label, kind in enumerate(CLASSES, 1)]
    (folder / "classInd.txt").write_text("".join(known))
    lines = [f"{name} {CLASSES.index(name.split('/')[0]) + 1}\r\n" for name in train]
    (folder / "trainlist01.txt").write_text("".join(lines))
    (folder / "testlist01.txt").write_text("".join(f"{name}\n" for name in test))


def film(path: Path, speed: int, frames: int = 14) -> None:
    """An XviD file of a pattern that moves to the right by ``speed`` of 80 pixels a frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = np.random.default_rng(0)
    pattern = gaussian_filter(stream.normal(size=(64, 80)), 2, mode="wrap")
    pattern = (127 + 400 * pattern).clip(0, 255).astype(np.uint8)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 80, 64, "yuv420p"
        video.bit_rate, video.codec_context.codec_tag = 2_000_000, "XVID"
        for i in range(frames):
            grey = np.roll(pattern, speed * i, axis=1)
            picture = av.VideoFrame.from_ndarray(np.stack([grey] * 3, -1), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode())


@pytest.fixture(scope="module")
def miniature(tmp_path_factory):
    """(raw folder, prepared folder): 2 classes; groups 3 to 12 to train, 1 and 2 to test."""
    root = tmp_path_factory.mktemp("ucf101")
    train = [clip(kind, group) for kind in CLASSES for group in range(3, 13)]
    test = [clip(kind, group, number) for kind in CLASSES for group in (1, 2) for number in (1, 2)]
    broken = {"short": clip("Archery", 3, 2), "cut": clip("YoYo", 3, 2), "text": clip("YoYo", 4, 2)}
    write_lists(root, [*train, *broken.values(), clip("Archery", 4, 2)], test)
    for name in (*train, *test, *broken.values()):
        speed = {"Archery": 3, "YoYo": -3}[name.split("/")[0]]
        frames = {broken["short"]: 8, broken["cut"]: 50}.get(name, 14)
        film(root / "UCF-101" / name, speed, frames)
    clips.cut(root / "UCF-101" / broken["cut"], 0.6)
    (root / "UCF-101" / broken["text"]).write_text("not a clip")
    out = root / "prepared"
    assert command.main(["ucf101", "--root", str(root), "--out", str(out), *OPTIONS]) == 0
    return root, out


def test_miniature_is_loaded_by_group_and_trains(miniature):
    _, out = miniature
    splits = load("ucf101", folder=str(out))
    assert splits.classes == CLASSES
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [18, 2, 8]
    assert splits.shapes == {"rgb": (2, 3, 28, 28), "flow": (2, 20, 28, 28)}
    assert set(splits.test.groups) == {f"{kind}/g{g:02d}" for kind in CLASSES for g in (1, 2)}
    torch.manual_seed(0)
    encoders = {m: {"name": "resnet18"} for m in splits.modalities}
    model = models.build(encoders, {"name": "linear"}, splits.shapes, len(CLASSES))
    optimizer, joint = torch.optim.SGD(model.parameters(), 0.05), METHODS["joint"]()
    before = {n: p.clone() for n, p in model.named_parameters()}
    batch = next(batches(splits, splits.train, 6, seed=0, epoch=0))
    assert joint.step(model, optimizer, batch).isfinite()
    assert all(
        not torch.equal(before[f"encoders.{m}.conv1.weight"], e.conv1.weight)
        for m, e in model.encoders.items()
    )


def test_every_broken_clip_has_its_reason(miniature):
    root, _ = miniature
    settings = {**recipe.RECIPE.settings, "size": SIZE}
    reasons = {}
    for sample in recipe.list_samples(root, settings)[0]:
        if sample.source.exists():
            try:
                recipe.read(sample.source, settings)
            except SampleError as reason:
                reasons[sample.id] = str(reason)
    assert reasons == {
        "v_Archery_g03_c02": "too short: 8 frames, a stack of flow needs 11",
        "v_YoYo_g03_c02": "truncated: 25 of 50 frames",
        "v_YoYo_g04_c02": "undecodable file (Invalid data found when processing input)",
    }


def test_computed_flow_is_the_motion_in_stored_pixels(miniature):
    """3 of 64 pixels a frame to the right or to the left are 1.5 of 32."""
    _, out = miniature
    rows = load("ucf101", folder=str(out)).train
    flow = rows.x["flow"][:][:, :, 8:24, 8:24].float() / 255 * 40 - 20  # away from the border
    for label, expected in ((0, 1.5), (1, -1.5)):
        u, v = (flow[rows.y == label][..., axis::2].median() for axis in (0, 1))
        assert u == pytest.approx(expected, abs=0.3)
        assert v == pytest.approx(0.0, abs=0.1)


def test_quantised_flow_covers_twenty_pixels_and_clips():
    flow = np.array([-50.0, -20, -10, 0, 10, 20, 21])
    assert recipe.quantise(flow).tolist() == [0, 0, 64, 128, 191, 255, 255]


@pytest.mark.parametrize(
    ("fields", "stacks", "first"),
    [(10, 1, [0]), (10, 3, [0, 0, 0]), (100, 2, [20, 70]), (31, 1, [10])],
)
def test_stacks_lie_in_the_middle_of_equal_parts(fields, stacks, first):
    assert recipe.stack_starts(fields, stacks) == first


def test_ready_flow_is_taken_as_it_is(miniature):
    root, _ = miniature
    source = root / "UCF-101" / clip("YoYo", 5)
    for axis, level in (("u", 60), ("v", 200)):
        folder = root / "tvl1_flow" / axis / source.stem
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(13):
            picture = Image.fromarray(np.full((60, 80), level + i, np.uint8))
            picture.save(folder / f"frame{i + 1:06d}.jpg", quality=95)
    settings = {**recipe.RECIPE.settings, "size": SIZE, "flow": "tvl1"}
    (stack,) = recipe.read(source, settings)["flow"]
    expected = np.stack([60 + np.arange(2, 12), 200 + np.arange(2, 12)], 1).ravel()  # u, v, u ...
    assert np.abs(stack.astype(int) - expected).max() <= 1
    last = root / "tvl1_flow/v" / source.stem / "frame000007.jpg"
    clips.cut(last, 0.6)
    with pytest.raises(SampleError, match=r"undecodable flow v/frame000007\.jpg"):
        recipe.read(source, settings)
    last.rename(last.with_name("frame000007 (1).jpg"))
    (last.parent / "._frame000007.jpg").touch()
    with pytest.raises(SampleError, match="13 horizontal and 12 vertical"):
        recipe.read(source, settings)


def test_ready_flow_is_looked_for_once_and_first(tmp_path, capsys):
    train = [clip(kind, group) for kind in CLASSES for group in range(3, 13)]
    write_lists(tmp_path, train, [clip(kind, 1) for kind in CLASSES])
    for name in train:
        path = tmp_path / "UCF-101" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "tvl1_flow" / "u").mkdir(parents=True)
    given = ["ucf101", "--root", str(tmp_path), "--out", str(tmp_path / "out"), "--flow", "tvl1"]
    assert command.main(given) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{tmp_path / 'tvl1_flow' / 'v'}: no such folder; unpack ")
    (tmp_path / "tvl1_flow" / "v").mkdir()
    assert command.main(given) == 2
    said = capsys.readouterr().err
    assert "0 of 22 listed samples are usable" in said
    assert "22 x no folder in tvl1_flow/u" in said
    assert not list((tmp_path / "out").glob("*.npy"))


def test_a_byte_order_mark_is_not_part_of_a_list(tmp_path):
    train = [clip(kind, group) for kind in CLASSES for group in range(3, 13)]
    write_lists(tmp_path, train, [clip(kind, 1) for kind in CLASSES])
    for path in tmp_path.glob("ucfTrainTestlist/*.txt"):
        path.write_text(path.read_text(), encoding="utf-8-sig")
    samples, classes = recipe.list_samples(tmp_path, recipe.RECIPE.settings)
    assert classes == list(CLASSES)
    assert len(samples) == 22


@pytest.mark.parametrize("listed", recipe.SPELLINGS)
@pytest.mark.parametrize("folder", recipe.SPELLINGS)
@pytest.mark.parametrize("file", recipe.SPELLINGS)
def test_both_spellings_of_handstand_pushups_are_found(listed, folder, file, tmp_path, monkeypatch):
    classes = ("HandstandPushups", "YoYo")
    monkeypatch.setattr("test_ucf101.CLASSES", classes)
    clips_of = [clip(kind, group) for kind in classes for group in range(1, 13)]
    write_lists(tmp_path, clips_of[1:], clips_of[:1])
    for path in tmp_path.glob("ucfTrainTestlist/*list01.txt"):
        path.write_text(path.read_text().replace("HandstandPushups", listed))
    for name in clips_of:
        above, below = name.split("/")
        above = above.replace("HandstandPushups", folder)
        below = below.replace("HandstandPushups", file)
        path = tmp_path / "UCF-101" / above / below
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        for axis in "uv":
            (tmp_path / "tvl1_flow" / axis / path.stem).mkdir(parents=True)
    settings = {**recipe.RECIPE.settings, "flow": "tvl1"}
    samples, _ = recipe.list_samples(tmp_path, settings)
    assert all(s.source.exists() and not s.missing for s in samples)
    assert {s.label for s in samples} == {0, 1}
    assert {s.group for s in samples} == {f"{c}/g{g:02d}" for c in classes for g in range(1, 13)}


def test_raft_gives_one_field_per_pair_of_frames():
    from torchvision.models.optical_flow import raft_small

    torch.manual_seed(0)
    pictures = np.random.default_rng(0).integers(0, 255, (2, 128, 136, 3)).astype(np.uint8)
    flow = recipe.raft_flow(raft_small().eval(), pictures)
    assert flow.shape == (1, 128, 136, 2)
    assert np.isfinite(flow).all()


def test_a_mirrored_sample_moves_the_other_way():
    rgb, flow = (torch.randint(256, (16, 1, 16, 16, c), dtype=torch.uint8) for c in (3, 20))
    flow[:, :, :, :, 0], rgb[:, :, :, :, 0] = torch.arange(16), torch.arange(16)  # columns
    x = ucf101.augment({"rgb": rgb, "flow": flow}, torch.Generator().manual_seed(0))
    again = ucf101.augment({"rgb": rgb, "flow": flow}, torch.Generator().manual_seed(0))
    assert all(torch.equal(x[m], again[m]) for m in x)
    mirrored = x["rgb"][:, 0, 0, 0, 0] > x["rgb"][:, 0, 0, 0, 1]
    assert 0 < mirrored.sum() < 16
    column = x["flow"][:, 0, 0]
    column = torch.where(mirrored[:, None, None], 255 - column, column)
    assert torch.equal(column, x["rgb"][:, 0, 0])  # one place and one side for both
    assert set(x["flow"][:, 0, 1].flatten(1).sum(1).tolist()) <= {
        int(flow[i, 0, t : t + 14, s : s + 14, 1].sum())
        for i in range(16)
        for t in range(3)
        for s in range(3)
    }  # vertical motion stays
    assert len(x["rgb"][:, 0, 0].flatten(1).unique(dim=0)) > 4
    middle = ucf101.transform({"rgb": rgb, "flow": flow})
    assert torch.equal(middle["flow"][3, 0, 5], flow[3, 0, 1:15, 1:15, 5])


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("overlap", r"group 'YoYo/g03' is in (train|test) and in (train|test)"),
        ("twice", r"'v_YoYo_g05_c01' is listed 2 times"),
        ("label", r"trainlist01\.txt, line 1: .* is not a clip of a class"),
        ("no lists", r"classInd\.txt: not a readable list .*--download"),
    ],
)
def test_bad_lists_are_refused(fault, sentence, tmp_path, capsys):
    train = [clip(kind, group) for kind in CLASSES for group in range(3, 13)]
    test = [clip(kind, 1) for kind in CLASSES] + [clip("YoYo", 3, 7)] * (fault == "overlap")
    if fault != "no lists":
        write_lists(tmp_path, train + [clip("YoYo", 5)] * (fault == "twice"), test)
    if fault == "label":
        path = tmp_path / "ucfTrainTestlist" / "trainlist01.txt"
        path.write_text(path.read_text().replace(".avi 1", ".avi 2"))
    status = command.main(
        ["ucf101", "--root", str(tmp_path), "--out", str(tmp_path / "out"), *OPTIONS]
    )
    assert status == 2
    assert re.search(sentence, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"flow": "tvl"}, "did you mean 'tvl1'"),
        ({"split": 4}, "give 1, 2 or 3"),
        ({"flow": "tvl1"}, "no such folder; unpack"),
    ],
)
def test_unknown_settings_are_told(changed, sentence, tmp_path):
    with pytest.raises(StudyError, match=sentence):
        recipe.list_samples(tmp_path, {**recipe.RECIPE.settings, **changed})


@pytest.mark.skipif("UMT_LISTS" not in os.environ, reason="UMT_LISTS names no folder of real lists")
def test_the_official_lists_parse_to_the_official_counts(tmp_path):
    (tmp_path / "ucfTrainTestlist").mkdir()
    for name in ("classInd", "trainlist01", "testlist01"):
        shutil.copy(
            Path(os.environ["UMT_LISTS"]) / f"ucf101_{name}.txt",
            tmp_path / "ucfTrainTestlist" / f"{name}.txt",
        )
    samples, classes = recipe.list_samples(tmp_path, recipe.RECIPE.settings)
    splits = np.array([s.split for s in samples])
    assert len(classes) == 101
    assert ((splits == "train").sum() + (splits == "validation").sum()) == 9537
    assert (splits == "test").sum() == 3783
    held = [s for s in samples if s.split == "validation"]
    assert {s.label for s in held} == set(range(101))
    assert {s.group for s in held}.isdisjoint(s.group for s in samples if s.split != "validation")


def test_its_params_files_run_and_are_judged_by_all_else_where_the_data_is_not(miniature, tmp_path):
    names = miniatures.shortened("ucf101", miniature[1], tmp_path)
    found = miniatures.one_by_one(names, tmp_path)
    assert [r.measured.seeds[0].test.samples for r in found] == [8] * 3
    away = miniature[1].rename(tmp_path / "away")
    provenance._splits.cache_clear()
    try:
        found = [results.stale(name, paths.results_dir(), tmp_path) for name in names]
        assert found == ["", "", ""]
        file = tmp_path / f"{names[0]}.yaml"
        file.write_text(file.read_text().replace("epochs: 1", "epochs: 2"))
        assert results.stale(names[0], paths.results_dir(), tmp_path) == "made with other params"
        assert results.stale("ucf101-umt", paths.results_dir(), tmp_path) == (
            "made with other teachers"
        )
    finally:
        away.rename(miniature[1])
