"""One params file, all seeds: repeated, resumed, reused, and refused in one sentence."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
import yaml
from tiny import ENCODERS, Bench, Scaled, same

from umt_lib import data, paths
from umt_lib.errors import StudyError
from umt_lib.evaluation import metrics
from umt_lib.evaluation.probes import linear_probe
from umt_lib.files import load_tensors, save_tensors
from umt_lib.methods import METHODS, Joint
from umt_lib.methods.umt import UMT
from umt_lib.models.inference import outputs
from umt_lib.study.experiments import experiment, provenance, results
from umt_lib.study.experiments.checkpoints import save_state
from umt_lib.study.experiments.command import main
from umt_lib.study.experiments.experiment import Experiment

CPU = torch.device("cpu")


def run(params) -> results.Result:
    return Experiment.from_params(params).run("cpu", progress=False)


def checkpoint(name="tiny", tag="seed0"):
    return paths.checkpoints_dir() / name / f"{tag}.safetensors"


@pytest.fixture
def fits(monkeypatch):
    """How many epochs fit() really trained, call by call."""
    calls = []
    real = experiment.fit

    def spy(model, method, splits, training, seed, state=None, *rest):
        begun = state.progress.epoch if state else 0
        progress = real(model, method, splits, training, seed, state, *rest)
        calls.append((seed, progress.epoch - begun))
        return progress

    monkeypatch.setattr(experiment, "fit", spy)
    return calls


@pytest.fixture
def params_file(params, tmp_path):
    """Writes ``params`` where the command finds them and returns the path."""

    def write(changed=None):
        path = tmp_path / f"{(changed or params)['name']}.yaml"
        path.write_text(yaml.safe_dump(changed or params))
        return str(path)

    return write


# --- numbers -------------------------------------------------------------------------------------


def test_a_result_holds_what_was_measured(params):
    params["training"]["probe_every"] = 3
    result = run(params)
    assert results.load(paths.results_dir() / "tiny.json") == result
    assert [record.seed for record in result.measured.seeds] == [0, 1]
    assert result.params == params
    for record in result.measured.seeds:
        assert 1 <= record.epoch <= 3
        assert record.test.samples == 50
        assert record.validation.samples == 40
        curve = record.curves["validation_accuracy"]
        assert record.validation.accuracy == curve[record.epoch - 1] == max(curve)
        assert set(record.probes) == set(record.unimodal) == {"a", "b"}
        assert record.curves["probe"][0]["epoch"] == 3
    made = result.provenance
    assert (made.cost.samples, made.cost.trainings) == (180, 1)
    assert 0 < made.cost.seconds < made.seconds
    assert len(set(made.keys.values())) == 2


@pytest.mark.parametrize("name", ["joint", "joint-ensemble"])
def test_one_seed_twice_gives_the_same_bytes(params, monkeypatch, tmp_path, name):
    """Trained again from nothing, and read back from its checkpoint."""
    params["method"] = {"name": name}
    first = run(params).measured_bytes()
    assert run(params).measured_bytes() == first
    monkeypatch.setenv("UMT_RUNS", str(tmp_path / "elsewhere"))
    assert run(params).measured_bytes() == first


def test_a_seed_does_not_depend_on_the_others(params):
    both = run(params).measured.seeds
    (single,) = run({**params, "name": "single", "seeds": [1]}).measured.seeds
    assert single == both[1]
    assert single.curves != both[0].curves


def test_every_method_with_teachers_runs_and_teachers_are_shared(params, trained_teachers, fits):
    params["teachers"], params["training"]["epochs"] = trained_teachers, 2
    for name, method in METHODS.items():
        if method.needs_teachers:
            result = run({**params, "name": f"tiny-{name}", "method": {"name": name}})
            assert len(result.measured.seeds) == 2
    assert {epochs for _, epochs in fits} == {0, 2}


def test_ume_scores_its_teachers_as_they_scored_themselves(params, trained_teachers):
    """Nothing is trained, and test accuracy and probes are those of the uni-modal runs."""
    params |= {"method": {"name": "ume"}, "teachers": trained_teachers}
    (record, _) = run(params).measured.seeds
    for m, name in trained_teachers.items():
        theirs = results.load(paths.results_dir() / f"{name}.json").measured.seeds[0]
        assert record.unimodal[m] == theirs.test.accuracy
        assert record.probes[m] == theirs.probes[m]
    assert (record.epoch, record.curves) == (0, {})


def test_teachers_are_frozen_in_evaluation_mode_and_stay_as_saved(params, monkeypatch):
    """With batch normalisation and an augmented input, where training mode would show."""
    bench = Bench(encoder="series-cnn", epochs=1, samples=40, augment=lambda x, stream: x)
    monkeypatch.setitem(data.DATASETS, "synthetic", lambda: bench.splits)
    monkeypatch.setattr(provenance, "splits", lambda params, seed: bench.splits)
    monkeypatch.setattr(provenance, "code_key", lambda params: "")
    params |= {"dataset": {"name": "synthetic"}, "seeds": [0]}
    params["encoders"] = {m: {**ENCODERS["series-cnn"], "channels": [4, 6]} for m in ("a", "b")}
    for m in ("a", "b"):
        run({**params, "name": f"t-{m}", "method": {"name": "unimodal", "modality": m}})
    started = []
    start = UMT.start

    def spy(self, model, setting):
        started.append(setting)
        start(self, model, setting)

    monkeypatch.setattr(UMT, "start", spy)
    params |= {"method": {"name": "umt"}, "teachers": {"a": "t-a", "b": "t-b"}}
    run(params)
    (setting,) = started
    assert setting.augmented
    for m, teacher in setting.teachers.items():
        assert not any(module.training for module in teacher.modules())
        assert not any(p.requires_grad for p in teacher.parameters())
        assert same(teacher.state_dict(), load_tensors(checkpoint(f"t-{m}"))[0])


def test_umt_weight_0_measures_what_joint_measures(params, trained_teachers):
    joint = run(params).measured
    umt = {"method": {"name": "umt", "weight": 0.0}, "teachers": trained_teachers, "name": "umt"}
    assert run(params | umt).measured.seeds == joint.seeds


# --- choosing ------------------------------------------------------------------------------------


def test_a_sweep_is_decided_by_the_validation_mean(params, monkeypatch):
    monkeypatch.setitem(METHODS, "scaled", Scaled)
    sweep = [0.0, 1.0, -1.0]  # neither the first nor the last is to be chosen
    single = {
        s: run({**params, "name": f"s{i}", "method": {"name": "scaled", "scale": s}}).measured
        for i, s in enumerate(sweep)
    }
    means = {s: sum(r.validation.accuracy for r in m.seeds) / 2 for s, m in single.items()}
    assert means[1.0] > max(means[0.0], means[-1.0])
    result = run({**params, "method": {"name": "scaled"}, "sweep": {"scale": sweep}})
    assert [(t.field, t.value) for t in result.measured.sweep] == [("scale", s) for s in sweep]
    assert [t.validation for t in result.measured.sweep] == list(means.values())
    assert result.measured.chosen == {"scale": 1.0}
    assert result.measured.seeds == single[1.0].seeds


def test_the_first_seeds_decide_a_sweep_and_the_others_train_its_choice_alone(params, runs):
    params |= {"seeds": [4, 1, 2, 0], "method": {"name": "joint-auxiliary"}}
    result = run({**params, "sweep": {"weight": [0.5, 2.0]}})
    values = [t.value for t in result.measured.sweep]
    chosen = result.measured.chosen["weight"]
    single = run({**params, "name": "one", "method": {"name": "joint-auxiliary", "weight": chosen}})
    assert result.measured.seeds == single.measured.seeds
    means = [sum(r.validation.accuracy for r in single.measured.seeds[:3]) / 3]
    assert [t.validation for t in result.measured.sweep if t.value == chosen] == means
    models = {path.stem for path in (runs / "checkpoints" / params["name"]).iterdir()}
    swept = {f"seed{seed}-weight{value}" for seed in (4, 1, 2) for value in values}
    kept = {f"seed{seed}" for seed in (4, 1, 2, 0)}
    assert models == swept | {f"seed0-weight{chosen}"} | kept


def test_the_test_split_is_read_once_per_seed_whatever_is_swept(params, monkeypatch):
    params |= {"method": {"name": "joint-auxiliary"}, "sweep": {"weight": [0.0, 1.0, 2.0]}}
    made = Experiment.from_params(params)
    reads = Counter()
    real = experiment.outputs
    parts = {len(getattr(made.splits, p)): p for p in ("train", "validation", "test")}

    def spy(model, split):
        reads[parts[len(split)]] += 1
        return real(model, split)

    monkeypatch.setattr(experiment, "outputs", spy)
    trials = len(made.run("cpu", progress=False).measured.sweep)
    assert reads == {"test": 2, "train": 2, "validation": 2 * trials + 2}


def test_the_test_split_decides_nothing(params):
    """Labels of the test split changed: every choice and curve stays, only the scores move."""
    honest = Experiment.from_params(params)

    def wrong(seed):
        splits = honest.data(seed)
        return replace(splits, test=replace(splits.test, y=1 - splits.test.y))

    fooled = Experiment(params, wrong).run("cpu", progress=False).measured.seeds
    for record, expected in zip(fooled, run(params).measured.seeds, strict=True):
        assert (record.epoch, record.curves) == (expected.epoch, expected.curves)
        assert record.test.accuracy == pytest.approx(1 - expected.test.accuracy)


# --- resuming ----------------------------------------------------------------------------------


def test_adding_a_seed_trains_that_seed_only(params, fits):
    before = run(params).measured.seeds
    after = run({**params, "seeds": [0, 1, 2]}).measured.seeds
    assert fits == [(0, 3), (1, 3), (2, 3)]
    assert after[:2] == before


def test_a_checkpoint_made_from_other_things_is_not_used(params, fits):
    run(params)
    params["training"] = {**params["training"], "learning_rate": 0.01}
    changed = run(params)
    assert fits == [(0, 3), (1, 3)] * 2
    fresh = run({**params, "name": "fresh"})
    assert changed.measured == fresh.measured


def test_changed_code_trains_again(params, fits, monkeypatch):
    run({**params, "seeds": [0]})
    monkeypatch.setattr(provenance, "code_key", lambda params: "other code")
    run({**params, "seeds": [0]})
    assert fits == [(0, 3), (0, 3)]


def test_retrained_teachers_retrain_the_student(params, trained_teachers, fits):
    params |= {"method": {"name": "umt"}, "teachers": trained_teachers, "seeds": [0]}
    run(params)
    other = {**params["training"], "learning_rate": 0.01}
    unimodal = {"method": {"name": "unimodal", "modality": "a"}, "teachers": {}}
    run({**params, **unimodal, "name": trained_teachers["a"], "training": other})
    run(params)
    assert fits == [(0, 3)] * 3


def test_a_killed_training_resumes_where_it_was(params, fits, monkeypatch):
    """Through the files: the same bytes as a run that nothing happened to, and no leftovers."""
    params["seeds"] = [0]
    whole = run({**params, "name": "whole"})
    monkeypatch.setattr(experiment, "SAVE_EVERY", 0.0)
    saved = []

    def save_then_die(path, state, key):
        save_state(path, state, key)
        saved.append(path)
        if state.progress.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "save_state", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        run(params)
    assert not (paths.results_dir() / "tiny.json").exists()
    assert saved[0].exists()
    assert not checkpoint().exists()
    resumed = run(params)
    assert resumed.measured_bytes() == whole.measured_bytes()
    assert fits == [(0, 3), (0, 1)]
    assert [p.name for p in saved[0].parent.iterdir()] == ["seed0.safetensors"]


# --- refusals: exit status 2, one sentence, no traceback ---------------------------------------


@pytest.fixture
def refused(capsys):
    """main() on a file, which must fail; gives the sentence."""

    def call(*arguments: str) -> str:
        assert main([*arguments, "--device", "cpu"]) == 2
        sentence = capsys.readouterr().err.strip().splitlines()[-1]
        assert "Traceback" not in sentence
        return sentence

    return call


def test_the_command_measures_the_same_as_python(params, params_file, capsys):
    assert main([params_file(), "--device", "cpu"]) == 0
    assert "tiny: test accuracy" in capsys.readouterr().out
    through_files = results.load(paths.results_dir() / "tiny.json")
    assert through_files.measured == run({**params, "name": "other"}).measured


def test_a_trial_keeps_the_result_and_the_models_of_its_params_file(
    params, params_file, capsys, runs
):
    """Not only the same key twice: any valid key may be set, also one that is not in the file."""
    whole = run(params)
    model = checkpoint().read_bytes()
    settings = ["--set", "seeds=[1]", "--set", "training.learning_rate=0.2"]
    assert main([params_file(), "--device", "cpu", *settings]) == 0
    assert results.load(paths.results_dir() / "tiny.json") == whole
    assert checkpoint().read_bytes() == model
    (file,) = (runs / "trials").iterdir()
    trial = results.load(file)
    assert trial.name == file.stem != "tiny"
    assert trial.params["training"]["learning_rate"] == 0.2
    assert [record.seed for record in trial.measured.seeds] == [1]
    printed = capsys.readouterr().out
    assert "(one seed)" in printed
    assert str(file) in printed
    assert "inf" not in printed


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("training.epoch=1", "unknown key 'training.epoch'; did you mean 'epochs'?"),
        ("training.epochs.more=1", "'training.epochs' has no keys"),
        ("seeds=[-1]", "seeds.0: input should be greater than or equal to 0"),
        ("seeds", "KEY=VALUE"),
        ("seeds=[0", "not readable as YAML"),
        ("training.epochs=many", "training.epochs"),
        ("training={epochs: 1, epochs: 2}", "key 'epochs' is twice in line 1"),
        ("sweep.weight=[1, 2]", "sweep.weight: method 'joint' has no hyper-parameter 'weight'"),
        ("dataset.uni_a=0.5", "dataset.uni_a: input should be a valid list, not 0.5"),
    ],
)
def test_a_setting_that_cannot_be(params_file, refused, setting, words):
    assert words in refused(params_file(), "--set", setting)


def test_a_setting_cannot_give_the_name_of_another_experiment(params_file, refused, runs):
    assert "the name is that of the file" in refused(params_file(), "--set", "name=other")
    assert not (runs / "results").exists()


def test_an_analysis_a_folder_and_a_misspelt_key_are_named_as_what_they_are(
    params, params_file, refused, tmp_path
):
    file = tmp_path / "theory.yaml"
    file.write_text("name: theory\nanalysis: {name: theory}\n")
    assert f"run umt analyse {file}" in refused(str(file))
    assert "is a folder; name one of the params files in it" in refused(str(tmp_path))
    params["trainin"] = params.pop("training")
    assert "unknown key 'trainin'; did you mean 'training'?" in refused(params_file())


def test_a_missing_params_file(params_file, refused):
    sentence = refused(params_file().replace("tiny", "tinny"))
    assert "no such params file" in sentence
    assert "did you mean 'tiny'?" in sentence


def test_a_teacher_or_a_rate_that_exists_nowhere_gives_the_nearest_name(
    params, params_file, refused, tmp_path, monkeypatch
):
    monkeypatch.setattr(paths, "PARAMS", tmp_path / "params")
    paths.PARAMS.mkdir()
    for name in ("tiny-a", "tiny-b", "tiny-joint"):
        (paths.PARAMS / f"{name}.yaml").touch()
    file = params_file()
    sentence = refused(file, "--set", "learning_rate_of=tiny-jont")
    assert "learning_rate_of: 'tiny-jont' has neither a params file in " in sentence
    assert "did you mean 'tiny-joint'?" in sentence
    teachers = ["--set", "method={name: umt}", "--set", "teachers={a: tiny-a, b: tiny-bb}"]
    assert "teachers.b: 'tiny-bb' has neither a params file in " in refused(file, *teachers)


def test_a_repeated_value_of_a_sweep(params_file, refused):
    sentence = refused(params_file(), "--set", "sweep={learning_rate: [0.1, 0.2, 0.1]}")
    assert "sweep.learning_rate [0.1, 0.2, 0.1] repeats; give each value once" in sentence


@pytest.fixture
def repository(params, tmp_path, monkeypatch) -> Path:
    """A folder params/ with the file of ``tiny``, whose result and models are on this machine."""
    monkeypatch.setattr(paths, "PARAMS", tmp_path / "params")
    paths.PARAMS.mkdir()
    file = paths.PARAMS / "tiny.yaml"
    file.write_text(yaml.safe_dump(params))
    assert main([str(file), "--device", "cpu"]) == 0
    return file


def test_a_changed_copy_of_a_params_file_keeps_the_result_and_the_models_of_the_file(
    params, params_file, repository, runs, capsys
):
    """Of the file of that name in params/; a copy of it that is the same measures the same."""
    whole, model = results.load(runs / "results/tiny.json"), checkpoint().read_bytes()
    assert main([params_file(), "--device", "cpu"]) == 0
    assert not (runs / "trials").exists()
    params["training"]["epochs"] = 1
    capsys.readouterr()
    assert main([params_file(), "--device", "cpu"]) == 0
    assert results.load(runs / "results/tiny.json").measured == whole.measured
    assert checkpoint().read_bytes() == model
    (file,) = (runs / "trials").iterdir()
    assert f"a trial, in {file}; the result of tiny is kept" in capsys.readouterr().out


def test_what_only_estimates_the_time_makes_no_trial(params, params_file, repository, runs):
    params["resources"] = {"gpu_hours": 3}
    assert main([params_file(), "--device", "cpu"]) == 0
    assert not (runs / "trials").exists()


def test_the_files_of_another_folder_may_stand_for_those_of_the_repository(
    params, params_file, repository, runs, monkeypatch
):
    params["training"]["epochs"] = 1
    file = params_file()
    monkeypatch.setenv("UMT_PARAMS", str(Path(file).parent))
    assert main([file, "--device", "cpu"]) == 0
    assert results.load(runs / "results/tiny.json").params == params
    assert not (runs / "trials").exists()


def test_a_missing_teacher(params, params_file, refused, tmp_path, monkeypatch):
    params |= {"method": {"name": "umt"}, "teachers": {"a": "tiny-a", "b": "tiny-b"}}
    for name in params["teachers"].values():
        (tmp_path / f"{name}.yaml").touch()
    monkeypatch.setattr(paths, "PARAMS", tmp_path)
    sentence = refused(params_file())
    assert "teacher 'tiny-a' has no model for seed 0" in sentence
    assert "umt run params/tiny-a.yaml" in sentence


@pytest.mark.parametrize("other", ["data", "modality", "encoder"])
def test_teachers_of_something_else(params, params_file, refused, trained_teachers, other):
    params |= {"method": {"name": "umt"}, "teachers": trained_teachers}
    if other == "data":
        params["dataset"] = {**params["dataset"], "noise": 0.7}
    elif other == "modality":
        params["teachers"] = {"a": "tiny-b", "b": "tiny-a"}
    else:
        params["encoders"] = {**params["encoders"], "a": {"name": "mlp", "hidden": 12, "dim": 7}}
    sentence = refused(params_file())
    assert "teacher 'tiny-" in sentence
    assert "on the same data" in sentence


def test_a_teacher_trained_by_other_code_is_refused(
    params, params_file, refused, trained_teachers, monkeypatch
):
    """Other code may have other splits: such a teacher may have seen the test samples."""
    params |= {"method": {"name": "ume"}, "teachers": trained_teachers}
    monkeypatch.setattr(provenance, "code_key", lambda params: "other code")
    sentence = refused(params_file())
    assert "teacher 'tiny-a' was trained by other code or on other data" in sentence
    assert "run umt run params/tiny-a.yaml again" in sentence


def test_a_teacher_of_an_older_version_is_refused_with_the_command_that_renews_it(
    params, params_file, refused, trained_teachers, runs
):
    """Its tensors have other names; the same for models that the diagnostics load."""
    params |= {"method": {"name": "umt"}, "teachers": trained_teachers}
    file = runs / "checkpoints/tiny-b/seed0.safetensors"
    tensors, about = load_tensors(file)
    save_tensors(file, {name.replace("encoders", "nets"): t for name, t in tensors.items()}, about)
    sentence = refused(params_file())
    assert "tiny-b: its checkpoint does not fit the model of this version" in sentence
    assert "run umt run params/tiny-b.yaml again" in sentence
    with pytest.raises(StudyError, match=r"umt run params/tiny-b\.yaml again"):
        experiment.finished("tiny-b", 0)


def test_encoders_that_do_not_match_the_modalities(params, params_file, refused):
    params["encoders"]["c"] = params["encoders"].pop("b")
    assert "the modalities of 'synthetic' are ['a', 'b']" in refused(params_file())


def test_an_encoder_for_another_shape(params, params_file, refused):
    params["encoders"]["a"] = {"name": "image-cnn"}
    assert "do not take samples of {'a': (8,)" in refused(params_file())


@pytest.mark.parametrize("content", [b"", b"broken", None], ids=["empty", "text", "truncated"])
@pytest.mark.parametrize("tag", ["seed0", "seed0.unfinished"])
def test_a_damaged_checkpoint(params, params_file, refused, content, tag):
    params["seeds"] = [0]
    run(params)
    path = checkpoint(tag=tag)
    whole = checkpoint().read_bytes()
    if tag != "seed0":
        checkpoint().unlink()
    path.write_bytes(whole[:-100] if content is None else content)
    sentence = refused(params_file())
    assert str(path) in sentence
    assert "damaged" in sentence
    path.unlink()
    assert main([params_file(), "--device", "cpu"]) == 0


def test_a_damaged_teacher(params, params_file, refused, trained_teachers):
    params |= {"method": {"name": "ume"}, "teachers": trained_teachers}
    path = checkpoint("tiny-b")
    path.write_bytes(path.read_bytes()[:200])
    sentence = refused(params_file())
    assert str(path) in sentence
    assert "damaged" in sentence


def test_a_loss_that_explodes_leaves_no_result(params, params_file, refused):
    params["training"]["learning_rate"] = 1e30
    sentence = refused(params_file())
    assert sentence.startswith("tiny: the training loss became nan")
    assert not (paths.results_dir() / "tiny.json").exists()


@pytest.mark.parametrize("where", ["checkpoints", "results"])
def test_a_full_disk(params_file, refused, monkeypatch, runs, where):
    real = experiment.save_tensors.__globals__["os"].replace

    def full(source, target):
        if f"/{where}/" in str(target):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr("umt_lib.files.os.replace", full)
    sentence = refused(params_file())
    assert "No space left on device" in sentence
    assert not list(runs.rglob("*.partial"))
    assert not list((runs / where).rglob("*.*"))
    monkeypatch.setattr("umt_lib.files.os.replace", real)
    assert main([params_file(), "--device", "cpu"]) == 0


def test_ctrl_c_exits_with_130(params_file, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Joint, "loss", interrupted)
    assert main([params_file(), "--device", "cpu"]) == 130
    assert "the same command resumes from here" in capsys.readouterr().err


def test_a_device_that_is_not_there(params_file, capsys):
    assert main([params_file(), "--device", "abacus"]) == 2
    assert "device 'abacus' cannot be used" in capsys.readouterr().err
    assert main([params_file(), "--device", "meta"]) == 2
    said = capsys.readouterr().err
    assert "device 'meta' cannot be used" in said
    assert said.count("\n") == 1


def test_a_result_file_is_plain_json(params):
    run({**params, "seeds": [0]})
    text = (paths.results_dir() / "tiny.json").read_text()
    assert list(json.loads(text)) == ["format", "name", "params", "measured", "provenance"]


def test_probes_learn_from_a_bounded_number_of_training_samples(params, monkeypatch):
    seen = []
    real = experiment.linear_probe
    monkeypatch.setattr(experiment, "PROBED", 20)
    monkeypatch.setattr(
        experiment, "linear_probe", lambda z, *rest: seen.append(len(z)) or real(z, *rest)
    )
    run({**params, "seeds": [0]})
    assert seen == [20, 20]


@pytest.mark.parametrize("compiled_encoders", [False, True])
def test_encoders_are_compiled_if_params_say_so(params, monkeypatch, compiled_encoders):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compiled.append(module))
    params["training"]["compile"] = compiled_encoders
    model = Experiment.from_params(params).make()
    assert compiled[-2:] == (list(model.encoders.values()) if compiled_encoders else [])


# --- seeds ---------------------------------------------------------------------------------------


def test_a_seed_is_also_a_split_of_small_data(params):
    made = Experiment.from_params({**params, "seeds": [0, 1, 5]})
    assert same(made.data(0).test.x, made.data(5).test.x)  # fold 0 again
    assert not same(made.data(0).test.x, made.data(1).test.x)
    trained = run({**params, "seeds": [1]})
    (record,) = trained.measured.seeds
    model, splits = experiment.finished("tiny", 1)
    assert same(splits.test.x, made.data(1).test.x)
    with torch.no_grad():
        right = model(splits.test.x).fused.argmax(1) == splits.test.y
    assert right.double().mean().item() == record.test.accuracy


def test_teachers_are_those_of_the_same_split(params, trained_teachers, monkeypatch):
    """The model and the validation split that UMT sees have the fold of its seed."""
    started = []
    monkeypatch.setattr(UMT, "start", lambda self, model, setting: started.append(setting))
    monkeypatch.setattr(UMT, "targets", lambda self, batch: dict.fromkeys("ab", 0.0))
    monkeypatch.setattr(UMT, "loss", Joint.loss)
    made = Experiment.from_params(
        {**params, "method": {"name": "umt"}, "teachers": trained_teachers}
    )
    made.run("cpu", progress=False)
    for seed, setting in zip(params["seeds"], started, strict=True):
        assert torch.equal(setting.train.y, made.data(seed).train.y)
        for m, teacher in setting.teachers.items():
            assert same(
                teacher.state_dict(), load_tensors(checkpoint(f"tiny-{m}", f"seed{seed}"))[0]
            )


def test_a_data_set_with_an_official_test_split_keeps_it(params, monkeypatch):
    bench = Bench()
    monkeypatch.setitem(data.DATASETS, "synthetic", lambda **options: bench.splits)
    monkeypatch.setattr(provenance, "_splits", lambda dataset, fold: fold)
    assert provenance.splits(params, 3) is None


@pytest.mark.parametrize("modality", ["a", "b"])
def test_a_student_does_not_start_as_its_teacher(params, modality):
    """Every weight matrix of the encoder differs; two joint models of a seed start alike."""

    def start(method, seed=0):
        made = Experiment.from_params({**params, "method": method})
        made.initialise(seed)
        return made.method({}).build(made.make, {}).encoders[modality].state_dict()

    teacher = start({"name": "unimodal", "modality": modality})
    student = start({"name": "joint"})
    matrices = [name for name, tensor in student.items() if tensor.ndim > 1]
    assert matrices
    assert not any(torch.equal(student[name], teacher[name]) for name in matrices)
    assert same(student, start({"name": "modality-dropout"}))
    assert not same(student, start({"name": "joint"}, seed=1))


# --- what is scored ------------------------------------------------------------------------------


def test_the_test_score_is_that_of_the_prediction_of_the_method(params, monkeypatch):
    """Not of the fused logits: here the prediction is their opposite."""
    monkeypatch.setitem(METHODS, "scaled", Scaled)
    result = run({**params, "seeds": [0], "method": {"name": "scaled", "scale": -1.0}})
    model, splits = experiment.finished("tiny", 0)
    fused, (record,) = outputs(model, splits.test).fused, result.measured.seeds
    assert record.test.accuracy == metrics.accuracy(-fused, splits.test.y)
    assert record.test.accuracy != metrics.accuracy(fused, splits.test.y)
    assert record.test.nll == metrics.nll(-fused, splits.test.y)


@dataclass
class Opposed(Joint):
    """A method with a prediction of its own on the validation split."""

    def validate(self, out, split):
        return -out.fused


def test_the_validation_score_is_that_of_the_hook_for_it(params, monkeypatch):
    """UME fits weights to this split, and must not be scored by those."""
    monkeypatch.setitem(METHODS, "opposed", Opposed)
    (record,) = run({**params, "seeds": [0], "method": {"name": "opposed"}}).measured.seeds
    curve = record.curves["validation_accuracy"]
    assert record.validation.accuracy == pytest.approx(1 - curve[record.epoch - 1])
    assert record.validation.accuracy < 0.5


def test_probes_learn_from_the_training_split_and_are_scored_on_the_test_split(params):
    (record,) = run({**params, "seeds": [0]}).measured.seeds
    model, splits = experiment.finished("tiny", 0)
    train, test = splits.train, splits.test
    known, held = (outputs(model, split).features for split in (train, test))
    for m, found in record.probes.items():
        assert found == linear_probe(known[m], train.y, held[m], test.y)
        assert found != linear_probe(known[m], train.y, known[m], train.y)
