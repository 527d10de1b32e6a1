"""Prefetched batches come in order, few at a time, with an error raised at its batch."""

from __future__ import annotations

import time
from itertools import count

import pytest
import torch

from umt_lib.data.loader import prefetch
from umt_lib.data.splits import Batch
from umt_lib.errors import StudyError


class Reading:
    """load() for :func:`prefetch`: a batch with its number; earlier batches take longer."""

    def __init__(self, broken: int = -1):
        self.begun, self.broken = [], broken

    def __call__(self, item: int) -> Batch:
        self.begun.append(item)
        time.sleep(0.02 / (1 + item))
        if item == self.broken:
            raise StudyError(f"item {item} is broken")
        return Batch({}, torch.tensor([item]), torch.tensor([torch.get_num_threads()]))


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_come_in_order_whichever_is_done_first(workers):
    assert [int(batch.y) for batch in prefetch(Reading(), range(20), workers)] == [*range(20)]


def test_no_more_than_three_batches_per_worker_are_prefetched():
    load = Reading()
    feed = prefetch(load, count(), workers=2)
    next(feed)
    time.sleep(0.2)
    assert 2 < len(load.begun) <= 6
    feed.close()


def test_workers_use_one_core_each():
    before = torch.get_num_threads()
    assert {int(batch.index) for batch in prefetch(Reading(), range(4), 2)} == {1}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_is_raised_after_the_batches_before_it(workers):
    feed = prefetch(Reading(broken=3), range(20), workers)
    assert [int(next(feed).y) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(StudyError, match="item 3 is broken"):
        next(feed)


def test_closing_the_generator_stops_the_prefetching():
    load = Reading()
    feed = prefetch(load, range(1000), workers=2)
    next(feed)
    feed.close()
    begun = len(load.begun)
    time.sleep(0.1)
    assert len(load.begun) == begun < 10
