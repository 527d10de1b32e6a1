"""Read params files and check every key and value before anything is trained.

The constructor is the schema: ``method: {name: umt, weight: 1.0}`` is checked against the fields of
``UMT``, and likewise ``encoders``, ``head``, ``dataset`` and ``training``. No schema is written by
hand.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    StrictInt,
    ValidationError,
    create_model,
)

from umt_lib import paths
from umt_lib.data import DATASETS
from umt_lib.errors import StudyError, nearest
from umt_lib.methods import METHODS
from umt_lib.models import ENCODERS, HEADS
from umt_lib.study.experiments.sweep import MOST
from umt_lib.training import Training

Named = dict[str, Any]
Name = Annotated[str, Field(pattern=r"^\w[\w .-]*$")]  # is shown on pages, so it has no markup
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
LONG = 10_000  # characters; a params file has a tenth of it
LARGEST_SEED = 10**8  # times 10**11 for a batch of augmented data, it still has at most 64 bits


class Resources(BaseModel):
    """An estimate of the time of an experiment on one GPU, for all seeds and the sweep."""

    model_config = STRICT
    gpu_hours: PositiveInt


class Params(BaseModel):
    """The top level of a params file."""

    model_config = STRICT
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    dataset: Named
    encoders: Annotated[dict[Name, Named], Field(min_length=1)]
    head: Named
    method: Named
    training: Named
    seeds: Annotated[list[Annotated[StrictInt, Field(ge=0, le=LARGEST_SEED)]], Field(min_length=1)]
    # the fields are swept in this order
    sweep: dict[str, Annotated[list[Any], Field(min_length=2, max_length=MOST)]] = {}
    learning_rate_of: str | None = None  # the experiment whose sweep chose the learning rate
    teachers: dict[str, str] = {}
    resources: Resources | None = None  # affects no number: not part of any digest


def read(path: str | Path) -> dict[str, Any]:
    """The contents of a params file, checked.

    Raises:
        StudyError: the file is missing, is not a YAML mapping, fails :func:`check`, or its ``name``
            is not that of the file.
    """
    path = Path(path)
    params = mapping(path)
    if "analysis" in params:
        raise StudyError(f"{path}: is the params file of an analysis; run umt analyse {path}")
    check(params, str(path))
    check_name(params, path)
    return params


def check_name(params: Mapping[str, Any], path: Path) -> None:
    """Raise a StudyError if the ``name`` in a params file is not that of the file."""
    if params["name"] != path.stem:
        raise StudyError(
            f"{path}: name is {params['name']!r}; make it {path.stem!r}, the name of the file"
        )


class _UniqueKeys:
    """Refuses a mapping with the same key twice, of which YAML readers take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines:
                where = f"in line {lines[name]} and in line {line}"
                where = f"twice in line {line}" if line == lines[name] else where
                raise yaml.YAMLError(f"key {name!r} is {where}")
            lines[name] = line
        return super().construct_mapping(node, deep)  # type: ignore[misc]


class _Slow(_UniqueKeys, yaml.SafeLoader):
    """Written in Python."""


