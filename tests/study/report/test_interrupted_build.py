"""Builds that are interrupted, run twice at once, have no space left, or a clock that is wrong."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from umt_lib.errors import StudyError
from umt_lib.study.report import build


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of one page, which has been rendered beside it."""
    folder = tmp_path_factory.mktemp("book") / "pages"
    folder.mkdir()
    (folder / "_config.yml").write_text("title: x\nexecute: {execute_notebooks: 'off'}\n")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (folder / "index.md").write_text("# A page\n\nEverything is here.\n")
    build.render(folder, folder.parent / "html")
    return folder


@pytest.fixture
def page(pages: Path) -> Path:
    return pages.parent / "html/index.html"


def test_a_page_that_has_not_changed_is_not_rendered_again(pages, page):
    before = page.stat().st_mtime_ns
    build.render(pages, page.parent)
    assert page.stat().st_mtime_ns == before


def test_a_page_that_was_half_written_when_the_build_was_killed_is_rendered_again(
    pages, page, monkeypatch
):
    """As in an empty folder, although the style sheets of the killed build were complete."""
    before = page.read_bytes()

    def killed(*_, **__):
        page.write_bytes(before[:100])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build.subprocess, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            build.render(pages, page.parent)
    build.render(pages, page.parent)
    assert page.read_bytes() == before


def test_a_page_that_is_changed_after_the_clock_was_set_back_is_rendered(pages, page, monkeypatch):
    yesterday = time.time() - 86400
    (pages / "index.md").write_text("# A page\n\nSomething else.\n")
    os.utime(pages / "index.md", (yesterday, yesterday))
    monkeypatch.setattr(build.time, "time", lambda: yesterday)
    build.render(pages, page.parent)
    assert "Something else." in page.read_text(encoding="utf-8")


def test_a_second_build_of_the_same_book_is_refused(tmp_path):
    nothing = build.Sources(*[tmp_path / "none"] * 3, None, None)
    with (tmp_path / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StudyError, match="another process builds this book; wait for it"):
            build.build(nothing, tmp_path / "html")


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device", "a.html"),
        build.shutil.Error([("from", "a.html", "No space left on device")]),
    ],
)
def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch, error):
    def full(*_):
        raise error

    monkeypatch.setattr(build, "_build_locked", full)
    with pytest.raises(
        StudyError, match=r"^a.html: cannot be written \(No space left on device\);"
    ):
        build.build(build.Sources(*[tmp_path] * 3, None, None), tmp_path / "html")
