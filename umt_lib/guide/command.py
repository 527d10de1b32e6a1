"""The command ``umt guide``: read features, print a recommendation, write a report."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from umt_lib.errors import StudyError, exit_status
from umt_lib.guide import cautions, readers, recommend, report
from umt_lib.guide.checks import FOLDS, FOLDS_OF_MANY, MANY, MAX_SAMPLES, default_folds
from umt_lib.guide.recommendation import Recommendation, Trial

DESCRIPTION = """\
Recommend how to train on your features: with an ensemble of uni-modal models
(UME), jointly with uni-modal teachers (UMT), or jointly with a head that can
model interactions between modalities (interactions). If the samples do not
suffice to decide, the verdict is "no clear winner". The last two lines of the
output are the verdict and the cheapest strategy within half a point of the
best (or the most frequent class, as long as nothing is clearly more than half a
point better), among those that features can rank; joint training and UMT train
encoders, so they are not in that ranking."""
HTML, JSON = (".html", ".htm"), (".json",)  # the files that --out and --json may replace

Load = Callable[[str, int, int], readers.Source]
Attempt = Callable[[readers.Source, Recommendation, int], Trial]


def main(
    arguments: list[str] | None = None,
    load: Load = lambda source, seed, folds: readers.load(source),
    attempt: Attempt | None = None,
) -> int:
    """Run the command and return its exit status: 2 for a StudyError, 130 for Ctrl-C.

    The guide knows files and no methods. What needs the study is given by the command ``umt``:

    Args:
        load: reads the source for a seed and a number of folds; the one of the study also knows the
            names of data sets.
        attempt: trains networks on a source, beside its recommendation, on a number of samples at
            most; None if the option ``--try`` does not exist.
    """
    given = _parser(attempt is not None).parse_args(arguments)
    interrupted = f"{given.source}: interrupted; nothing was written"
    return exit_status(lambda: _run(given, load, attempt), interrupted)


def _parser(trial: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="umt guide",
        description=DESCRIPTION,
        epilog=readers.FORMATS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source",
        help="features and labels: a .npz, .h5, .mat, .pt, .csv or .parquet file, a folder of "
        "files, or the name of a data set whose uni-modal experiments have been run",
    )
    parser.add_argument(
        "--inputs",
        metavar="FILE",
        help="raw inputs of the same samples (.npz or a folder of .npy files), used to detect "
        "interactions that the features do not contain",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write a report to FILE (.html), as one HTML page"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all results to FILE (.json)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="random seed of folds, corrections and intervals (default: %(default)s)",
    )
    parser.add_argument(
        "--folds",
        type=int,
        metavar="N",
        help=f"number of cross-validation folds (default: {FOLDS}, of more than {MANY} samples "
        f"{FOLDS_OF_MANY})",
    )
    parser.add_argument(
        "--max-samples",
        type=int,
        default=MAX_SAMPLES,
        metavar="N",
        help="of more samples than this, use a random subset, stratified by class "
        "(default: %(default)s)",
    )
    if trial:
        parser.add_argument(
            "--try",
            dest="trial",
            action="store_true",
            help="also train small networks on the features by every strategy (minutes), and show "
            "whether the verdict holds there",
        )
    return parser


def _run(given: argparse.Namespace, load: Load, attempt: Attempt | None) -> int:
    for argument, name in (("source", given.source), ("--inputs", given.inputs)):
        if name == "":
            raise StudyError(f"{argument}: the name is empty; give a file or a folder")
    try:
        _check_outputs(given)
        source = load(given.source, given.seed, given.folds or FOLDS)
        if given.inputs:
            source = source._replace(extra=readers.inputs(given.inputs, source))
    except OSError as error:  # such as a path that is too long
        path = error.filename or given.source
        raise StudyError(f"{path}: cannot be used ({error.strerror}); check the path") from None
    used = min(len(source.labels), given.max_samples)
    folds = default_folds(used) if given.folds is None else given.folds
    total = folds * (1 if source.extra is None else 2)
    with tqdm(desc="folds", total=total, disable=None) as bar:
        found = recommend(
            source.features,
            source.labels,
            source.groups,
            extra=source.extra,
            seed=given.seed,
            folds=given.folds,
            max_samples=given.max_samples,
            source=source.name,
            tick=bar.update,
        )
    if attempt is not None and given.trial:
        found = replace(found, trial=attempt(source, found, given.max_samples))
    outputs = {}
    if given.json:
        outputs[given.json] = json.dumps(found.to_dict(), indent=1) + "\n"
    if given.out:
        outputs[given.out] = report.page(found)
    _write(outputs)
    _print(found)
    return 0


def _check_outputs(given: argparse.Namespace) -> None:
    """Refuse, before minutes of work, outputs that cannot be written or would destroy a file."""
    outputs = {path: kinds for path, kinds in ((given.out, HTML), (given.json, JSON)) if path}
    if given.out and given.json and _same(given.out, given.json):
        raise StudyError(f"{given.out}: both --out and --json name this file; name two files")
    for path, kinds in outputs.items():
        if path.is_dir():
            raise StudyError(f"{path}: is a folder; name a file to write")
        for source, content in ((given.source, "features"), (given.inputs, "inputs")):
            if source and any(_same(path, file) for file in _files(Path(source))):
                raise StudyError(f"{path}: holds the {content}; name another file to write")
        if path.is_file() and path.suffix.lower() not in kinds:
            raise StudyError(
                f"{path}: exists and is no {kinds[0]} file, so it is not replaced; name a file "
                f"that ends in {kinds[0]}"
            )
        _check_writable(path)


def _check_writable(path: Path) -> None:
    if not path.parent.is_dir():
        raise StudyError(
            f"{path}: cannot be written, there is no folder {path.parent}; create the folder"
        )
    if path.exists() and not os.access(path, os.W_OK):
        raise StudyError(f"{path}: cannot be written; fix the permissions or name another file")
    if not path.exists() or path.is_file():
        try:
            _partial(path).touch()
            _partial(path).unlink()
        except OSError as error:
            raise StudyError(
                f"{path}: cannot be written ({error.strerror}); fix the permissions or name "
                f"another file"
            ) from None


def _partial(path: Path) -> Path:
    """The file that is written first, and then takes the place of ``path``."""
    return path.with_name(f".{path.name}.partial")


def _files(source: Path) -> Iterator[Path]:
    """The files that are read from a path; none where it does not exist."""
    if source.is_dir():
        yield from readers.folder_files(source)
    elif source.exists():
        yield source


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file, whether it exists or not."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _write(outputs: dict[Path, str]) -> None:
    """Write all texts or none; a device or pipe is written to, never replaced."""
    partial: dict[Path, Path] = {}
    try:
        for path, text in outputs.items():
            if path.exists() and not path.is_file():
                path.write_bytes(text.encode(errors="replace"))
                continue
            partial[path] = _partial(path)
            with partial[path].open("wb") as file:
                file.write(text.encode(errors="replace"))
                file.flush()
                os.fsync(file.fileno())
        for path, written in partial.items():
            os.replace(written, path)
    except OSError as error:
        raise StudyError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        for written in partial.values():
            with contextlib.suppress(OSError):
                written.unlink()


def _print(found: Recommendation) -> None:
    """Print the reasons, and last the verdict and the cheapest strategy."""
    try:
        if found.data["copies"]:
            print(f"note: {cautions.copied(found.data['copies'])}")
        if not found.data["inputs"]:
            print(
                "note: features alone cannot show what encoders dropped that joint training would "
                "use; --inputs can"
            )
        print(f"reason: {found.reason}")
        print(f"the paper's rule: {found.paper}")
        if found.trial:
            print(f"direct experiment: {report.tried(found.verdict, found.trial)}")
        print(f"verdict: {found.verdict}")
        print(f"cheapest: {found.cheapest}")
        sys.stdout.flush()
    except OSError as error:
        with contextlib.suppress(OSError):  # what is still buffered would fail once more at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise StudyError(f"standard output: cannot be written ({error.strerror})") from None
