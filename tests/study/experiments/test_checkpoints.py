"""Checkpoints: a state survives the disk bit for bit, and one with another key is not used."""

import copy

import pytest
import torch
from tiny import Bench, method, same

from umt_lib.files import save_tensors
from umt_lib.study.experiments.checkpoints import load_state, matching, save_state


@pytest.fixture(scope="module")
def state():
    states = []
    bench = Bench(encoder="series-cnn", epochs=3, samples=30, probe_every=1)
    bench.train(method("frozen"), save=lambda state: states.append(copy.deepcopy(state)))
    return states[1]


def test_a_state_comes_back_whole(state, tmp_path):
    path = tmp_path / "seed0.unfinished.safetensors"
    save_state(path, state, "key")
    found = load_state(path, "key")
    assert found.progress == state.progress
    assert found.progress.epoch == 2
    assert same(found.model, state.model)
    assert same(found.best, state.best)
    assert found.optimizer["param_groups"] == state.optimizer["param_groups"]
    slots = state.optimizer["state"]
    assert found.optimizer["state"].keys() == slots.keys()
    assert len(slots) > 0
    assert all(same(found.optimizer["state"][index], slots[index]) for index in slots)


def test_slots_without_a_value_are_left_out(state, tmp_path):
    """A parameter that got no gradient has no momentum yet."""
    empty = copy.deepcopy(state)
    empty.optimizer["state"][0]["momentum_buffer"] = None
    save_state(tmp_path / "s", empty, "key")
    assert 0 not in load_state(tmp_path / "s", "key").optimizer["state"]


def test_another_key_or_no_file_is_no_checkpoint(state, tmp_path):
    path = tmp_path / "s.safetensors"
    assert load_state(path, "key") is None
    assert matching(path, "key") is None
    save_state(path, state, "key")
    assert load_state(path, "other") is None
    save_tensors(path, {"w": torch.ones(2)}, {"key": "key", "note": 1})
    assert matching(path, "other") is None
    tensors, about = matching(path, "key")
    assert torch.equal(tensors["w"], torch.ones(2))
    assert about["note"] == 1


@pytest.mark.parametrize("encoder", ["mlp", "image-cnn", "series-cnn"])
def test_resuming_from_the_disk_changes_no_bit(tmp_path, encoder):
    """Whatever the memory layout of the weights: the file keeps numbers, not strides."""
    bench, path = Bench(encoder=encoder, epochs=3, samples=30), tmp_path / "s.safetensors"

    def save(state):
        if state.progress.epoch == 2:
            save_state(path, state, "key")

    whole, progress = bench.train(method("joint"), save=save)
    resumed, again = bench.train(method("joint"), state=load_state(path, "key"))
    assert same(resumed.state_dict(), whole.state_dict())
    assert again.curves == progress.curves
