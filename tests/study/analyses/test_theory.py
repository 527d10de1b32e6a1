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


def test_counts_are_those_of_the_networks_and_each_training_has_its_own(monkeypatch):
    """No feature is ever present, so that the model learns none, and networks learn what is set."""
    knows = {"alone-a": [0, 1, 2], "alone-b": [4, 5], "joint": [0, 4, 8], "umt": [0, 1, 8, 9]}

    def run(runs, n_train, n_epochs, weight):
        learned = {
            t: np.isin(np.arange(len(KIND)), i) * np.ones((len(runs), 1)) for t, i in knows.items()
        }
        fitted = {t: np.full(len(runs), k / 4) for k, t in enumerate(knows)}
        examined = {t: (x, x, fitted[t]) for t, x in learned.items()}
        return [np.zeros((4, len(KIND)), dtype=bool)] * len(runs), examined

    monkeypatch.setattr(networks, "run", run)
    found = simulation.theory((0, 3), n_train=64, epochs=2)
    (base,) = (p for p in found["axes"]["number"] if p["value"] == settings.MOST)
    assert {t: p[0] for t, p in base["fitted"].items()} == {t: k / 4 for k, t in enumerate(knows)}
    counts = {t: {k: v[0] for k, v in p.items()} for t, p in base["measured"].items()}
    assert counts == {
        "alone-a": {"a": 3},
        "alone-b": {"b": 2},
        "joint": {"a": 1, "b": 1, "paired": 1},
        "umt": {"a": 2, "b": 0, "paired": 2},
    }
    assert not any(v for p in base["predicted"].values() for values in p.values() for v in values)
    assert {t: p[0] for t, p in base["alike"].items()} == {
        "alone-a": 1,
        "alone-b": 2,
        "joint": 7,
        "umt": 6,
    }


def test_the_fitted_value_has_the_least_squared_error():
    """Value v predicts that joint training learns the first v features."""

    def first(number: int) -> dict[str, list[np.ndarray]]:
        return {"joint": [np.arange(len(KIND)) < number]}

    found = simulation._closest((0, 1, 2, 3, 4), first, first(3), ("joint",), ("a",))
    assert found == 3

    def twice(number: int) -> dict[str, list[np.ndarray]]:
        return {"joint": 2 * first(number)["joint"]}

    none_and_all = {"joint": [*first(0)["joint"], *first(4)["joint"]]}
    found = simulation._closest((0, 1, 2, 3, 4), twice, none_and_all, ("joint",), ("a",))
    assert found == 2


def described(learned: dict[str, dict[str, int]], predicted: dict[str, dict[str, int]]) -> dict:
    """A setting with 4 features of each modality and 2 paired ones, and one with only these."""

    def point(value: int, there: dict[str, int]) -> dict:
        sources = (("measured", learned), ("predicted", predicted))
        counts = {
            name: {
                t: {k: [n if there[k] else 0] * 2 for k, n in c.items()} for t, c in made.items()
            }
            for name, made in sources
        }
        alike = {t: [sum(there.values())] * 2 for t in learned}
        fitted = {t: [0.9, 0.9] for t in learned}
        return {"value": value, "there": there, "alike": alike, "fitted": fitted, **counts}

    points = [point(0, {"a": 0, "b": 0, "paired": 2}), point(4, {"a": 4, "b": 4, "paired": 2})]
    return {
        "seeds": [0, 1],
        "base": {"number": 4},
        "floor": 0.1,
        "paired_ease": 1.0,
        "axes": {"number": points},
        "sensitivity": {"0.75": dict.fromkeys(learned, 1.0)},
    }


def test_what_is_lost_and_gained_has_its_sign():
    learned = {
        "alone-a": {"a": 4},
        "alone-b": {"b": 3},
        "joint": {"a": 1, "b": 2, "paired": 2},
        "umt": {"a": 4, "b": 3, "paired": 1},
    }
    predicted = {**learned, "joint": {"a": 2, "b": 3, "paired": 2}}
    found = described(learned, predicted)
    assert "networks lose 1.50 and 0.50." in theory_text.answer(found)  # per setting, of two
    assert "loses 1.00 and 0.00 uni-modal features" in theory_text.answer(found)
    text = theory_text.sentences(found)
    assert "The loss is 1.50 [1.50," in text
    assert "UMT**, where there are uni-modal features, learns 1.00 paired features" in text
    assert "joint training 2.00 (model 1.00 and 2.00). The loss is 1.00 [1.00," in text
    assert "The gain of UMT in uni-modal features is 4.00 [4.00," in text
    assert "do not clearly suppress paired ones in joint training.**" in text


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
    with pytest.raises(StudyError, match="floor is 0"):
        simulation.simulate(shown("1"), np.ones(1), 0)
    with pytest.raises(StudyError, match=r"\(n, F\)"):
        simulation.simulate(shown("1"), np.ones(2), FLOOR)
