"""UME-MMA: uni-modal encoders at the start, a feature missing now and then."""

from __future__ import annotations

import torch
from tiny import Bench, method


def test_probability_0_is_joint_training_from_uni_modal_encoders():
    bench = Bench(encoder="series-cnn", epochs=3, samples=60)
    assert bench.alike(method("ume-mma", p=0.0), method("unimodal-init"))


def test_it_starts_from_the_teachers_and_drops_what_modality_dropout_drops():
    bench = Bench()
    model = bench.start(method("ume-mma"))
    for m, teacher in bench.teachers().items():
        for name, value in teacher.encoders[m].state_dict().items():
            assert torch.equal(model.encoders[m].state_dict()[name], value)
    gradients = []
    for name in ("ume-mma", "modality-dropout"):
        model.zero_grad()
        torch.manual_seed(3)
        batch = bench.batch()
        method(name, p=0.7).backward(model, model(batch.x), batch)
        gradients.append([p.grad.clone() for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
