"""The one exception that users see, with what is wrong, where, and how to fix it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches

LISTED = 60  # more names are not listed in a message: nobody reads them


class StudyError(Exception):
    """Bad input or a failed run, in one sentence that names the file, the value and the fix."""


def exit_status(
    command: Callable[[], int],
    interrupted: str = "interrupted; run the same command again to resume",
) -> int:
    """Run ``command`` and return its exit status; 2 for a StudyError, 130 for Ctrl-C.

    The message of the StudyError, or ``interrupted``, is printed on standard error. A process that
    a script starts in the background inherits that Ctrl-C is ignored; it is handled here again.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return command()
    except StudyError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130


def nearest(name: object, known: Iterable[object]) -> str:
    """Suggest a known name, as the end of an error message: "; did you mean 'umt'? (known: ...)".

    Of many known names, the at most three that are most similar.

    >>> nearest("unt", ["joint", "umt"])
    "; did you mean 'umt'? (known: joint, umt)"
    """
    names = [str(k) for k in known]
    if not names:
        return "; none is allowed here"
    if len(names) > LISTED:
        close = get_close_matches(str(name), names, n=3, cutoff=0.5)
        return (
            f"; did you mean {' or '.join(map(repr, close))}?" if close else "; no name is similar"
        )
    close = get_close_matches(str(name), names, n=1, cutoff=0.5)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    return f"{guess} (known: {', '.join(names)})"
