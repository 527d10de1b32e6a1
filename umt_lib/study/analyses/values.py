"""The values that options of analyses may have: types that the schema of a params file is made of.

An option with one of these types is checked when the params file is read, so a function of an
analysis need not check it again.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

T = TypeVar("T", bound=Hashable)
Checked = TypeVar("Checked", bound=Sequence[Hashable])


def _distinct(values: Checked) -> Checked:
    """The values; pydantic's error if one is repeated."""
    if len(set(values)) < len(values):
        raise PydanticCustomError("repeated", "list should have each value once")
    return values


_ONCE = AfterValidator(_distinct)
Values = Annotated[tuple[T, ...], Field(min_length=1), _ONCE]
Listed = Annotated[list[T], Field(min_length=1), _ONCE]  # the same, within a mapping

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Seeds = Values[Seed]
TwoSeeds = Annotated[tuple[Seed, ...], Field(min_length=2), _ONCE]
Folds = Annotated[int, Field(ge=2)]
# Fewer training or validation samples do not show every class and feature, and more than the most
# do not fit in memory for all networks that are trained at once.
Samples = Annotated[int, Field(ge=16, le=100_000)]
Size = Annotated[float, Field(ge=0, le=30)]  # of an effect; larger ones underflow probabilities
Weight = Annotated[float, Field(ge=0, le=1000)]  # much larger ones overflow float32
Factor = Annotated[float, Field(gt=0, le=1000)]
