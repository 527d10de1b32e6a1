"""The command: python -m umt_lib.guide my_features.npz --out report.html"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tqdm import tqdm

from umt_lib.errors import StudyError
from umt_lib.files import write_atomically
from umt_lib.guide import loading, recommend
from umt_lib.guide.inputs import MAX_SAMPLES


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status (2 for a StudyError, 130 for Ctrl-C)."""
    parser = argparse.ArgumentParser(
        prog="python -m umt_lib.guide",
        description="UME, UMT or interactions for one data set; the last line is the verdict.",
        epilog=loading.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", help="npz, csv, parquet, a folder of npy, or a data set's name")
    parser.add_argument("--out", type=Path, help="write the report, one HTML page, here")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--max-samples", type=int, default=MAX_SAMPLES)
    given = parser.parse_args(arguments)
    try:
        for path in (given.out, given.json):
            if path is not None and path.is_dir():
                raise StudyError(f"{path}: is a folder; name a file to write")
        source = loading.load(given.source, given.seed)
        with tqdm(desc="folds", disable=not sys.stderr.isatty()) as bar:
            found = recommend(
                source.features,
                source.labels,
                source.groups,
                seed=given.seed,
                folds=given.folds,
                max_samples=given.max_samples,
                source=source.name,
                tick=bar.update,
            )
        if given.out:
            write_atomically(given.out, found.report().encode())
        if given.json:
            write_atomically(given.json, (json.dumps(found.to_dict(), indent=1) + "\n").encode())
    except StudyError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{given.source}: interrupted; nothing was written", file=sys.stderr)
        return 130
    print(f"reason: {found.reason}")
    print(f"the paper's rule: {found.paper}")
    print(f"verdict: {found.verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
