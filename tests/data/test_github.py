"""Files of a repository at a commit are downloaded once, verified, and never left half-written."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from umt_lib.data import github
from umt_lib.data.github import Repository, fault
from umt_lib.errors import StudyError

CONTENT = {"a.txt": b"first", "folder/b.bin": bytes(range(50))}
COMMIT = "0123456789" * 4


class Handler(BaseHTTPRequestHandler):
    served: dict[str, bytes] = {}  # noqa: RUF012 - replaced by every test
    requests: list[str] = []  # noqa: RUF012

    def do_GET(self):
        Handler.requests.append(self.path)
        content = Handler.served.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def repository(tmp_path, monkeypatch):
    lists = tmp_path / "checksums"
    lists.mkdir()
    rows = [f"{hashlib.sha256(c).hexdigest()}  {len(c)}  {path}" for path, c in CONTENT.items()]
    (lists / "small.sha256").write_text("\n".join(rows) + "\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Handler.served = {f"/some/one/{COMMIT}/{path}": content for path, content in CONTENT.items()}
    Handler.requests = []
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(github, "CHECKSUMS", lists)
    monkeypatch.setattr(github, "ADDRESS", f"http://127.0.0.1:{server.server_port}")
    github._read_list.cache_clear()
    yield Repository("some/one", COMMIT, "small")
    github._read_list.cache_clear()
    server.shutdown()
    server.server_close()


def test_files_get_their_paths_and_are_downloaded_once(repository, tmp_path):
    root = tmp_path / "root"
    assert repository.download(root, CONTENT, "data set 'small'") == 2
    assert {p: (root / p).read_bytes() for p in CONTENT} == CONTENT
    assert repository.download(root, CONTENT, "data set 'small'") == 0
    assert len(Handler.requests) == 2


def test_an_altered_or_truncated_file_is_downloaded_again(repository, tmp_path):
    root, listed = tmp_path / "root", repository.files()
    repository.download(root, CONTENT, "data set 'small'")
    (root / "a.txt").write_bytes(b"FIRST")
    (root / "folder/b.bin").write_bytes(CONTENT["folder/b.bin"][:20])
    assert fault(root / "a.txt", listed["a.txt"]).startswith("altered: sha256 ")
    assert fault(root / "folder/b.bin", listed["folder/b.bin"]) == "truncated: 20 of 50 bytes"
    assert repository.download(root, CONTENT, "data set 'small'") == 2
    assert not any(fault(root / p, listed[p]) for p in CONTENT)


def test_a_folder_is_not_the_listed_file(repository, tmp_path):
    (tmp_path / "a.txt").mkdir()
    small = github.Listed("a.txt", 0, "0" * 64)
    assert fault(tmp_path / "a.txt", small) == "not readable: Is a directory"


def test_other_content_is_refused_and_not_kept(repository, tmp_path):
    Handler.served[f"/some/one/{COMMIT}/a.txt"] = b"other"
    with pytest.raises(StudyError, match=r"a\.txt has other content than the file of 5 bytes"):
        repository.download(tmp_path / "root", ["a.txt"], "data set 'small'")
    assert not [p for p in (tmp_path / "root").rglob("*") if p.is_file()]


def test_a_commit_that_is_gone_is_named(repository, tmp_path):
    gone = Repository("some/one", "f" * 40, "small")
    with pytest.raises(StudyError, match=r"f{40}/a\.txt cannot be downloaded \(the server answers"):
        gone.download(tmp_path / "root", ["a.txt"], "data set 'small'")


def test_without_a_network_one_sentence_says_so(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(github, "ADDRESS", "http://127.0.0.1:9")  # nothing listens there
    with pytest.raises(StudyError, match=r"cannot be downloaded \(ConnectionError\); run the same"):
        repository.download(tmp_path / "root", CONTENT, "data set 'small'")
    assert not [p for p in (tmp_path / "root").rglob("*") if p.is_file()]
