"""Look at every page of a built book in a browser, and list what is wrong: page, width, problem.

    python scripts/look.py book/_build/html              all pages
    python scripts/look.py book/_build/html index.html   some pages

One Chromium without a network opens each page 1,280 and 390 pixels wide, light and dark. Problems
are links that lead nowhere, missing pictures, messages of errors in the console, pages wider than
the screen, tables that scroll sideways on a wide screen, and text with little contrast.
The exit status is 1 if there is a problem.
"""

from __future__ import annotations

import argparse
import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

WIDTHS = (1280, 390)  # pixels
LEGIBLE = 3  # contrast of text and background
UNUSUAL = {"search.html", "genindex.html", "py-modindex.html"}  # made by Sphinx, not by us
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = ("background-networking", "component-update", "sync", "quic", "gpu")
PAGE = """<!doctype html><title>look</title><iframe id="frame" height="900"></iframe>
<script>const PAGES = {pages}, WIDTHS = {widths}, WIDE = {wide}, LEGIBLE = {legible};
{script}</script>"""


def chromium() -> str | None:
    """The path of the browser, or None if it is not installed."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def browse(address: str, *options: str) -> tuple[str, str]:
    """The page and the log of a browser that has no network."""
    browser = chromium()
    assert browser, "chromium is not installed"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        run = subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--no-first-run"),
                *(f"--disable-{thing}" for thing in QUIET),
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                f"--user-data-dir={profile}",
                *("--enable-logging=stderr", "--v=0"),
                *options,
                "--dump-dom",
                address,
            ],
            capture_output=True,
            text=True,
            timeout=3600,
        )
    return run.stdout, run.stderr


class Silent(http.server.SimpleHTTPRequestHandler):
    """Serves files and prints nothing."""

    def log_message(self, *_):
        pass


def look(book: Path, pages: Sequence[str]) -> list[str]:
    """What a browser finds wrong with pages of a book, one line each."""
    script = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    filled = PAGE.format(
        pages=json.dumps(list(pages)),
        widths=list(WIDTHS),
        wide=max(WIDTHS),
        legible=LEGIBLE,
        script=script,
    )

    class Handler(Silent):
        def do_GET(self):
            if self.path == "/look":
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(filled.encode())
            else:
                super().do_GET()

    handler = functools.partial(Handler, directory=str(book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/look"
        shown, log = browse(address, "--virtual-time-budget=100000000")
        server.shutdown()
    seen = re.search(r'<pre id="found">(.*?)</pre>', shown, re.DOTALL)
    if not seen:
        raise RuntimeError(f"the browser did not look at all pages: {log[-2000:]}")
    return [*filter(None, html.unescape(seen[1]).splitlines()), *errors(log)]


def errors(log: str) -> list[str]:
    """Errors in the console of a browser, each with the page that was open."""
    found, page = {}, ""
    for line in log.splitlines():
        if opened := re.search(r'CONSOLE.*"LOOK (.*?)"', line):
            page = opened[1]
        elif message := re.search(
            r'CONSOLE.*?"(.*(?:Uncaught|Error|Failed to load).*)", source', line
        ):
            found[f"{page}: {message[1]}"] = None
    return list(found)


class Links(HTMLParser):
    """Addresses to which a page links, and anchors on it."""

    def __init__(self, page: Path):
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str | None] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        if tag == "a":
            self.links.append(attributes.get("href") or "")


def dead_links(book: Path, pages: Sequence[str]) -> list[str]:
    """Links within the book that lead to no file or to no anchor, one line each."""
    read = functools.cache(Links)
    found = []
    for name in pages:
        page = (book / name).resolve()
        for link in read(page).links:
            address = urlsplit(link)
            if address.scheme or address.netloc or not (address.path or address.fragment):
                continue
            target = (page.parent / unquote(address.path)).resolve() if address.path else page
            anchor = unquote(address.fragment)
            has_anchors = target.suffix == ".html" and target.is_file()
            lacks = anchor and has_anchors and anchor not in read(target).anchors
            if not target.exists() or lacks:
                found.append(f"{name}: the link {link} leads nowhere")
    return found


def pages_of(book: Path) -> list[str]:
    """The pages of a book, as paths in its folder."""
    pages = [page.relative_to(book) for page in sorted(book.rglob("*.html"))]
    aside = {"_static", "extra"}
    return [p.as_posix() for p in pages if not aside & {*p.parts} and p.name not in UNUSUAL]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("book", type=Path, help="the folder of HTML")
    parser.add_argument("pages", nargs="*", help="such as index.html; all, if none is named")
    given = parser.parse_args(arguments)
    if not (given.book / "index.html").exists():
        parser.error(f"{given.book} has no index.html: build the book with `make book`")
    if chromium() is None:
        parser.error("chromium is not installed; install it, for example with apt-get")
    for page in given.pages:
        if not (given.book / page).is_file():
            parser.error(f"{given.book} has no page {page}; name one such as methods/umt.html")
    pages = given.pages or pages_of(given.book)
    found = [*dead_links(given.book, pages), *look(given.book, pages)]
    print("\n".join(found) or f"{len(pages)} pages, no problem")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
