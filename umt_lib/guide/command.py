"""The command: umt guide my_features.npz --out report.html"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from umt_lib.errors import StudyError
from umt_lib.files import write_atomically
from umt_lib.guide import readers, recommend, report
from umt_lib.guide.checks import MAX_SAMPLES


def main(
    arguments: list[str] | None = None,
    load: Callable[[str, int], readers.Source] = lambda source, seed: readers.load(source),
) -> int:
    """Returns the exit status (2 for a StudyError, 130 for Ctrl-C).

    Args:
        load: reads the source, for a seed; the study's knows the names of data sets too.
    """
    parser = argparse.ArgumentParser(
        prog="umt guide",
        description="UME, UMT or interactions for one data set; the last line is the verdict.",
        epilog=readers.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", help="npz, csv, parquet, a folder of npy, or a data set's name")
    parser.add_argument("--inputs", help="raw inputs, to look for pairs that features hide")
    parser.add_argument("--out", type=Path, help="write the report, one HTML page, here")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--max-samples", type=int, default=MAX_SAMPLES)
    given = parser.parse_args(arguments)
    try:
        for path in filter(None, (given.out, given.json)):
            _writable(path, given.source)
        if given.out and given.out == given.json:
            raise StudyError(f"{given.out}: asked for the report and the numbers; name two files")
        source = load(given.source, given.seed)
        if given.inputs:
            source = source._replace(beside=readers.inputs(given.inputs, source))
        folds = given.folds * (1 if source.beside is None else 2)
        with tqdm(desc="folds", total=folds, disable=not sys.stderr.isatty()) as bar:
            found = recommend(
                source.features,
                source.labels,
                source.groups,
                beside=source.beside,
                seed=given.seed,
                folds=given.folds,
                max_samples=given.max_samples,
                source=source.name,
                tick=bar.update,
            )
        if given.out:
            _write(given.out, report.page(found))
        if given.json:
            _write(given.json, json.dumps(found.to_dict(), indent=1) + "\n")
        print(f"reason: {found.reason}")
        print(f"the paper's rule: {found.paper}")
        print(f"verdict: {found.verdict}")
        sys.stdout.flush()
    except StudyError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{given.source}: interrupted; nothing was written", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"standard output: cannot be written ({error.strerror})", file=sys.stderr)
        with contextlib.suppress(OSError):  # what is still buffered would fail once more at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 2
    return 0


def _writable(path: Path, source: str) -> None:
    """Refuse before minutes of work what cannot be written after them."""
    if path.is_dir():
        raise StudyError(f"{path}: is a folder; name a file to write")
    if not path.parent.is_dir():
        raise StudyError(f"{path}: cannot be written, there is no folder {path.parent}; make it")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise StudyError(f"{path}: cannot be written; mend the permissions or name another file")
    if path.exists() and Path(source).exists() and path.samefile(source):
        raise StudyError(f"{path}: holds the features; name another file to write")


def _write(path: Path, text: str) -> None:
    """Whole or not at all; a device or pipe is written to, never replaced."""
    content = text.encode(errors="replace")
    if path.exists() and not path.is_file():
        try:
            path.write_bytes(content)
        except OSError as error:
            raise StudyError(f"{path}: cannot be written ({error.strerror})") from None
    else:
        write_atomically(path, content)
