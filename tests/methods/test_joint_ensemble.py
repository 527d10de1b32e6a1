"""An ensemble of joint models: members that never hear of each other."""

import torch
from tiny import Bench, method, same


def test_size_1_is_joint_training():
    bench, single = Bench(), method("joint-ensemble", size=1)
    model, progress = bench.train(single)
    joint, joint_progress = bench.train(method("joint"))
    assert same(model.members[0].state_dict(), joint.state_dict())
    assert progress.best == joint_progress.best
    probabilities = bench.predict(single, model).softmax(1)
    expected = bench.predict(method("joint"), joint).softmax(1)
    torch.testing.assert_close(probabilities, expected)
    assert torch.equal(probabilities.argmax(1), expected.argmax(1))


def test_members_train_apart_and_differ():
    bench, pair = Bench(), method("joint-ensemble", size=2)
    model, joint = bench.start(pair), bench.start(method("joint"))
    for trained, how in ((model, pair), (joint, method("joint"))):
        optimizer = torch.optim.SGD(trained.parameters(), 0.1, 0.9)
        for start in (0, 40, 80):
            how.step(trained, optimizer, bench.batch(start, start + 40))
    assert same(model.members[0].state_dict(), joint.state_dict())
    assert not same(model.members[0].state_dict(), model.members[1].state_dict())


def test_the_prediction_is_the_mean_of_the_members_probabilities():
    bench, pair = Bench(), method("joint-ensemble", size=2)
    model, x = bench.start(pair), bench.batch().x
    out = model(x)
    mean = sum(member(x).fused.softmax(1) for member in model.members) / 2
    torch.testing.assert_close(pair.predict(out).softmax(1), mean)
    assert out.features["a"].shape[1] == 2 * model.members[0].encoders["a"].dim
