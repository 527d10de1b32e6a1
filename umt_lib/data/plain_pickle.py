"""Read pickles of numpy arrays, dicts, strings and numbers; refuse all others without running them.

A pickle is a program: it may name any function of any installed package, which unpickling then
calls. This reader looks up only the four names below, which make arrays and numpy's numbers.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from umt_lib.errors import StudyError

HOMES = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and since numpy 2
ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *((home, name) for home in HOMES for name in ("_reconstruct", "scalar")),
}
DAMAGED = (  # what unpickling raises for bytes that are no complete pickle
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    TypeError,
    ValueError,
)


class _Refused(Exception):
    """The pickle names something that is not in :data:`ALLOWED`."""


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise _Refused(f"{module}.{name}")
        return super().find_class(HOMES[1] if module in HOMES else module, name)


def read(path: Path, fix: str) -> Any:
    """The object in the pickle ``path``.

    Args:
        fix: what to do about a wrong file; the end of the error message.

    Raises:
        StudyError: the file is missing, truncated or not a pickle, or names a function or class
            that numpy arrays do not need; nothing of it has been called then.
    """
    try:
        with path.open("rb") as file:
            return _Plain(file).load()
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
