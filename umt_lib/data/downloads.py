"""Find archives of raw data on this machine, or download them once.

An archive is looked for in the folder ``$UMT_DATA``, then in the user cache; if it is in neither,
pooch downloads it into the cache. A download gets its final name only when it is complete. Callers
verify the content every time they read it, not the bytes of the archive: a server that packs an
archive on demand may change its bytes while its content stays the same.
"""

from __future__ import annotations

import importlib
import os
import sys
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


def local_path(name: str) -> Path | None:
    """Path of the archive ``name`` on this machine; None if it has to be downloaded."""
    given = os.environ.get(VARIABLE)
    folders = [Path(given)] if given else []
    with suppress(ImportError):
        import pooch

        folders.append(Path(pooch.os_cache("umt_lib")))
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def fetch(name: str, url: str, dataset: str) -> Path:
    """Return the archive's path; download it from ``url`` if it is not on this machine.

    Raises:
        StudyError: the archive cannot be downloaded, or pooch is not installed.
    """
    if found := local_path(name):
        return found
    user = f"data set {dataset!r}"
    cache = Path(optional_package("pooch", user).os_cache("umt_lib"))
    if fault := download(url, cache / name, user):
        given = os.environ.get(VARIABLE) or "not set"
        raise StudyError(
            f"{user}: {name} is not in ${VARIABLE} ({given}), nor in the user cache {cache}, and "
            f"cannot be downloaded from {url} ({fault}); put the file into one of the two folders"
        )
    return cache / name


def download(url: str, path: Path, user: str, progress: bool = False) -> str:
    """Download ``url`` to ``path``, complete or not at all; return the kind of the error, or "".

    Args:
        user: what needs the file; the beginning of the error message if pooch is missing.
        progress: show a progress bar on the terminal.

    Raises:
        StudyError: pooch is not installed.
    """
    pooch = optional_package("pooch", user)
    pooch.get_logger().setLevel("WARNING")  # it reports the hash of every download otherwise
    shown = progress and sys.stderr.isatty()
    try:
        pooch.retrieve(url, None, fname=path.name, path=path.parent, progressbar=shown)
    except (OSError, ValueError) as fault:  # requests' exceptions are of OSError
        if (response := getattr(fault, "response", None)) is not None:
            response.close()  # pooch leaves a refused request open
        return type(fault).__name__
    return ""


def optional_package(name: str, user: str) -> ModuleType:
    """Import a package of the extra ``media``, which only some data sets need.

    Args:
        user: what needs the package; the beginning of the error message.

    Raises:
        StudyError: the package is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise StudyError(
            f"{user}: the package {name} is not installed; install the packages for sound and "
            f"video with: pip install -e '.[media]'"
        ) from None


def pretrained_weights(
    weights: torchvision.models.WeightsEnum, otherwise: str
) -> dict[str, Tensor]:
    """Return torchvision's pretrained weights, from torch's cache or downloaded.

    Args:
        otherwise: what to do without them; the end of the error message.

    Raises:
        StudyError: the weights cannot be downloaded, or the cached file is damaged.
    """
    try:
        return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        name, cache = weights.url.rsplit("/", 1)[1], f"{torch.hub.get_dir()}/checkpoints"
        raise StudyError(
            f"weights {name} cannot be loaded ({' '.join(str(error).split())}); download "
            f"{weights.url} on a machine with internet access and put it into {cache}, replacing "
            f"any file of that name, or {otherwise}"
        ) from None
