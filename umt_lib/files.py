"""Writing so that nothing half-written is ever found where a result belongs."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from umt_lib.errors import StudyError


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``: whole, or not at all, whatever happens in between.

    Raises:
        StudyError: the file cannot be written (a full disk, no permission).
    """
    scratch = path.with_name(f".{path.name}.partial")  # the same name: a killed run leaves only one
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except OSError as error:
        raise StudyError(
            f"{path}: cannot be written ({error.strerror or error}); free some space or mend the "
            f"permissions, then run the same command again"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink()


def save_tensors(path: Path, tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
    """Tensors and a JSON description in one safetensors file, written atomically."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(whole, metadata={"about": json.dumps(about)}))


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """What :func:`save_tensors` wrote.

    Raises:
        StudyError: the file is missing, truncated or not one of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, json.loads(
                file.metadata()["about"]
            )
    except FileNotFoundError:
        raise StudyError(f"{path}: no such checkpoint") from None
    except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
        raise StudyError(
            f"{path}: the checkpoint is damaged ({error}); delete it and run the same command again"
        ) from None
