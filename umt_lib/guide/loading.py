"""Features from where people keep them: npz, a folder of npy, csv or parquet, and our own runs.

* **npz**: one array (n, d) per modality, named by the modality; ``labels`` (n,); optionally
  ``groups`` (n,).
* **a folder**: the same arrays as ``<name>.npy``. They are memory-mapped, so they may be larger
  than memory.
* **csv, parquet**: a column ``label`` or ``labels``, optionally ``group`` or ``groups``; every
  other column is ``<modality>.<anything>`` (the modality is what stands before the first dot) or
  ``<modality>_<number>``. Parquet needs pyarrow.
* **finished runs of ours**: the name of a data set. The uni-modal encoders of one seed encode the
  validation split. Their training split would not do: they have fitted its labels.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from umt_lib import params as params_files
from umt_lib import paths, provenance
from umt_lib.data import DATASETS
from umt_lib.errors import StudyError, nearest
from umt_lib.experiment import Experiment
from umt_lib.files import load_tensors
from umt_lib.inference import outputs

LABELS, GROUPS = ("labels", "label"), ("groups", "group")


class Source(NamedTuple):
    """What :func:`umt_lib.guide.recommend` takes, and where it came from."""

    features: dict[str, np.ndarray]
    labels: np.ndarray
    groups: np.ndarray | None
    name: str


def load(source: str, seed: int = 0) -> Source:
    """Read a path, or else the runs of a data set (``seed`` says which).

    Raises:
        StudyError: nothing of that name, a file that cannot be read, no labels, or a column that
            belongs to no modality.
    """
    path = Path(source)
    if path.is_dir():
        return _folder(path)
    if path.exists():
        kinds = {".npz": _npz, ".csv": _table, ".parquet": _table}
        if path.suffix not in kinds:
            raise StudyError(f"{path}: cannot read {path.suffix or 'this'!r}{nearest('', kinds)}")
        return kinds[path.suffix](path)
    if source in DATASETS:
        return runs(source, seed)
    if path.suffix or len(path.parts) > 1:
        raise StudyError(f"{path}: no such file or folder; check the path")
    raise StudyError(f"{source}: no such file, folder or data set{nearest(source, DATASETS)}")


def runs(dataset: str, seed: int) -> Source:
    """Validation features of the uni-modal encoders of ``seed``.

    Raises:
        StudyError: a uni-modal experiment of the data set has not been run.
    """
    features = {}
    for file in sorted(paths.PARAMS.glob(f"{dataset}-unimodal-*.yaml")):
        params = params_files.read(file)
        if params["method"]["name"] != "unimodal":
            continue
        checkpoint = paths.checkpoints_dir() / file.stem / f"seed{seed}.safetensors"
        if not checkpoint.exists():
            raise StudyError(
                f"{checkpoint}: no such checkpoint; run python -m umt_lib.experiment "
                f"params/{file.name} first, or give a file of features"
            )
        tensors, about = load_tensors(checkpoint)
        splits = provenance.splits(about["params"])
        modality = about["params"]["method"]["modality"]
        model = Experiment(about["params"], splits).make(modalities=(modality,))
        model.load_state_dict(tensors)
        features[modality] = outputs(model, splits.validation).features[modality].numpy()
    held = splits.validation
    name = f"{dataset}, validation split, uni-modal encoders of seed {seed}"
    return Source(features, held.y.numpy(), held.groups, name)


def _npz(path: Path) -> Source:
    try:
        with np.load(path, allow_pickle=False) as archive:
            names, arrays = archive.files, {}
            for name in names:
                arrays[name] = _read(path, name, lambda key=name: archive[key])
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise StudyError(_unreadable(path, error, "save it again with np.savez")) from None
    return _named(path, arrays)


def _folder(path: Path) -> Source:
    files = sorted(path.glob("*.npy"))
    arrays = {
        f.stem: _read(f, f.stem, lambda f=f: np.load(f, mmap_mode="r", allow_pickle=False))
        for f in files
    }
    return _named(path, arrays)


def _read(path: Path, name: str, read) -> np.ndarray:
    try:
        return read()
    except MemoryError:
        raise StudyError(
            f"{path}: array {name!r} does not fit into memory; save the arrays as a folder of npy "
            f"files, which are read in parts"
        ) from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        mend = "save plain numbers (and text as str), not Python objects"
        why = mend if "Object arrays" in str(error) else "save it again with numpy"
        raise StudyError(_unreadable(path, error, why, name)) from None


def _table(path: Path) -> Source:
    try:
        frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except ImportError:
        raise StudyError(
            f"{path}: reading parquet needs pyarrow; run pip install pyarrow, or save a csv"
        ) from None
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise StudyError(_unreadable(path, error, "save it again with pandas")) from None
    columns: dict[str, list[str]] = {}
    for column in map(str, frame.columns):
        if column not in (*LABELS, *GROUPS):
            columns.setdefault(_modality(path, column), []).append(column)
    frame.columns = frame.columns.astype(str)
    arrays = {}
    for m, names in columns.items():
        for column in names:
            if frame[column].dtype.kind not in "biuf":
                raise StudyError(
                    f"{path}: column {column!r} holds text instead of numbers; encode it as "
                    f"numbers first"
                )
        arrays[m] = frame[names].to_numpy()
    for column in (*LABELS, *GROUPS):
        if column in frame:
            if frame[column].isna().any():
                row = int(np.flatnonzero(frame[column].isna())[0])
                raise StudyError(f"{path}: column {column!r} is empty in row {row}; drop that row")
            arrays[column] = frame[column].to_numpy()
    return _named(path, arrays)


def _modality(path: Path, column: str) -> str:
    if "." in column:
        return column.split(".", 1)[0]
    if found := re.fullmatch(r"(.+)_\d+", column):
        return found.group(1)
    raise StudyError(
        f"{path}: column {column!r} belongs to no modality; name columns <modality>.<anything> or "
        f"<modality>_<number>"
    )


def _named(path: Path, arrays: Mapping[str, np.ndarray]) -> Source:
    """Arrays by name into features, labels and groups."""
    found = [next((n for n in names if n in arrays), None) for names in (LABELS, GROUPS)]
    labels, groups = found
    if labels is None:
        there = ", ".join(arrays) or "nothing"
        raise StudyError(f"{path}: no array 'labels' (there is: {there}); add the labels (n,)")
    features = {n: x for n, x in arrays.items() if n not in found}
    return Source(features, arrays[labels], None if groups is None else arrays[groups], str(path))


def _unreadable(path: Path, error: Exception, mend: str, name: str = "") -> str:
    where = f"{path}: array {name!r}" if name else str(path)
    return f"{where} cannot be read ({' '.join(str(error).split())}); {mend}"
