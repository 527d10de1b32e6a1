"""Uni-modal training: joint training of a model that has a single modality."""

from dataclasses import replace

import torch
from tiny import Bench, method, same

from umt_lib.data.splits import Split


def only(split: Split, modality: str) -> Split:
    return Split({modality: split.x[modality]}, split.y)


def test_it_is_joint_training_on_a_data_set_of_one_modality():
    both, alone = Bench(), Bench(("a",))
    parts = {p: only(getattr(both.splits, p), "a") for p in ("train", "validation", "test")}
    alone.splits = replace(alone.splits, **parts)
    model, progress = both.train(method("unimodal", modality="a"))
    expected, expected_progress = alone.train(method("joint"))
    assert same(model.state_dict(), expected.state_dict())
    assert progress.curves == expected_progress.curves


def test_the_other_modality_is_not_looked_at():
    bench = Bench()
    model, _ = bench.train(method("unimodal", modality="b"))
    train, validation = bench.splits.train, bench.splits.validation
    for split in (train, validation):
        split.x["a"] = torch.full_like(split.x["a"], torch.nan)
    blind, _ = bench.train(method("unimodal", modality="b"))
    assert list(model.encoders) == ["b"]
    assert same(model.state_dict(), blind.state_dict())
