"""Checkpoints of finished and unfinished trainings: safetensors and JSON, no pickle.

A checkpoint is used only if its key shows that it was made from the same parameters, code, data and
teachers. Any other checkpoint is ignored and overwritten.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from umt_lib.files import load_tensors, save_tensors
from umt_lib.training import Progress, State


def matching(path: Path, key: str) -> tuple[dict[str, torch.Tensor], dict] | None:
    """The checkpoint at ``path`` if it exists and has this ``key``, else None."""
    if not path.exists():
        return None
    tensors, about = load_tensors(path)
    return (tensors, about) if about["key"] == key else None


def save_state(path: Path, state: State, key: str) -> None:
    """Write the state of an unfinished training."""
    tensors = {f"model/{k}": v for k, v in state.model.items()}
    tensors |= {f"best/{k}": v for k, v in state.best.items()}
    tensors |= {f"method/{k}": v for k, v in state.method.items()}
    for index, slots in state.optimizer["state"].items():
        tensors |= {f"optimizer/{index}/{k}": v for k, v in slots.items() if v is not None}
    groups = state.optimizer["param_groups"]
    save_tensors(path, tensors, {"key": key, "progress": asdict(state.progress), "groups": groups})


def load_state(path: Path, key: str) -> State | None:
    """The state that :func:`save_state` wrote to ``path`` if it has this ``key``, else None."""
    found = matching(path, key)
    if found is None:
        return None
    tensors, about = found
    parts: dict[str, dict] = {"model": {}, "best": {}, "optimizer": {}, "method": {}}
    for name, tensor in tensors.items():
        part, key = name.split("/", 1)
        parts[part][key] = tensor
    slots: dict[int, dict] = {}
    for key, tensor in parts["optimizer"].items():
        index, slot = key.split("/")
        slots.setdefault(int(index), {})[slot] = tensor
    optimizer = {"state": slots, "param_groups": about["groups"]}
    progress = Progress(**about["progress"])
    return State(progress, parts["model"], parts["best"], optimizer, parts["method"])
