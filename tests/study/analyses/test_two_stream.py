"""Ensembles of networks on made predictions, where it is known what each network knows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from umt_lib import paths
from umt_lib.data import ucf101_two_stream
from umt_lib.data.splits import Split
from umt_lib.data.ucf101_two_stream import Clips
from umt_lib.errors import StudyError
from umt_lib.evaluation.bootstrap import bootstrap_means
from umt_lib.evaluation.calibration import fit_temperature
from umt_lib.evaluation.corrections import holm
from umt_lib.evaluation.mcnemar import mcnemar
from umt_lib.study.analyses.two_stream import measure, rules
from umt_lib.study.analyses.two_stream.measure import BOTH, FLOW, RGB, TRAINED, two_stream
from umt_lib.study.report import two_stream_figures, two_stream_text

CLASSES, PER_GROUP = 6, 5
EVEN = torch.full((CLASSES,), 10)


def made(seed: int = 0, flow_knows: bool = True, groups: int = 280) -> tuple[Split, Clips]:
    """Clips of groups with seven numbers; RGB networks share one view, flow has its own or none.

    All networks have the logits of RGB 1 with other noise; those of flow are of another view.
    """
    rng = np.random.default_rng(seed)
    y = np.repeat(rng.integers(CLASSES, size=groups), PER_GROUP)
    number = np.repeat(np.arange(groups) % 7 + 1, PER_GROUP)

    def view() -> np.ndarray:
        """What a modality shows: noise that is shared by the clips of a group."""
        shared = np.repeat(rng.normal(size=(groups, CLASSES)), PER_GROUP, axis=0)
        return 1.5 * np.eye(CLASSES)[y] + shared

    rgb, other = view(), view()
    seen = dict.fromkeys(RGB, rgb) | {FLOW: other if flow_knows else rgb}
    noise = {"RGB 1": 0.2, "RGB 2": 0.5, "RGB 3": 0.6, "RGB 4": 0.7, FLOW: 0.3}
    x = {
        m: torch.from_numpy((v + noise[m] * rng.normal(size=v.shape)) / TRAINED[m]).float()
        for m, v in seen.items()
    }
    names = np.repeat([f"video {g}" for g in range(groups)], PER_GROUP)
    known = Clips(tuple("abcdef"), tuple(names), torch.from_numpy(y), names, number, EVEN)
    return Split(x, torch.from_numpy(y), names), known


def parts(split: Split, known: Clips) -> tuple[Split, Split]:
    """The clips of groups 1 to 3, and of the others."""
    return tuple(split.take(np.flatnonzero(of)) for of in (known.number < 4, known.number > 3))


def only(split: Split, *members: str) -> Split:
    return Split({m: split.x[m] for m in members}, split.y, split.groups)


@pytest.fixture(scope="module")
def halves() -> tuple[Split, Split]:
    return parts(*made())


@pytest.fixture(scope="module")
def measured() -> dict:
    """The whole analysis on made clips, as it is read from its result."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ucf101_two_stream, "load", made)
        return json.loads(json.dumps(two_stream((1, 2, 3))))


