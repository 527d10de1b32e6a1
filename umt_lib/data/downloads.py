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
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from umt_lib.errors import StudyError

if TYPE_CHECKING:
    import torchvision

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
    who = f"data set {dataset!r}"
    cache = Path(package("pooch", who).os_cache("umt_lib"))
    if fault := retrieve(url, cache / name, who):
        given = os.environ.get(VARIABLE) or "not set"
        raise StudyError(
            f"{who}: {name} is not in ${VARIABLE} ({given}), nor in the user cache {cache}, and "
            f"cannot be downloaded from {url} ({fault}); put the file into one of the two folders"
        )
    return cache / name


def retrieve(url: str, path: Path, who: str, progress: bool = False) -> str:
    """Download ``url`` to ``path``, there only when it is whole; returns the fault's kind or "".

    Raises:
        StudyError: pooch is not installed; the sentence begins with ``who`` needs it.
    """
    pooch = package("pooch", who)
    pooch.get_logger().setLevel("WARNING")  # it tells every download's hash, which is not asked
    try:
        pooch.retrieve(url, None, fname=path.name, path=path.parent, progressbar=progress)
    except (OSError, ValueError) as fault:  # requests' exceptions are of OSError
        if (response := getattr(fault, "response", None)) is not None:
            response.close()  # pooch leaves a refused request open
        return type(fault).__name__
    return ""


def package(name: str, who: str) -> ModuleType:
    """Import a package of the extra ``media``, which only some of the library needs.

    Raises:
        StudyError: it is not installed; the sentence begins with ``who`` needs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise StudyError(
            f"{who}: the package {name} is not installed; install the packages for sound and video "
            f"with: pip install -e '.[media]'"
        ) from None


def published(weights: torchvision.models.WeightsEnum, otherwise: str) -> dict[str, Tensor]:
    """Weights of torchvision's, from torch's cache or, the first time, from the web.

    Raises:
        StudyError: they cannot be downloaded or are damaged; ends with "or" and ``otherwise``.
    """
    try:
        return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        name, cache = weights.url.rsplit("/", 1)[1], f"{torch.hub.get_dir()}/checkpoints"
        raise StudyError(
            f"weights {name} cannot be had ({' '.join(str(error).split())}); download "
            f"{weights.url} on a machine with internet and put it into {cache}, in place of what "
            f"may be there, or {otherwise}"
        ) from None
