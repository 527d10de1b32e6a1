"""What the tests of file formats share: a file is read as the guide reads it, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from umt_lib.errors import StudyError
from umt_lib.guide import checks, readers

N = 40  # samples in the files of these tests


def read(path: Path) -> checks.Inputs:
    """The checked contents of a file; two folds, no groups."""
    source = readers.load(str(path))
    return checks.checked(source.features, source.labels, None, 2, N, 0, source.name)


def refused(path: Path, sentence: str) -> None:
    """Reading the file must fail in one sentence that begins with its path."""
    with pytest.raises(StudyError, match=sentence) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
