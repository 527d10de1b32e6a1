"""Memory-mapped rows: the same numbers as in memory, with any number of workers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import Bench, jitter, method, same

from umt_lib.data.loader import batches
from umt_lib.data.memory_mapped import MemoryMapped
from umt_lib.data.splits import Split
from umt_lib.errors import StudyError


def doubled(x):
    return {m: 2 * v for m, v in x.items()}


@pytest.fixture
def on_disk(tmp_path):
    """Write the splits of a bench to files and put the files in their place."""

    def write(bench: Bench) -> Bench:
        def stored(name: str, split: Split) -> Split:
            for m, x in split.x.items():
                np.save(tmp_path / f"{name}-{m}.npy", x.numpy())
            return replace(
                split, x={m: MemoryMapped(tmp_path / f"{name}-{m}.npy") for m in split.x}
            )

        parts = ("train", "validation", "test")
        splits = {name: stored(name, getattr(bench.splits, name)) for name in parts}
        bench.splits = replace(bench.splits, **splits)
        return bench

    return write


@pytest.mark.parametrize("augment", [None, jitter], ids=["as it is", "augmented"])
def test_training_from_files_is_training_from_memory(on_disk, augment):
    plain, files = (Bench(epochs=2, samples=50, augment=augment) for _ in range(2))
    model, progress = plain.train(method("joint"))
    twin, same_progress = on_disk(files).train(method("joint"))
    assert same(model.state_dict(), twin.state_dict())
    assert progress.curves == same_progress.curves


def test_batches_do_not_depend_on_the_number_of_workers(on_disk):
    bench = on_disk(Bench(samples=40, augment=jitter))
    train = bench.splits.train
    alone, many = (list(batches(bench.splits, train, 16, 0, 1, w)) for w in (0, 2))
    assert len(alone) == len(many) == 3
    for one, other in zip(alone, many, strict=True):
        assert torch.equal(one.index, other.index)
        assert same(one.x, other.x)


def test_rows_are_those_of_the_array_in_the_order_asked_for(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(6, 2, 2)
    np.save(tmp_path / "m.npy", array)
    stored = MemoryMapped(tmp_path / "m.npy")
    assert stored.shape == (6, 2, 2)
    assert torch.equal(stored[torch.tensor([4, 0])], torch.from_numpy(array[[4, 0]]))
    some = stored.take(torch.tensor([5, 3, 1]))
    assert len(some) == 3
    assert torch.equal(some[1:], torch.from_numpy(array[[3, 1]]))
    split = Split({"m": stored}, torch.zeros(6, dtype=torch.long), transform=doubled)
    assert torch.equal(split.inputs(slice(0, 1))["m"], 2 * torch.from_numpy(array[:1]))


def test_a_file_that_is_not_an_array_is_named(tmp_path):
    (tmp_path / "m.npy").write_bytes(b"no array")
    for name in ("m.npy", "nothing.npy"):
        with pytest.raises(StudyError, match=rf"{name}: not a readable array .*prepare"):
            MemoryMapped(tmp_path / name)
