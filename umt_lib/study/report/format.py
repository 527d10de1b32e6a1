"""Write numbers and comparisons, in the same way in all tables and sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from umt_lib.evaluation.intervals import Interval

NONE = "\N{EN DASH}"
NOT_RUN = "not run yet"
NOTHING = "Nothing has run yet: run `make study`."
TIMES = "\N{MULTIPLICATION SIGN}"
MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"  # an interval stays on one line
EQUIVALENT = 0.01  # two strategies are equivalent if the whole interval is within this of 0 (TOST)
NUMBER = re.compile(rf"\**[+{MINUS}]?\d")


def percent(interval: Interval, digits: int = 1) -> str:
    """An accuracy in percent, as in ``83.2 [81.0, 85.4]``."""
    mean, low, high = (f"{100 * value:.{digits}f}" for value in interval[:3])
    return mean + (f" [{low},{SPACE}{high}]" if interval.n > 1 else " (one seed)")


def points(interval: Interval | None, clear: bool = False) -> str:
    """A difference of accuracies in points, as in ``+1.2 [-0.3, +2.7]``; a dash for None.

    A bound that rounds to 0.0 has more digits, which show on which side of 0 it lies. A
    difference that is ``clear``, that is, survives the correction of its family, is in bold.
    """
    if interval is None:
        return NONE
    mean, low, high, n = interval
    bounds = f" [{signed(low, True)},{SPACE}{signed(high, True)}]" if n > 1 else " (one seed)"
    text = signed(mean) + bounds
    return f"**{text}**" if clear else text


def signed(value: float, bound: bool = False) -> str:
    """A difference in points with its sign; no sign if nothing but zeros is shown."""
    text = f"{100 * value:+.1f}"
    for digits in (2, 3, 4) if bound and value else ():
        text = text if float(text) else f"{100 * value:+.{digits}f}"
    return with_sign(text)


def with_sign(text: str) -> str:
    """A number that was written with its sign; no sign if nothing but zeros is shown.

    >>> with_sign("+0.3"), with_sign("-0.00")
    ('+0.3', '0.00')
    """
    return (text if float(text) else text[1:]).replace("-", MINUS)


def plain(value: Any) -> str:
    """The value of a hyper-parameter: a number without trailing zeros, or a word."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:g}" if is_number else literal(value)


def literal(text: object) -> str:
    """Text from a results file as it is: nothing in it is read as Markdown or HTML.

    >>> literal("<b>*")
    '&#60;b&#62;&#42;'
    """
    return re.sub(r"[&<>*`\[\]\\|{}$]", lambda mark: f"&#{ord(mark[0])};", str(text))


def setting(field: str, value: Any) -> str:
    """A hyper-parameter and its value, as in ``learning rate 0.3``."""
    return f"{words(field)} {plain(value)}"


def words(field: str) -> str:
    """The key of a hyper-parameter as words."""
    return field.replace("_", " ")


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns that contain numbers are aligned to the right."""
    if not rows:
        return "Nothing to show here yet."
    numbers = [any(NUMBER.match(row[i]) for row in rows) for i in range(len(header))]
    rule = ["---:" if number else "---" for number in numbers]
    lines = [" | ".join(cells) for cells in (header, rule, *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def in_words(a: str, b: str, gain: Interval, clear: bool) -> str:
    """The comparison of ``a`` and ``b`` by the difference ``a`` minus ``b`` in accuracy.

    ``a is better than b`` or ``worse`` if the difference is ``clear``, that is, survives the
    correction of its family. ``a and b are equivalent`` if it is not, but :func:`is_equivalent`.
    Otherwise ``no clear difference between a and b``.
    """
    if clear:
        return f"{a} is {'better' if gain.mean > 0 else 'worse'} than {b}"
    return (
        f"{a} and {b} are equivalent"
        if is_equivalent(gain)
        else f"no clear difference between {a} and {b}"
    )


def is_equivalent(gain: Interval) -> bool:
    """Whether the whole interval of a difference lies within :data:`EQUIVALENT` of 0."""
    return gain.low >= -EQUIVALENT and gain.high <= EQUIVALENT
