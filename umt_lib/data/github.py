"""Files of a public GitHub repository at a fixed commit: listed, downloaded and verified.

The files of a data set and their sha256 stand in ``checksums/<name>.sha256``, which is part of this
package; the files themselves are not. A line is ``<sha256>  <bytes>  <path in the repository>``. On
this machine the files have the same paths below a folder that the user chooses, so a clone of the
repository at that commit is as good as a download.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from umt_lib.data.downloads import local_path, optional_package
from umt_lib.errors import StudyError

ADDRESS = "https://raw.githubusercontent.com"
CHECKSUMS = Path(__file__).parent / "checksums"
RESTORE = "delete it and run the same command again to download it"
CONNECTIONS = 8  # small files spend their time waiting for the server


@dataclass(frozen=True)
class Listed:
    """A file as it is listed: its path in the repository, size in bytes, and sha256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Repository:
    """A repository at one commit, and the list of those of its files that a data set needs.

    Attributes:
        name: ``owner/name``.
        commit: 40 hexadecimal digits.
        checksums: name of the list in ``checksums/``, without its ending.
    """

    name: str
    commit: str
    checksums: str

    def files(self) -> dict[str, Listed]:
        """Return the listed files by path, in the order of the list."""
        return _read_list(self.checksums)

    def url(self, path: str) -> str:
        """Return the address of the file ``path`` at the commit."""
        return f"{ADDRESS}/{self.name}/{self.commit}/{path}"

    def find(
        self, root: str, also: Mapping[str, str], user: str, progress: bool = True
    ) -> dict[str, Path]:
        """Return verified files on this machine, {path in the repository: file}.

        Files are looked for in ``$UMT_DATA``, then in the user cache, into which missing ones are
        downloaded.

        Args:
            root: folder of files that have the repository's paths, below one of the two.
            also: {path in the repository: another name below one of the two}, the files to find.
            user: what needs the files; the beginning of error messages.
            progress: show a progress bar on the terminal.

        Raises:
            StudyError: a file cannot be downloaded or is not the listed one.
        """
        listed = self.files()

        def local(path: str) -> Path | None:
            return local_path(also[path]) or local_path(f"{root}/{path}")

        if missing := [path for path in also if local(path) is None]:
            cache = Path(optional_package("pooch", user).os_cache("umt_lib"))
            self.download(cache / root, missing, user, progress)
        found = {path: file for path in also if (file := local(path))}
        for path, file in found.items():
            if wrong := fault(file, listed[path]):
                raise StudyError(f"{user}: {file} is {wrong}; {RESTORE}")
        return found

    def download(self, root: Path, paths: Collection[str], user: str, progress: bool = True) -> int:
        """Download those of ``paths`` that are missing below ``root`` or have other content.

        A file gets its name only when it is complete and verified, so an interrupted call can be
        repeated and downloads the rest.

        Args:
            root: folder that gets the files; their paths below it are those of the repository.
            paths: some of the listed ones.
            user: what needs the files; the beginning of error messages.
            progress: show a progress bar on the terminal.

        Returns:
            The number of files that were downloaded.

        Raises:
            StudyError: a file cannot be downloaded or has other content than the listed one, or
                pooch is not installed. Files that were downloaded before stay.
        """
        listed = self.files()
        wanted = [listed[path] for path in paths if fault(root / path, listed[path])]
        optional_package("pooch", user).get_logger().setLevel("WARNING")  # else one line per file
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            results = pool.map(lambda file: self._download(root, file, user), wanted)
            try:
                bar = tqdm(
                    results,
                    f"download {self.checksums}",
                    len(wanted),
                    disable=None if progress else True,
                )
                return sum(bar)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _download(self, root: Path, file: Listed, user: str) -> int:
        """Download one file to its place below ``root``, over one with other content; return 1."""
        pooch = optional_package("pooch", user)
        path, url = root / file.path, self.url(file.path)
        fix = f"run the same command again to resume, or put the file at {path} by hand"
        try:
            pooch.retrieve(url, f"sha256:{file.sha256}", path.name, path.parent)
        except ValueError:  # another digest: pooch keeps nothing
            raise StudyError(
                f"{user}: {url} has other content than the file of {file.size:,} bytes and sha256 "
                f"{file.sha256[:12]}... that this study uses; {fix}"
            ) from None
        except OSError as error:  # requests' exceptions are of OSError
            reason = type(error).__name__
            if (response := getattr(error, "response", None)) is not None:
                reason = f"the server answers {response.status_code}"
                response.close()  # pooch leaves a refused request open
            raise StudyError(f"{user}: {url} cannot be downloaded ({reason}); {fix}") from None
        return 1


def fault(path: Path, listed: Listed) -> str:
    """Return what is wrong with a file, or "" if it is the listed one.

    >>> fault(Path("no-such-file"), Listed("no-such-file", 3, "0" * 64))
    'missing'
    """
    try:
        size = path.stat().st_size
    except OSError:
        return "missing"
    if size < listed.size:
        return f"truncated: {size:,} of {listed.size:,} bytes"
    try:
        found = _sha256(path)
    except OSError as error:  # a folder, or no permission
        return f"not readable: {error.strerror}"
    if found != listed.sha256:
        return f"altered: sha256 {found[:12]}..., not {listed.sha256[:12]}..."
    return ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def _read_list(name: str) -> dict[str, Listed]:
    lines = (CHECKSUMS / f"{name}.sha256").read_text().splitlines()
    rows = [line.split(maxsplit=2) for line in lines]
    return {path: Listed(path, int(size), sha256) for sha256, size, path in rows}
