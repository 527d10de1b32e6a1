"""Joint training from uni-modal encoders: another start and nothing else."""

import torch
from tiny import Bench, copied, method, same


def test_encoders_start_as_the_teachers_and_the_head_afresh():
    bench = Bench(encoder="series-cnn", epochs=2, samples=60)
    model, joint = bench.start(method("unimodal-init")), bench.start(method("joint"))
    for m, teacher in bench.teachers().items():
        assert same(model.encoders[m].state_dict(), teacher.encoders[m].state_dict())
        assert not same(model.encoders[m].state_dict(), joint.encoders[m].state_dict())
    assert same(model.head.state_dict(), joint.head.state_dict())


def test_untrained_teachers_make_it_joint_training():
    bench = Bench()
    untrained = bench.start(method("joint"))
    bench._teachers = {m: bench.make((m,)) for m in bench.modalities}
    for m, teacher in bench._teachers.items():
        teacher.encoders[m].load_state_dict(untrained.encoders[m].state_dict())
    assert bench.alike(method("unimodal-init"), method("joint"))


def test_encoders_learn_and_the_teachers_do_not():
    bench = Bench(epochs=1)
    before = copied(bench.teachers()["a"].state_dict())
    model = bench.start(method("unimodal-init"))
    assert all(p.requires_grad for p in model.parameters())
    batch = bench.batch()
    method("unimodal-init").step(model, torch.optim.SGD(model.parameters(), 0.1), batch)
    assert same(bench.teachers()["a"].state_dict(), before)
    assert not same(
        model.encoders["a"].state_dict(), bench.teachers()["a"].encoders["a"].state_dict()
    )
