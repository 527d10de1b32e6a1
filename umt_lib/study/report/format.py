"""Write numbers and comparisons, in the same way in all tables and sentences."""

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
EQUIVALENT = 0.01  # two strategies are equivalent if the whole interval is within this of 0 (TOST)
NUMBER = re.compile(rf"[+{MINUS}]?\d")


def percent(interval: Interval) -> str:
    """An accuracy in percent, as in ``83.2 [81.0, 85.4]``."""
    mean, low, high, n = interval
    return f"{100 * mean:.1f}" + (
        f" [{100 * low:.1f},{SPACE}{100 * high:.1f}]" if n > 1 else " (one seed)"
    )


def points(interval: Interval | None) -> str:
    """A difference of accuracies in points, as in ``+1.2 [-0.3, +2.7]``; a dash for None."""
    if interval is None:
        return NONE
    values = [f"{100 * value:+.1f}" for value in interval[:3]]
    values = [value.replace("-0.0", "+0.0") for value in values]
    bounds = f" [{values[1]},{SPACE}{values[2]}]" if interval.n > 1 else " (one seed)"
    return (values[0] + bounds).replace("-", MINUS).replace("+0.0", "0.0")


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns that contain numbers are aligned to the right."""
    if not rows:
        return "Nothing to show here yet."
    numbers = [any(NUMBER.match(row[i]) for row in rows) for i in range(len(header))]
    rule = ["---:" if number else "---" for number in numbers]
    lines = [" | ".join(cells) for cells in (header, rule, *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def in_words(a: str, b: str, gain: Interval) -> str:
    """The comparison of ``a`` and ``b`` by the interval of ``a`` minus ``b``, in accuracy.

    ``a is better than b`` or ``worse`` if the interval excludes 0. ``a and b are equivalent`` if it
    contains 0 and :func:`is_equivalent`. Otherwise ``no clear difference between a and b``.
    """
    if not gain.contains_zero:
        return f"{a} is {'better' if gain.mean > 0 else 'worse'} than {b}"
    return (
        f"{a} and {b} are equivalent"
        if is_equivalent(gain)
        else f"no clear difference between {a} and {b}"
    )


def is_equivalent(gain: Interval) -> bool:
    """Whether the whole interval of a difference lies within :data:`EQUIVALENT` of 0."""
    return gain.low >= -EQUIVALENT and gain.high <= EQUIVALENT
