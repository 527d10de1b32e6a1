"""The batches of an epoch: what is in them, and who reads them when.

What is in a batch is decided by seed, epoch and its number alone. Rows in files are read by threads
while the batches before are trained on: copying rows leaves Python free, one copy takes a row from
its file to memory a GPU fetches from, and there is nothing to hand over between processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler

from umt_lib import distributed
from umt_lib.data.memory_mapped import Stored
from umt_lib.data.splits import Augment, Batch, Split, Splits

Item = TypeVar("Item")


class _Rows(Dataset):
    """A split as a map-style data set that is asked for whole batches by number and rows."""

    def __init__(self, split: Split, augment: Augment | None, stream: int):
        self.split, self.augment, self.stream = split, augment, stream

    def __getitem__(self, batch: tuple[int, list[int]]) -> Batch:
        number, index = batch
        rows = torch.tensor(index, device=self.split.y.device)
        own = distributed.shard(rows)
        if self.augment is None:
            x = self.split.rows(own)
        else:  # a stream for each batch: whoever loads it, it is the same
            stream = torch.Generator().manual_seed(self.stream * 1_000_003 + number)
            x = self.augment(self.split.at(own), stream)
        return Batch(x, self.split.y[rows], rows)

    def __len__(self) -> int:
        return len(self.split)


def batches(
    splits: Splits, train: Split, size: int, seed: int, epoch: int, workers: int = 0
) -> Iterator[Batch]:
    """The batches of one epoch: every sample once, in an order that seed and epoch decide.

    With several processes a last batch that has not a row for each is left out.

    Args:
        train: ``splits.train``, on the device the batches shall be on.
        workers: threads that read, where the data is not in memory.
    """
    stream, device = seed * 100_003 + epoch, train.y.device
    order = RandomSampler(train, generator=torch.Generator().manual_seed(stream))
    drawn = enumerate(BatchSampler(order, size, drop_last=False))
    sampler = [(i, rows) for i, rows in drawn if len(rows) >= distributed.rank_and_size()[1]]
    stored = any(isinstance(x, Stored) for x in train.x.values())
    rows = _Rows(replace(train, y=train.y.cpu()) if stored else train, splits.augment, stream)
    # A DataLoader draws from torch's stream when it starts: without it all results would change.
    loader = DataLoader(rows, sampler=sampler, batch_size=None)
    for x, y, index in ahead(rows.__getitem__, sampler, workers) if stored else loader:
        moved = {m: v.to(device, non_blocking=True) for m, v in x.items()}
        yield Batch(moved, y.to(device, non_blocking=True), index.to(device, non_blocking=True))


def ahead(load: Callable[[Item], Batch], items: Iterable[Item], threads: int) -> Iterator[Batch]:
    """``load(item)`` of each item, in order; ``threads`` of them are under way, as many wait.

    Without threads each is loaded when it is asked for.
    """
    if not threads:
        yield from map(load, items)
        return
    waiting: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        for item in items:
            waiting.append(pool.submit(load, item))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # also after an error, or when nobody asks for more
        pool.shutdown(cancel_futures=True)
