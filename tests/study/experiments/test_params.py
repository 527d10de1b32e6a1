"""Params files: every mistake is one sentence that names the file, the value and the fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
import yaml

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.methods import METHODS, Joint
from umt_lib.study.experiments import params as params_files


def sentence(params) -> str:
    with pytest.raises(StudyError) as caught:
        params_files.check(params, "params/tiny.yaml")
    text = str(caught.value)
    assert text.startswith("params/tiny.yaml: ")
    assert "\n" not in text
    return text


def put(params, key, value):
    *parents, last = key.split(".")
    for parent in parents:
        params = params[parent]
    params[last] = value


def test_a_right_file_passes_and_is_left_as_it_is(params, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(params))
    assert params_files.read(path) == params
    assert params_files.read(str(path)) == params


def test_a_key_that_a_mapping_has_twice_is_refused_with_both_lines(params, tmp_path):
    path = tmp_path / "tiny.yaml"
    text = yaml.safe_dump(params, sort_keys=False)
    line = 1 + text.splitlines().index("seeds:")
    last = 1 + len(text.splitlines())
    path.write_text(f"{text}seeds: [7]\n")
    with pytest.raises(StudyError, match=f"key 'seeds' is in line {line} and in line {last}"):
        params_files.read(path)
    path.write_text(text.replace("epochs: 3", "epochs: 3\n  epochs: 4"))
    with pytest.raises(StudyError, match="key 'epochs' is in line"):
        params_files.read(path)
    path.write_text("[" * 100_000)  # so deep that the YAML library in C would end the process
    with pytest.raises(StudyError, match="not readable as YAML"):
        params_files.read(path)


def test_a_misspelt_file_name_gives_at_most_three_of_many_names(tmp_path):
    for number in range(100):
        (tmp_path / f"watch-umt-{number}.yaml").touch()
    with pytest.raises(StudyError) as caught:
        params_files.read(tmp_path / "wacth-umt-7.yaml")
    assert str(caught.value).count("watch-umt-") == 3
    assert "did you mean 'watch-umt-7' or " in str(caught.value)
    with pytest.raises(StudyError, match=r"no such params file; no name is similar$"):
        params_files.read(tmp_path / "qqq.yaml")
    with pytest.raises(StudyError, match=r"no such params file; its folder has none$"):
        params_files.read(tmp_path / "other/qqq.yaml")


@pytest.mark.parametrize(
    ("typo", "value", "meant"),
    [
        ("sed", [0], "seeds"),
        ("training.epoch", 3, "epochs"),
        ("dataset.n_trian", 10, "n_train"),
        ("encoders.a.hiden", 10, "hidden"),
        ("head.hiden", 10, "hidden"),
        ("method.wieght", 1.0, "weight"),
    ],
)
def test_a_typo_at_any_depth_gives_the_nearest_name(params, typo, value, meant):
    params |= {"head": {"name": "mlp"}, "method": {"name": "joint-auxiliary"}}
    put(params, typo, value)
    text = sentence(params)
    assert repr(typo) in text
    assert f"did you mean {meant!r}?" in text


def test_a_key_of_training_that_is_written_beside_it(params):
    params["epochs"] = params["training"].pop("epochs")
    assert "unknown key 'epochs'; did you mean 'training.epochs'?" in sentence(params)


def test_where_no_name_is_similar_all_are_listed(params):
    params["zzz"] = 1
    assert "unknown key 'zzz' (known: name, dataset, " in sentence(params)


@pytest.mark.parametrize(
    ("key", "value"), [("encoders.a.dim", 0), ("encoders.b.channels", [16, 0]), ("head.hidden", 0)]
)
def test_a_layer_has_at_least_one_unit(params, key, value):
    params |= {"head": {"name": "mlp"}}
    if "channels" in key:
        params["encoders"]["b"] = {"name": "image-cnn"}
    put(params, key, value)
    assert f"{key} is {value!r}; give 1 or more" in sentence(params)


def test_the_largest_seed_can_be_used_for_augmented_data():
    """As the loader does, in a late epoch and batch."""
    number = params_files.LARGEST_SEED * 100_003 + 10_000
    torch.Generator().manual_seed(number * 1_000_003 + 1_000_000)


def test_a_key_where_none_is_taken(params):
    params["head"]["hidden"] = 5
    assert "'head.hidden'; none is allowed here" in sentence(params)


@pytest.mark.parametrize(
    ("key", "name", "meant"),
    [
        ("dataset", "sinthetic", "synthetic"),
        ("encoders.b", "image-cn", "image-cnn"),
        ("head", "liner", "linear"),
        ("method", "joint-auxilary", "joint-auxiliary"),
    ],
)
def test_an_unknown_name_gives_the_nearest(params, key, name, meant):
    put(params, f"{key}.name", name)
    text = sentence(params)
    assert f"{key}.name: unknown {name!r}; did you mean {meant!r}?" in text


@pytest.mark.parametrize("name", [["joint"], 3, {"a": 1}])
def test_a_name_that_is_no_name(params, name):
    params["method"]["name"] = name
    assert "method.name: unknown" in sentence(params)


def test_a_method_without_a_name(params):
    params["method"] = {"weight": 1.0}
    assert "method has no name (known: unimodal, ume" in sentence(params)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("training.epochs", "3"),
        ("training.epochs", 2.5),
        ("training.epochs", True),
        ("training.epochs", 0),
        ("training.epochs", -1),
        ("seeds", [99999999999999999999]),
        ("sweep", {"learning_rate": []}),
        ("training.batch_size", 0),
        ("training.learning_rate", "fast"),
        ("training.learning_rate", -0.1),
        ("training.learning_rate", float("nan")),
        ("training.decay", 1.5),
        ("training.precision", "fp16"),
        ("dataset.uni_a", 0.5),
        ("encoders.a.hidden", [3]),
        ("method", "joint"),
        ("encoders", ["mlp"]),
        ("encoders", {}),
        ("seeds", 5),
        ("seeds", []),
        ("seeds", [0.5]),
        ("name", "No Spaces"),
        ("sweep", None),
        ("sweep", {"weight": [1.0]}),
        ("sweep", {"weight": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}),
        ("teachers", ["tiny-a"]),
    ],
)
def test_a_wrong_type_or_a_value_out_of_range_names_key_and_value(params, key, value):
    put(params, key, value)
    text = sentence(params)
    assert f" {key}" in text
    assert "should" in text
    assert "after validation" not in text


def test_a_wrong_value_is_shown(params):
    params["training"]["epochs"] = "many"
    assert "training.epochs: input should be a valid integer, not 'many'" in sentence(params)


@pytest.mark.parametrize(
    ("key", "number", "written"),
    [
        ("weight_decay", "1e-4", "1.0e-4"),
        ("weight_decay", "1.5E2", "1.5e+2"),
        ("epochs", "1e3", "1000"),
        ("epochs", "1.2e2", "120"),
    ],
)
def test_a_number_that_yaml_reads_as_text_is_shown_as_yaml_reads_it(params, key, number, written):
    params["training"] |= yaml.safe_load(f"{key}: {number}")
    text = sentence(params)
    assert f"training.{key}" in text
    assert text.endswith(f"; YAML reads this as text, write {written}")
    params["training"] |= yaml.safe_load(f"{key}: {written}")
    params_files.check(params, "F")


@pytest.mark.parametrize("number", ["1e-3", "1e400", "1e" + "9" * 5000])
def test_what_is_no_whole_number_is_not_shown_as_one(params, number):
    params["training"]["epochs"] = number
    assert sentence(params).endswith(f"valid integer, not {number!r}")


@pytest.mark.parametrize(
    "key", ["name", "dataset", "encoders", "head", "method", "training", "seeds"]
)
def test_a_missing_key(params, key):
    del params[key]
    assert f"key {key!r} is missing" in sentence(params)


def test_a_missing_option(params):
    del params["training"]["epochs"]
    assert "key 'training.epochs' is missing" in sentence(params)
    params["training"]["epochs"] = 1
    params["method"] = {"name": "unimodal"}
    assert "key 'method.modality' is missing" in sentence(params)


def test_duplicate_seeds(params):
    params["seeds"] = [0, 1, 0]
    assert "seeds [0, 1, 0] repeat" in sentence(params)


def test_a_sweep_is_held_to_the_methods_fields(params):
    params |= {"method": {"name": "joint-auxiliary"}, "sweep": {"wait": [1.0, 2.0]}}
    assert "did you mean 'weight'?" in sentence(params)
    params["sweep"] = {"weight": [1.0, "two"]}
    assert "sweep weight=two" in sentence(params)
    params["sweep"] = {"weight": [1.0, -2.0]}
    assert "sweep weight=-2.0" in sentence(params)
    params["sweep"] = {"weight": [1.0, 2.0]}
    params_files.check(params, "F")
    params["method"] = {"name": "joint"}
    assert sentence(params).endswith(
        "sweep.weight: method 'joint' has no hyper-parameter 'weight' (known: learning_rate)"
    )


@pytest.mark.parametrize("sweep", [{"rule": ["mean", "product"], "name": ["ume", "umt"]}, None])
def test_a_sweep_is_of_one_hyper_parameter_and_not_of_the_method(params, sweep):
    params |= {"method": {"name": "ume"}, "sweep": sweep or {"name": ["ume", "umt"]}}
    params["teachers"] = {"a": "x", "b": "y"}
    assert "sweep one hyper-parameter of the method" in sentence(params)


@dataclass
class NeedsUnimodalLogits(Joint):
    """A method that needs uni-modal logits."""

    needs_unimodal_logits: ClassVar[bool] = True


@pytest.mark.parametrize("head", ["mlp", "attention"])
def test_a_method_that_needs_unimodal_logits_refuses_other_heads(params, monkeypatch, head):
    monkeypatch.setitem(METHODS, "needs-logits", NeedsUnimodalLogits)
    params |= {"method": {"name": "needs-logits"}, "head": {"name": head}}
    text = sentence(params)
    assert f"a head {head!r} has none; set head: {{name: linear}}" in text
    params["head"] = {"name": "linear"}
    params_files.check(params, "F")


@pytest.mark.parametrize("teachers", [{}, {"a": "x"}, {"a": "x", "b": "y", "c": "z"}])
def test_teachers_are_named_one_per_modality(params, teachers):
    params |= {"method": {"name": "umt"}, "teachers": teachers}
    assert "'umt' takes teachers for ['a', 'b']" in sentence(params)


def test_teachers_where_none_are_taken(params):
    params["teachers"] = {"a": "x", "b": "y"}
    assert "'joint' takes teachers for no modality" in sentence(params)


def test_a_modality_without_an_encoder(params):
    params["method"] = {"name": "unimodal", "modality": "B"}
    assert "method.modality 'B' has no encoder" in sentence(params)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name: [tiny", "not readable as YAML"),
        (b"\xff\xfe\x00", "not readable as YAML"),
        (b"- a list", "a params file is a mapping"),
        (b"", "a params file is a mapping"),
        (b"just words", "a params file is a mapping"),
        (b"1: 2", "key 'name' is missing"),
    ],
)
def test_a_file_that_is_no_params_file(tmp_path, content, words):
    path = tmp_path / "tiny.yaml"
    path.write_bytes(content)
    with pytest.raises(StudyError) as caught:
        params_files.read(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_params_file(tmp_path):
    with pytest.raises(StudyError, match="is a folder; name one of the params files"):
        params_files.read(tmp_path)


def test_the_name_is_the_files(params, tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(params))
    with pytest.raises(StudyError, match=r"name is 'tiny'; make it 'other'"):
        params_files.read(path)


def test_a_missing_file_gives_its_neighbour(tmp_path):
    (tmp_path / "watch-umt.yaml").touch()
    with pytest.raises(StudyError, match=r"no such params file; did you mean 'watch-umt'\?"):
        params_files.read(tmp_path / "watch-utm.yaml")


@pytest.mark.parametrize("place", ["", "params/", "elsewhere/"])
@pytest.mark.parametrize("file", ["watch-umt", "analyses/theory"])
def test_a_name_without_yaml_gives_the_file(tmp_path, monkeypatch, place, file):
    (tmp_path / "params/analyses").mkdir(parents=True)
    (tmp_path / f"params/{file}.yaml").touch()
    monkeypatch.setattr(paths, "PARAMS", tmp_path / "params")
    monkeypatch.chdir(tmp_path)
    given = f"{place}{file.rpartition('/')[2]}"
    with pytest.raises(StudyError) as caught:
        params_files.read(given)
    assert str(caught.value) == f"{given}: no such params file; did you mean params/{file}.yaml?"


def test_options_drop_the_name_and_make_lists_tuples():
    assert params_files.options({"name": "x", "channels": [1, 2], "kernel": 3}) == {
        "channels": (1, 2),
        "kernel": 3,
    }
