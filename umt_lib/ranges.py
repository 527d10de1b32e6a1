"""Refuse hyper-parameters outside the range that the annotation of their dataclass field states."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from umt_lib.errors import StudyError

STRICT = ConfigDict(strict=True)  # a boolean is no number; infinity switches some methods off


def check_fields(spec: Any) -> None:
    """Check every field of a dataclass instance against its annotation.

    Raises:
        StudyError: a value has another type, is out of range or NaN; the message names class,
            field, value and range.
    """
    hints = get_type_hints(type(spec), include_extras=True)
    for name in (field.name for field in fields(spec)):
        value = getattr(spec, name)
        try:
            TypeAdapter(hints[name], config=STRICT).validate_python(value)
        except ValidationError as failure:
            told = failure.errors()[0]["msg"].lower()
            raise StudyError(f"{type(spec).__name__}({name}={value!r}): {told}") from None
