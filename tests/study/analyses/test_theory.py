"""The model of feature learning on cases solved by hand; networks; what counts as learned."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from umt_lib.errors import StudyError
from umt_lib.study.analyses.theory import networks, settings, simulation
from umt_lib.study.analyses.theory.settings import CASES, KIND, FeatureSetting
from umt_lib.study.experiments import params
from umt_lib.study.report import theory_figures, theory_text
from umt_lib.training import Training

FLOOR = 0.01
SMALL = Training(epochs=2, batch_size=32, learning_rate=0.1)


def shown(*rows: str) -> np.ndarray:
    """Presence (n, F) of features given as strings of samples: shown("110", "001")."""
    return np.array([[mark == "1" for mark in row] for row in rows]).T


def predicted(present: np.ndarray, kind: list[str], ease: list[float]) -> dict[str, list[int]]:
    found = simulation.predict(present, np.array(kind), np.array(ease), FLOOR)
    return {training: np.flatnonzero(which).tolist() for training, which in found.items()}


def test_a_feature_on_every_sample_leaves_the_second_unlearned_in_joint_training():
    found = predicted(shown("1111", "1100"), ["a", "b"], [1.0, 1.0])
    assert found["alone-b"] == [1]
    assert found["joint"] == [0]
    assert found["umt"] == [0, 1]


def test_umt_suppresses_a_paired_feature_that_joint_training_learns():
    present = shown("1100", "0011", "0111")  # pulls at first: a 1/2, b 0.2, paired 0.6
    found = predicted(present, ["a", "b", "paired"], [1.0, 0.4, 0.8])
    assert found["joint"] == [0, 2]
    assert found["umt"] == [0, 1]


def test_the_order_is_by_pull_on_what_is_unfitted():
    present = shown("111000", "011110", "000001")
    assert simulation.simulate(present, np.ones(3), FLOOR) == [1, 0, 2]
    assert simulation.simulate(present, np.array([2.0, 1, 1]), FLOOR) == [0, 1, 2]
    assert simulation.simulate(present, np.ones(3), floor=0.2) == [1]
    assert simulation.simulate(present, np.ones(3), FLOOR, given=[0, 2]) == [1]


def test_of_equals_the_first_is_learned():
    assert simulation.simulate(shown("10", "10"), np.ones(2), FLOOR) == [0]


def test_without_a_paired_feature_none_is_learned():
    found = predicted(shown("10", "01"), ["a", "b"], [1.0, 1.0])
    assert found == {"alone-a": [0], "alone-b": [1], "joint": [0, 1], "umt": [0, 1]}
    nothing = predicted(shown("00", "00"), ["a", "paired"], [1.0, 1.0])
    assert not any(nothing.values())


def test_the_data_has_the_presence_and_scale_of_its_setting():
    setting = FeatureSetting(number=2, presence=0.5, asymmetry=0.5)
    drawn = settings.draw(setting, 0, 4000, 10)
    assert np.allclose(drawn.present.mean(axis=0), setting.presences, atol=0.04)
    width = settings.BLOCK
    block = drawn.probe.x["a"].view(len(KIND), CASES, -1, width)
    y = drawn.probe.y.view(len(KIND), CASES)
    for feature, (kind, scale) in enumerate(zip(KIND, setting.scales, strict=True)):
        lengths = block[feature].mean(0).norm(dim=1)  # the block of a paired feature cancels
        signed = (block[feature] * (2.0 * y[feature] - 1)[:, None, None]).mean(0).norm(dim=1)
        assert lengths.max() < 0.3
        if kind == "a":
            assert signed[feature].item() == pytest.approx(2 * scale, abs=0.1)
        else:
            assert signed.max() < 0.3


def test_networks_repeat_bit_for_bit_and_the_rest_of_their_chunk_does_not_matter():
    data = [settings.draw(FeatureSetting(), seed, 64, 20) for seed in (0, 1)]
    first, again = (networks.train(data, [0, 1], SMALL, 1.0) for _ in range(2))
    single = networks.train(data[1:], [1], SMALL, 1.0)
    for training, stacked in first.items():
        for name, value in stacked.items():
            assert torch.equal(value, again[training][name])
            assert torch.allclose(value[1], single[training][name][0], atol=1e-5)


def hand_made(knows: list[int], certainty: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (1, F * CASES, 2) of a model that knows these features, and the classes."""
    y = settings.draw(FeatureSetting(), 0, 4, 4).probe.y[None]
    which = torch.arange(len(KIND)).repeat_interleave(CASES)
    sure = torch.isin(which, torch.tensor(knows)).float() * (2.0 * y - 1) * certainty
    return torch.stack([-sure, sure], dim=2), y


def test_what_counts_as_learned():
    knows = [0, 5, 9]
    right, sure = networks.examine(*hand_made(knows, 2.0))
    assert np.flatnonzero(networks.learned(right, sure)).tolist() == knows
    assert not networks.learned(*networks.examine(*hand_made(knows, 0.3))).any()
    assert not networks.learned(*networks.examine(*hand_made(knows, -2.0))).any()


def test_one_half_of_a_pair_is_not_enough():
    drawn = settings.draw(FeatureSetting(), 0, 4, 4)
    half = drawn.probe.x["a"][:, -settings.BLOCK :]
    direction = half[-1] / half[-1].norm()
    score = 5 * half @ direction
    logits = torch.stack([-score, score], dim=1)[None]
    found = networks.learned(*networks.examine(logits, drawn.probe.y[None]))
    assert not found[0, KIND == "paired"].any()


@pytest.fixture(scope="module")
def measured():
    return simulation.theory((0, 3), n_train=64, epochs=2)


def test_measure_has_the_documented_shape(measured):
    assert json.loads(json.dumps(measured)) == measured
    assert measured["seeds"] == [0, 3]
    assert measured["floor"] in simulation.FLOORS
    assert measured["paired_ease"] in simulation.EASES
    assert list(measured["axes"]) == list(simulation.AXES)
    for axis, points in measured["axes"].items():
        assert [p["value"] for p in points] == list(simulation.AXES[axis])
        for p in points:
            for source in ("predicted", "measured"):
                assert list(p[source]["alone-b"]) == ["b"]
                for kinds in p[source].values():
                    for kind, counts in kinds.items():
                        assert len(counts) == 2
                        assert all(0 <= c <= p["there"][kind] for c in counts)
            assert all(0 <= v <= 1 for v in p["fitted"]["umt"])
    same = [
        next(p for p in measured["axes"][a] if p["value"] == v) for a, v in measured["base"].items()
    ]
    assert all({**p, "value": 0} == {**same[0], "value": 0} for p in same)


def test_measured_is_drawn_and_described(measured):
    figure = theory_figures.theory(measured)
    assert len(figure.axes) == 9
    assert "the model correctly predicts" in theory_text.answer(measured)
    text = theory_text.sentences(measured)
    assert text.count("\n- **") == 6
    assert "13 settings and 2 seeds" in text


def test_the_options_are_a_schema():
    make = params.schema(simulation.theory, given=("progress",))
    assert make(seeds=(0, 1)).epochs == 40


def test_what_is_refused():
    for seeds in ((), (0, 0), (-1,)):
        with pytest.raises(StudyError, match="whole numbers from 0"):
            simulation.theory(seeds)
    with pytest.raises(StudyError, match="epochs 0"):
        simulation.theory((0,), epochs=0)
    with pytest.raises(StudyError, match="floor is 0"):
        simulation.simulate(shown("1"), np.ones(1), 0)
    with pytest.raises(StudyError, match=r"\(n, F\)"):
        simulation.simulate(shown("1"), np.ones(2), FLOOR)
