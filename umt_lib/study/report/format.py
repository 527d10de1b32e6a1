"""How numbers are compared and written, in tables and sentences alike."""

from __future__ import annotations

import re
from collections.abc import Sequence

from umt_lib.evaluation.intervals import Interval

NONE = "\N{EN DASH}"
NOT_RUN = "not run yet"
NOTHING = "Nothing has run yet: run `make study`."
TIMES = "\N{MULTIPLICATION SIGN}"
MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"  # an interval stays on one line
NUMBER = re.compile(rf"[+{MINUS}]?\d")


def percent(interval: Interval) -> str:
    """``83.2 [81.0, 85.4]``: an accuracy."""
    mean, low, high, n = interval
    return f"{100 * mean:.1f}" + (
        f" [{100 * low:.1f},{SPACE}{100 * high:.1f}]" if n > 1 else " (one seed)"
    )


def points(interval: Interval | None) -> str:
    """``+1.2 [-0.3, +2.7]``: a difference of accuracies; a dash where there is none."""
    if interval is None:
        return NONE
    values = [f"{100 * value:+.1f}" for value in interval[:3]]
    values = [value.replace("-0.0", "+0.0") for value in values]
    bounds = f" [{values[1]},{SPACE}{values[2]}]" if interval.n > 1 else " (one seed)"
    return (values[0] + bounds).replace("-", MINUS).replace("+0.0", "0.0")


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A pipe table; columns with a number in them are set to the right."""
    if not rows:
        return "Nothing to show here yet."
    numbers = [any(NUMBER.match(row[i]) for row in rows) for i in range(len(header))]
    rule = ["---:" if number else "---" for number in numbers]
    lines = [" | ".join(cells) for cells in (header, rule, *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def in_words(a: str, b: str, gain: Interval) -> str:
    """``UMT beats joint training``, ``loses to`` it, or ``ties with`` it: the interval holds 0."""
    verb = "ties with" if gain.contains_zero else "beats" if gain.mean > 0 else "loses to"
    return f"{a} {verb} {b}"
