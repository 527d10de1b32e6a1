"""UMT: joint training plus a pull of each encoder towards its frozen uni-modal teacher."""

import pytest
import torch
from tiny import Bench, jitter, method
from torch.nn.functional import mse_loss

from umt_lib.models.inference import outputs


@pytest.mark.parametrize("encoder", ["mlp", "series-cnn"])
def test_weight_0_is_joint_training(encoder):
    bench = Bench(encoder=encoder, epochs=4)
    assert bench.alike(method("umt", weight=0.0), method("joint"))


def test_the_weight_changes_the_encoders_and_not_the_head():
    """The added gradient is the weight times that of the mean squared distance, no other."""
    bench = Bench()
    joint = bench.gradients(method("joint"))
    umt = bench.gradients(method("umt", weight=5.0))
    model, batch = bench.start(method("joint")), bench.batch()
    features = model(batch.x).features
    distance = sum(
        mse_loss(features[m], t(batch.x).features[m]) for m, t in bench.teachers().items()
    )
    distance.backward()
    pull = {name: p.grad for name, p in model.named_parameters()}
    assert umt.keys() == joint.keys()
    for name, gradient in umt.items():
        if name.startswith("head."):
            assert torch.equal(gradient, joint[name])
        else:
            assert pull[name].any()
            torch.testing.assert_close(gradient, joint[name] + 5 * pull[name])


def test_the_distance_is_a_mean_over_samples_and_dimensions():
    bench, umt = Bench(), method("umt", weight=1.0)
    model, batch = bench.start(umt), bench.batch()
    out = model(batch.x)
    added = umt.loss(out, batch) - method("joint").loss(out, batch)
    squares = [(out.features[m] - z).square().sum() for m, z in umt.targets(batch).items()]
    torch.testing.assert_close(added, sum(squares) / (12 * 6))


def test_cached_targets_are_the_teachers_features_of_the_same_samples():
    bench = Bench(encoder="series-cnn", epochs=2, samples=60)
    cached, uncached = method("umt"), method("umt")
    bench.start(cached)
    bench.start(uncached)
    uncached.cache = None
    rows = torch.tensor([41, 3, 3, 17])
    part = bench.splits.train.take(rows)
    batch = bench.batch()._replace(x=part.x, y=part.y, index=rows)
    torch.testing.assert_close(cached.targets(batch), uncached.targets(batch))
    truth = outputs(bench.teachers()["a"], bench.splits.train).features["a"][rows]
    assert torch.equal(cached.targets(batch)["a"], truth)
    assert not cached.targets(batch)["a"].requires_grad


def test_an_augmented_view_goes_to_teacher_and_student_alike(monkeypatch):
    """And the teacher sees it in evaluation mode, its batch statistics untouched."""
    bench = Bench(encoder="series-cnn", epochs=1, samples=40, augment=jitter)
    seen = {"teacher": [], "student": []}
    teacher = bench.teachers()["a"]
    umt = method("umt")
    student = bench.start(umt)
    for who, model in (("teacher", teacher), ("student", student)):
        forward = model.forward

        def spy(x, who=who, model=model, forward=forward):
            seen[who].append((x["a"].clone(), model.encoders["a"].training))
            return forward(x)

        monkeypatch.setattr(model, "forward", spy)
    statistics = teacher.encoders["a"].layers[1].running_mean.clone()
    batch = bench.batch(0, 20)
    view = batch._replace(x=jitter(batch.x, torch.Generator().manual_seed(3)))
    umt.step(student, torch.optim.SGD(student.parameters(), 0.1), view)
    ((teachers_view, teacher_trains),) = seen["teacher"]
    ((students_view, student_trains),) = seen["student"]
    assert torch.equal(teachers_view, students_view)
    assert torch.equal(teachers_view, view.x["a"])
    assert (teacher_trains, student_trains) == (False, True)
    assert torch.equal(teacher.encoders["a"].layers[1].running_mean, statistics)
    assert not torch.equal(student.encoders["a"].layers[1].running_mean, statistics)


def test_more_weight_ends_nearer_to_the_teachers():
    bench = Bench()

    def distance(weight: float) -> float:
        model, _ = bench.train(method("umt", weight=weight))
        mine = outputs(model, bench.splits.validation).features
        theirs = {
            m: outputs(t, bench.splits.validation).features[m] for m, t in bench.teachers().items()
        }
        return sum(mse_loss(mine[m], z).item() for m, z in theirs.items())

    assert distance(3.0) < 0.5 * distance(0.0)
