"""Build the book: a folder of HTML that needs no network, with tables and figures from results.

    umt book                this machine's results, and published ones where there are none
    umt book --published    published results only
    umt book --readme       renew the answer in README.md, build nothing

The book is built in a temporary folder and then moved into place. If pages, results and code are
those of the existing book, nothing is done; slow imports are delayed until after this check.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from umt_lib import paths
from umt_lib.errors import StudyError, exit_status
from umt_lib.study.pipeline.run_graph import digest

if TYPE_CHECKING:
    from umt_lib.study.pipeline.collection import Study

STAMP = ".made-from"  # a file in the HTML folder: the digest of everything the book is made from
MADE = ("_build", "_generated")  # folders of book/ that are not pages


@dataclass(frozen=True)
class Sources:
    """What a book is made from; without ``local`` and ``notebooks``, published results only."""

    pages: Path
    params: Path
    published: Path
    local: Path | None
    notebooks: Path | None

    def digest(self) -> str:
        """Digest of the content of every file that affects the book."""
        pages = [place for place in self.pages.iterdir() if place.name not in MADE]
        folders = (self.params, self.published, self.local, self.notebooks)
        return digest(paths.ROOT / "umt_lib", *pages, *(folder for folder in folders if folder))


def sources(published_only: bool = False) -> Sources:
    """The folders of this study."""
    local = None if published_only else paths.results_dir()
    notebooks = None if published_only else paths.runs() / "notebooks"
    return Sources(paths.ROOT / "book", paths.PARAMS, paths.PUBLISHED, local, notebooks)


def build(made_from: Sources, html: Path) -> bool:
    """Build the book into the folder ``html``; return False if it is up to date.

    Raises:
        StudyError: a published result is damaged, or a page has a warning. The existing book stays.
    """
    sources, stamp = made_from.digest(), html / STAMP
    if stamp.is_file() and stamp.read_text() == sources:
        return False
    from umt_lib.study.pipeline.collection import gather
    from umt_lib.study.report.pages import write

    study = gather(made_from.params, made_from.published, made_from.local)
    html.parent.mkdir(parents=True, exist_ok=True)
    scratch = html.parent / ".unfinished"  # one name, so that a killed build leaves one folder
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        pages = scratch / "book"
        shutil.copytree(made_from.pages, pages, ignore=shutil.ignore_patterns(*MADE))
        literature = made_from.published / "literature.csv"
        write(study, pages / "_generated", literature)
        _add_notebooks(study, made_from.notebooks, pages)
        _render(pages)
        made = pages / "_build/html"
        (made / STAMP).write_text(sources)
        _swap(pages / "_generated", html.parent.parent / "_generated")  # to be looked at
        _swap(made, html)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return True


def _add_notebooks(study: Study, folder: Path | None, pages: Path) -> None:
    """Add the executed notebooks of the current results of this machine, by data set."""
    shown = [
        e for e in study.entries if e.local and folder and (folder / f"{e.name}.ipynb").exists()
    ]
    (pages / "notebooks").mkdir()
    for entry in shown:
        assert folder is not None
        source = folder / f"{entry.name}.ipynb"
        try:
            json.loads(source.read_bytes())
        except ValueError:
            raise StudyError(
                f"{source}: not a complete notebook; delete it and run `make study` again"
            ) from None
        shutil.copy(source, pages / "notebooks")
    lines = []
    for dataset in dict.fromkeys(e.dataset for e in shown):
        links = [f"- [{e.label}](/notebooks/{e.name}.ipynb)" for e in shown if e.dataset == dataset]
        lines += [f"## {dataset}", "", *links, ""]
    none = "No notebook was executed on this machine: `make study` makes one per experiment."
    (pages / "_generated/notebooks.md").write_text("\n".join(lines) or none + "\n")
    toc = yaml.safe_load((pages / "_toc.yml").read_text())
    for page in (page for part in toc["parts"] for page in part["chapters"]):
        if page["file"] == "notebooks" and shown:
            page["sections"] = [
                {"file": f"notebooks/{e.name}", "title": f"{e.dataset}: {e.label}"} for e in shown
            ]
    (pages / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False))


def _render(pages: Path) -> None:
    """Run Jupyter Book with warnings as errors; it executes nothing."""
    start = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
    options = ["build", str(pages), "-W", "-n", "--keep-going"]
    run = subprocess.run(
        [sys.executable, "-c", start, *options],
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    if run.returncode:
        lines = [line for line in (run.stdout + run.stderr).splitlines() if line.strip()]
        wrong = [line for line in lines if re.search(r"WARNING|ERROR", line)] or lines[-5:]
        why = re.sub(r"\x1b\[[0-9;]*m", "", " | ".join(wrong)).replace(f"{pages}/", "")
        raise StudyError(f"the book was not built: {why}; fix the page and build again")


def _swap(new: Path, place: Path) -> None:
    """Move the folder ``new`` to ``place``, and what is there out of the way."""
    old = new.with_name(new.name + "-before")
    if place.exists():
        place.rename(old)
    new.rename(place)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status, 2 for a StudyError."""
    parser = argparse.ArgumentParser(prog="umt book", description=__doc__)
    parser.add_argument("--published", action="store_true", help="published results only")
    parser.add_argument("--readme", action="store_true", help="renew the answer in README.md")
    given = parser.parse_args(arguments)
    return exit_status(_renew_readme if given.readme else lambda: _build(given.published))


def _renew_readme() -> int:
    from umt_lib.study.pipeline.collection import gather
    from umt_lib.study.report import readme

    published = gather(paths.PARAMS, paths.PUBLISHED, None)
    changed = readme.renew(paths.ROOT / "README.md", published)
    print(f"README.md: {'renewed' if changed else 'up to date'}")
    return 0


def _build(published_only: bool) -> int:
    html = paths.ROOT / "book/_build/html"
    built = build(sources(published_only), html)
    print("book built:" if built else "book is up to date:", html / "index.html")
    return 0
