"""Maps: strategies do what they say, tuning seeds choose, and workers change no number."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.methods.joint import Joint
from umt_lib.models import Output
from umt_lib.study.analyses import analysis
from umt_lib.study.analyses.batched.fit import fit
from umt_lib.study.analyses.batched.losses import Distilled
from umt_lib.study.analyses.batched.networks import Params, unstack
from umt_lib.study.analyses.regime_map import (
    encoded,
    ensembles,
    measure,
    parallel,
    strategies,
    train,
)
from umt_lib.study.analyses.regime_map.measure import regime_map
from umt_lib.study.analyses.regime_map.strategies import (
    HEADS,
    STRATEGIES,
    TRAINED,
    UME,
    Option,
    Strategy,
)
from umt_lib.study.analyses.regime_map.train import Chunk, Teachers
from umt_lib.study.analyses.regime_map.worlds import WORLDS, Cell, World, _Axes

SMALL = replace(WORLDS["shared-nuisance"], hidden=12, dim=6, updates=6, n_validation=60, n_test=80)
AXES = {**{dial: [values[0]] for dial, values in SMALL.axes.items()}, "rho": [1.0, 2.0]}
AXES |= {"n_train": [128], "updates": [6]}
OPTION = Option(0.1, 1.0)


@pytest.fixture(scope="module")
def teachers() -> Teachers:
    """Uni-modal models of two cells and two seeds."""
    chunk = Chunk(SMALL, SMALL.among(AXES), (0, 1))
    rates = chunk.of_seeds([0.1, 0.1])
    return Teachers(chunk, {m: chunk.fit_unimodal(m, rates) for m in chunk.shapes})


@pytest.fixture
def tiny(monkeypatch) -> None:
    """The world of shared nuisances at its cheapest, under its own name."""
    monkeypatch.setitem(WORLDS, "shared-nuisance", SMALL)


def trained(teachers: Teachers, name: str, option: Option = OPTION, **changed) -> Params:
    return teachers.fit(replace(TRAINED[name], **changed), [option, option])


def equal(a: Params, b: Params) -> bool:
    names = a.keys() & b.keys()
    return bool(names) and all(torch.equal(a[name], b[name]) for name in names)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", ["UMT", "UMT, sub-space", "UMT, faded", "joint + uni-modal CE"])
def test_at_weight_0_it_is_joint_training_and_otherwise_not(teachers, kind, head):
    joint = trained(teachers, f"joint ({head})")
    assert equal(trained(teachers, f"{kind} ({head})", Option(0.1, 0.0)), joint)
    assert not equal(trained(teachers, f"{kind} ({head})"), joint)


def test_a_wider_umt_at_weight_0_is_wider_joint_training(teachers):
    wide = trained(teachers, "joint, wider (MLP)")
    assert equal(trained(teachers, "UMT, wider (MLP)", Option(0.1, 0.0)), wide)
    assert not equal(trained(teachers, "UMT, wider (MLP)"), wide)
    assert wide["encoders.a.3.weight"].shape[1] == 2 * SMALL.dim


def test_only_the_first_features_of_a_wider_student_are_distilled():
    """By the mean over those: what the others are does not count."""
    z, target = torch.randn(5, 8), torch.randn(5, 6)
    distance = Distilled().distance("a", Output({"a": z}, z, {}, {}), {"a": target})
    torch.testing.assert_close(distance, (z[:, :6] - target).square().mean())


def test_a_faded_weight_that_stays_is_umt_and_one_that_fades_is_not(teachers):
    umt = trained(teachers, "UMT (linear)")
    assert equal(trained(teachers, "UMT, faded (linear)", fades=False), umt)
    assert not equal(trained(teachers, "UMT, faded (linear)"), umt)


def test_frozen_encoders_do_not_move_and_uni_modal_ones_start_as_the_teachers(teachers):
    frozen = trained(teachers, "frozen (MLP)")
    assert not any(name.startswith("encoders") for name in frozen)
    names = [n for n in teachers.params["a"] if n.startswith("encoders")]
    start = teachers.start(TRAINED["uni-modal init (MLP)"])
    moved = trained(teachers, "uni-modal init (MLP)")
    for name in names:
        assert torch.equal(start[name], teachers.params["a"][name])
        assert not torch.equal(moved[name], start[name])
    fresh = teachers.start(TRAINED["joint (MLP)"])
    assert not torch.equal(fresh[names[0]], start[names[0]])
    logits = teachers.predictions(TRAINED["frozen (MLP)"], frozen)["test"]
    whole = {**start, **frozen}  # the uni-modal encoders under the trained head
    torch.testing.assert_close(train.outputs(whole, teachers.chunk.data.test).fused, logits)


def test_double_budget_is_joint_training_for_twice_the_epochs(teachers):
    chunk = teachers.chunk
    schedule = chunk.schedule()
    twice = replace(schedule["schedule"], epochs=2 * schedule["schedule"].epochs)
    by_hand = fit(
        teachers.start(TRAINED["joint (linear)"]),
        Joint(),
        chunk.data.train,
        chunk.data.validation,
        rates=chunk.of_seeds([0.1, 0.1]),
        **(chunk.schedule(2) | {"schedule": twice}),
    )
    longer = trained(teachers, "joint, double budget (linear)")
    assert equal(longer, by_hand)
    assert not equal(longer, trained(teachers, "joint (linear)"))


def test_every_strategy_starts_from_the_same_encoders(teachers):
    narrow = teachers.start(TRAINED["joint (linear)"])
    for name, strategy in TRAINED.items():
        if strategy.start != "new":
            continue
        for key, value in teachers.start(strategy).items():
            if key.startswith("encoders"):
                rows = narrow[key].shape[1]
                assert torch.equal(value[:, :rows], narrow[key]), (name, key)


def test_no_student_starts_as_its_teacher(teachers, monkeypatch):
    seen = {}
    real = train.initial

    def spy(world, head, shapes, start, *rest, **options):
        seen.setdefault(tuple(shapes), set()).add(start)
        return real(world, head, shapes, start, *rest, **options)

    monkeypatch.setattr(train, "initial", spy)
    chunk = teachers.chunk
    for m in chunk.shapes:
        chunk.fit_unimodal(m, chunk.of_seeds([0.1, 0.1]))
    teachers.start(TRAINED["joint (MLP)"])
    assert set(seen) == {("a",), ("b",), ("a", "b")}
    assert len(set.union(*seen.values())) == sum(map(len, seen.values()))


def test_options_of_different_cells_are_trained_at_once(teachers):
    """As if each were trained with its own for all cells."""
    low, high = Option(0.02, 0.1), Option(0.2, 10.0)
    mixed = teachers.fit(TRAINED["UMT (MLP)"], [low, high])
    for options, models in (([low, low], (0, 1)), ([high, high], (2, 3))):
        same = teachers.fit(TRAINED["UMT (MLP)"], options)
        for g in models:
            assert equal(unstack(mixed, g), unstack(same, g))


def test_the_rules_of_ume():
    """Two modalities, three classes, with what each rule computes by hand."""
    p = torch.tensor([[[0.7, 0.2, 0.1]], [[0.3, 0.6, 0.1]]], dtype=torch.float64)  # (M, n, K)
    logs, pi = p.log()[None], torch.tensor([[0.6, 0.3, 0.1]], dtype=torch.float64).log()
    a, b, prior = p[0, 0], p[1, 0], pi[0].exp()
    expected = {"mean": a + b, "product": a * b, "product, prior": a * b / prior}
    for rule, value in expected.items():
        found = ensembles.predict(rule, logs.float(), pi.float(), logs.float(), torch.zeros(1, 1))
        torch.testing.assert_close(found[0, 0].softmax(0).double(), value / value.sum())


def test_fitted_rules_correct_over_confidence_and_are_cross_fitted():
    """One modality is right in 75% of the cases and sure of it, the other one is noise."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(2, (1, 400), generator=generator)
    right = torch.rand(400, generator=generator) < 0.75
    says = torch.where(right, y[0], 1 - y[0])
    sure = 5.0 * (2 * torch.nn.functional.one_hot(says, 2) - 1).float()
    noise = 8.0 * torch.randn(400, 2, generator=generator)
    logs = torch.stack([sure, noise]).log_softmax(2)[None]
    pi = ensembles.prior(y, 2)

    def accuracy(rule: str) -> float:
        return (ensembles.predict(rule, logs, pi, logs, y).argmax(2) == y).float().mean().item()

    assert accuracy("product, prior") < 0.7
    assert accuracy("temperature") == pytest.approx(0.75, abs=0.03)
    assert accuracy("weighted") == pytest.approx(0.75, abs=0.03)
    crossed = ensembles.cross_fitted("weighted", logs, pi, y)
    fitted = ensembles.predict("weighted", logs, pi, logs, y)
    assert not torch.allclose(crossed, fitted)
    assert torch.equal(ensembles.cross_fitted("mean", logs, pi, y), logs.logsumexp(1))


