"""The one exception a reader of this study sees: what is wrong, where, and how to mend it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches


class StudyError(Exception):
    """Bad input or a failed run, in one sentence that names the file, the value and the mend."""


def exit_status(
    command: Callable[[], int],
    interrupted: str = "interrupted; the same command goes on from here",
) -> int:
    """What ``command`` returns; 2 for a StudyError, 130 for Ctrl-C, each said on standard error."""
    try:
        return command()
    except StudyError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130


def nearest(name: object, known: Iterable[object]) -> str:
    """``"; did you mean 'umt'? (known: joint, umt)"``: the tail of an unknown-name sentence."""
    names = [str(k) for k in known]
    if not names:
        return "; there is none to give here"
    close = get_close_matches(str(name), names, n=1, cutoff=0.5)
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"; {guess}(known: {', '.join(names)})"