class _Fast(_UniqueKeys, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Written in C where PyYAML has it, and several times as fast."""


def parse(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        yaml.YAMLError, ValueError, RecursionError: it is not readable, or a key is there twice.
    """
    # the C of the fast loader overflows its stack, and so ends Python, where a text nests as deep
    # as only a long one can
    return yaml.load(text, _Fast if len(text) < LONG else _Slow)


def mapping(path: Path) -> dict[str, Any]:
    """The YAML mapping in a file; StudyError if there is none."""
    try:
        params = parse(path.read_text(encoding="utf-8"))
    except IsADirectoryError:
        raise StudyError(f"{path}: is a folder; name one of the params files in it") from None
    except FileNotFoundError:
        folders = (path.parent, paths.params_dir(), paths.params_dir() / "analyses")
        meant = [folder / f"{path.name}.yaml" for folder in folders]
        if found := [paths.shown(file) for file in meant if os.path.isfile(file)]:
            raise StudyError(f"{path}: no such params file; did you mean {found[0]}?") from None
        others = sorted(other.stem for other in path.parent.glob("[!.]*.yaml"))
        similar = nearest(path.stem, others) if others else "; its folder has none"
        raise StudyError(f"{path}: no such params file{similar}") from None
    except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
        why = " ".join(str(error).split())
        raise StudyError(f"{path}: not readable as YAML ({why}); correct the file") from None
    if not isinstance(params, dict):
        raise StudyError(f"{path}: a params file is a mapping of keys; see params/ for examples")
    return params


def check(params: Mapping[str, Any], source: str) -> None:
    """Check ``params`` against the constructors it names; ``source`` is the file in messages.

    Raises:
        StudyError: an unknown key at any depth (the message names the most similar one), a wrong
            type, an unknown data set, encoder, head or method, or incompatible parts.
    """
    _check_depth(params, source)
    validate(Params, params, source, "")
    named(DATASETS, params["dataset"], source, "dataset", given=("fold",))  # the seed chooses it
    for modality, spec in params["encoders"].items():
        named(ENCODERS, spec, source, f"encoders.{modality}", given=("shape",))
    named(HEADS, params["head"], source, "head", given=("dims", "classes"))
    _check_sizes(params, source)
    named(METHODS, params["method"], source, "method")
    validate(schema(Training), params["training"], source, "training.")
    method = METHODS[params["method"]["name"]]
    swept = params.get("sweep", {})
    hyper = ["learning_rate", *inspect.signature(method).parameters]
    for key, values in swept.items():
        if key not in ("name", *hyper):
            raise StudyError(
                f"{source}: sweep.{key}: method {params['method']['name']!r} has no "
                f"hyper-parameter {key!r}{nearest(key, hyper)}"
            )
        for value in values:
            if key == "learning_rate":
                trial = {**params["training"], key: value}
                validate(schema(Training), trial, source, f"sweep {key}={value}: training.")
            else:
                trial = {**params["method"], key: value}
                named(METHODS, trial, source, f"sweep {key}={value}: method")
    if len(own := swept.keys() - {"learning_rate"}) > 1 or "name" in own:
        raise StudyError(
            f"{source}: sweep has the keys {sorted(own)}; sweep one hyper-parameter of the method, "
            f"and learning_rate"
        )
    rates = {
        "training.learning_rate": "learning_rate" in params["training"],
        "sweep.learning_rate": "learning_rate" in swept,
        "learning_rate_of": bool(params.get("learning_rate_of")),
    }
    if sum(rates.values()) > 1:
        both = " and ".join(key for key, given in rates.items() if given)
        raise StudyError(
            f"{source}: has {both}; keep one of them (with --set, remove the other: "
            f"--set sweep={{}} or --set learning_rate_of=null)"
        )
    if len(set(params["seeds"])) < len(params["seeds"]):
        raise StudyError(f"{source}: seeds {params['seeds']} repeat; give each seed once")
    if method.needs_unimodal_logits and params["head"]["name"] != "linear":
        raise StudyError(
            f"{source}: method {params['method']['name']!r} needs unimodal logits, but a head "
            f"{params['head']['name']!r} has none; set head: {{name: linear}}"
        )
    wanted = set(params["encoders"]) if method.needs_teachers else set()
    if set(params.get("teachers", {})) != wanted:
        raise StudyError(
            f"{source}: method {params['method']['name']!r} takes teachers for "
            f"{sorted(wanted) or 'no modality'}, but the file names "
            f"{sorted(params.get('teachers', {})) or 'none'}; "
            f"write teachers: {{modality: name of its uni-modal experiment}}"
        )
    modality = params["method"].get("modality")
    if modality is not None and modality not in params["encoders"]:
        raise StudyError(
            f"{source}: method.modality {modality!r} has no encoder"
            f"{nearest(modality, params['encoders'])}"
        )


def _check_depth(params: Mapping[str, Any], source: str) -> None:
    """Refuse a key of ``training`` that is written beside it, with its whole name."""
    keys = schema(Training).model_fields
    for key in params:
        if key in keys and key not in Params.model_fields:
            raise StudyError(f"{source}: unknown key {key!r}; did you mean 'training.{key}'?")


def _check_sizes(params: Mapping[str, Any], source: str) -> None:
    """Refuse layers of size 0, which torch makes without an error."""
    specs = {f"encoders.{modality}": spec for modality, spec in params["encoders"].items()}
    for where, spec in {**specs, "head": params["head"]}.items():
        for key, value in spec.items():
            for size in value if isinstance(value, list) else [value]:
                if type(size) is int and size < 1:
                    raise StudyError(f"{source}: {where}.{key} is {value!r}; give 1 or more")


def options(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments in a spec: everything except its name, with tuples for lists."""
    return {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in spec.items()
        if key != "name"
    }


@cache  # a thousand params files are checked against the same few constructors
def schema(make: Callable, given: tuple[str, ...] = ()) -> type[BaseModel]:
    """A strict pydantic model of the keyword arguments of ``make``, except those in ``given``."""
    target = make.__init__ if inspect.isclass(make) and not is_dataclass(make) else make
    hints = get_type_hints(target, include_extras=True)  # fields of base classes included
    wanted: dict[str, Any] = {}
    for key, parameter in inspect.signature(make).parameters.items():
        if key not in given:
            default = ... if parameter.default is parameter.empty else parameter.default
            wanted[key] = (hints[key], default)
    return create_model(getattr(make, "__name__", "options"), __config__=STRICT, **wanted)


def named(
    registry: Mapping[str, Callable],
    spec: Mapping[str, Any],
    source: str,
    where: str,
    given: tuple[str, ...] = (),
) -> None:
    """Check ``spec`` ({"name": ..., **options}) against the constructor in ``registry``."""
    name = spec.get("name")
    if name is None:
        raise StudyError(f"{source}: {where} has no name{nearest('', registry)}")
    if not isinstance(name, str) or name not in registry:
        raise StudyError(f"{source}: {where}.name: unknown {name!r}{nearest(name, registry)}")
    validate(schema(registry[name], given), options(spec), source, f"{where}.")


def validate(model: type[BaseModel], value: Any, source: str, where: str) -> None:
    """Check ``value`` against ``model``; a StudyError names ``source``, ``where`` and the key."""
    try:
        model.model_validate(value)
    except ValidationError as failure:
        errors = (
            failure.errors()
        )  # an unknown key first: it may be the misspelt name of a missing one
        error = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
        at = where + ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            key = error["loc"][-1]
            text = f"unknown key {at!r}{nearest(key, model.model_fields)}"
        elif error["type"] == "missing":
            text = f"key {at!r} is missing; add it"
        else:
            what = error["msg"].partition(" after validation")[0].partition(" or instance of")[0]
            what, given = what.lower().replace("tuple", "list"), error["input"]
            given = list(given) if isinstance(given, tuple) else given  # as YAML has it
            text = f"{at}: {what}, not {given!r}{_as_number(error)}"
        raise StudyError(f"{source}: {text}") from None


def _as_number(error: Any) -> str:
    """How to write a number that YAML reads as text, as the end of an error message, or "".

    YAML takes ``1e-4`` for text: an exponent needs a decimal point before it and a sign.
    """
    found = re.fullmatch(r"([-+]?\d{1,9})(\.\d{0,9})?[eE]([-+]?)(\d{1,2})", str(error["input"]))
    if not found:
        return ""
    whole, fraction, sign, exponent = found.groups()
    written = f"{whole}{fraction or '.0'}e{sign or '+'}{exponent}"
    if error["type"] == "int_type":
        number = Fraction(written)
        if number.denominator > 1:
            return ""
        written = str(number)
    return f"; YAML reads this as text, write {written}"
