"""The book as a whole: built once from tiny real results, then looked at, in a browser too."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import loaded
import pytest
import tiny_study

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.evaluation import intervals
from umt_lib.study.experiments import results
from umt_lib.study.pipeline.collection import gather
from umt_lib.study.pipeline.notebook_engine import MEASURED
from umt_lib.study.report import build, readme
from umt_lib.study.report.format import percent

look = loaded.module("scripts/look.py")
WEIGHT = 1_500_000  # bytes of a page beyond what all pages share


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


@functools.cache
def elements(page: Path) -> list[tuple[str, dict[str, str | None]]]:
    return Elements(page).found


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Built:
    root = tmp_path_factory.mktemp("book")
    folders = tiny_study.make(root)
    shutil.copy(paths.PUBLISHED / "literature.csv", folders.published)
    notebooks = root / "notebooks"
    notebooks.mkdir()
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# One experiment", "id": "a"},
        {"cell_type": "markdown", "metadata": {}, "source": "It was executed here.", "id": "b"},
    ]
    for tail in ("joint-linear", "umt", "ume", "ume-mean"):
        name, metadata = f"synthetic-{tail}", {}
        if tail != "ume":  # it failed
            place = folders.published if tail == "umt" else folders.local  # published only
            other = "of an earlier run" if tail == "ume-mean" else ""
            metadata = {MEASURED: other or results.measured_digest(place, name)}
        notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        (notebooks / f"{name}.ipynb").write_text(json.dumps(notebook))
    pages = paths.ROOT / "book"
    sources = build.Sources(pages, folders.params, folders.published, folders.local, notebooks)
    html = root / "out/html"
    assert build.build(sources, html)  # every warning is an error
    return Built(folders, sources, html)


def pages(built: Built) -> list[Path]:
    return [p for p in built.html.rglob("*.html") if not {"_static", "extra"} & {*p.parts}]


def text_of(page: Path) -> str:
    text = re.sub(r"<[^>]*>", " ", page.read_text(encoding="utf-8"))
    return re.sub(r"\s+", " ", text)


def test_no_page_asks_the_network_for_anything(built):
    loads = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
    for page in pages(built):
        for tag, attributes in elements(page):
            address = attributes.get(loads.get(tag, ""), "") or ""
            assert not re.match(r"(https?:)?//", address), f"{page.name}: {tag} {address}"
    for sheet in built.html.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", sheet.read_text()), sheet


def test_every_link_leads_somewhere(built):
    names = [page.relative_to(built.html).as_posix() for page in pages(built)]
    assert not look.dead_links(built.html, names)


def test_equations_come_from_the_book_itself(built):
    scripts = [a.get("src") or "" for t, a in elements(built.html / "features.html")]
    (mathjax,) = [source for source in scripts if "mathjax" in source]
    assert (built.html / mathjax).is_file()
    assert not list(built.html.rglob("*.map"))  # for those who develop the theme


def test_every_image_has_alt_text_and_is_there(built):
    images = 0
    for page in pages(built):
        for tag, attributes in elements(page) if page.name not in look.UNUSUAL else ():
            if tag == "img":
                images += 1
                assert len(attributes.get("alt", "").split()) >= 5, f"{page.name}: {attributes}"
                assert (page.parent / attributes["src"]).exists()
                assert "_images" not in attributes["alt"], f"{page.name}: {attributes['alt']}"
    assert images >= 7


def test_pictures_of_earlier_builds_are_deleted(tmp_path):
    (tmp_path / "_images").mkdir()
    for name in ("here.svg", "there.png", "old.svg"):
        (tmp_path / "_images" / name).touch()
    (tmp_path / "methods").mkdir()
    (tmp_path / "index.html").write_text('<img alt="x" src="_images/here.svg">')
    (tmp_path / "methods/umt.html").write_text('<a href="../_images/there.png">picture</a>')
    build._delete_old_images(tmp_path)
    assert sorted(f.name for f in tmp_path.glob("_images/*")) == ["here.svg", "there.png"]


def test_no_page_is_heavy(built):
    for page in pages(built):
        loaded = [
            (page.parent / a["src"]).stat().st_size for tag, a in elements(page) if tag == "img"
        ]
        assert page.stat().st_size + sum(loaded) <= WEIGHT, page.name
        assert not any("plotly" in (a.get("src") or "") for _, a in elements(page)), page.name


def test_numbers_on_the_page_are_those_of_the_results(built):
    shown = text_of(built.html / "datasets/synthetic.html")
    for folder, tail in (("local", "joint-linear"), ("published", "umt"), ("local", "ume-mean")):
        result = results.load(getattr(built.folders, folder) / f"synthetic-{tail}.json")
        assert percent(intervals.accuracy_interval(result.accuracy)).replace("\u00a0", " ") in shown
    assert "Experiments not run yet: 1 synthetic-joint-longer" in shown


def test_sources_name_the_results_files(built):
    shown = text_of(built.html / "datasets/synthetic.html")
    assert "Made from 2 files runs/results/synthetic-{unimodal-a, unimodal-b}.json" in shown
    assert "results/synthetic-umt.json" in shown


def test_pages_have_no_raw_markup(built):
    for page in pages(built):
        shown = text_of(page)
        assert not re.search(r"\{(include|cite|figure|table)|```|:class:|\| ---", shown), page.name
        assert build.VERSION not in shown, page.name


def test_every_experiment_with_a_result_has_a_page_that_its_row_links_to(built):
    links = {a.get("href") for _, a in elements(built.html / "datasets/synthetic.html")}
    for entry in built.folders.study().entries:
        page = built.html / f"experiments/{entry.name}.html"
        assert page.exists() == bool(entry.result)
        assert (f"../experiments/{entry.name}.html" in links) == bool(entry.result)
    here = text_of(built.html / "experiments/synthetic-joint-linear.html")
    assert "It was executed here." in here
    opened = text_of(built.html / "experiments/synthetic-umt.html")
    for shown in (here, opened):
        assert re.search(r"synthetic, (joint|UMT) \(linear\): \d\d\.\d% \[", shown)
    for tail in ("umt", "ume", "ume-mean"):  # published only, failed, of an earlier run
        page = text_of(built.html / f"experiments/synthetic-{tail}.html")
        assert "It was executed here." not in page, tail
        assert "Measured on" in page, tail
    found = (built.html / "searchindex.js").read_text()
    assert "experiments/synthetic-umt" in found


def test_every_page_with_cells_can_be_downloaded_as_a_notebook(built):
    for page in ("datasets/synthetic", "methods/umt", "index", "experiments/synthetic-umt"):
        links = [a.get("href") or "" for _, a in elements(built.html / f"{page}.html")]
        (source,) = [link for link in links if link.endswith(".ipynb")]
        notebook = json.loads((built.html / page).parent.joinpath(source).read_text())
        assert any(cell.get("outputs") for cell in notebook["cells"])


def test_the_table_of_all_results_has_every_experiment(built):
    shown = (built.html / "results.html").read_text(encoding="utf-8")
    for entry in built.folders.study().entries:
        assert (f"experiments/{entry.name}.html" in shown) == bool(entry.result)
    rows = (built.html / "extra/results.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * 7  # seven results of two seeds
    assert (built.html / "extra/results.parquet").exists()


def test_a_data_set_that_has_not_been_measured_has_no_empty_sections(built):
    shown = text_of(built.html / "datasets/cremad.html")
    assert "Not measured yet." in shown
    assert "Validation sweeps" not in shown


def test_the_same_book_is_not_built_again(built, monkeypatch):
    monkeypatch.setattr(build, "render", lambda *_: pytest.fail("built again"))
    assert not build.build(built.sources, built.html)


def test_a_changed_result_changes_the_digest(built, tmp_path):
    copied = tmp_path / "published"
    shutil.copytree(built.folders.published, copied)
    changed = built.sources.__class__(**{**vars(built.sources), "published": copied})
    before = changed.digest()
    file = copied / "synthetic-umt.json"
    file.write_bytes(file.read_bytes() + b"\n")
    assert changed.digest() != before


def test_new_benchmarks_and_newly_prepared_data_change_the_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setenv("UMT_DATA", str(tmp_path / "data"))
    for name in ("umt_lib", "book", "params", "results", "benchmarks", "data/psb"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "params/psb-joint.yaml").write_text("dataset: {name: psb, folder: psb}\n")
    sources = build.Sources(*(tmp_path / n for n in ("book", "params", "results")), None, None)
    states = [sources.digest()]
    for file in ("benchmarks/loop.json", "data/psb/manifest.json"):
        (tmp_path / file).touch()
        states.append(sources.digest())
    assert len(set(states)) == 3
    assert sources.digest() == states[-1]


def test_the_front_page_counts_what_is_stale(built):
    assert "All 7 results that the book shows are current." in text_of(built.html / "index.html")


def test_a_cell_that_fails_is_named_and_the_old_book_stays(built, tmp_path, monkeypatch, capsys):
    broken = tmp_path / "pages"
    broken.mkdir()
    (broken / "index.md").write_text("# x\n\n```{code-cell}\nmissing\n```\n")
    changed = built.sources.__class__(**{**vars(built.sources), "pages": broken})
    monkeypatch.setattr(build, "sources", lambda published_only: changed)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    html = tmp_path / "book/_build/html"
    html.mkdir(parents=True)
    (html / "index.html").write_text("old")
    assert build.main([]) == 2
    assert "page index: cell 1, `missing`, raised NameError" in capsys.readouterr().err
    assert (html / "index.html").read_text() == "old"


def test_a_page_with_a_warning_is_no_book(tmp_path):
    page = tmp_path / "book"
    page.mkdir()
    (page / "_config.yml").write_text("title: x\nexecute: {execute_notebooks: 'off'}\n")
    (page / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (page / "index.md").write_text("# x\n\nSee [nothing](nowhere.md).\n")
    for _ in range(2):  # the second build does not take the page from the first
        with pytest.raises(StudyError, match=r"index.md.*nowhere.md.*fix the page"):
            build.render(page, tmp_path / "html")


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
    assert "\nold\n" not in file.read_text()
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


@pytest.fixture
def browser() -> None:
    """Skips a test if there is no browser."""
    if look.chromium() is None:
        if os.environ.get("UMT_REQUIRE_BROWSER") == "1":
            pytest.fail("UMT_REQUIRE_BROWSER=1, and chromium is not installed")
        pytest.skip("chromium is not installed")


@pytest.mark.parametrize("page", ["features.html", "methods/umt.html"])
def test_a_browser_draws_the_equations_without_a_network(built, page, browser):
    shown, log = look.browse((built.html / page).as_uri(), "--virtual-time-budget=15000")
    assert shown.count("<mjx-container") >= 1, log[-2000:]
    assert "<mjx-merror" not in shown


def test_a_browser_filters_the_table_of_all_results(built, browser):
    address = (built.html / "results.html").as_uri()
    shown, log = look.browse(address, "--virtual-time-budget=15000")
    assert "dtsp-panesContainer" in shown, log[-2000:]
    assert "experiments/synthetic-umt.html" in shown
    assert "Uncaught" not in log


def test_a_browser_finds_nothing_wrong_on_any_page(built, browser):
    assert not look.look(built.html, look.pages_of(built.html))


WRONG = {
    "<p style='width: 2000px'>wide</p>": "is 20.. pixels wide",
    "<img src='gone.png' alt='x'>": "lacks the picture gone.png",
    "<div style='overflow: auto'><p style='width: 3000px'>x</p></div>": 'by 1... pixels: div "x"',
    "<p style='color: #ccc; background: #fff'>faint</p>": 'contrast 1.6: p "faint"',
    "<script>missing()</script>": "Uncaught ReferenceError: missing is not defined",
}


def test_what_is_wrong_with_a_page_is_found_and_named(browser, tmp_path, capsys):
    for number, body in enumerate(WRONG):
        page = f"<!doctype html><body>{body}<a href='index.html#here'>dead</a>"
        (tmp_path / f"{number}.html").write_text(page)
    (tmp_path / "index.html").write_text("<!doctype html><body><p>all is well</p>")
    assert look.main([str(tmp_path)]) == 1
    found = capsys.readouterr().out
    for number, problem in enumerate(WRONG.values()):
        assert re.search(rf"(?m)^{number}\.html at 1280[^:]*: .*{problem}", found), (problem, found)
        assert f"{number}.html: the link index.html#here leads nowhere" in found
    assert "\nindex.html" not in found
    assert look.main([str(tmp_path), "index.html"]) == 0
    with pytest.raises(SystemExit):
        look.main([str(tmp_path), "indx.html"])
    assert "has no page indx.html; name one such as" in capsys.readouterr().err
