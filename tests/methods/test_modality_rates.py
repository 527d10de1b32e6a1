"""Per-modality learning rates: each encoder has its own, everything else that of joint training."""

from __future__ import annotations

import pytest
import torch
from tiny import Bench, copied, method

from umt_lib.errors import StudyError
from umt_lib.fused_sgd import FusedSGD


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_equal_rates_are_joint_training(head):
    bench = Bench(encoder="series-cnn", head=head, epochs=3, samples=60)
    assert bench.alike(method("modality-rates", ratio=1.0), method("joint"))
    assert not bench.alike(method("modality-rates", ratio=1.01), method("joint"))


@pytest.mark.parametrize(
    ("modalities", "k", "expected"),
    [
        (("a", "b"), None, {"a": 2.0, "b": 0.5}),
        (("a", "b"), "b", {"a": 0.5, "b": 2.0}),
        (("a", "b", "c"), "b", {"a": 4 ** (-1 / 3), "b": 4 ** (2 / 3), "c": 4 ** (-1 / 3)}),
    ],
)
@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_steps_are_those_of_sgd_with_these_rates(modalities, k, expected, head):
    """Three steps of PyTorch's own SGD with one group per rate, momentum and weight decay."""
    bench = Bench(modalities, head=head)
    rates = method("modality-rates", ratio=4.0, modality_of_ratio=k)
    model, twin = bench.start(rates), bench.start(method("joint"))
    how = {"momentum": 0.9, "weight_decay": 0.1}
    optimizer = FusedSGD(model.parameters(), 0.1, **how)

    def rate(name: str) -> float:
        part, m, *_ = name.removeprefix("head.weights").removeprefix("encoders").split(".")
        return 0.1 * expected.get(m, 1.0) if part == "" else 0.1

    groups = [{"params": [p], "lr": rate(n)} for n, p in twin.named_parameters()]
    assert len({group["lr"] for group in groups}) == 1 + len(set(expected.values()))
    plain = torch.optim.SGD(groups, **how)
    for batch in (bench.batch(0, 12), bench.batch(12, 40), bench.batch(40, 60)):
        rates.step(model, optimizer, batch)
        method("joint").step(twin, plain, batch)
    for name, p in model.named_parameters():
        torch.testing.assert_close(p, twin.state_dict()[name], msg=name)


def test_the_optimizer_has_one_group_between_steps():
    """That of the schedule and of checkpoints: its rate may change, and changes every rate."""
    bench, rates = Bench(), method("modality-rates", ratio=4.0)
    model = bench.start(rates)
    optimizer = FusedSGD(model.parameters(), 0.1, 0.0, 0.0)
    start = copied(model.state_dict())
    rates.step(model, optimizer, bench.batch())
    (group,) = optimizer.param_groups
    assert group["lr"] == 0.1
    assert len(group["params"]) == len(list(model.parameters()))
    once = {n: v - start[n] for n, v in copied(model.state_dict()).items()}
    model.load_state_dict(start)
    group["lr"] = 0.2
    rates.step(model, optimizer, bench.batch())
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value - start[name], 2 * once[name], msg=name)


def test_an_unknown_modality_is_refused():
    with pytest.raises(StudyError, match=r"modality_of_ratio 'B' .*no encoder.*known: a, b"):
        Bench().start(method("modality-rates", modality_of_ratio="B"))
