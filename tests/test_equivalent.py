"""Code that changed without a number changing: both are run, and only then is it written down."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from umt_lib import equivalent, paths, provenance
from umt_lib.errors import StudyError
from umt_lib.paths import ROOT

AS_IT_IS = "(logits.argmax(1) == y).double()"
SAME = (AS_IT_IS, f"{AS_IT_IS}.mul(1.0)")


@pytest.fixture
def study(tmp_path, monkeypatch, params) -> Path:
    """One experiment, "published", its params file and its table of rows under this folder."""
    for name, place in {"PARAMS": "params", "PUBLISHED": "results"}.items():
        (tmp_path / place).mkdir()
        monkeypatch.setattr(paths, name, tmp_path / place)
    for module in (paths, provenance):
        monkeypatch.setattr(module, "EQUIVALENT", tmp_path / "results/equivalent.csv")
    (tmp_path / "params/tiny.yaml").write_text(yaml.safe_dump(params))
    (tmp_path / "results/tiny.json").write_text("{}")
    provenance.equivalents.cache_clear()
    yield tmp_path
    provenance.equivalents.cache_clear()


def checkout(folder: Path, change: tuple[str, str]) -> Path:
    """A commit of the study in ``folder``, its accuracy written otherwise."""
    for name in ("umt_lib", "notebooks", "profiles"):
        ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("Snakefile", "constraints.txt", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    file = folder / "umt_lib/metrics.py"
    text = file.read_text()
    assert change[0] in text
    file.write_text(text.replace(*change, 1))
    git = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "before"]):
        subprocess.run([*git, *command], check=True)
    return folder


def rows() -> list[dict[str, str]]:
    with paths.EQUIVALENT.open(newline="") as file:
        return list(csv.DictReader(file))


def test_results_of_the_code_before_stay_current_if_all_measures_the_same(study, params, capfd):
    before = checkout(study / "before", SAME)
    was = provenance.meaning(before / "umt_lib/metrics.py")
    key = provenance.code_key(params)
    assert equivalent.main([str(before), "one product less"]) == 0, capfd.readouterr().err
    (row,) = rows()
    assert (row["module"], row["before"]) == ("umt_lib/metrics.py", was)
    assert (row["compared"], row["why"]) == ("1", "one product less")
    assert row["commit"] == provenance.commit(before)
    assert provenance.code_key(params) != key
    assert provenance.stands_for(ROOT / "umt_lib/metrics.py") == was


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_what_is_no_clean_checkout_is_refused_before_anything_runs(study, name):
    with pytest.raises(StudyError, match="not a checkout of a commit without changes"):
        equivalent.show(study / name, "")


def test_a_checkout_of_the_same_code_has_nothing_to_show(study):
    before = checkout(study / "before", (AS_IT_IS, AS_IT_IS))
    with pytest.raises(StudyError, match="no code that decides numbers differs"):
        equivalent.show(before, "")


def test_data_that_is_not_here_is_named_before_anything_runs(study, params):
    elsewhere = {**params, "dataset": {"name": "furniture224", "folder": "not/prepared"}}
    (study / "params/tiny.yaml").write_text(yaml.safe_dump(elsewhere))
    before = checkout(study / "before", SAME)
    with pytest.raises(StudyError, match=r"data of 1 of 1 .* first that of 'tiny'"):
        equivalent.show(before, "")


def test_rows_reach_back_to_the_first_meaning_and_go_with_a_change_for_good(study):
    module, file = "umt_lib/metrics.py", ROOT / "umt_lib/metrics.py"
    now = provenance.meaning(file)
    equivalent.write({module: ("first", now), "umt_lib/gone.py": ("x", "y")}, "c", 1, "w")
    assert provenance.stands_for(file) == "first"
    equivalent.write({"umt_lib/probes.py": ("", "z")}, "c", 1, "w")
    assert [row["module"] for row in rows()] == ["umt_lib/metrics.py", "umt_lib/probes.py"]
    before = checkout(study / "before", SAME)
    was = provenance.meaning(before / module)
    equivalent.write({module: ("first", was)}, "c", 1, "w")  # as it stood in that checkout
    assert equivalent.changed(before, ["tiny"])[module] == ("first", now)


def test_a_module_there_was_not_before_does_not_count(study, params):
    key, file = provenance.code_key(params), ROOT / "umt_lib/metrics.py"
    equivalent.write({"umt_lib/metrics.py": ("", provenance.meaning(file))}, "c", 1, "w")
    files = provenance.code_files(params)
    assert provenance.code_key(params) == provenance.code_of(files - {file}) != key


@pytest.fixture
def measured(tmp_path):
    """Write what ``before`` and ``now`` measured, and compare."""

    def compare(before: float, now: float) -> None:
        for side, rate in (("before", before), ("now", now)):
            (tmp_path / side / "results").mkdir(parents=True)
            content = json.dumps({"measured": {"rate": rate}, "provenance": {"side": side}})
            (tmp_path / side / "results/tiny.json").write_text(content)
        equivalent.compare(["tiny"], tmp_path / "before", tmp_path / "now")

    return compare


def test_not_a_number_equals_itself(measured):
    measured(math.nan, math.nan)


def test_one_other_bit_is_another_result(measured):
    with pytest.raises(StudyError, match=r"1 of 1 measure something else .* 'tiny'"):
        measured(0.1 + 0.2, 0.3)


def test_every_row_of_the_study_is_about_a_module_as_it_is():
    """A module that was changed for good has no row: delete it (or show that it is equivalent)."""
    with paths.EQUIVALENT.open(newline="") as file:
        idle = [row["module"] for row in csv.DictReader(file) if not equivalent.serves(row)]
    assert not idle
