"""Build the book: a folder of HTML that needs no network, from executed notebooks.

    umt book                this machine's results, and published ones where there are none
    umt book --published    published results only
    umt book --readme       renew the answer in README.md, build nothing
    umt book --pictures     renew the pictures of data sets in book/images/datasets, build nothing

The book is built in ``work`` beside it, where executed notebooks and Sphinx's files stay, so that
only what has changed is made again; then it is copied into place. If pages, results and code are
those of the existing book, nothing is done; slow imports are delayed until after this check.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from umt_lib import paths
from umt_lib.errors import StudyError, exit_status
from umt_lib.study.pipeline.run_graph import digest
from umt_lib.study.report import home

STAMP = ".made-from"  # a file in the HTML folder: the digest of everything the book is made from
VERSION = "@VERSION@"  # in the pages that Sphinx makes
MATHJAX = ("tex-chtml.js", "output", "input", "a11y", "ui")  # the files of it that pages use


@dataclass(frozen=True)
class Sources:
    """What a book is made from; without ``local`` and ``notebooks``, published results only."""

    pages: Path
    params: Path
    published: Path
    local: Path | None
    notebooks: Path | None

    def digest(self) -> str:
        """Digest of all that affects the book: contents of files, and which data is available."""
        pages = [place for place in self.pages.iterdir() if place.name != "_build"]
        folders = (self.params, self.published, self.local, self.notebooks)
        code = (paths.ROOT / "umt_lib", *paths.ROOT.glob("notebooks/*.py"))
        project = paths.ROOT / "pyproject.toml"  # the address of the repository
        measured = paths.ROOT.glob("benchmarks/*.json")
        files = digest(project, *code, *measured, *pages, *(f for f in folders if f))
        return f"{files} {' '.join(self._prepared())}"

    def _prepared(self) -> list[str]:
        """The folders of prepared data that params files name and this machine has.

        Params files are not parsed here: that takes longer than all else that finds a book up to
        date. Data that is downloaded comes with a result of this machine.
        """
        texts = (file.read_text(encoding="utf-8") for file in self.params.glob("*.yaml"))
        named = {name for text in texts for name in re.findall(r"\bfolder: *([\w./-]+)", text)}
        return sorted(n for n in named if (paths.prepared_dir(n) / "manifest.json").exists())


def sources(published_only: bool = False) -> Sources:
    """The folders of this study."""
    local = None if published_only else paths.results_dir()
    notebooks = None if published_only else paths.runs() / "notebooks"
    return Sources(paths.ROOT / "book", paths.PARAMS, paths.PUBLISHED, local, notebooks)


def build(made_from: Sources, html: Path) -> bool:
    """Build the book into the folder ``html``; return False if it is up to date.

    Raises:
        StudyError: a cell failed, a page has a warning, another process builds this book, or a file
            cannot be written. The existing book stays.
    """
    try:
        html.parent.mkdir(parents=True, exist_ok=True)
        with (html.parent / ".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.set_inheritable(lock.fileno(), True)  # Sphinx has it too, in case this is killed
            return _build_locked(made_from, html)
    except BlockingIOError:
        raise StudyError(
            f"{html.parent}: another process builds this book; wait for it, then build again"
        ) from None
    except OSError as error:
        place, why = error.filename or html, error.strerror
        if isinstance(error, shutil.Error):  # of copying a folder: (from, to, why) of each file
            _, place, why = error.args[0][0]
        raise StudyError(
            f"{place}: cannot be written ({why or error}); free some space or fix the permissions, "
            f"then build again"
        ) from None


def _build_locked(made_from: Sources, html: Path) -> bool:
    # each has one name, so that a killed build leaves one folder
    new, old = html.parent / ".unfinished", html.parent / ".replaced"
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    digest_now, stamp = made_from.digest(), html / STAMP
    if stamp.is_file() and stamp.read_text() == digest_now:
        return False
    from umt_lib.study.report import extras, opened
    from umt_lib.study.report.sources import write

    opened.choose(opened.Folders(made_from.params, made_from.published, made_from.local))
    study = opened.study()
    work = html.parent / "work"
    replaced = write(study, made_from.pages, made_from.notebooks, work / "pages")
    extras.write(study, work / "beside" / extras.FOLDER)
    render(work / "pages", work / "html", replaced, work / "beside")
    shutil.copytree(work / "html", new, ignore=_unused)
    _delete_old_images(new)
    _fill(new, VERSION, version())
    (new / STAMP).write_text(digest_now)
    if html.exists():
        html.rename(old)  # at once: a folder that is deleted in part still has its stamp
    new.rename(html)
    shutil.rmtree(old, ignore_errors=True)
    return True


def _unused(folder: str, names: list[str]) -> set[str]:
    """Files that Sphinx makes and no page uses, among them nearly all of MathJax's."""
    unused = {".buildinfo", "objects.inv", *(name for name in names if name.endswith(".map"))}
    if Path(folder).name == "mathjax":
        unused |= {name for name in names if name not in MATHJAX}
    if Path(folder).name == "output":
        unused.add("svg")
    return unused & set(names)


