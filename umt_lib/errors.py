"""The one exception a reader of this study sees: what is wrong, where, and how to mend it."""

from difflib import get_close_matches


class StudyError(Exception):
    """Bad input or a failed run, in one sentence that names the file, the value and the mend."""


def nearest(name: object, known: object) -> str:
    """``"; did you mean 'umt'? (known: joint, umt)"``: the tail of an unknown-name sentence."""
    known = [str(k) for k in known]
    if not known:
        return "; there is none to give here"
    close = get_close_matches(str(name), known, n=1, cutoff=0.5)
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"; {guess}(known: {', '.join(known)})"
