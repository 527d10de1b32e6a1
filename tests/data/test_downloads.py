"""Archives are found in $UMT_DATA, then in the cache, or downloaded completely."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest

from umt_lib.data.downloads import fetch, optional_package
from umt_lib.errors import StudyError

NOWHERE = "http://127.0.0.1:9/a.tar.gz"  # the discard port: nothing listens there


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.delenv("UMT_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache/umt_lib"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status, length = {"/missing": (404, 0), "/short": (200, 9)}.get(self.path, (200, 5))
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if length:
            self.wfile.write(b"whole")

    def log_message(self, *_):
        pass


@pytest.fixture
def url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_download_stays_in_the_cache(cache, url):
    path = fetch("a.tar.gz", f"{url}/a.tar.gz", "some")
    assert path == cache / "a.tar.gz"
    assert path.read_bytes() == b"whole"
    assert fetch("a.tar.gz", NOWHERE, "some") == path


def test_the_folder_given_goes_before_the_cache(cache, tmp_path, monkeypatch):
    given = tmp_path / "given"
    monkeypatch.setenv("UMT_DATA", str(given))
    for folder in (given, cache):
        folder.mkdir(parents=True)
    (cache / "a.tar.gz").touch()
    assert fetch("a.tar.gz", NOWHERE, "some") == cache / "a.tar.gz"
    (given / "a.tar.gz").touch()
    assert fetch("a.tar.gz", NOWHERE, "some") == given / "a.tar.gz"


# pooch leaves the socket of a transfer that broke off to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("fault", ["offline", "missing", "short"])
def test_a_failed_download_says_where_to_put_the_file_and_leaves_nothing(fault, cache, url):
    wrong = NOWHERE if fault == "offline" else f"{url}/{fault}"
    with pytest.raises(StudyError) as told:
        fetch("a.tar.gz", wrong, "some")
    assert str(told.value).startswith("data set 'some': a.tar.gz is not in $UMT_DATA (not set), ")
    assert f"{cache}, and cannot be downloaded from {wrong}" in str(told.value)
    assert "\n" not in str(told.value)
    assert not list(cache.rglob("*"))


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(StudyError, match=r"nosuchpackage is not installed; .*pip install"):
        optional_package("nosuchpackage", "some")
