"""A miniature VGG-Sound in the real format, from files to batches; and the real list."""

import csv
import os
import subprocess
from pathlib import Path

import miniatures
import numpy as np
import pytest
import slurm
import torch
from clips import TONES, cut, other_codec, write

from umt_lib import data
from umt_lib.data import clips, vggsound
from umt_lib.data.prepare import vggsound as raw
from umt_lib.data.prepare.__main__ import main
from umt_lib.data.prepare.store import SPLITS
from umt_lib.errors import StudyError
from umt_lib.paths import results_dir
from umt_lib.study.experiments import results

LABELS = ("bell, small", "drum")
SMALL = ["--frames", "2", "--size", "32", "--seconds", "1", "--workers", "2"]


def rows(n, split, start=0):
    """(video, start, label, split): classes in turn."""
    return [[f"v{i:010d}", 10 * i, LABELS[i % 2], split] for i in range(start, start + n)]


def listed(root, wanted, name="vggsound.csv"):
    root.mkdir(parents=True, exist_ok=True)
    with (root / name).open("w", newline="") as file:
        csv.writer(file).writerows(wanted)
    return [root / "video" / f"{video}_{start:06d}.mp4" for video, start, *_ in wanted]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """(folder, what the command printed) of 20 training and 6 test clips, 5 of them broken."""
    root = tmp_path_factory.mktemp("vggsound")
    wanted = rows(20, "train") + rows(6, "test", 20)
    paths = listed(root, wanted)
    for path, (_, _, label, _) in zip(paths, wanted, strict=True):
        write(path, LABELS.index(label), seconds=1.1)
    write(paths[0], sound=None)
    write(paths[1], video=None)
    cut(paths[2], 0.5)
    other_codec(paths[3])
    paths[4].unlink()
    out, said = root / "out", []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda *words, **to: said.append(words[0]))
        assert main(["vggsound", "--root", str(root), "--out", str(out), *SMALL]) == 0
    return out, said[-1]


def test_the_command_tells_counts_and_reasons(prepared):
    lines = prepared[1].splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["official", "listed", "usable"],
        ["train", "183,730", "20", "15"],
        ["test", "15,446", "6", "6"],
        ["classes", "309", "2", "2"],
    ]
    assert sorted(line.split(" (")[0] for line in lines[4:]) == [
        "1 not usable: file is missing",
        "1 not usable: no audio track",
        "1 not usable: no video stream",
        "1 not usable: undecodable file",
        "1 not usable: unknown video codec",
    ]


def test_splits_pass_the_common_check_and_show_the_class(prepared):
    splits = data.load("vggsound", folder=str(prepared[0]))
    assert splits.classes == LABELS
    assert splits.shapes == {"video": (2, 3, 28, 28), "audio": (1, 129, 108)}
    assert len(splits.train) + len(splits.validation) == 15
    rows = splits.test.inputs(slice(0, 6))
    assert rows["video"].dtype == torch.uint8
    peaks = rows["audio"].float().mean((1, 3)).argmax(1) * 16_000 / 256
    wanted = torch.tensor(TONES)[splits.test.y]
    assert ((peaks - wanted).abs() <= 63).all()
    vggsound.picture(splits)


def test_its_params_files_run_and_methods_reach_into_its_networks(prepared, tmp_path):
    """Both uni-modal runs, UMT that distils them, and methods that change two ResNet-18.

    One is of several frames. They are changed between their stages, and at their kernels.
    """
    changing = ("mmtm", "balanced-mmtm", "mbt", "mmlora", "mla", "di-mml")
    methods = ("joint-linear", "umt", *changing)  # all take the learning rate of the first
    names = miniatures.shortened("vggsound", prepared[0], tmp_path, methods)
    assert len(names) == 2 + len(methods)
    source = data.load("vggsound", folder=str(prepared[0])).source
    for result in miniatures.one_by_one(names, tmp_path):
        assert result.measured.seeds[0].test.samples == 6, result.name
        assert np.isfinite(result.measured.seeds[0].test.nll), result.name
        assert result.provenance.source == source


@slurm.needs_slurm
def test_prepared_clips_become_a_result_on_a_slurm_cluster(prepared, tmp_path):
    """A job of this data set requests a GPU, a core and one per worker, 16 GB and days."""
    (tmp_path / "params").mkdir()
    name = "vggsound-unimodal-audio"
    assert name in miniatures.shortened("vggsound", prepared[0], tmp_path / "params", ())
    (tmp_path / "params/vggsound-unimodal-video.yaml").unlink()
    file = tmp_path / f"params/{name}.yaml"
    file.write_text(file.read_text().replace("workers: 0", "workers: 4"))
    with slurm.cluster(tmp_path) as cluster:
        graph = cluster.snakemake(tmp_path / "params")
        assert graph.wait(600) == 0, cluster.printed()
        asked = subprocess.run(["scontrol", "show", "job"], capture_output=True, text=True).stdout
    result = results.load(results_dir() / f"{name}.json")
    assert result.measured.seeds[0].test.samples == 6
    assert result.provenance.source == data.load("vggsound", folder=str(prepared[0])).source
    requests = "NumCPUs=5", "MinMemoryNode=16000M", "TimeLimit=3-04:30:00", "TresPerJob=gres:gpu:1"
    assert [request for request in requests if request not in asked] == [], asked