def test_a_model_that_diverged_is_never_right():
    logits = torch.tensor([[[1.0, 0.0]], [[torch.nan, torch.nan]]])
    assert train.correct(logits, torch.zeros(2, 1, dtype=torch.long)).tolist() == [1.0, 0.0]


def tried(*validation: list[list[float]]) -> list[measure.Tried]:
    """Options whose test accuracy is the reverse of that on validation."""
    return [
        measure.Tried(Option(i), v, [[1 - x for x in cell] for cell in v])
        for i, v in enumerate(validation)
    ]


def test_options_are_chosen_by_validation_alone_for_each_cell():
    assert measure.best(tried([[0.9, 0.8], [0.1, 0.2]], [[0.7, 0.8], [0.5, 0.1]])) == [0, 1]
    assert measure.best(tried([[0.5, 0.5]], [[0.5, 0.5]])) == [0]  # the first of equals


def test_what_is_reported_is_trained_with_the_options_of_the_tuning_seeds(tiny, monkeypatch):
    """Report seeds are drawn after all choices, and no validation of theirs is read for one."""
    drawn, chosen = [], []
    real_data, real_best = World.data, measure.best

    def data(self, cell, seed):
        drawn.append(seed)
        return real_data(self, cell, seed)

    def best(options):
        chosen.append(set(drawn))
        return real_best(options)

    monkeypatch.setattr(World, "data", data)
    monkeypatch.setattr(measure, "best", best)
    names = (UME, "joint (linear)", "UMT (MLP)")
    found = regime_map("shared-nuisance", AXES, (0, 1), (7, 8), strategies=names)
    assert set.union(*chosen) == {0, 1}
    assert set(drawn) == {0, 1, 7, 8}
    monkeypatch.undo()
    monkeypatch.setitem(WORLDS, "shared-nuisance", SMALL)
    other = regime_map("shared-nuisance", AXES, (0, 1), (8, 9), strategies=names)
    for one, two in zip(found["cells"], other["cells"], strict=True):
        for part in ("tried", "chosen", "search"):
            assert one[part] == two[part]
        assert one["test"] != two["test"]
        for name in names:  # of seed 8, which both have
            assert one["test"][name][1] == two["test"][name][0]


