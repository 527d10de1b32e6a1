"""Joint training for UMT's budget: nothing but more epochs."""

from tiny import Bench, method, same


def test_factor_1_is_joint_training():
    bench = Bench()
    assert bench.alike(method("joint-longer", factor=1), method("joint"))


def test_factor_2_is_joint_training_on_a_schedule_of_twice_the_length():
    """The learning rate falls at the end of the longer schedule, not of the shorter one."""
    longer, joint = Bench(epochs=3), Bench(epochs=6)
    model, progress = longer.train(method("joint-longer"))
    expected, _ = joint.train(method("joint"))
    assert same(model.state_dict(), expected.state_dict())
    assert progress.epoch == 6
    assert progress.samples == 6 * len(longer.splits.train)
