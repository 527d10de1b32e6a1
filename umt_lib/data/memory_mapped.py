"""Memory-mapped arrays: data sets too large for memory, read from their files row by row.

One ``.npy`` file holds one modality of all samples. The operating system keeps in memory what fits,
all threads share it, and nothing is decoded twice.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from umt_lib import paths
from umt_lib.errors import StudyError


class MemoryMapped:
    """A memory-mapped array (n, ...) with the parts of a tensor's interface that loading needs.

    Args:
        path: a ``.npy`` file of a numeric type.
        index: (n,) rows of the file, in order; all rows by default.

    Raises:
        StudyError: the file is missing, truncated, or not an array.
    """

    def __init__(self, path: Path, index: np.ndarray | None = None):
        try:  # copy-on-write: torch warns of memory that it must not write to
            self.array = np.load(path, mmap_mode="c", allow_pickle=False)
        except (OSError, ValueError, EOFError) as fault:
            raise StudyError(
                f"{path.absolute()}: not a readable array ({fault}); prepare the data set again, "
                f"or correct UMT_DATA, in which prepared data is looked for "
                f"({paths.data_variable()})"
            ) from None
        self.index = np.arange(len(self.array)) if index is None else np.asarray(index)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...), as of a tensor."""
        return (len(self.index), *self.array.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        """The torch type of the values."""
        return torch.from_numpy(self.array[:0]).dtype

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: Tensor | slice | int) -> Tensor:
        """Return rows as a tensor of the file's type.

        A slice or a tensor of rows gives a copy in memory. A single row number gives a view of the
        file, so that only the elements that are used are read.
        """
        if isinstance(rows, int):
            return torch.from_numpy(self.array[self.index[rows]])
        wanted = self.index[rows if isinstance(rows, slice) else rows.numpy()]
        return torch.from_numpy(np.stack([self.array[i] for i in wanted]))

    def take(self, index: Tensor) -> MemoryMapped:
        """Return the rows ``index`` (k,) as a memory-mapped array; nothing is read."""
        taken = copy.copy(self)
        taken.index = self.index[index.numpy()]
        return taken

    def to(self, device: torch.device) -> MemoryMapped:
        """Return itself: batches are moved to the device, not the file."""
        return self


def empty_pinned(*shape: int, dtype: torch.dtype) -> Tensor:
    """Return an uninitialised tensor, in pinned memory if there is a GPU."""
    return torch.empty(shape, dtype=dtype, pin_memory=torch.cuda.is_available())