@pytest.fixture(scope="module")
def without() -> dict:
    """The same where flow shows what RGB shows: the control has to notice it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ucf101_two_stream, "load", lambda: made(flow_knows=False))
        return json.loads(json.dumps(two_stream((1, 2, 3))))


def combined(fit: Split, test: Split, training: Tensor = EVEN) -> dict[str, Tensor]:
    found = rules.combine(fit, test, TRAINED, training)
    return {rule: z.log_softmax(1) for rule, (_, z) in found.items()}


def test_every_rule_is_its_equation_at_every_scale(halves):
    fit, test = (only(part, "RGB 1", FLOW) for part in halves)
    prior = torch.tensor([5, 5, 10, 10, 20, 50])
    found = combined(fit, test, prior)
    pi = (prior / prior.sum()).log()
    for scale, by in rules.factors(fit, TRAINED).items():
        logits = [factor * test.x[m] for m, factor in by.items()]
        logs = [z.log_softmax(1) for z in logits]
        for rule, wanted in (
            ("mean", (logs[0].exp() + logs[1].exp()).log()),
            ("sum", logits[0] + logits[1]),
            ("product", logs[0] + logs[1] - pi),
        ):
            torch.testing.assert_close(
                found[f"{rule}, {scale}"],
                wanted.log_softmax(1),
                atol=2e-4,
                rtol=1e-4,
                check_dtype=False,
            )
    assert not torch.equal(found["sum, trained"].argmax(1), found["product, trained"].argmax(1))


def test_the_mean_of_two_sure_networks_is_that_of_the_surer_one(halves):
    """In single precision both largest probabilities are 1, and the first class would win."""
    test = only(halves[1], "RGB 1", FLOW)
    sure = {m: torch.zeros_like(x) for m, x in test.x.items()}
    sure["RGB 1"][:, 0], sure[FLOW][:, 1] = 20, 25
    _, mean = rules.combine(
        only(halves[0], "RGB 1", FLOW), Split(sure, test.y, test.groups), TRAINED, EVEN
    )["mean, released"]
    assert (mean.argmax(1) == 1).all()


def test_the_scales_are_what_they_are_called(halves):
    fit = halves[0]
    found = rules.factors(fit, TRAINED)
    assert set(found["released"].values()) == {1.0}
    assert found["trained"] == TRAINED
    scaled = {name: rules.scaled(fit, by) for name, by in found.items()}
    spread = [(x - x.mean(1, keepdim=True)).std().item() for x in scaled["equal"].x.values()]
    assert spread == pytest.approx([spread[0]] * len(spread))
    fitted = [fit_temperature(x, fit.y) for x in scaled["temperature"].x.values()]
    assert fitted == pytest.approx([1.0] * len(fitted), abs=0.01)
    assert fit_temperature(scaled["trained"].x[FLOW], fit.y) != pytest.approx(1.0, abs=0.05)


def test_a_factor_on_one_network_is_undone_by_every_fitted_scale(halves):
    fit, test = (only(part, "RGB 1", FLOW) for part in halves)
    louder = [
        Split({**part.x, FLOW: 8 * part.x[FLOW]}, part.y, part.groups) for part in (fit, test)
    ]
    before, after = combined(fit, test), combined(*louder)
    for rule in ("sum, temperature", "mean, temperature", "weighted"):
        torch.testing.assert_close(before[rule], after[rule], atol=0.02, rtol=0)
    assert torch.equal(before["sum, equal"].argmax(1), after["sum, equal"].argmax(1))
    for rule in (rules.RELEASED, "sum, trained"):
        assert (before[rule].argmax(1) != after[rule].argmax(1)).double().mean() > 0.02


def test_nothing_is_fitted_to_the_clips_of_the_test(halves):
    fit, test = (only(part, "RGB 1", FLOW) for part in halves)
    other = Split(test.x, test.y.flip(0), test.groups)
    for rule, z in combined(fit, test).items():
        assert torch.equal(z, combined(fit, other)[rule]), rule
    shuffled = Split(fit.x, fit.y.flip(0), fit.groups)
    assert not torch.equal(combined(fit, test)["weighted"], combined(shuffled, test)["weighted"])


def test_weights_are_cross_fitted_on_the_clips_that_choose_the_rule(halves):
    fit = only(halves[0], "RGB 1", FLOW)
    cross_fitted, in_sample = rules.combine(fit, fit, TRAINED, EVEN)["weighted"]
    assert not torch.allclose(cross_fitted, in_sample)
    one_group = Split(fit.x, fit.y, np.arange(len(fit)))
    other_folds, _ = rules.combine(one_group, fit, TRAINED, EVEN)["weighted"]
    assert not torch.allclose(cross_fitted, other_folds)  # the folds are those of the groups


def test_both_halves_test_on_what_the_other_is_fitted_to(measured):
    first, second = measured["halves"]
    assert (first["fit on"], first["tested on"]) == ([1, 2, 3], [4, 5, 6, 7])
    assert (second["fit on"], second["tested on"]) == ([4, 5, 6, 7], [1, 2, 3])
    assert first["fit"] == second["test"] == {"clips": 600, "videos": 120}
    assert first["test"] == {"clips": 800, "videos": 160}
    split, known = made()
    fit, test = parts(split, known)
    for m, found in first["networks"].items():
        right = [(part.x[m].argmax(1) == part.y).double().mean().item() for part in (fit, test)]
        assert [found["fit"], found["accuracy"][0]] == pytest.approx(right)


def test_a_second_modality_gains_and_a_second_network_of_the_same_does_not(measured, without):
    for found in measured["halves"]:
        gains = found["families"]["gain"]
        assert gains[BOTH]["difference"][0] > 0.05
        assert gains["RGB 1 + RGB 2"]["difference"][0] < 0.03
        assert all(pair["adjusted"] < 0.05 for pair in found["families"]["second"].values())
        corrected = found["corrected"]["RGB 1"]
        assert corrected[FLOW][1] > corrected["RGB 2"][2]
    for found in without["halves"]:
        assert found["families"]["gain"][BOTH]["difference"][0] < 0.03
    assert "most of the gain is due to the second modality" in two_stream_text.verdict(measured)
    assert "second modality, not" not in two_stream_text.verdict(without)


def test_a_gain_is_over_the_better_network_and_by_the_chosen_rule(measured):
    split, known = made()
    fit, test = parts(split, known)
    found = measured["halves"][0]["ensembles"]["RGB 4 + flow"]
    assert found["better"] == FLOW
    best = max(found["rules"], key=lambda rule: found["rules"][rule]["fit"])
    assert found["chosen"] == best
    z = combined(only(fit, "RGB 4", FLOW), only(test, "RGB 4", FLOW))[best]
    right = (z.argmax(1) == test.y).double().mean() - (
        test.x[FLOW].argmax(1) == test.y
    ).double().mean()
    gain = measured["halves"][0]["families"]["gain"]["RGB 4 + flow"]["difference"]
    assert gain[0] == pytest.approx(right.item())


def test_the_better_network_is_that_of_the_clips_which_rules_are_fitted_to(halves):
    """On the clips of the test RGB 1 and RGB 4 are exchanged."""
    fit, test = halves
    x = test.x | {"RGB 1": test.x["RGB 4"], "RGB 4": test.x["RGB 1"]}
    found = measure.half(fit, Split(x, test.y, test.groups), EVEN)
    rgb = found["networks"]
    assert rgb["RGB 1"]["fit"] > rgb["RGB 4"]["fit"]
    assert rgb["RGB 1"]["accuracy"] < rgb["RGB 4"]["accuracy"]
    assert found["ensembles"]["RGB 1 + RGB 4"]["better"] == "RGB 1"
    assert found["ensembles"][f"RGB 4 + {FLOW}"]["better"] == FLOW


def test_temperatures_errors_and_second_networks_are_those_of_their_names(measured):
    fit, test = parts(*made())
    found = measured["halves"][0]
    right = {m: (x.argmax(1) == test.y).numpy() for m, x in test.x.items()}
    for m, network in found["networks"].items():
        temperature = fit_temperature(TRAINED[m] * fit.x[m], fit.y)
        assert network["temperature"] == pytest.approx(temperature)
        assert [sum(c["samples"]) for c in network["calibration"].values()] == [len(test)] * 3
        for other, share in found["corrected"][m].items():
            assert share[0] == pytest.approx(right[other][~right[m]].mean())

    def reached(*members: str) -> float:
        ensemble = found["ensembles"][" + ".join(members)]
        return ensemble["rules"][ensemble["chosen"]]["accuracy"][0]

    for a in RGB:
        for b in set(RGB) - {a}:
            pair = found["families"]["second"][f"{a}: {FLOW} or {b}"]
            gain = reached(a, FLOW) - reached(*sorted((a, b)))
            assert pair["difference"][0] == pytest.approx(gain)


def test_intervals_and_p_values_are_over_videos_and_not_over_clips(measured):
    _, test = parts(*made())
    found = measured["halves"][0]
    right = {m: (x.argmax(1) == test.y).numpy() for m, x in test.x.items()}
    (videos,) = bootstrap_means(right["RGB 1"][:, None], test.groups)
    (clips,) = bootstrap_means(right["RGB 1"][:, None])
    assert found["networks"]["RGB 1"]["accuracy"] == pytest.approx(list(videos))
    assert videos.high - videos.low > 1.3 * (clips.high - clips.low)
    fit = parts(*made())[0]
    for name in ("RGB 1 + RGB 2", "RGB 2 + RGB 3"):
        pair = found["ensembles"][name]
        z = combined(only(fit, *pair["members"]), only(test, *pair["members"]))[pair["chosen"]]
        both = (z.argmax(1) == test.y).numpy(), right[pair["better"]]
        p = found["families"]["gain"][name]["p"]
        assert p == pytest.approx(mcnemar(*both, test.groups))
        assert p != pytest.approx(mcnemar(*both, np.arange(len(test))))


def test_each_family_is_corrected(measured):
    for found in measured["halves"]:
        sizes = {name: len(pairs) for name, pairs in found["families"].items()}
        assert sizes == {"gain": 11, "second": 13, "rule": 12}
        for pairs in found["families"].values():
            p, adjusted = ([pair[k] for pair in pairs.values()] for k in ("p", "adjusted"))
            assert adjusted == pytest.approx(holm(p).tolist())


def test_the_comparison_with_nothing_fitted_is_on_all_clips(measured):
    split, _ = made()
    both = [split.x["RGB 1"], split.x[FLOW]]
    right = ((3 * both[0] + both[1]).argmax(1) == split.y).double().mean().item()
    assert measured["unfitted"]["trained"][0] == pytest.approx(right)
    right = ((both[0] + both[1]).argmax(1) == split.y).double().mean().item()
    assert measured["unfitted"]["released"][0] == pytest.approx(right)
    assert measured["published"][BOTH]["ours"] == pytest.approx(right)


@pytest.mark.parametrize("groups", [(), (1, 1), (0, 1), (1, 2, 3, 4, 5, 6, 7), (8,)])
def test_groups_that_leave_nothing_to_fit_or_to_test_are_refused(groups):
    with pytest.raises(StudyError, match=r"fit_groups are \[.*\]; give some of 1 to 7"):
        two_stream(groups)


def test_the_page_has_every_number_from_the_result(measured):
    text = two_stream_text.sentences(measured)
    for found in measured["halves"]:
        gain = found["families"]["gain"][BOTH]["difference"]
        assert f"{100 * gain[0]:+.1f} [{100 * gain[1]:+.1f}," in text
    for table in ("networks", "ensembles", "control", "by_rule", "calibrations", "reproduced"):
        assert getattr(two_stream_text, table)(measured).count("\n") >= 4, table
    assert two_stream_text.by_rule(measured).count("(chosen)") == 1


def test_the_sign_of_overconfidence(measured):
    both = measured["halves"][0]["calibration"]
    assert two_stream_text.excess(both["sum, released"]) > 0.05  # 19 times too large
    assert two_stream_text.excess(both["mean, temperature"]) < -0.03


def test_the_number_of_others_is_read_from_the_literature(tmp_path):
    real = paths.PUBLISHED / "literature.csv"
    assert "states 82.3%" in two_stream_text.paper(real)
    changed = tmp_path / "literature.csv"
    changed.write_text(real.read_text().replace(",82.3,", ",12.5,"))
    assert "states 12.5%" in two_stream_text.paper(changed)
    changed.write_text(real.read_text().replace(",82.3,", ",,"))
    assert "was not obtained" in two_stream_text.paper(changed)
    second = 'UCF101,"late fusion, RGB + flow",,77.7,Another source,\n'
    changed.write_text(real.read_text() + second)
    assert "states 82.3%" in two_stream_text.paper(changed)


def test_figures_show_every_ensemble_and_every_scale(measured, tmp_path: Path):
    gains = two_stream_figures.gains(measured)
    labels = [text.get_text() for ax in gains.axes for text in ax.get_yticklabels()]
    assert len(labels) == len(measure.ENSEMBLES)
    panels = two_stream_figures.reliability(measured).axes
    assert [len(ax.lines) for ax in panels] == [4, 4, 5]  # with the diagonal
