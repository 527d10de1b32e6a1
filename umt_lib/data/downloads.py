"""Archives of others that this study reads: found on this machine, or downloaded once.

Looked for in the folder ``$UMT_DATA`` first, then in the user cache, then downloaded into the cache
with pooch. A download becomes visible under its name only when it is whole. What is inside is for
the caller to verify, every time it reads: the bytes of an archive that a server packs on demand may
change while its content does not.
"""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from umt_lib.errors import StudyError

VARIABLE = "UMT_DATA"


def here(name: str) -> Path | None:
    """Path of the archive ``name`` if it is on this machine."""
    given = os.environ.get(VARIABLE)
    folders = [Path(given)] if given else []
    with suppress(ImportError):
        import pooch

        folders.append(Path(pooch.os_cache("umt_lib")))
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def find(name: str, url: str, dataset: str) -> Path:
    """Path of the archive ``name``; ``url`` is where it is downloaded from if it is nowhere.

    Raises:
        StudyError: it is nowhere and cannot be downloaded, or pooch is not installed.
    """
    if found := here(name):
        return found
    given, pooch = os.environ.get(VARIABLE), package("pooch", dataset)
    cache = Path(pooch.os_cache("umt_lib"))
    pooch.get_logger().setLevel("WARNING")  # it tells every download's hash, which is not asked
    try:
        return Path(pooch.retrieve(url, known_hash=None, fname=name, path=cache))
    except (OSError, ValueError) as fault:  # requests' exceptions are of OSError
        raise StudyError(
            f"data set {dataset!r}: {name} is not in ${VARIABLE} ({given or 'not set'}), nor in "
            f"the user cache {cache}, and cannot be downloaded from {url} "
            f"({type(fault).__name__}); put the file into one of the two folders"
        ) from None


def package(name: str, dataset: str) -> ModuleType:
    """Import a package that only some data sets need.

    Raises:
        StudyError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise StudyError(
            f"data set {dataset!r}: the package {name} is not installed; install the packages for "
            f"sound and video with: pip install -e '.[media]'"
        ) from None
