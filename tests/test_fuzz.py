"""Files with any content are read, or refused in one sentence: never a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import feature_files
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import torch
import yaml
from entries import entry
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from umt_lib.errors import StudyError
from umt_lib.paths import PARAMS
from umt_lib.study.analyses import analysis
from umt_lib.study.experiments import command, results
from umt_lib.study.experiments import params as params_files

fuzzed = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,  # the same examples everywhere
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
ODD_YAML = [
    b"name: 2020-99-99",
    b"seeds: [" + b"1" * 5000 + b"]",
    b"[" * 5000,
    b"a: &a [*a]",
    b"? [a]\n: b",
    b"a: !!python/object/apply:os.getcwd []",
    b"seeds: 1e999\x00",
]


def changed(whole: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The same mapping with one to three values, at any depth, replaced or left out."""
    places = list(_places(whole))

    def apply(changes: list[tuple[tuple, bool, Any]]) -> dict[str, Any]:
        new = copy.deepcopy(whole)
        for place, remove, value in changes:
            at: Any = new
            try:
                for key in place[:-1]:
                    at = at[key]
                if remove:
                    del at[place[-1]]
                else:
                    at[place[-1]] = value
            except (KeyError, IndexError, TypeError):
                continue  # another change has removed it
        return new

    change = st.tuples(st.sampled_from(places), st.booleans(), VALUES)
    return st.lists(change, min_size=1, max_size=3).map(apply)


def _places(value: Any, at: tuple = ()) -> list[tuple]:
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        found += _places(inner, (*at, key))
    return found


def damaged(whole: bytes, flips: bool = True) -> st.SearchStrategy[bytes]:
    """The same bytes, cut off or with a few others in their place."""
    cut = st.integers(0, len(whole) - 1).map(lambda end: whole[:end])
    flip = st.tuples(st.integers(0, len(whole) - 4), st.binary(min_size=1, max_size=4))
    other = flip.map(lambda at: whole[: at[0]] + at[1] + whole[at[0] + len(at[1]) :])
    return cut | other if flips else cut


def refused(read: Callable[[], Any]) -> None:
    """Reading succeeds, or fails in one sentence."""
    try:
        read()
    except StudyError as error:
        sentence = str(error)
    else:
        sentence = ""
    assert "\n" not in sentence


