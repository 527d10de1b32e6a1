"""Archives of gigabytes that are still served: fetched into the folder of raw files, and unpacked.

No publisher here gives a checksum, so the bytes that came are told by theirs, and what is inside is
judged when it is read. pooch begins an interrupted download again; ``curl -L -C - -O`` goes on.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from umt_lib.data.downloads import package, retrieve
from umt_lib.errors import StudyError


def fetch(url: str, folder: Path) -> Path:
    """The archive in ``folder`` under its own name, downloaded with a progress bar if it is not.

    Raises:
        StudyError: it cannot be downloaded, or pooch is not installed.
    """
    path = folder / url.rsplit("/", 1)[1]
    if not path.exists() and (fault := retrieve(url, path, str(path), progress=True)):
        raise StudyError(
            f"{path}: cannot be downloaded from {url} ({fault}); put it there by hand, with a "
            f"browser or `curl -L -C - -O {url}`, which goes on where it stopped"
        )
    return path


def sha256(path: Path) -> str:
    """The digest of a file's bytes, read in pieces."""
    return package("pooch", str(path)).file_hash(path)


def unpack(archive: Path, folder: Path) -> int:
    """Unpack a zip archive into ``folder``; files that are there and whole stay. Returns how many.

    Raises:
        StudyError: the archive is damaged.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            files = [f for f in packed.infolist() if not f.is_dir()]
            for file in files:
                there = folder / file.filename
                if not there.is_file() or there.stat().st_size != file.file_size:
                    packed.extract(file, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError) as fault:
        raise StudyError(
            f"{archive}: damaged ({fault}); delete it and run the same command again"
        ) from None
    return len(files)
