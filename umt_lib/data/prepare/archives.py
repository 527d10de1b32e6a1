"""Download and unpack archives of raw files that publishers still serve.

No publisher here gives a checksum. So the digest of an archive is only printed, and its content is
checked when the samples are read. pooch restarts an interrupted download from the beginning;
``curl -L -C - -O`` resumes it.
"""

from __future__ import annotations

import hashlib
import lzma
import zipfile
import zlib
from pathlib import Path

from umt_lib.data.downloads import download
from umt_lib.errors import StudyError


def fetch(url: str, folder: Path) -> Path:
    """Return the path of the archive in ``folder``; download it, with a progress bar, if missing.

    Raises:
        StudyError: the archive cannot be downloaded, or pooch is not installed.
    """
    path = folder / url.rsplit("/", 1)[1]
    if not path.exists() and (fault := download(url, path, str(path), progress=True)):
        raise StudyError(
            f"{path}: cannot be downloaded from {url} ({fault}); download it by hand, with a "
            f"browser or with `curl -L -C - -O {url}`, which resumes if interrupted"
        )
    return path


def sha256(path: Path) -> str:
    """The sha256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(archive: Path, folder: Path) -> int:
    """Unpack a zip archive into ``folder`` and return its number of files.

    Files that are there with the right size are not written again, so an interrupted call can be
    repeated (pooch.Unzip would keep a truncated file).

    Raises:
        StudyError: the archive is damaged, or a file cannot be written (a full disk).
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            files = [f for f in packed.infolist() if not f.is_dir()]
            for file in files:
                path = folder / file.filename
                if not path.is_file() or path.stat().st_size != file.file_size:
                    packed.extract(file, folder)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as fault:
        raise StudyError(
            f"{archive}: damaged ({fault}); delete it and run the same command again"
        ) from None
    except OSError as fault:
        raise StudyError(
            f"{folder}: cannot be written ({fault.strerror or fault}); free some space or fix the "
            f"permissions, then run the same command again"
        ) from None
    return len(files)
