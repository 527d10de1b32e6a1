"""Per-modality early stopping: an encoder that stops improving returns to its best epoch."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from tiny import Bench, copied, method, same

from umt_lib.evaluation import metrics
from umt_lib.models.inference import outputs

NAME = "modality-early-stopping"


def encoder(state: dict[str, torch.Tensor], m: str) -> dict[str, torch.Tensor]:
    """The part of a model's state that belongs to one encoder, copied."""
    return copied({n: v for n, v in state.items() if n.startswith(f"encoders.{m}.")})


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_more_patience_than_epochs_is_joint_auxiliary(head):
    bench = Bench(encoder="series-cnn", head=head, epochs=4, samples=60)
    assert bench.alike(method(NAME, patience=4), method("joint-auxiliary"))
    assert not bench.alike(method(NAME, patience=1), method("joint-auxiliary"))


@pytest.mark.parametrize("modalities", [("a", "b"), ("a", "b", "c")])
def test_each_encoder_stops_by_its_own_accuracy_and_keeps_its_best_epoch(modalities):
    """From the accuracies and weights of every epoch, when and where each has to stop."""
    bench = Bench(modalities, encoder="series-cnn", epochs=20, samples=90)
    patience, seen = 2, []

    def watch(state):
        model = bench.make(auxiliary=True)
        model.load_state_dict(state.model)
        own = outputs(model, bench.splits.validation).auxiliary
        right = {m: metrics.accuracy(x, bench.splits.validation.y) for m, x in own.items()}
        seen.append((copied(state.model), right))

    bench.train(method(NAME, patience=patience), save=watch)
    stops = {}
    for m in modalities:
        best, at = -1.0, 0
        for epoch, (state, right) in enumerate(seen):
            if right[m] > best:
                best, at = right[m], epoch
            elif epoch - at == patience:
                stops[m] = epoch
                kept = encoder(seen[at][0], m)
                for later, _ in seen[epoch + 1 :]:
                    assert same(encoder(later, m), kept)
                break
            if epoch:
                assert not same(encoder(state, m), encoder(seen[epoch - 1][0], m))
    assert len(stops) == len(modalities)
    assert len(set(stops.values())) > 1  # not all at once
    heads = [{n: v for n, v in s.items() if n.startswith("head.")} for s, _ in seen]
    assert not any(same(one, two) for one, two in pairwise(heads))


def test_validation_decides_and_the_test_split_is_not_read():
    bench = Bench(epochs=6)
    model, _ = bench.train(method(NAME, patience=1))
    bench.splits = replace(bench.splits, test=None)
    again, _ = bench.train(method(NAME, patience=1))
    assert same(model.state_dict(), again.state_dict())
