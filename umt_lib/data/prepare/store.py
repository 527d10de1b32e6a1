"""Prepare a data set: read every sample in worker processes and write one array file per modality.

A folder holds ``<modality>.npy``, one row per listed sample, allocated before the first sample is
read; ``journal.jsonl``, one line per finished sample, written after its rows are on disk; and
``manifest.json``, written last. Readers need the manifest, so an unfinished folder cannot be read.
The same command resumes after the last line of the journal, and tries again the samples that were
missing or broken. The sha256 of a row is computed while it is in memory, so the digest of the
folder needs no second pass over the files.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from umt_lib.data.prepare.journal import Layout, open_journal
from umt_lib.data.prepare.prepared import FORMAT, Prepared, digest
from umt_lib.errors import StudyError
from umt_lib.files import write_atomically

SPLITS = ("train", "validation", "test")
MISSING = "file is missing"
SUBMITTED = 2  # samples submitted per worker at a time
Read = Callable[[Path, dict], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Sample:
    """One listed sample.

    Attributes:
        id: its name, unique in the data set.
        label: index of its class.
        split: "train", "validation" or "test".
        group: samples of a group stay in one split; "" for a sample without a group.
        source: its raw file or folder.
        left_out: the reason if it is not to be used; "" otherwise.
    """

    id: str
    label: int
    split: str
    group: str
    source: Path
    left_out: str = ""


class SampleError(Exception):
    """The reason why one sample cannot be used, e.g. "no audio track"; raised by ``read``."""


def prepare(
    dataset: str,
    samples: Sequence[Sample],
    classes: Sequence[str],
    modalities: Layout,
    read: Read,
    settings: dict[str, Any],
    out: Path,
    workers: int,
    official: dict[str, int],
    progress: bool = True,
    min_share: float = 0.5,
) -> dict[str, Any]:
    """Read every sample and write the folder ``out``, or resume if it was interrupted.

    Args:
        dataset: its name.
        samples: in the order of the rows; ids are unique, a group is in one split.
        classes: class names by label.
        modalities: {name: (shape of one sample, type)}.
        read: (source, settings) -> {modality: array}; a module-level function, since worker
            processes call it. It raises :class:`SampleError` for a sample that cannot be used; any
            other exception but StudyError is taken as a reason too.
        settings: all that ``read`` and the list depend on; they must be representable as JSON.
        out: the folder to write.
        workers: number of processes.
        official: the publishers' counts, {"train": ..., "test": ..., "classes": ...}.
        progress: show a progress bar on the terminal.
        min_share: it is an error if a smaller share of the listed samples is usable.

    Returns:
        The manifest.

    Raises:
        StudyError: an id is repeated, a group is in two splits, the settings give empty samples,
            the folder was made with other settings, the disk is full, a worker died, or too few
            samples are usable.
    """
    _check_list(dataset, samples, classes)
    layout = {m: (tuple(shape), np.dtype(kind)) for m, (shape, kind) in modalities.items()}
    for m, (shape, _) in layout.items():
        if min(shape) < 1:
            raise StudyError(
                f"data set {dataset!r}: settings {settings} give empty samples of {m!r} with the "
                f"shape {shape}; give larger settings"
            )
    header = {
        "format": FORMAT,
        "dataset": dataset,
        "settings": settings,
        "classes": len(classes),
        "samples": len(samples),
        "sample list": digest(
            [[s.id, s.label, s.split, s.group, s.left_out] for s in samples], list(classes)
        ),
        "modalities": {m: [list(shape), kind.str] for m, (shape, kind) in layout.items()},
    }
    header = json.loads(json.dumps(header))  # as it is read back: tuples are lists
    arrays = {m: out / f"{m}.npy" for m in layout}
    try:
        out.mkdir(parents=True, exist_ok=True)
        with open_journal(out, header, arrays, layout, len(samples)) as (journal, done):
            unfinished = [i for i in range(len(samples)) if i not in done]
            broken = {i: reason for i in unfinished if (reason := _skip_reason(samples[i]))}
            todo = [i for i in unfinished if i not in broken]
            bar = tqdm(
                total=len(done) + len(todo),
                initial=len(done),
                desc=f"prepare {dataset}",
                unit="sample",
                disable=not progress,
            )
            results = _prepare_all(samples, todo, read, settings, arrays, workers)
            with bar, closing(journal), closing(results):
                for i, sha256, reason in results:
                    journal.add(i, sha256, reason)
                    if sha256 is not None:
                        done[i] = sha256
                    if reason is not None:
                        broken[i] = reason
                    bar.set_postfix_str(f"{len(broken)} not usable", refresh=False)
                    bar.update()
            manifest = _manifest(header, samples, list(classes), done, broken, official)
            _check_usable(dataset, samples, broken, min_share)
            write_atomically(out / "manifest.json", (json.dumps(manifest) + "\n").encode())
    except OSError as error:
        raise StudyError(
            f"{error.filename or out}: cannot be written ({error.strerror or error}); free some "
            f"space or fix the permissions, then run the same command again"
        ) from None
    return manifest


def _skip_reason(sample: Sample) -> str:
    """Why a sample is not read; "" if it is."""
    return sample.left_out or ("" if sample.source.exists() else MISSING)


def _check_list(dataset: str, samples: Sequence[Sample], classes: Sequence[str]) -> None:
    """Refuse an empty list, repeated ids, groups in two splits, and unknown splits or labels."""
    if not samples:
        raise StudyError(f"data set {dataset!r}: the list names no sample; check the list file")
    for what, key in (("sample", "id"), ("group", "group")):
        seen: dict[str, str] = {}
        for sample in (s for s in samples if not s.left_out):
            name = getattr(sample, key)
            if name and seen.setdefault(name, sample.split) != sample.split:
                raise StudyError(
                    f"data set {dataset!r}: {what} {name!r} is in {seen[name]} and in "
                    f"{sample.split}; keep it in one split"
                )
    name, times = Counter(s.id for s in samples).most_common(1)[0]
    if times > 1:
        raise StudyError(f"data set {dataset!r}: {name!r} is listed {times} times; list it once")
    for s in samples:
        if s.split not in SPLITS or not 0 <= s.label < len(classes):
            raise StudyError(
                f"data set {dataset!r}: {s.id!r} has split {s.split!r} and label {s.label}; splits "
                f"are {', '.join(SPLITS)}, labels 0 to {len(classes) - 1}"
            )


def _prepare_all(
    samples: Sequence[Sample],
    todo: list[int],
    read: Read,
    settings: dict[str, Any],
    arrays: dict[str, Path],
    workers: int,
) -> Generator[tuple[int, str | None, str | None], None, None]:
    """Yield (row, sha256 or None, reason or None) of the samples ``todo`` as they are finished."""
    if not todo:
        return
    # forkserver: as fast as fork, but no threads or locks of this process are copied
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, read.__module__])
    pool = ProcessPoolExecutor(min(workers, len(todo)), context, _start_worker)
    remaining, running = iter(todo), dict[Future, int]()
    try:
        while True:
            for i in remaining:
                future = pool.submit(_prepare_sample, samples[i].source, i, read, settings, arrays)
                running[future] = i
                if len(running) == SUBMITTED * workers:
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                sha256, reason = future.result()
                yield running.pop(future), sha256, reason
    except BrokenProcessPool:
        names = ", ".join(samples[i].id for i in sorted(running.values())[:4])
        raise StudyError(
            f"a process died while it read one of {names} ... (killed, out of memory, or a file "
            f"that crashes the decoder); run the same command again to resume, with fewer "
            f"--workers if memory was short; move a file away if it happens again"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Initialise a worker: it ignores Ctrl-C and ends when the parent process ends or is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker

    def exit_with_parent() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=exit_with_parent, daemon=True).start()


def _prepare_sample(
    source: Path, row: int, read: Read, settings: dict[str, Any], arrays: dict[str, Path]
) -> tuple[str | None, str | None]:
    """In a worker: read one sample and write its rows; (sha256, None) or (None, reason)."""
    try:
        found = read(source, settings)
    except StudyError:  # concerns all samples
        raise
    except SampleError as reason:
        return None, str(reason)
    except Exception as error:  # one bad sample must not stop the others
        return None, f"{type(error).__name__}: {error}"
    sha256 = hashlib.sha256()
    for m, path in arrays.items():
        stored, value = np.load(path, mmap_mode="r"), np.ascontiguousarray(found[m])
        if (value.shape, value.dtype) != (stored.shape[1:], stored.dtype):
            raise StudyError(
                f"{source}: {m!r} was read as {value.shape} {value.dtype}, declared as "
                f"{stored.shape[1:]} {stored.dtype}; fix the data set's read function"
            )
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            return None, f"NaN or infinity in {m!r}"
        sha256.update(value.data)
        with path.open("rb+", buffering=0) as file:
            file.seek(stored.offset + row * value.nbytes)
            left = value.data.cast("B")
            while left:
                left = left[file.write(left) :]
    return sha256.hexdigest(), None


def _manifest(
    header: dict[str, Any],
    samples: Sequence[Sample],
    classes: list[str],
    done: dict[int, str],
    broken: dict[int, str],
    official: dict[str, int],
) -> dict[str, Any]:
    """The content of ``manifest.json``, with a digest of itself, and so of every row."""
    listed, good = Counter(s.split for s in samples), Counter(samples[i].split for i in done)
    manifest = {
        **{k: header[k] for k in ("format", "dataset", "settings", "modalities", "sample list")},
        "classes": classes,
        "listed": len(samples),
        "counts": {
            "official": official,
            "listed": {name: listed[name] for name in SPLITS},
            "good": {name: good[name] for name in SPLITS},
        },
        "samples": [
            {
                "id": samples[i].id,
                "label": samples[i].label,
                "split": samples[i].split,
                "group": samples[i].group,
                "row": i,
                "sha256": done[i],
            }
            for i in sorted(done)
        ],
        "quarantine": [{"id": samples[i].id, "reason": broken[i]} for i in sorted(broken)],
    }
    return {**manifest, "digest": digest(manifest)}


def _check_usable(
    dataset: str, samples: Sequence[Sample], broken: dict[int, str], min_share: float
) -> None:
    """Refuse a data set if less than ``min_share`` of its samples is usable."""
    good = len(samples) - len(broken)
    if good >= min_share * len(samples):
        return
    reasons = ", ".join(f"{n} x {r}" for r, n in Counter(broken.values()).most_common(3))
    first = ", ".join(str(samples[i].source) for i in sorted(broken)[:3])
    raise StudyError(
        f"data set {dataset!r}: {good} of {len(samples)} listed samples are usable, fewer than the "
        f"threshold of {min_share:.0%} ({reasons}; first: {first}); check --root, or lower "
        f"--min-share if there are no more samples"
    )


__all__ = ["Layout", "Prepared", "Read", "Sample", "SampleError", "prepare"]