def test_all_strategies_are_measured_and_workers_change_no_number(tiny, capsys):
    axes = {**AXES, "n_train": [64, 128]}  # two chunks
    one = regime_map("shared-nuisance", axes, (0, 1), (2, 3))
    assert re.search(r"2 chunks of settings, 1 at once: about \d+ minute", capsys.readouterr().err)
    two = regime_map("shared-nuisance", axes, (0, 1), (2, 3), workers=2)
    assert json.dumps(one) == json.dumps(two)
    assert len(one["cells"]) == 4
    assert [c["dials"]["n_train"] for c in one["cells"]] == [64, 64, 128, 128]
    for cell in one["cells"]:
        assert set(cell["test"]) == {*STRATEGIES, "uni-modal a", "uni-modal b"}
        for name in STRATEGIES:
            assert len(cell["tried"][name]) == len(one["options"][name])
            assert len(cell["test"][name]) == len(cell["search"][name]) == 2
            assert 0 <= cell["chosen"][name] < len(one["options"][name])
        assert 0 < cell["bayes"]["additive"] <= cell["bayes"]["all"] <= 1


def test_chunks_have_one_schedule_and_at_most_so_many_cells():
    axes = {**AXES, "uni": [0.1 * i for i in range(1, 10)], "n_train": [64, 512]}
    cells = SMALL.among(axes)
    made = parallel.chunks(cells[::-1], SMALL, 4)
    assert {cell for part in made for cell in part} == set(cells)
    assert max(map(len, made)) <= 4
    assert all(len({cell["n_train"] for cell in part}) == 1 for part in made)


