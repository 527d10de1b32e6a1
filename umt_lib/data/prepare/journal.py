"""What a half-filled folder is made of: arrays with their space taken, and the journal."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from umt_lib.data.prepare.prepared import same
from umt_lib.errors import StudyError
from umt_lib.files import write_atomically

SAVE_EVERY = 1.0  # seconds between two times the rows are forced to disk and the journal written
Layout = dict[str, tuple[tuple[int, ...], np.dtype]]  # {modality: (shape of one row, type)}


class Journal:
    """Appends to the journal, now and then: rows first, then the lines that say they are there."""

    def __init__(self, file: BinaryIO, arrays: dict[str, Path]):
        self.file, self.rows = file, [path.open("rb+") for path in arrays.values()]
        self.lines: list[str] = []
        self.written = time.monotonic()

    def add(self, row: int, sha256: str | None, reason: str | None) -> None:
        """Note that ``row`` is done, or the reason why it cannot be; on disk within a second."""
        self.lines.append(json.dumps({"row": row, "sha256": sha256, "reason": reason}) + "\n")
        if time.monotonic() - self.written > SAVE_EVERY:
            self.write()

    def write(self) -> None:
        """Force to disk the rows, then the lines that are not there yet."""
        for file in self.rows:
            os.fsync(file.fileno())
        self.file.write("".join(self.lines).encode())
        self.file.flush()
        os.fsync(self.file.fileno())
        self.lines.clear()
        self.written = time.monotonic()

    def close(self) -> None:
        """Write what is left and close the arrays' files."""
        self.write()
        for file in self.rows:
            file.close()


@contextmanager
def opened(
    out: Path, header: dict[str, Any], arrays: dict[str, Path], layout: Layout, rows: int
) -> Iterator[tuple[Journal, dict[int, str]]]:
    """The open journal of ``out`` and {row: sha256} of what it says is done; made if absent."""
    path = out / "journal.jsonl"
    with (out / ".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until the file closes, or we die
        except BlockingIOError:
            raise StudyError(
                f"{out}: another process is preparing into this folder; wait for it or stop it"
            ) from None
        if not path.exists():
            _allocate(arrays, layout, rows)
            write_atomically(path, (json.dumps(header) + "\n").encode())
        raw = path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]  # a torn last line is a clip to be done again
        try:
            stated, *lines = [json.loads(line) for line in whole.splitlines()]
            stated = _flat(stated)
            done = {line["row"]: line["sha256"] for line in lines if line["reason"] is None}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise StudyError(f"{path}: damaged; delete the folder {out} and begin again") from None
        same(path, stated, _flat(header), "this command")
        for m, file in arrays.items():
            if not file.exists() or file.stat().st_size != _size(layout[m], rows):
                raise StudyError(
                    f"{file}: missing or truncated; delete the folder {out} and begin again"
                )
        with path.open("rb+") as file:
            file.truncate(len(whole))
            file.seek(0, os.SEEK_END)
            yield Journal(file, arrays), done


def _allocate(arrays: dict[str, Path], layout: Layout, rows: int) -> None:
    """Take the disk space of all arrays now, so that a full disk is known before hours of work."""
    sizes = {m: _size(layout[m], rows) for m in arrays}
    folder = next(iter(arrays.values())).parent
    needed, free = sum(sizes.values()), shutil.disk_usage(folder).free
    freed = sum(path.stat().st_blocks * 512 for path in arrays.values() if path.exists())
    try:
        if needed > free + freed:
            raise OSError(errno.ENOSPC, "no space")
        for m, path in arrays.items():
            with path.open("wb") as file:
                file.write(_head(layout[m], rows))
                file.flush()
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, sizes[m])
                else:  # macOS has no such call: there only the comparison above protects
                    file.truncate(sizes[m])
    except OSError as error:
        for path in arrays.values():
            path.unlink(missing_ok=True)
        if error.errno != errno.ENOSPC:
            raise
        raise StudyError(
            f"{folder}: the arrays need {needed:,} bytes, {free + freed:,} are free; free some "
            f"space or choose another folder"
        ) from None


def _head(layout: tuple[tuple[int, ...], np.dtype], rows: int) -> bytes:
    """The header of a ``.npy`` file of ``rows`` rows."""
    shape, kind = layout
    about = {"descr": kind.str, "fortran_order": False, "shape": (rows, *shape)}
    np.lib.format.write_array_header_1_0(buffer := io.BytesIO(), about)
    return buffer.getvalue()


def _size(layout: tuple[tuple[int, ...], np.dtype], rows: int) -> int:
    shape, kind = layout
    return len(_head(layout, rows)) + rows * int(np.prod(shape)) * kind.itemsize


def _flat(header: dict[str, Any]) -> dict[str, Any]:
    return {**{k: v for k, v in header.items() if k != "settings"}, **header["settings"]}
