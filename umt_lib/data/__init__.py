"""The data sets by name, and a function that loads and checks one of them."""

from collections.abc import Callable

from umt_lib.data import (
    av_digits,
    cremad,
    digit_halves,
    digit_pairs,
    furniture,
    furniture224,
    graded_pairs,
    kinetics,
    modelnet40,
    psb,
    psb224,
    shared_nuisance,
    synthetic,
    two_way_tables,
    ucf101,
    utd_mhad,
    utd_mhad3,
    vggsound,
    watch,
    youtube8m,
)
from umt_lib.data.splits import Split, Splits, check
from umt_lib.errors import StudyError, nearest

DATASETS: dict[str, Callable[..., Splits]] = {
    "synthetic": synthetic.load,
    "shared-nuisance": shared_nuisance.load,
    "two-way-tables": two_way_tables.load,
    "graded-pairs": graded_pairs.load,
    "digit-pairs": digit_pairs.load,
    "digit-halves": digit_halves.load,
    "watch": watch.load,
    "furniture": furniture.load,
    "psb": psb.load,
    "av-digits": av_digits.load,
    "youtube8m": youtube8m.load,
    "utd-mhad": utd_mhad.load,
    "utd-mhad3": utd_mhad3.load,
    "furniture224": furniture224.load,
    "psb224": psb224.load,
    "vggsound": vggsound.load,
    "kinetics400": kinetics.load,
    "ucf101": ucf101.load,
    "modelnet40": modelnet40.load,
    "cremad": cremad.load,
}
# Generated to study kinds of paired features; the methods of other papers are not run on them.
PAIR_KINDS = ("shared-nuisance", "two-way-tables", "graded-pairs")


def load(name: str, **options) -> Splits:
    """Load a data set by name and check it (see :func:`umt_lib.data.splits.check`).

    Args:
        name: a key of ``DATASETS``.
        options: arguments of the data set's ``load``.

    Raises:
        StudyError: the name is unknown, a file is missing or damaged, or a check fails.
    """
    if name not in DATASETS:
        raise StudyError(f"unknown data set {name!r}{nearest(name, DATASETS)}")
    return check(DATASETS[name](**options), name)


__all__ = ["DATASETS", "PAIR_KINDS", "Split", "Splits", "check", "load"]
