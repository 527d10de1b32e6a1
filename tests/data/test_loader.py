"""Batches read ahead by threads: in order, no further than needed, an error where it belongs."""

from __future__ import annotations

import time
from itertools import count

import pytest
import torch

from umt_lib.data.loader import ahead
from umt_lib.data.splits import Batch
from umt_lib.errors import StudyError


class Reading:
    """load() for :func:`ahead`: a batch of its number; the earlier ones take longer."""

    def __init__(self, broken: int = -1):
        self.begun, self.broken = [], broken

    def __call__(self, item: int) -> Batch:
        self.begun.append(item)
        time.sleep(0.02 / (1 + item))
        if item == self.broken:
            raise StudyError(f"item {item} is broken")
        return Batch({}, torch.tensor([item]), torch.tensor([torch.get_num_threads()]))


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_batches_come_in_order_whoever_is_done_first(threads):
    assert [int(batch.y) for batch in ahead(Reading(), range(20), threads)] == [*range(20)]


def test_threads_read_ahead_and_no_further_than_three_batches_each():
    load = Reading()
    feed = ahead(load, count(), threads=2)
    next(feed)
    time.sleep(0.2)
    assert 2 < len(load.begun) <= 6
    feed.close()


def test_no_thread_takes_cores_from_the_training():
    before = torch.get_num_threads()
    assert {int(batch.index) for batch in ahead(Reading(), range(4), 2)} == {1}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("threads", [0, 2])
def test_what_cannot_be_read_is_said_after_the_batches_before_it(threads):
    feed = ahead(Reading(broken=3), range(20), threads)
    assert [int(next(feed).y) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(StudyError, match="item 3 is broken"):
        next(feed)


def test_who_stops_asking_stops_the_reading():
    load = Reading()
    feed = ahead(load, range(1000), threads=2)
    next(feed)
    feed.close()
    begun = len(load.begun)
    time.sleep(0.1)
    assert len(load.begun) == begun < 10
