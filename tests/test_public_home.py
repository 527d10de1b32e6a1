"""A public home: one address, the buttons that need it, workflows, Binder, Colab and Zenodo."""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import jupytext
import loaded
import nbformat
import pytest
import yaml
from packaging.specifiers import SpecifierSet

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.paths import ROOT
from umt_lib.study.report import build, home

ADDRESS = "https://github.com/someone/study"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
MAY_WRITE = {"publish": {"pages", "id-token"}, "colab": {"contents"}}  # jobs
MENTIONS = re.compile(r"mybinder|colab|github\.com|/edit/")


def project(folder: Path, urls: str = "") -> Path:
    file = folder / "pyproject.toml"
    file.write_text(f'[project]\nname = "study"\n{urls}')
    return file


def test_the_address_is_read_from_one_place(tmp_path):
    assert home.repository(project(tmp_path)) == ""
    assert (
        home.repository(project(tmp_path, f'[project.urls]\nRepository = "{ADDRESS}"')) == ADDRESS
    )


@pytest.mark.parametrize("wrong", [f"{ADDRESS}/", "github.com/a/b", "https://example.org/a/b"])
def test_a_wrong_address_is_refused_with_the_fix(tmp_path, wrong):
    with pytest.raises(
        StudyError, match="is not the address of a repository on GitHub; write http"
    ):
        home.repository(project(tmp_path, f'[project.urls]\nRepository = "{wrong}"'))


def test_the_book_is_built_again_when_the_address_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    for name in ("umt_lib", "book", "params", "results"):
        (tmp_path / name).mkdir()
    sources = build.Sources(*(tmp_path / n for n in ("book", "params", "results")), None, None)
    project(tmp_path)
    before = sources.digest()
    assert sources.digest() == before
    project(tmp_path, f'[project.urls]\nRepository = "{ADDRESS}"')
    assert sources.digest() != before


class Links(HTMLParser):
    """The addresses of all links of a page."""

    def __init__(self, page: Path):
        super().__init__()
        self.found: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.found += [value for key, value in attributes if key == "href" and value]


