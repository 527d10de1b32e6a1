"""Read pickles of numpy arrays, dicts, lists, strings and numbers; refuse all others.

A pickle is a program: it may name any function of any installed package, which unpickling then
calls, and even numpy's own functions make arrays of Python objects at addresses that the file
gives. So nothing that a pickle names is looked up here. The four names that arrays and numpy's
numbers need stand for classes of this module, which accept plain numeric types only. A pickle that
is nested very deeply can still crash Python: compare a file's checksum before reading it.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from umt_lib.errors import StudyError

HOMES = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and since numpy 2
NUMERIC = re.compile(r"[fiub][1248]")  # codes of types: floats, integers, booleans
DAMAGED = (  # what unpickling raises for bytes that are no complete pickle
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)


class _Refused(Exception):
    """The pickle names something that plain arrays do not need."""


class _Type:
    """Stands for ``numpy.dtype``: a number, without fields, of a size that its code gives."""

    def __init__(self, code: str, *_: bool):
        if not NUMERIC.fullmatch(code):
            raise _Refused(f"the type {code!r}")
        self.type = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        order, *parts = state[1:5]
        if any(part is not None for part in parts):
            raise _Refused("a type with fields")
        self.type = self.type.newbyteorder(order)


class _Array:
    """Stands for an array that ``_reconstruct`` makes and whose content follows."""

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, content = state
        flat = np.frombuffer(content, kind.type).copy()
        self.array = flat.reshape(shape, order="F") if fortran else flat.reshape(shape)


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "dtype"):
            return _Type
        if (module, name) == ("numpy", "ndarray"):
            return _Array
        if module in HOMES and name == "_reconstruct":
            return lambda *_: _Array()
        if module in HOMES and name == "scalar":
            return lambda kind, content: np.frombuffer(content, kind.type)[0]
        raise _Refused(f"{module}.{name}")


def read(path: Path, fix: str) -> Any:
    """The object in the pickle ``path``.

    Args:
        fix: what to do about a wrong file; the end of the error message.

    Raises:
        StudyError: the file is missing, truncated or not a pickle, or names a function or class
            that numpy arrays do not need; nothing that it names has been called.
    """
    try:
        with path.open("rb") as file:
            return _arrays(_Plain(file).load())
    except _Refused as named:
        raise StudyError(
            f"{path}: the pickle names {named}, which unpickling would run; only numpy arrays, "
            f"dicts, strings and numbers are read; {fix}"
        ) from None
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror or error}); {fix}") from None
    except DAMAGED as error:
        raise StudyError(
            f"{path}: is truncated or not a pickle ({type(error).__name__}: {error}); {fix}"
        ) from None


def _arrays(found: Any) -> Any:
    """``found`` with arrays in place of what stands for them, in dicts and lists too."""
    if isinstance(found, _Array):
        return found.array
    if isinstance(found, dict):
        return {key: _arrays(value) for key, value in found.items()}
    return [_arrays(value) for value in found] if isinstance(found, list) else found
