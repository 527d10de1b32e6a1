"""Pickles of arrays are read; a pickle with code is refused, and its code does not run."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from umt_lib.data import plain_pickle
from umt_lib.errors import StudyError

FIX = "delete it"
GOOD = {"a": np.arange(3, dtype=np.float32), "b": np.float64(0.5), "c": ["words", 1, 2.5, None]}


class Malicious:
    """Unpickling it makes a folder."""

    def __init__(self, folder: str):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_dicts_strings_and_numbers_are_read(tmp_path, protocol):
    path = tmp_path / "good.pickle"
    path.write_bytes(pickle.dumps(GOOD, protocol))
    found = plain_pickle.read(path, FIX)
    np.testing.assert_array_equal(found["a"], GOOD["a"])
    assert found["a"].dtype == np.float32
    assert [found["b"], found["c"]] == [GOOD["b"], GOOD["c"]]


def test_names_of_modules_from_before_numpy_2_are_known(tmp_path):
    path = tmp_path / "old.pickle"
    new = pickle.dumps(GOOD, 3)
    assert b"numpy._core" in new
    path.write_bytes(new.replace(b"numpy._core", b"numpy.core"))
    np.testing.assert_array_equal(plain_pickle.read(path, FIX)["a"], GOOD["a"])


@pytest.mark.parametrize("protocol", range(6))
def test_code_in_a_pickle_is_refused_and_does_not_run(tmp_path, protocol):
    path, folder = tmp_path / "bad.pickle", tmp_path / "made"
    path.write_bytes(pickle.dumps({"first": 1, "code": Malicious(str(folder))}, protocol))
    with pytest.raises(StudyError, match=r"names \w+\.mkdir, which unpickling would run; .*it$"):
        plain_pickle.read(path, FIX)
    assert not folder.exists()
    pickle.loads(path.read_bytes())  # the code does run where nothing stops it
    assert folder.exists()


@pytest.mark.parametrize("name", ["builtins eval", "numpy load", "os system", "numpy.core memmap"])
def test_no_other_name_is_looked_up(tmp_path, name):
    path = tmp_path / "named.pickle"
    path.write_bytes(f"c{name.replace(' ', chr(10))}\n.".encode())
    with pytest.raises(StudyError, match="only numpy arrays, dicts, strings and numbers are read"):
        plain_pickle.read(path, FIX)


@pytest.mark.parametrize("kind", ["O", [("a", "f4")], "S3", "datetime64[s]"])
def test_only_arrays_of_numbers_are_read(tmp_path, kind):
    path = tmp_path / "objects.pickle"
    path.write_bytes(pickle.dumps({"a": np.zeros(2, kind)}, 4))
    with pytest.raises(StudyError, match="names the type"):
        plain_pickle.read(path, FIX)


def test_a_type_that_hides_objects_is_refused(tmp_path):
    """Its bytes would be taken as the addresses of Python objects."""

    class Hidden:
        def __reduce__(self):
            fields = {"a": (np.dtype("O"), 0)}
            return np.dtype, ("V8", False, True), (3, "|", None, ("a",), fields, 8, 1, 0)

    class Array:
        def __reduce__(self):
            start = (np.ndarray, (0,), b"b")
            return np._core.multiarray._reconstruct, start, (1, (1,), Hidden(), False, b"\x01" * 8)

    path = tmp_path / "hidden.pickle"
    path.write_bytes(pickle.dumps({"a": Array()}, 4))
    with pytest.raises(StudyError, match="names the type 'V8'"):
        plain_pickle.read(path, FIX)
    path.write_bytes(path.read_bytes().replace(b"V8", b"f8").replace(b"O8", b"f8"))
    with pytest.raises(StudyError, match="names a type with fields"):
        plain_pickle.read(path, FIX)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", [">f8", "<f4", "i8", "u1", "?"])
def test_shapes_orders_and_types_of_numbers_stay(tmp_path, kind, order):
    array = np.asarray(np.arange(6).reshape(2, 3), kind, order=order)
    path = tmp_path / "numbers.pickle"
    path.write_bytes(pickle.dumps(array, 4))
    found = plain_pickle.read(path, FIX)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


def test_a_truncated_a_missing_and_another_file_are_named(tmp_path):
    whole = pickle.dumps(GOOD, 4)
    for content in (b"", whole[: len(whole) // 2], whole[:-1], b"<html>not found</html>", b"\x80"):
        path = tmp_path / "part.pickle"
        path.write_bytes(content)
        with pytest.raises(StudyError, match=r"part\.pickle: is truncated or not a pickle"):
            plain_pickle.read(path, FIX)
    with pytest.raises(StudyError, match=r"none\.pickle: cannot be read \(No such file"):
        plain_pickle.read(tmp_path / "none.pickle", FIX)
