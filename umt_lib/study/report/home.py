"""The public repository of the study, which is set in ``pyproject.toml`` and nowhere else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from umt_lib import paths
from umt_lib.errors import StudyError

KEY = "Repository"  # of the table [project.urls]


def repository(project: Path = paths.ROOT / "pyproject.toml") -> str:
    """The address of the repository, ``https://github.com/OWNER/NAME``; "" if none is set.

    Raises:
        StudyError: it is no such address; Binder, Colab and links to edit pages need one.
    """
    known = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    address = known.get("urls", {}).get(KEY, "")
    if address and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", address):
        raise StudyError(
            f"{project}: {KEY} = {address!r} is not the address of a repository on GitHub; write "
            f"https://github.com/OWNER/NAME without a slash at the end"
        )
    return address
