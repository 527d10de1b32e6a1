"""The book as a whole: built once from tiny real results, then looked at, in a browser too."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest
import tiny_study

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.evaluation import intervals
from umt_lib.study.experiments import results
from umt_lib.study.pipeline.collection import Study, gather
from umt_lib.study.report import build, readme
from umt_lib.study.report.format import percent
from umt_lib.study.report.writer import Fragments
from umt_lib.style import Figure

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


class Built(NamedTuple):
    folders: tiny_study.Folders
    sources: build.Sources
    html: Path


class Elements(HTMLParser):
    """Every element of a page, as (tag, attributes)."""

    def __init__(self, page: Path):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Built:
    root = tmp_path_factory.mktemp("book")
    folders = tiny_study.make(root)
    shutil.copy(paths.PUBLISHED / "literature.csv", folders.published)
    notebooks = root / "notebooks"
    notebooks.mkdir()
    cell = {"cell_type": "markdown", "metadata": {}, "source": "# One experiment", "id": "a"}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    for name in ("synthetic-joint-linear", "synthetic-umt"):  # the second is published only
        (notebooks / f"{name}.ipynb").write_text(json.dumps(notebook))
    pages = paths.ROOT / "book"
    sources = build.Sources(pages, folders.params, folders.published, folders.local, notebooks)
    html = root / "out/html"
    assert build.build(sources, html)  # every warning is an error
    return Built(folders, sources, html)


def pages(built: Built) -> list[Path]:
    return [p for p in built.html.rglob("*.html") if "_static" not in p.parts]


def text_of(page: Path) -> str:
    text = re.sub(r"<[^>]*>", " ", page.read_text(encoding="utf-8"))
    return re.sub(r"\s+", " ", text)


def test_no_page_asks_the_network_for_anything(built):
    loads = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
    for page in pages(built):
        for tag, attributes in Elements(page).found:
            address = attributes.get(loads.get(tag, ""), "") or ""
            assert not re.match(r"(https?:)?//", address), f"{page.name}: {tag} {address}"
    for sheet in built.html.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", sheet.read_text()), sheet


def test_equations_come_from_the_book_itself(built):
    scripts = [a.get("src") or "" for t, a in Elements(built.html / "features.html").found]
    (mathjax,) = [source for source in scripts if "mathjax" in source]
    assert (built.html / mathjax).is_file()


def test_every_image_has_alt_text_and_is_there(built):
    images = 0
    for page in pages(built):
        for tag, attributes in Elements(page).found:
            if tag == "img":
                images += 1
                assert attributes.get("alt", "").strip(), f"{page.name}: {attributes['src']}"
                assert (page.parent / attributes["src"]).exists()
    assert images >= 7


def test_numbers_on_the_page_are_those_of_the_results(built):
    shown = text_of(built.html / "datasets/synthetic.html")
    for folder, tail in (("local", "joint-linear"), ("published", "umt"), ("local", "ume-mean")):
        result = results.load(getattr(built.folders, folder) / f"synthetic-{tail}.json")
        assert percent(intervals.accuracy_interval(result.accuracy)).replace("\u00a0", " ") in shown
    assert "Not run yet: synthetic-joint-longer" in shown


def test_captions_name_the_results_files(built):
    shown = text_of(built.html / "datasets/synthetic.html")
    assert "Made from runs/results/synthetic-{unimodal-a, unimodal-b}.json" in shown
    assert "results/synthetic-umt.json" in shown


def test_patterns_of_files_keep_their_stars_in_a_caption(tmp_path):
    source = "Made from <code>results/watch-*.json</code>, <code>results/synthetic-*.json</code>."
    Fragments(Study([]), tmp_path).figure("many", Figure(), "alt", "Caption.", source=source)
    assert source.replace("*", r"\*") in (tmp_path / "many.md").read_text()


def test_pages_have_no_raw_markup(built):
    for page in pages(built):
        shown = text_of(page)
        assert not re.search(r"\{(include|cite|figure|table)|```|:class:|\| ---", shown), page.name


def test_notebooks_are_listed_where_their_results_are_shown(built):
    shown = (built.html / "notebooks.html").read_text()
    assert "notebooks/synthetic-joint-linear.html" in shown
    assert not (built.html / "notebooks/synthetic-umt.html").exists()


def test_the_same_book_is_not_built_again(built, monkeypatch):
    monkeypatch.setattr(build, "_render", lambda pages: pytest.fail("built again"))
    assert not build.build(built.sources, built.html)


def test_a_changed_result_changes_the_digest(built, tmp_path):
    copied = tmp_path / "published"
    shutil.copytree(built.folders.published, copied)
    changed = built.sources.__class__(**{**vars(built.sources), "published": copied})
    before = changed.digest()
    file = copied / "synthetic-umt.json"
    file.write_bytes(file.read_bytes() + b"\n")
    assert changed.digest() != before


def test_the_front_page_counts_what_is_stale(built):
    assert "All 7 results that the book shows are current." in text_of(built.html / "index.html")


def test_a_damaged_result_is_refused_and_the_old_book_stays(built, tmp_path, monkeypatch, capsys):
    damaged = tmp_path / "published"
    shutil.copytree(built.folders.published, damaged)
    (damaged / "synthetic-umt.json").write_text("{")
    changed = built.sources.__class__(**{**vars(built.sources), "published": damaged})
    monkeypatch.setattr(build, "sources", lambda published_only: changed)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    shutil.copytree(built.html, tmp_path / "book/_build/html")
    assert build.main([]) == 2
    error = capsys.readouterr().err
    assert "synthetic-umt.json: not a complete results file" in error
    assert (tmp_path / "book/_build/html/index.html").exists()
    assert [p.name for p in (tmp_path / "book/_build").iterdir()] == ["html"]


def test_a_page_with_a_warning_is_no_book(tmp_path):
    page = tmp_path / "book"
    page.mkdir()
    (page / "_config.yml").write_text("title: x\nexecute: {execute_notebooks: 'off'}\n")
    (page / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (page / "index.md").write_text("# x\n\nSee [nothing](nowhere.md).\n")
    with pytest.raises(StudyError, match=r"index.md.*nowhere.md.*fix the page"):
        build._render(page)


def test_a_damaged_notebook_is_named(built, tmp_path):
    broken = tmp_path / "notebooks"
    broken.mkdir()
    (broken / "synthetic-joint-linear.ipynb").write_text('{"cells": [')
    changed = built.sources.__class__(**{**vars(built.sources), "notebooks": broken})
    with pytest.raises(StudyError, match=r"synthetic-joint-linear\.ipynb: not a complete notebook"):
        build.build(changed, tmp_path / "html")


def test_the_answer_table_goes_into_its_block_of_the_readme(built, tmp_path):
    study, file = built.folders.study(), tmp_path / "README.md"
    file.write_text("# x\n<!-- answer: generated -->\nold\n<!-- end -->\nrest\n")
    assert readme.renew(file, study)
    assert "Joint training leaves encoders lazy" in file.read_text()
    assert (tmp_path / readme.FIGURE).read_text().startswith("<?xml")
    assert "old" not in file.read_text()
    assert file.read_text().endswith("<!-- end -->\nrest\n")
    assert not readme.renew(file, study)


def test_a_readme_without_the_block_is_refused_with_the_fix(built, tmp_path):
    with pytest.raises(StudyError, match="no block for the answer"):
        readme.with_answer("# x", built.folders.study(), "README.md")


def test_the_readme_shows_the_published_answer():
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    study = gather(paths.PARAMS, paths.PUBLISHED, None)
    message = "README.md is out of date: run `umt book --readme`"
    assert readme.with_answer(text, study, "README.md") == text, message


@pytest.mark.parametrize("page", ["features.html", "methods/umt.html"])
def test_a_browser_draws_the_equations_without_a_network(built, page, tmp_path):
    if CHROMIUM is None:
        if os.environ.get("UMT_REQUIRE_BROWSER") == "1":
            pytest.fail("UMT_REQUIRE_BROWSER=1, and chromium is not installed")
        pytest.skip("chromium is not installed")
    quiet = ("background-networking", "component-update", "sync", "quic", "gpu")
    run = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--no-first-run"),
            *(f"--disable-{thing}" for thing in quiet),
            "--host-resolver-rules=MAP * ~NOTFOUND",  # no name has an address: no network
            f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=15000",
            "--dump-dom",
            (built.html / page).as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.stdout.count("<mjx-container") >= 1, run.stderr[-2000:]
    assert "<mjx-merror" not in run.stdout
