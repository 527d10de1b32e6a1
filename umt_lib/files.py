"""Write files atomically, so that a half-written file is never found under its final name."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from umt_lib.errors import StudyError

_HOST = platform.node() or "host"


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, completely or not at all; missing folders are made.

    Several processes may write the same file at once. What killed processes left is deleted.

    Raises:
        StudyError: the file cannot be written (e.g. a full disk, no permission).
    """
    partial = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _delete_leftovers(path.parent)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise StudyError(
            f"{path}: cannot be written ({error.strerror or error}); free some space or fix the "
            f"permissions, then run the same command again"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _delete_leftovers(folder: Path) -> None:
    """Delete partial files in ``folder`` whose processes were killed."""
    for partial in folder.glob(f".*.{_HOST}.*.partial"):  # not of other machines of a cluster
        process = partial.name.split(".")[-2]
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            partial.unlink(missing_ok=True)
        except (ValueError, OverflowError, OSError):  # not ours, or the process of another user
            continue


def check_writable(folder: Path) -> None:
    """Raise a StudyError if no file can be written to ``folder``; missing folders are made."""
    probe = folder / f".writable-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StudyError(
            f"{folder}: cannot be written to ({error.strerror or error}); fix the permissions, or "
            f"set UMT_RUNS to a folder that can be written to"
        ) from None


def save_tensors(path: Path, tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
    """Write tensors and a JSON-able description ``about`` atomically to one safetensors file.

    Raises:
        StudyError: the file cannot be written.
    """
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(on_cpu, metadata={"about": json.dumps(about)}))


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read the tensors and the description that :func:`save_tensors` wrote.

    Raises:
        StudyError: the file is missing or truncated, or was not written by :func:`save_tensors`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, json.loads(
                file.metadata()["about"]
            )
    except FileNotFoundError:
        raise StudyError(f"{path}: no such checkpoint; run its experiment first") from None
    except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
        raise StudyError(
            f"{path}: the checkpoint is damaged ({error}); delete it and run the same command again"
        ) from None
