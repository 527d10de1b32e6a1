"""Rows of a file too large for memory, read when they are asked for.

One file holds one modality of all samples, ``.npy``, memory-mapped: the system keeps in memory what
it has room for, threads share it, and nothing is decoded twice.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from umt_lib.errors import StudyError


class Stored:
    """Rows of a memory-mapped array; behaves as a tensor (n, ...) that can only be indexed.

    Args:
        path: a ``.npy`` file of a numeric type.
        index: (n,) its rows, in order; all of them by default.

    Raises:
        StudyError: the file is missing, truncated, or no array.
    """

    def __init__(self, path: Path, index: np.ndarray | None = None):
        try:  # copied on write: torch warns of memory that it must not write to
            self.array = np.load(path, mmap_mode="c", allow_pickle=False)
        except (OSError, ValueError, EOFError) as fault:
            raise StudyError(
                f"{path}: not a readable array ({fault}); prepare the data set again"
            ) from None
        self.index = np.arange(len(self.array)) if index is None else np.asarray(index)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.index), *self.array.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        return torch.from_numpy(self.array[:0]).dtype

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: Tensor | slice | int) -> Tensor:
        """The rows as a tensor in memory, in the type they are stored in.

        One row, asked for by its number, stays where it is: only what is looked at is read.
        """
        if isinstance(rows, int):
            return torch.from_numpy(self.array[self.index[rows]])
        wanted = self.index[rows if isinstance(rows, slice) else rows.numpy()]
        return torch.from_numpy(np.stack([self.array[i] for i in wanted]))

    def take(self, index: Tensor) -> Stored:
        """The samples at ``index``, still in the file."""
        taken = copy.copy(self)
        taken.index = self.index[index.numpy()]
        return taken

    def to(self, device: torch.device) -> Stored:
        """Itself: a file is on no device; batches of it are moved."""
        return self


def room(*shape: int, dtype: torch.dtype) -> Tensor:
    """An empty tensor, in memory that a GPU, where there is one, can fetch from by itself."""
    return torch.empty(shape, dtype=dtype, pin_memory=torch.cuda.is_available())