def test_costs_are_counted():
    expected = {"UME": 1, "joint (MLP)": 1, "UMT (linear)": 2, "frozen (MLP)": 1}
    expected |= {"joint, double budget (linear)": 2, "uni-modal init (MLP)": 2}
    assert {name: strategies.passes(name) for name in expected} == expected


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_draws_data_of_one_shape_and_knows_its_best_accuracies(name):
    """The first and the last cell: the loader accepts the dials, and all have one shape."""
    world = replace(WORLDS[name], n_validation=40, n_test=40)
    shapes = set()
    for cell in (world.cells[0], world.cells[-1]):
        splits = world.data(cell, 0)
        assert len(splits.train) == cell["n_train"]
        assert len(splits.classes) == world.classes
        assert splits.validation.x.keys() == {*splits.test.x}
        shapes.add(tuple(x.shape[1:] for x in splits.train.x.values()))
        bayes = world.bayes(cell.dials)
        assert 1 / world.classes <= bayes["additive"] <= bayes["all"] <= 1 + 1e-9
    assert len(shapes) == 1


@pytest.mark.parametrize("name", WORLDS)
def test_no_classifier_is_better_than_the_best_possible_one(name):
    """Without paired features, which a linear classifier cannot use; it comes near in *lazy*."""
    world = replace(WORLDS[name], n_test=4000)
    dials = {dial: values[len(values) // 2] for dial, values in world.axes.items()}
    dials |= {dial: world.axes[dial][0] for dial in ("paired", "gamma") if dial in world.axes}
    splits = world.data(Cell(tuple({**dials, "n_train": 8000}.items())), 0)
    known, held = (torch.cat([*s.x.values()], 1).flatten(1) for s in (splits.train, splits.test))
    found = LogisticRegression(max_iter=300).fit(known, splits.train.y).score(held, splits.test.y)
    best = world.bayes(dials)["all"]
    assert found < best + 0.02
    assert name != "lazy" or found > best - 0.04


def test_quietness_scales_the_features_it_names():
    """Of the second modality: its uni-modal features, and its paired ones."""
    for name in ("quiet-pairs", "shared-nuisance", "two-way-tables", "graded-pairs"):
        world = WORLDS[name]
        loud = {dial: values[-1] for dial, values in world.axes.items()} | {"n_train": 64}
        plain = world.load(n_train=64, **world.options(loud)).train.x
        for dial in ("quiet", "quiet_pair"):
            scaled = world.load(n_train=64, **world.options({**loud, dial: 0.1})).train.x
            assert torch.equal(scaled["a"], plain["a"])
            factors = (scaled["b"] / plain["b"]).mean(0).view(-1, 8).mean(1)
            quiet = (factors - 0.1).abs() < 1e-4
            assert 0 < quiet.sum() < len(quiet)
            assert ((factors - 1).abs() < 1e-4)[~quiet].all()


@pytest.mark.parametrize("name", WORLDS)
def test_every_dial_of_a_world_has_a_type(name):
    axes = {dial: list(values) for dial, values in WORLDS[name].axes.items()}
    assert axes.keys() <= _Axes.model_fields.keys()
    _Axes.model_validate(axes)
    for dial in axes:
        with pytest.raises(ValidationError, match=dial):
            _Axes.model_validate({**axes, dial: ["many"]})


def test_cells_are_drawn_from_all_combinations_and_do_not_depend_on_the_map():
    world = WORLDS["shared-nuisance"]
    some = world.among(world.axes, 20)
    assert len(set(some)) == 20
    assert set(some) <= set(world.cells)
    assert some == world.among(world.axes, 20)
    assert Cell.at(uni=0.5, paired=1.0, asymmetry=0.0, n_train=512).stream(0) != some[0].stream(0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"world": "shared-nusance"}, "did you mean 'shared-nuisance'"),
        ({"dials": {**AXES, "roh": [1.0]}}, "no factor 'roh' in this world; did you mean 'rho'"),
        ({"dials": {"rho": [1.0]}}, "factor 'uni' has no value"),
        ({"report": (1, 2)}, "seed 1 is a tuning seed and a report seed"),
        ({"strategies": ("UMT (linaer)",)}, r"did you mean 'UMT \(linear\)'"),
    ],
)
def test_what_is_refused(changed, message):
    given = {"world": "shared-nuisance", "dials": AXES, "tuning": (0, 1), "report": (2, 3)}
    with pytest.raises(StudyError, match=message):
        regime_map(**{**given, **changed})