@pytest.fixture
def pages(tmp_path) -> Path:
    """A book of three pages with the configuration of the real one."""
    folder = tmp_path / "pages"
    (folder / "when").mkdir(parents=True)
    (folder / "experiments").mkdir()
    for name in ("_ext", "_templates"):
        shutil.copytree(ROOT / "book" / name, folder / name)
    for name in ("_config.yml", "references.bib"):
        shutil.copy(ROOT / "book" / name, folder)
    (folder / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters: [{file: when/guide}]")
    (folder / "index.md").write_text("# The study\n")
    (folder / "when/guide.md").write_text("# The guide\n")
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# One experiment", id="a")],
        metadata={"orphan": True, "kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(made, folder / "experiments/watch-umt.ipynb")
    return folder


def links(html: Path, page: str) -> list[str]:
    return [link for link in Links(html / f"{page}.html").found if MENTIONS.search(link)]


def test_the_book_has_buttons_only_if_there_is_an_address(pages, tmp_path, monkeypatch):
    html = tmp_path / "html"
    monkeypatch.setattr(home, "repository", lambda: "")
    build.render(pages, html)
    assert not [link for page in ("index", "when/guide") for link in links(html, page)]
    monkeypatch.setattr(home, "repository", lambda: ADDRESS)
    build.render(pages, html)
    binder = "https://mybinder.org/v2/gh/someone/study/main?urlpath=lab/tree/notebooks"
    colab = "https://colab.research.google.com/github/someone/study/blob/colab"
    assert {*links(html, "index")} == {
        ADDRESS, f"{ADDRESS}/edit/main/book/index.md", f"{binder}/start.py"
    }  # fmt: skip
    assert {*links(html, "when/guide")} == {
        ADDRESS, f"{ADDRESS}/edit/main/book/when/guide.md", f"{binder}/guide.py",
        f"{colab}/guide.ipynb",
    }  # fmt: skip
    assert {*links(html, "experiments/watch-umt")} == {
        ADDRESS, f"{binder}/open_result.py", f"{colab}/open_result.ipynb"
    }  # fmt: skip


def test_every_button_leads_to_a_notebook_and_stands_on_a_page():
    extension = loaded.module("book/_ext/home.py")
    for notebook in (extension.START, *extension.NOTEBOOKS.values()):
        assert (ROOT / f"notebooks/{notebook}.py").exists()
    pages = [file.relative_to(ROOT / "book").as_posix() for file in (ROOT / "book").rglob("*.md")]
    for start in extension.NOTEBOOKS.keys() - {"experiments/"}:  # these are generated
        assert any(page.startswith(start) for page in pages), start


def test_colab_gets_every_notebook_with_a_cell_that_installs_the_study(tmp_path):
    colab = loaded.module("scripts/colab.py")
    assert colab.write(tmp_path, ADDRESS) == 0
    sources = [*(ROOT / "notebooks").glob("*.py")]
    assert {file.stem for file in tmp_path.iterdir()} == {file.stem for file in sources}
    for source in sources:
        notebook = nbformat.read(tmp_path / f"{source.stem}.ipynb", as_version=4)
        nbformat.validate(notebook)
        assert f"git clone --quiet --depth 1 {ADDRESS} " in notebook.cells[0].source
        assert [c.source for c in notebook.cells[1:]] == [
            c.source for c in jupytext.read(source).cells
        ]
    (extras,) = re.findall(r"study\[(.*?)\]", colab.SET_UP)
    assert {*extras.split(",")} <= PROJECT["optional-dependencies"].keys()
    with pytest.raises(StudyError, match=r"there is no Repository under \[project.urls\]"):
        colab.write(tmp_path, "")


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_uses_what_exists_and_may_do_no_more_than_it_needs(file):
    workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert "main" in workflow[True]["push"]["branches"]  # YAML reads "on" as True
    assert workflow["permissions"] == {"contents": "read"}
    verbs = set(re.search(r"\.PHONY: (.*)", (ROOT / "Makefile").read_text()).group(1).split())
    for name, job in workflow["jobs"].items():
        writes = {key for key, value in job.get("permissions", {}).items() if value == "write"}
        assert writes == MAY_WRITE.get(name, set())
        assert {job.get("needs")} <= {None, *workflow["jobs"]}
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/none@v1"))
            run = step.get("run", "")
            assert {*re.findall(r"\bmake (\w[\w-]*)", run)} <= verbs
            assert all((ROOT / script).exists() for script in re.findall(r"scripts/\S+", run))


def test_the_workflows_test_two_pythons_and_publish_the_book():
    test, book = (
        yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())["jobs"]
        for name in ("test", "book")
    )
    versions = test["test"]["strategy"]["matrix"]["python"]
    assert len(versions) == 2
    supported = SpecifierSet(PROJECT["requires-python"])
    assert all(supported.contains(f"{version}.0") for version in versions)
    assert f">={versions[0]}" == PROJECT["requires-python"]
    assert any(step.get("run", "").startswith("make test ") for step in test["test"]["steps"])
    (upload,) = [s for s in book["build"]["steps"] if "upload-pages" in s.get("uses", "")]
    assert upload["with"]["path"] == "book/_build/html"  # where `make book` writes
    assert book["publish"]["needs"] == "build"


def test_binder_installs_the_study_as_it_is_set_up_here():
    lines = (ROOT / "binder/requirements.txt").read_text().split("\n")
    (extras,) = re.findall(r"^-e \.\[(.*)\]$", "\n".join(lines), re.MULTILINE)
    assert {*extras.split(",")} <= PROJECT["optional-dependencies"].keys()
    constraints = lines[1].removeprefix("-c ")
    assert (ROOT / "binder" / constraints).resolve() == ROOT / "constraints.txt"
    version = (ROOT / "binder/runtime.txt").read_text().strip().removeprefix("python-")
    assert SpecifierSet(PROJECT["requires-python"]).contains(f"{version}.0")
    command = (ROOT / "binder/postBuild").read_text().splitlines()[-1]
    assert command in (ROOT / "scripts/setup.sh").read_text()
    assert os.access(ROOT / "binder/postBuild", os.X_OK)


def test_zenodo_has_the_metadata_of_the_citation():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    zenodo = json.loads((ROOT / ".zenodo.json").read_text())
    for key in ("title", "version", "license", "keywords"):
        assert zenodo[key] == citation[key], key
    assert [c["name"] for c in zenodo["creators"]] == [a["name"] for a in citation["authors"]]
    assert zenodo["upload_type"] == citation["type"] == "software"