def test_augment_cuts_inside_the_rows_and_mirrors_half_of_them(prepared):
    splits = data.load("vggsound", folder=str(prepared[0]))
    stored = {m: x[torch.zeros(64, dtype=torch.long)] for m, x in splits.train.x.items()}
    stored["video"] = torch.arange(32, dtype=torch.uint8).expand(64, 2, 3, 32, 32).movedim(2, -1)
    stored["audio"] = torch.arange(124.0).expand(64, 129, 124)
    first, again = (clips.augment(stored, torch.Generator().manual_seed(3)) for _ in range(2))
    looked = splits.train.inputs(slice(0, 1))
    assert all(first[m].shape[1:] == looked[m].shape[1:] for m in first)
    assert all(torch.equal(first[m], again[m]) for m in first)
    step = first["video"][:, 0, 0, 0].int().diff(dim=1)
    assert (step == step[:, :1]).all()
    assert 16 < int((step[:, 0] == -1).sum()) < 48
    assert first["video"][:, 0, 0, 0].amin(1).unique().tolist() == [0, 1, 2, 3, 4]
    starts = set(first["audio"][:, 0, 0, 0].tolist())
    assert starts <= set(range(17))
    assert len(starts) > 8
    assert (first["audio"].diff(dim=3) == 1).all()
    middle = clips.transform(stored)
    assert (middle["video"][0, 0, 0, 0] == torch.arange(2, 30)).all()
    assert (middle["audio"][0, 0, 0] == torch.arange(8, 116)).all()


def test_another_folder_is_refused_by_name(prepared):
    with pytest.raises(StudyError, match="holds 'vggsound', not 'kinetics400'"):
        data.load("kinetics400", folder=str(prepared[0]))
    with pytest.raises(StudyError, match=r"elsewhere/manifest\.json: no such file"):
        data.load("vggsound", folder="elsewhere")


def test_clips_of_one_video_stay_together_and_out_of_train_where_it_is_tested(tmp_path):
    wanted = rows(30, "train") + rows(6, "test", 30)
    wanted += [[video, start + 1, *rest] for video, start, *rest in wanted[:30]]  # two clips each
    wanted += [[video, start + 1, label, "train"] for video, start, label, _ in wanted[30:32]]
    listed(tmp_path, wanted)
    samples, _ = raw.list_samples(tmp_path, {})
    assert [s.left_out for s in samples[-2:]] == ["its video is in the test split too"] * 2
    assert not any(s.left_out for s in samples[:-2])
    splits = [{s.group for s in samples if s.split == p and not s.left_out} for p in SPLITS]
    assert [len(groups) for groups in splits] == [27, 3, 6]
    assert len(set.union(*splits)) == 36


@pytest.mark.parametrize("name", ["vggsound.csv", "train.csv"])
def test_a_byte_order_mark_does_not_cost_the_first_clip(tmp_path, name):
    wanted = rows(20, "train") + rows(4, "test", 20)
    if name == "train.csv":
        (tmp_path / "test.csv").write_text("v0000000020_000200.mp4,drum\n")
        text = "".join(f'{v}_{s:06d}.mp4,"{label}"\n' for v, s, label, _ in wanted[:20])
    else:
        text = "".join(f'{v},{s},"{label}",{part}\n' for v, s, label, part in wanted)
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    assert raw.list_samples(tmp_path, {})[0][0].id == "v0000000000_000000"


@pytest.mark.parametrize(
    "place",
    [
        "video/{}_{:06d}.mp4",
        "vggsound_00/scratch/{}_{:06d}.mp4",
        "{}_{:06d}.mkv",
        "video/{}_{}.webm",
        "video/{0}_{1}_{2}.mp4",
    ],
)
def test_clips_are_found_in_other_folders_and_under_other_names(tmp_path, place):
    wanted = rows(20, "train") + rows(4, "test", 20)
    listed(tmp_path, wanted)
    paths = [tmp_path / place.format(v, start, start + 10) for v, start, *_ in wanted]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [s.source for s in raw.list_samples(tmp_path, {})[0]] == paths


def test_both_kinds_of_list_give_the_same_samples(tmp_path):
    wanted = rows(20, "train") + rows(4, "test", 20)
    listed(tmp_path / "a", wanted)
    for split in ("train", "test"):
        files = [[f"{v}_{s:06d}.mp4", label] for v, s, label, p in wanted if p == split]
        (tmp_path / "b").mkdir(exist_ok=True)
        with (tmp_path / "b" / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(files)
    one, two = (raw.list_samples(tmp_path / k, {}) for k in "ab")
    assert one[1] == two[1]
    assert [(s.id, s.label, s.split) for s in one[0]] == [(s.id, s.label, s.split) for s in two[0]]


@pytest.mark.parametrize(
    ("name", "row", "match"),
    [
        ("vggsound.csv", ["a", "1", "x"], r"vggsound\.csv, row 1: 3 fields where 4 are expected"),
        (
            "vggsound.csv",
            ["a", "1s", "x", "train"],
            "row 1: start '1s' and split 'train'; rows are id,start",
        ),
        (
            "vggsound.csv",
            ["a", "1", "x", "val"],
            "row 1: start '1' and split 'val'; rows are id,start",
        ),
        ("train.csv", ["a", "1"], r"train\.csv, row 1: 'a' is not <id>_<start>\.mp4; rows are"),
        ("other.csv", ["a", "1"], r"train\.csv: no such list; .*--download"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path, name, row, match):
    with (tmp_path / name).open("w", newline="") as file:
        csv.writer(file).writerow(row)
    with pytest.raises(StudyError, match=match):
        raw.list_samples(tmp_path, {})


def test_the_real_test_list_has_the_official_counts():
    folder = Path(os.environ.get("UMT_LISTS", "nowhere"))
    if not (folder / "vggsound_test.csv").exists():
        pytest.skip("set UMT_LISTS to a folder with vggsound_test.csv, the publishers' test list")
    found = raw.clips(folder / "vggsound_test.csv")
    counts = raw.official_counts({})
    assert len(found) == len({(video, start) for video, start, _ in found}) == counts["test"]
    assert len({label for *_, label in found}) == counts["classes"]