def test_the_searches_that_are_stated_can_be_run():
    """Every params file of a map: known dials, seeds apart, at least five of them to report."""
    files = sorted(paths.PARAMS.glob("analyses/map-*.yaml"))
    assert len(files) >= 5
    for file in files:
        spec = analysis.read(file)["analysis"]
        cells = WORLDS[spec["world"]].among(spec["dials"], spec.get("cells", 0))
        assert len(cells) == len(set(cells)) >= 8
        assert not set(spec["tuning"]) & set(spec["report"])
        assert len(spec["report"]) >= 5


def test_a_strategy_is_one_of_the_table():
    assert len(TRAINED) == len({repr(s) for s in TRAINED.values()})
    assert TRAINED["joint (linear)"] == Strategy()


def test_the_kept_share_of_a_feature_is_1_if_it_is_there_and_0_if_it_is_not():
    generator = torch.Generator().manual_seed(0)
    bits = torch.randint(2, (2, 400, 1), generator=generator).float()
    noise = 0.1 * torch.randn(2, 400, 8, generator=generator)
    block = 4 * bits * torch.eye(8)[0] + noise
    other = torch.randn(2, 400, 3, generator=generator)
    both = torch.cat([other, 5 - 2 * bits], 2)
    assert encoded.kept(both, block).min() > 0.95
    assert encoded.kept(other, block).abs().max() < 0.1
    assert encoded.kept(torch.zeros(2, 400, 3), block).abs().max() < 0.1  # a dead encoder


def test_what_encoders_keep_is_measured_for_every_strategy(tiny):
    names = ("joint (linear)", "UMT (MLP)")
    found = encoded.map_features("shared-nuisance", AXES, names, (0, 1), (2, 3))
    assert json.dumps(found) == json.dumps(
        encoded.map_features("shared-nuisance", AXES, names, (0, 1), (2, 3))
    )
    for cell in found["cells"]:
        assert set(cell["kept"]) == {"uni-modal", *names}
        for by_modality in cell["kept"].values():
            for by_kind in by_modality.values():
                assert set(by_kind) == set(encoded.KINDS)
                assert all(len(v) == 2 and max(v) <= 1 for v in by_kind.values())
        assert cell["test"].keys() == {*names}
    with pytest.raises(StudyError, match="trains no encoders"):
        encoded.map_features("shared-nuisance", AXES, ("frozen (MLP)",), (0, 1), (2, 3))


@pytest.mark.parametrize("rule", ["product, prior", "temperature", "weighted"])
def test_two_modalities_that_know_nothing_predict_the_prior(rule):
    """It counts once; fitted temperatures are 1, because the frequencies are right."""
    y = (torch.arange(100) >= 70).long()[None]
    pi = ensembles.prior(y, 2)
    logs = pi[:, None, None].expand(1, 2, 100, 2)
    found = ensembles.predict(rule, logs, pi, logs, y).softmax(2)
    torch.testing.assert_close(found, pi.exp()[:, None].expand(1, 100, 2), atol=1e-3, rtol=0)


def test_teachers_have_the_learning_rate_that_is_best_in_their_cell(teachers, monkeypatch):
    chunk = teachers.chunk
    monkeypatch.setattr(measure, "best", lambda tried: [2, 1])
    found, _ = measure.explore(chunk, ())
    rates = chunk.of_seeds([strategies.RATES[2], strategies.RATES[1]])
    for m in chunk.shapes:
        assert equal(found.params[m], chunk.fit_unimodal(m, rates))
