"""Load the training batches of an epoch, memory-mapped data with prefetching worker threads.

The content of a batch depends on the seed, the epoch and the batch's number alone, not on the
number of workers. Workers are threads, not processes: copying rows releases Python's lock, one copy
takes a row from its file to pinned memory, and no batch is sent from process to process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from umt_lib.data.memory_mapped import MemoryMapped
from umt_lib.data.splits import Augment, Batch, Split, Splits
from umt_lib.distributed import rank_and_size, shard

Item = TypeVar("Item")


class _Loading:
    """Loads one batch, given its number and its rows of the split."""

    def __init__(self, split: Split, augment: Augment | None, seed: int):
        self.split, self.augment, self.seed = split, augment, seed

    def __call__(self, batch: tuple[int, Tensor]) -> Batch:
        number, rows = batch
        own = shard(rows)
        if self.augment is None:
            x = self.split.inputs(own)
        else:  # a generator per batch: the augmentation is the same whichever thread loads it
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
            x = self.augment(self.split.raw(own), generator)
        return Batch(x, self.split.y[rows], rows)


def batches(
    splits: Splits, train: Split, size: int, seed: int, epoch: int, workers: int = 0
) -> Iterator[Batch]:
    """Yield the batches of one epoch: every sample once, in an order given by seed and epoch.

    With several processes, a last batch with fewer rows than processes is dropped.

    Args:
        splits: gives the augmentation.
        train: ``splits.train``, on the device of the batches.
        size: rows in a batch; the last batch may have fewer.
        workers: threads that read memory-mapped data; 0 reads in the main thread. Data in memory is
            always read in the main thread.

    Raises:
        StudyError: a file cannot be read.
    """
    epoch_seed, device, processes = seed * 100_003 + epoch, train.y.device, rank_and_size()[1]
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(epoch_seed))
    mapped = any(isinstance(x, MemoryMapped) for x in train.x.values())
    rows = (order if mapped else order.to(device)).split(size)
    numbered = [(i, r) for i, r in enumerate(rows) if len(r) >= processes]
    if not mapped:
        yield from map(_Loading(train, splits.augment, epoch_seed), numbered)
        return
    load = _Loading(replace(train, y=train.y.cpu()), splits.augment, epoch_seed)
    for x, y, index in prefetch(load, numbered, workers):
        moved = {m: v.to(device, non_blocking=True) for m, v in x.items()}
        yield Batch(moved, y.to(device, non_blocking=True), index.to(device, non_blocking=True))


def prefetch(load: Callable[[Item], Batch], items: Iterable[Item], workers: int) -> Iterator[Batch]:
    """Yield ``load(item)`` of each item in order, loaded in advance by ``workers`` threads.

    At most three batches per worker are loaded or being loaded. With 0 workers each batch is loaded
    when it is requested. An exception in ``load`` is raised at the position of its batch.
    """
    if not workers:
        yield from map(load, items)
        return
    pending: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    try:
        for item in items:
            pending.append(pool.submit(load, item))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:  # also after an error, or when the caller closes the generator
        pool.shutdown(cancel_futures=True)