def read_yaml(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(lambda: params_files.read(path))
    refused(lambda: analysis.read(path))


@fuzzed
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_params_files_of_any_bytes(tmp_path, content):
    read_yaml(tmp_path / "tiny.yaml", content)


@pytest.mark.parametrize("content", ODD_YAML)
def test_params_files_that_yaml_itself_cannot_read(tmp_path, content):
    path = tmp_path / "tiny.yaml"
    path.write_bytes(content)
    with pytest.raises(StudyError, match=r"^[^\n]*tiny.yaml: [^\n]*$"):
        params_files.read(path)


@fuzzed
@given(data=st.data())
@pytest.mark.parametrize("name", ["watch-umt", "analyses/map-synthetic"])
def test_params_files_with_other_values(tmp_path, name, data):
    whole = yaml.safe_load((PARAMS / f"{name}.yaml").read_text())
    text = yaml.safe_dump(data.draw(changed(whole)), allow_unicode=True)
    read_yaml(tmp_path / Path(f"{name}.yaml").name, text.encode(errors="replace"))


LINE = st.text(st.characters(exclude_characters="\n"), max_size=12)


@fuzzed
@example("training.epochs=2020-99-99")
@given(setting=LINE | LINE.map("training.epochs={}".format))
def test_settings_on_the_command_line(params, setting):
    refused(lambda: command.replace(copy.deepcopy(params), setting))


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    n = feature_files.N
    return {"a": rng.normal(size=(n, 2)), "b": rng.normal(size=(n, 3)), "labels": np.arange(n) % 2}


def _table() -> pd.DataFrame:
    found = arrays()
    columns = {f"{m}_{i}": found[m][:, i] for m in "ab" for i in range(found[m].shape[1])}
    return pd.DataFrame(columns).assign(label=found["labels"])


def written(kind: str, path: Path) -> bytes:
    """A correct file of features of this kind."""
    if kind == "npz":
        np.savez(path, **arrays())
    elif kind == "csv":
        _table().to_csv(path, index=False)
    elif kind == "parquet":
        _table().to_parquet(path)
    elif kind == "pt":
        torch.save({name: torch.from_numpy(x) for name, x in arrays().items()}, path)
    elif kind == "mat":
        scipy.io.savemat(path, arrays())
    else:
        with h5py.File(path, "w") as file:
            for name, x in arrays().items():
                file[name] = x
    return path.read_bytes()


@fuzzed
@given(data=st.data())
@pytest.mark.parametrize("kind", ["npz", "csv", "parquet", "pt", "mat", "h5"])
def test_feature_files_that_are_damaged(tmp_path, kind, data):
    path = tmp_path / f"mine.{kind}"
    # bits in HDF5 and parquet are read in C, which may crash: these are only cut off
    content = data.draw(damaged(written(kind, path), flips=kind not in ("h5", "parquet")))
    path.write_bytes(content)
    refused(lambda: feature_files.read(path))


NAMES = st.sampled_from(["a", "b", "labels", "groups", "label"]) | st.text("aß. _", max_size=4)
SHAPES = st.lists(st.sampled_from([0, 1, 2, 40]), max_size=3)
KINDS = st.sampled_from(["f8", "f2", "i4", "u1", "?", "U2", "S2", "c16", "M8[s]", "V2"])


@fuzzed
@given(st.dictionaries(NAMES, st.tuples(SHAPES, KINDS), max_size=4), st.integers(0, 9))
def test_npz_files_of_any_arrays(tmp_path, content, seed):
    rng = np.random.default_rng(seed)
    with (tmp_path / "mine.npz").open("wb") as file:
        made = {n: rng.integers(0, 3, shape).astype("i8") for n, (shape, _) in content.items()}
        np.savez(file, **{f"{n}": x.astype(content[n][1]) for n, x in made.items() if n != "file"})
    refused(lambda: feature_files.read(tmp_path / "mine.npz"))


CELLS = st.text("0123456789.-e,\"'\n;\t aλ\x00\ufeff", max_size=12)


@fuzzed
@given(st.lists(st.lists(CELLS, max_size=4), max_size=4))
def test_csv_files_of_any_text(tmp_path, rows):
    path = tmp_path / "mine.csv"
    path.write_text("a_0,b_0,label\n" + "\n".join(map(",".join, rows)), encoding="utf-8")
    refused(lambda: feature_files.read(path))


def result() -> dict[str, Any]:
    one = entry("watch", "umt", [0.5, 0.6], probes={"a": 0.5}, chosen={"weight": 1.0})
    found = one.result.model_dump()
    found["provenance"] |= {"keys": {"0": "k"}, "environment": {"device": "a processor"}}
    return json.loads(json.dumps(found))


def use(folder: Path) -> None:
    """What publishing and the book do first with a results file."""
    loaded = results.load(folder / "mine.json")
    results.table([loaded])
    results.learning_rate(loaded)
    assert loaded.accuracy
    assert loaded.measured.sweeps is not None


@fuzzed
@given(data=st.data())
def test_results_files_with_other_values(tmp_path, data):
    text = json.dumps(data.draw(changed(result())))
    (tmp_path / "mine.json").write_text(text, encoding="utf-8")
    results.measured_digest(tmp_path, "mine")
    refused(lambda: use(tmp_path))


@fuzzed
@example(b"[" * 100_000)
@given(st.binary(max_size=60) | damaged(json.dumps(result()).encode()))
def test_results_files_of_any_bytes(tmp_path, content):
    (tmp_path / "mine.json").write_bytes(content)
    results.measured_digest(tmp_path, "mine")
    refused(lambda: use(tmp_path))
