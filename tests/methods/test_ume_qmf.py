"""UME with QMF's weights: uni-modal logits, weighted by their confidence, sample by sample."""

from __future__ import annotations

import torch
from tiny import Bench, method, same


def test_it_combines_the_logits_of_the_uni_modal_models():
    bench = Bench(("a", "b", "c"))
    model, _ = bench.train(method("ume-qmf"))
    x, expected = bench.splits.test.x, torch.zeros(150, 3)
    for teacher in bench.teachers().values():
        logits = teacher(x).fused
        expected += torch.log(torch.exp(logits).sum(1, keepdim=True)) / 10 * logits
    torch.testing.assert_close(bench.predict(method("ume-qmf"), model), expected)


def test_the_more_confident_modality_decides_a_sample():
    """Two opposite predictions; b's stays the same one when a constant is added to its logits."""
    bench = Bench()
    model = bench.start(method("ume-qmf"))
    with torch.no_grad():
        for m, logits in (("a", [4.0, 0.0, 0.0]), ("b", [0.0, 3.0, 0.0])):
            model.members[m].head.weights[m].zero_()
            model.members[m].head.bias.copy_(torch.tensor(logits))
    assert (model(bench.batch().x).fused.argmax(1) == 0).all()
    with torch.no_grad():
        model.members["b"].head.bias += 9.0
    assert (model(bench.batch().x).fused.argmax(1) == 1).all()


def test_nothing_is_trained():
    bench = Bench()
    model, progress = bench.train(method("ume-qmf"))
    assert progress.samples == 0
    for m, teacher in bench.teachers().items():
        assert same(model.members[m].state_dict(), teacher.state_dict())