def _delete_old_images(html: Path) -> None:
    """Delete the pictures of earlier builds, which no page shows any more: Sphinx keeps them."""
    pages = (page.read_text(encoding="utf-8") for page in html.rglob("*.html"))
    shown = {name for page in pages for name in re.findall(r"_images/([^\s\"'&<>]+)", page)}
    for image in (html / "_images").glob("*"):
        if image.name not in shown:
            image.unlink()


def _fill(html: Path, mark: str, text: str) -> None:
    """Write ``text`` for ``mark`` in all pages: it changes more often than they are rendered."""
    for page in html.rglob("*.html"):
        content = page.read_bytes()
        if mark.encode() in content:
            page.write_bytes(content.replace(mark.encode(), text.encode()))


def version() -> str:
    """The version of the study, with its commit and date if it is a git repository."""
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    command = ["git", "-C", str(paths.ROOT), "log", "-1", "--format=, commit %h of %cs"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = ""
    return f"{project['project']['version']}{commit}"


def render(
    pages: Path, html: Path, replaced: Sequence[str] = (), beside: Path | None = None
) -> None:
    """Run Jupyter Book with warnings as errors; it executes nothing.

    Args:
        replaced: pages of which ``pages`` has a notebook with the same name.
        beside: a folder that is copied into ``html``.

    Raises:
        StudyError: a page has a warning.
    """
    options = {
        "nitpicky": True,
        "latex_individualpages": False,
        "exclude_patterns": ["_build", "**.ipynb_checkpoints", *replaced],
        "html_extra_path": [str(beside.resolve())] if beside else [],
    }
    if address := home.repository():
        options["repository"] = address
    doctrees = _resumed(html.parent / "doctrees", html)
    arguments = {
        "sourcedir": str(pages),
        "outputdir": str(html),
        "path_config": str(pages / "_config.yml"),
        "confoverrides": options,
        "doctreedir": str(doctrees),
        "warningiserror": True,
        "keep_going": True,
        "noconfig": True,
        "jobs": os.cpu_count(),
    }
    start = (
        "import json, sys; from jupyter_book.sphinx import build_sphinx; "
        "status = build_sphinx(**json.loads(sys.stdin.read())); sys.exit(status != 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", start],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        close_fds=False,  # it keeps the lock of the book
        env={**os.environ, "NO_COLOR": "1"},
    )
    if run.returncode:
        lines = [line for line in (run.stdout + run.stderr).splitlines() if line.strip()]
        wrong = [line for line in lines if re.search(r"WARNING|ERROR", line)] or lines[-5:]
        why = re.sub(r"\x1b\[[0-9;]*m", "", " | ".join(wrong)).replace(f"{pages}/", "")
        raise StudyError(f"the book was not built: {why}; fix the page and build again")
    doctrees.rename(html.parent / "doctrees")


def _resumed(doctrees: Path, html: Path) -> Path:
    """Move what Sphinx has read of all pages to where this rendering changes it; return that.

    It is moved back after a complete rendering without warnings. Otherwise all pages are rendered
    into an empty folder: an interrupted rendering leaves pages half-written, and style sheets that
    change the links to them, and Sphinx warns of a page only when it reads it. All are rendered too
    if the clock was set back, because Sphinx compares dates.
    """
    changed, state = doctrees.with_name("doctrees.unfinished"), doctrees / "environment.pickle"
    shutil.rmtree(changed, ignore_errors=True)
    if state.exists() and state.stat().st_mtime <= time.time():
        doctrees.rename(changed)
    else:
        for made in (doctrees, html):
            shutil.rmtree(made, ignore_errors=True)
    return changed


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status, 2 for a StudyError."""
    parser = argparse.ArgumentParser(
        prog="umt book", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--published", action="store_true", help="published results only")
    parser.add_argument("--readme", action="store_true", help="renew the answer in README.md")
    parser.add_argument("--pictures", action="store_true", help="renew the pictures of data sets")
    given = parser.parse_args(arguments)
    if given.pictures:
        return exit_status(_renew_pictures)
    return exit_status(_renew_readme if given.readme else lambda: _build(given.published))


def _renew_readme() -> int:
    from umt_lib.study.pipeline.collection import gather
    from umt_lib.study.report import readme

    published = gather(paths.PARAMS, paths.PUBLISHED, None)
    changed = readme.renew(paths.ROOT / "README.md", published)
    print(f"README.md: {'renewed' if changed else 'up to date'}")
    return 0


def _renew_pictures() -> int:
    from umt_lib.study.pipeline.collection import gather
    from umt_lib.study.report import pictures

    lacking = pictures.write(gather(paths.PARAMS, paths.PUBLISHED, None))
    print(
        f"{pictures.FOLDER}: renewed; without the data and without a picture: {lacking or 'none'}"
    )
    return 0


def _build(published_only: bool) -> int:
    html = paths.ROOT / "book/_build/html"
    built = build(sources(published_only), html)
    print("book built:" if built else "book is up to date:", html / "index.html")
    return 0
