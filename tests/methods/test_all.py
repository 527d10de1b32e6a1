"""What every method must do, whatever it does besides."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny import CLASSES, Bench, copied, jitter, method, same

from umt_lib.data.splits import Split
from umt_lib.evaluation import metrics
from umt_lib.methods import FAMILIES, HOOKS, METHODS, Method, hooks

every_method = pytest.mark.parametrize("name", METHODS)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@every_method
def test_learns_and_repeats_bit_for_bit(name, bench):
    """Far above chance (1/3), and one seed twice gives the same weights and curves."""
    first, progress = bench.train(method(name))
    again, same_progress = bench.train(method(name))
    accuracy = metrics.accuracy(bench.predict(method(name), first), bench.splits.test.y)
    assert accuracy > 0.65
    assert same(first.state_dict(), again.state_dict())
    assert progress.curves == same_progress.curves


@every_method
def test_the_seed_matters_where_there_is_training(name, bench):
    one, two = (bench.train(method(name), seed)[0].state_dict() for seed in (0, 1))
    trains = method(name).epochs(1) > 0
    assert same(one, two) != trains


@every_method
def test_three_modalities(name):
    three = Bench(("sight", "sound", "touch"), epochs=3, samples=90)
    options = {"modality": "touch"} if name == "unimodal" else {}
    model, _ = three.train(method(name, **options))
    logits = three.predict(method(name, **options), model)
    assert logits.shape == (90, CLASSES)
    assert metrics.accuracy(logits, three.splits.test.y) > 0.55


@every_method
@pytest.mark.parametrize("rows", [(0, 1), (0, 12)], ids=["one sample", "twelve"])
@pytest.mark.parametrize("encoder", ["mlp", "series-cnn"])
def test_gradients_are_finite(name, rows, encoder):
    """Also from a batch of one, in which two classes are absent."""
    bench = Bench(encoder=encoder, epochs=1, samples=30)
    m = method(name)
    model = bench.start(m)
    learned = [p for p in model.parameters() if p.requires_grad]
    assert bool(learned) == (m.epochs(1) > 0)
    if learned:
        loss = m.step(model, torch.optim.SGD(learned, 0.1), bench.batch(*rows))
        assert loss.isfinite()
        assert loss.ndim == 0
        assert all(p.grad.isfinite().all() for p in learned)
        assert any(p.grad.any() for p in learned)


@every_method
def test_a_class_absent_from_a_batch(name, bench):
    y = bench.splits.train.y
    rows = (y != 2).nonzero().flatten()[:10]
    part = bench.splits.train.take(rows)
    m = method(name)
    model = bench.start(m)
    if learned := [p for p in model.parameters() if p.requires_grad]:
        loss = m.step(
            model,
            torch.optim.SGD(learned, 0.1),
            bench.batch()._replace(x=part.x, y=part.y, index=rows),
        )
        assert loss.isfinite()
    assert bench.predict(m, model).isfinite().all()


@every_method
def test_a_modality_that_never_changes(name):
    """A dead sensor: no NaN, and the other modality is still learned from."""
    bench = Bench(epochs=4)

    def dead(split: Split) -> Split:
        return Split({**split.x, "b": torch.full_like(split.x["b"], 3.0)}, split.y)

    parts = {part: dead(getattr(bench.splits, part)) for part in ("train", "validation", "test")}
    bench.splits = replace(bench.splits, **parts)
    model, _ = bench.train(method(name))
    logits = bench.predict(method(name), model)
    assert logits.isfinite().all()
    assert metrics.accuracy(logits, bench.splits.test.y) > 0.55


@every_method
def test_a_last_batch_of_one_sample(name):
    bench = Bench(encoder="image-cnn", epochs=1, batch_size=32, samples=33)
    model, progress = bench.train(method(name))
    assert all(torch.isfinite(torch.tensor(c)).all() for c in progress.curves.values())
    assert bench.predict(method(name), model).isfinite().all()


@pytest.mark.parametrize("augment", [None, jitter], ids=["as it is", "augmented"])
@pytest.mark.parametrize("name", [n for n, m in METHODS.items() if m.needs_teachers])
def test_teachers_stay_as_they_are(name, augment):
    """Parameters and batch statistics: a teacher in training mode would change the latter."""
    bench = Bench(encoder="series-cnn", epochs=2, samples=60, augment=augment)
    before = {m: copied(t.state_dict()) for m, t in bench.teachers().items()}
    assert any("running_mean" in key for key in before["a"])
    bench.train(method(name))
    for m, teacher in bench.teachers().items():
        assert same(before[m], teacher.state_dict())


@every_method
def test_says_what_it_is(name):
    """In its own class: what a subclass inherits would be said of its parent."""
    own = vars(METHODS[name])
    assert {"title", "family", "year", "baseline"} <= own.keys()
    assert isinstance(own["title"], str)
    assert own["title"]
    assert own["family"] in FAMILIES
    assert isinstance(own["year"], int)
    assert 2000 < own["year"] < 2100
    assert isinstance(own["baseline"], bool)


def test_titles_are_unique_and_no_family_is_empty():
    titles = [m.title for m in METHODS.values()]
    assert len(set(titles)) == len(titles)
    assert {m.family for m in METHODS.values()} == set(FAMILIES)
    assert [n for n, m in METHODS.items() if m.baseline and m.family == "distillation"] == [
        "umt",
        "umt-subspace",
    ]


def test_hooks_say_where_a_method_acts():
    assert not any(hooks(METHODS["joint"]).values())
    assert [h for h, acts in hooks(METHODS["umt"]).items() if acts] == ["start", "loss"]
    assert [h for h, acts in hooks(METHODS["joint-longer"]).items() if acts] == ["epochs"]
    assert all(callable(getattr(Method, hook)) for hook in HOOKS)
