"""The command ``umt prepare``: options, help, exit statuses, downloads."""

import re
import sys
import threading
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler

import pytest

from umt_lib import __main__ as umt
from umt_lib.data.prepare import __main__ as command
from umt_lib.data.prepare import recipe, vggsound
from umt_lib.errors import StudyError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture
def web(tmp_path):
    """A server on this machine; (its address, the folder it serves)."""
    served = tmp_path / "served"
    served.mkdir()
    with HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=served)) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", served
        http.shutdown()
        thread.join()


def test_the_list_is_downloaded_once_and_named_by_its_hash(web, tmp_path, monkeypatch):
    address, served = web
    (served / "vggsound.csv").write_text("a,1,x,train\n")
    monkeypatch.setattr(vggsound, "LIST", f"{address}/vggsound.csv")
    first = vggsound.download(tmp_path / "root", {})
    assert "sha256 4d124c38" in first
    assert "YouTube ids only" in first
    (served / "vggsound.csv").unlink()
    assert vggsound.download(tmp_path / "root", {}) == first
    with pytest.raises(
        StudyError, match=r"other\.csv: cannot be downloaded from http://127.* by hand"
    ):
        recipe.fetch_list(f"{address}/other.csv", tmp_path)
    assert not (tmp_path / "other.csv").exists()


def test_bad_input_is_one_sentence_and_status_2(tmp_path, capsys):
    assert command.main(["ucf101", "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "classInd.txt: not a readable list" in said


def test_raw_files_and_arrays_need_two_folders(tmp_path, capsys):
    assert command.main(["ucf101", "--root", str(tmp_path), "--out", f"{tmp_path}/."]) == 2
    assert "is --root and --out; give another folder as --out" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("empty", ["--root", "--out"])
def test_an_empty_folder_is_not_the_current_one(empty, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = {"--root": "raw", "--out": "out"} | {empty: ""}
    with pytest.raises(SystemExit):
        command.main(["ucf101", *(word for pair in folders.items() for word in pair)])
    assert "the name of the folder is empty; give a folder" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("dataset", command.RECIPES)
def test_a_root_that_does_not_exist_is_named_before_anything_is_written(
    dataset, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert command.main([dataset, "--root", "nope", "--out", "out"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{tmp_path / 'nope'}: no such folder; give the folder of the raw files")
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (
            ["--size", "0"],
            r"empty samples of 'video' with the shape \(3, 0, 0, 3\); give larger settings",
        ),
        (["--frames", "-1"], r"'frames': -1, .*give larger settings"),
        (["--seconds", "0.01"], r"samples of 'audio' with the shape \(129, 0\)"),
    ],
)
def test_settings_that_give_empty_samples_are_refused_before_a_file_is_written(
    tmp_path, capsys, option, said
):
    for name in ("1001_DFA_ANG_XX.wav", "1001_DFA_ANG_XX.flv"):
        (tmp_path / name).touch()
    given = ["cremad", "--root", str(tmp_path), "--out", str(tmp_path / "out"), *option]
    assert command.main(given) == 2
    assert re.search(said, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_a_training_split_without_a_sample_is_refused_before_a_file_is_written(tmp_path, capsys):
    for folder in ("train", "test"):
        (tmp_path / "ModelNet40/chair" / folder).mkdir(parents=True)
    (tmp_path / "ModelNet40/chair/test/chair_1.off").touch()
    assert command.main(["modelnet40", "--root", str(tmp_path), "--out", f"{tmp_path}/out"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("1 samples are listed, none of them for training; check --root")
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--min-share", "2"),
        ("--min-share", "half"),
        ("--workers", "0"),
        ("--workers", "two"),
        ("--size", "big"),
        ("--seconds", "nan"),
        ("--seconds", "inf"),
        ("--seconds", "long"),
    ],
)
def test_an_option_out_of_its_range_is_status_2(tmp_path, capsys, option, value):
    given = ["cremad", "--root", str(tmp_path), "--out", str(tmp_path / "out"), option, value]
    with pytest.raises(SystemExit, match="2"):
        command.main(given)
    said = capsys.readouterr().err
    assert f"{option}: " in said
    assert repr(value) in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "required: DATASET; see umt prepare --help"),
        (["--root", "/nope"], "name the data set before --root, one of vggsound, kinetics400"),
        (["vgg-sound"], "unknown data set 'vgg-sound'; did you mean 'vggsound'"),
        (["cremad"], "required: --root, --out; see umt prepare cremad --help"),
        (
            ["cremad", "--root", "a", "--out", "b", "--flow", "dis"],
            "unrecognized arguments: --flow",
        ),
    ],
)
def test_a_usage_error_of_the_umt_command_is_one_sentence_and_status_2(arguments, sentence, capsys):
    with pytest.raises(SystemExit, match="2"):
        umt.main(["prepare", *arguments])
    said = capsys.readouterr().err
    assert said.startswith("umt prepare")
    assert sentence in said
    assert said.count("\n") == 1


def test_the_help_of_the_umt_command_names_every_data_set(capsys):
    with pytest.raises(SystemExit, match="0"):
        umt.main(["prepare", "--help"])
    said = capsys.readouterr().out
    assert said.startswith("usage: umt prepare DATASET --root ROOT --out OUT")
    assert all(name in said for name in command.RECIPES)


def test_ctrl_c_is_status_130_and_says_how_to_resume(tmp_path, capsys, monkeypatch):
    def interrupted(*given, **more):
        raise KeyboardInterrupt

    for name in ("1001_DFA_ANG_XX.wav", "1001_DFA_ANG_XX.flv"):
        (tmp_path / name).touch()
    monkeypatch.setattr(command, "prepare", interrupted)
    assert command.main(["cremad", "--root", str(tmp_path), "--out", str(tmp_path / "out")]) == 130
    assert "run the same command again to resume" in capsys.readouterr().err


@pytest.mark.parametrize("dataset", command.RECIPES)
def test_every_recipe_is_complete_and_its_settings_are_options(dataset, capsys):
    found = command._recipe(dataset)
    counts = found.official_counts(found.settings)
    assert counts
    assert min(counts.values()) > 1
    assert len(found.layout(found.settings)) >= 2
    assert found.help.keys() == found.settings.keys()
    with pytest.raises(SystemExit, match="0"):
        umt.main(["prepare", dataset, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert f"usage: umt prepare {dataset} " in said
    assert "Raw files" in said
    assert all(f"--{key.replace('_', '-')}" in said for key in found.settings)
    assert all(f"(default: {default})" in said for default in found.settings.values())


def test_a_missing_package_is_named_with_the_fix(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delattr("umt_lib.data.prepare.media")
    monkeypatch.delitem(sys.modules, "umt_lib.data.prepare.media")
    monkeypatch.delitem(sys.modules, "umt_lib.data.prepare.vggsound")
    with pytest.raises(StudyError, match=r"needs the package 'av'; run pip install -e"):
        command._recipe("vggsound")
