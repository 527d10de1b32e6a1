"""What the files of a new method or data set hold before they are filled in.

A new method is a subclass of the one it is like, and a new data set loads the data of the one it is
like, so both run at once. ``MARKER`` stands at every place that has to be filled in.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from umt_lib.data import DATASETS, PAIR_KINDS
from umt_lib.errors import StudyError
from umt_lib.methods import METHODS, Method
from umt_lib.paths import PARAMS, ROOT
from umt_lib.study.experiments.experiment import SWEEP_SEEDS
from umt_lib.study.experiments.params import mapping, named, options
from umt_lib.study.experiments.sweep import MOST
from umt_lib.study.pipeline.collection import HEAD_NAMES

MARKER = "TODO(" + "new)"  # in two pieces, so that the search for it does not find this line
TEXTS = {".bib", ".md", ".py", ".yaml", ".yml"}  # files that are searched for it
NOTEBOOK = """\
---
jupytext: {formats: "md:myst"}
kernelspec: {name: python3, display_name: Python 3, language: python}
---

"""  # with which a page that has cells begins
MADE = {"_build", "__pycache__"}  # folders that are not searched
COMPARED = tuple(dataset for dataset in DATASETS if dataset not in PAIR_KINDS)
AVAILABILITY = ("is_downloaded", "source")  # functions of a data set that can be downloaded

METHOD = '''"""{title}: {marker} what it does, in one sentence.

{equation}

{marker} The equation above is that of {like}.
Write the method's own, then why it should help.

Deviation: {marker} where this differs from the source; delete the line if nowhere.

Source: {marker} authors, venue and year, section.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from umt_lib.data.splits import Batch
from {parent_module} import {parent}
from umt_lib.models import Output


@dataclass
class {cls}({parent}):
    """{marker} What the fields mean, and which value makes this a method that was here before."""

    title = "{words}"
    family = "{family}"  # {marker} one of umt_lib.methods.FAMILIES
    year = {year}  # {marker} of the source
    baseline = False
{field}
    def loss(self, out: Output, batch: Batch) -> Tensor:
        # {marker} the equation; umt_lib/methods/base.py describes the other hooks
        return super().loss(out, batch)
'''

METHOD_TEST = '''"""{title}: {marker} what is tested, in one sentence."""

from __future__ import annotations

from tiny import Bench, method


def test_it_trains_as_{like_module}_does():
    """{marker} Pass the value that switches the method off; test the equation as well."""
    bench = Bench(epochs=2, samples=60)
    assert bench.alike(method("{name}"), method("{like}"))
'''

METHOD_PAGE = """# {title}

{marker} What the method does, in one sentence.

{formula}

**Source.** {{cite:t}}`{name}`. {marker} The equation above is that of {like}.

**In code:** `umt_lib/methods/{module}.py`.
"""

DATASET = '''"""{title}: {marker} what is in a sample, and what its label is.

{marker} Who collected the data, and under which licence they are.

{marker} What is independent (people, recordings, objects): no two splits share one.
"""

from __future__ import annotations

{imports}


def load({parameters}) -> Splits:
    """{marker} Modalities, their shapes and types, and the groups.

    Raises:
        StudyError: {marker} what can be wrong with the files or the options.
    """
    # {marker} read the files; until then the data is that of {like}
    return {like_module}.load({arguments})


def picture(splits: Splits) -> Figure:
    """{marker} Training samples of each class, for the data set's page."""
    return {like_module}.picture(splits)
{exports}'''

DATASET_TEST = '''"""{title}: {marker} what is tested, in one sentence."""

from __future__ import annotations

import pytest
import torch

from umt_lib import data
from umt_lib.data.availability import available


@pytest.fixture(scope="module")
def splits() -> data.Splits:
    if not available({spec}):
        pytest.skip("the data is not on this machine")
    return data.load("{name}")


def test_modalities(splits):
    """{marker} Shapes, types, classes and sizes, and that labels belong to their samples."""
    assert splits.modalities == {modalities}


def test_loading_repeats(splits):
    assert torch.equal(data.load("{name}").train.y, splits.train.y)


def test_it_can_be_drawn(splits):
    data.{module}.picture(splits).canvas.draw()
'''

DATASET_PAGE = """# {title}

{marker} What a sample is, what its modalities are and how the splits are made {{cite:p}}`{name}`.

**Source:** [{marker} home page of the data](https://example.org). **Licence:** {marker}
"""

SOURCE = """
@misc{{{name},
  title = {{{marker} title, authors, address and year of the source of {name}}},
  author = {{Author, First}},
  url = {{https://example.org}},
  year = {{{year}}}
}}
"""


class Sweep(NamedTuple):
    """A hyper-parameter of a new method, and the values that are tried on validation."""

    field: str
    values: list[int] | list[float]


class Files(NamedTuple):
    """Texts by path from the repository's root: files to make, and files to change."""

    new: dict[str, str]
    changed: dict[str, str]


def module_name(name: str) -> str:
    """``label-smoothing`` to ``label_smoothing``."""
    return name.replace("-", "_")


def class_name(name: str) -> str:
    """``label-smoothing`` to ``LabelSmoothing``."""
    return "".join(part.capitalize() for part in name.split("-"))


def tails() -> list[str]:
    """What follows ``<data set>-`` in the names of experiments that all of COMPARED have."""
    found = [
        {path.stem.removeprefix(f"{dataset}-") for path in PARAMS.glob(f"{dataset}-*.yaml")}
        for dataset in COMPARED
    ]
    return sorted(set.intersection(*found))


def class_of(like: str) -> type[Method]:
    """The method of one of :func:`tails`."""
    return METHODS[mapping(PARAMS / f"{COMPARED[0]}-{like}.yaml")["method"]["name"]]


def of_method(name: str, like: str, sweep: Sweep | None = None) -> Files:
    """The files of a method.

    Args:
        name: the method's name in params files.
        like: one of :func:`tails`, whose method, options and head are those of the new one.
        sweep: a hyper-parameter to try on validation; the class gets a field of that name where
            the method it is like has none.

    Raises:
        StudyError: the method it is like refuses a value of the sweep, or a file of the repository
            is not written as the others of its kind.
    """
    copied = {dataset: PARAMS / f"{dataset}-{like}.yaml" for dataset in COMPARED}
    spec = mapping(next(iter(copied.values())))
    old, head = spec["method"]["name"], spec["head"]["name"]
    parent, cls = METHODS[old], class_name(name)
    if sweep:
        sweep = _of_type(sweep, parent, spec["method"])
    formula = re.search(r"(?ms)^\$\$\n.*?^\$\$$", _text(f"book/methods/{old}.md"))
    words = {
        **_words(name, old),
        "equation": _equation(parent),
        "formula": formula[0] if formula else MARKER,
        "parent": parent.__name__,
        "parent_module": parent.__module__,
        "cls": cls,
        "family": parent.family,
        "field": _field(parent, sweep),
    }
    module = words["module"]
    new = {
        f"umt_lib/methods/{module}.py": METHOD.format(**words),
        f"tests/methods/test_{module}.py": METHOD_TEST.format(**words),
        f"book/methods/{name}.md": _page("methods", old, name, METHOD_PAGE.format(**words)),
    }
    tail = name if head == "linear" else f"{name}-{head}"
    what = f"{words['words']}, {HEAD_NAMES.get(head, head)} head"
    for dataset, path in copied.items():
        changes = {
            "name": f"{dataset}-{tail}",
            "method": {**mapping(path)["method"], "name": name},
        }
        grids = dict(mapping(path).get("sweep", {}))
        if grids.pop("learning_rate", None):  # of a reference; a new method takes that of joint
            changes["learning_rate_of"] = f"{dataset}-joint-{head}"
        changes["sweep"] = {sweep.field: sweep.values} if sweep else grids
        text = _params(path, changes, rf"# \1: {what}. \3", like)
        new[f"params/{dataset}-{tail}.yaml"] = text
    index = "umt_lib/methods/__init__.py"
    text = _imported(index, f"from umt_lib.methods.{module} import {cls}\n")
    changed = {index: _listed(index, text, "METHODS", f'    "{name}": {cls},\n')}
    return Files(new, {**changed, **_in_the_book("methods", words)})


def of_dataset(name: str, like: str) -> Files:
    """The files of a data set.

    Args:
        name: the data set's name in params files.
        like: a data set whose modalities, encoders and experiments are those of the new one.

    Raises:
        StudyError: a file of the repository is not written as the others of its kind.
    """
    copied = {
        path.stem.removeprefix(f"{like}-"): path
        for path in sorted(PARAMS.glob(f"{like}-*.yaml"))
        if mapping(path)["dataset"]["name"] == like
    }
    spec = mapping(next(iter(copied.values())))
    old = sys.modules[DATASETS[like].__module__]
    given = options(spec["dataset"])
    folder = given.pop("folder", None)  # of prepared data, in the params files; the rest is fixed
    dataset = {"name": name, **({"folder": folder} if folder else {})}
    fixed = [f"{key}={value!r}".replace("'", '"') for key, value in given.items()]
    functions = [function for function in AVAILABILITY if hasattr(old, function)]
    exports = json.dumps(sorted([*functions, "load", "picture"]))
    words = {
        **_words(name, like),
        "like_module": old.__name__.rpartition(".")[2],
        "imports": _imports(old.__name__, functions),
        "parameters": f'folder: str = "{folder}"' if folder else "",
        "arguments": ", ".join([*(["folder"] if folder else []), *fixed]),
        "exports": f"\n\n__all__ = {exports}\n" if functions else "",
        "spec": json.dumps(dataset),
        "modalities": f"({', '.join(map(json.dumps, spec['encoders']))})",
    }
    module = words["module"]
    new = {
        f"umt_lib/data/{module}.py": DATASET.format(**words),
        f"tests/data/test_{module}.py": DATASET_TEST.format(**words),
        f"book/datasets/{name}.md": _page("datasets", like, name, DATASET_PAGE.format(**words)),
    }
    for tail, path in copied.items():
        changes: dict[str, Any] = {"name": f"{name}-{tail}", "dataset": dataset}
        if teachers := mapping(path).get("teachers"):
            changes["teachers"] = {
                m: f"{name}-{teacher.removeprefix(f'{like}-')}" for m, teacher in teachers.items()
            }
        if rate := mapping(path).get("learning_rate_of"):
            changes["learning_rate_of"] = f"{name}-{rate.removeprefix(f'{like}-')}"
        text = _params(path, changes, rf"# {words['title']}: \2. \3", like)
        new[f"params/{name}-{tail}.yaml"] = text
    index = "umt_lib/data/__init__.py"
    text = _imported(index, f"    {module},\n")
    changed = {index: _listed(index, text, "DATASETS", f'    "{name}": {module}.load,\n')}
    return Files(new, {**changed, **_in_the_book("datasets", words)})


def left(root: Path) -> list[str]:
    """Every place that waits to be filled in, as ``path:line: what the line says``."""
    found = []
    for folder in ("book", "params", "tests", "umt_lib"):
        for path in sorted((root / folder).rglob("*")):
            where = path.relative_to(root)
            if path.suffix in TEXTS and MADE.isdisjoint(where.parts):
                lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
                found += [f"{where}:{i}: {line.strip()}" for i, line in lines if MARKER in line]
    return found


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def _words(name: str, like: str) -> dict[str, str]:
    """What is put into the texts of methods and of data sets alike."""
    return {
        "marker": MARKER,
        "name": name,
        "module": module_name(name),
        "words": name.replace("-", " "),
        "title": name.replace("-", " ").capitalize(),
        "year": str(datetime.date.today().year),
        "like": like,
        "like_module": module_name(like),
    }


def _equation(method: type[Method]) -> str:
    """The indented lines above a method's class, or above the class it is derived from."""
    for cls in method.__mro__[: method.__mro__.index(Method)]:
        if found := re.search(r"(?m)^(?: {4}.*\n)+", sys.modules[cls.__module__].__doc__ or ""):
            return found[0].rstrip()
    return f"    {MARKER}"


def _field(parent: type[Method], sweep: Sweep | None) -> str:
    """The line of a swept field; nothing for one that the method has already."""
    if sweep is None or sweep.field in parent.__dataclass_fields__:
        return ""
    default = sweep.values[len(sweep.values) // 2]
    return f"""
    # {MARKER} its range, such as Annotated[float, Field(ge=0, lt=1)] of pydantic:
    # a grid whose best value lies at its end is extended, as far as the range allows
    {sweep.field}: float = {default}
"""


def _of_type(sweep: Sweep, parent: type[Method], spec: dict[str, Any]) -> Sweep:
    """The sweep with the numbers of its field: whole ones only if the field has whole numbers."""
    if type(getattr(parent, sweep.field, None)) is not int:
        sweep = Sweep(sweep.field, [float(value) for value in sweep.values])
    if sweep.field in parent.__dataclass_fields__:
        for value in sweep.values:
            named(METHODS, {**spec, sweep.field: value}, "umt new: --sweep", "method")
    return sweep


def _imports(old: str, functions: list[str]) -> str:
    """The imports of a data set's module that loads the data of the module ``old``."""
    package, _, module = old.rpartition(".")
    names = {"umt_lib.data.splits": "Splits", "umt_lib.style": "Figure", package: module}
    if functions:
        names[old] = ", ".join(functions)
    return "\n".join(f"from {place} import {name}" for place, name in sorted(names.items()))


def _page(folder: str, like: str, name: str, intro: str) -> str:
    """A page with the sections of that of ``like``.

    A section is kept that has a cell or shows a command, and that another page has word for word,
    names apart. Of other sections, and of the text before the first, only the heading and the
    cells are kept.
    """
    pages = {
        path.stem: re.split(r"(?m)^(?=## )", path.read_text(encoding="utf-8"))
        for path in (ROOT / "book" / folder).glob("*.md")
    }

    def renamed(text: str, old: str, new: str) -> str:
        return re.sub(rf"\b{old}\b", new, text.strip())

    shared = {
        renamed(section, page, "@")
        for page, (_, *sections) in pages.items()
        if page != like
        for section in sections
    }
    parts = [intro.strip()]
    for section in pages[like]:
        mine = renamed(section, like, name)
        if "```" in mine and renamed(section, like, "@") in shared:
            parts.append(mine)
            continue
        if mine.startswith("## "):
            parts += [mine.splitlines()[0], MARKER]
        parts += re.findall(r"(?ms)^```\{code-cell\}.*?^```$", mine)
    page = "\n\n".join(parts) + "\n"
    return NOTEBOOK + page if "```{code-cell}" in page else page


def _in_the_book(folder: str, words: dict[str, str]) -> dict[str, str]:
    """The table of contents and the bibliography with the page and its source in them."""
    contents, sources = "book/_toc.yml", "book/references.bib"
    text, bibliography = _text(contents), _text(sources)
    chapters = re.findall(rf"(?m)^ *- file: {folder}/.*\n", text)
    if not chapters:
        raise StudyError(f"{contents}: no page of {folder}/; add one as '- file: {folder}/...'")
    last = chapters[-1]
    chapter = f"{last.partition('- file:')[0]}- file: {folder}/{words['name']}\n"
    if f"{{{words['name']},\n" in bibliography:
        raise StudyError(f"{sources}: has an entry {words['name']!r}; choose another name")
    return {
        contents: text.replace(last, last + chapter),
        sources: bibliography.rstrip("\n") + "\n" + SOURCE.format(**words),
    }


def _imported(index: str, line: str) -> str:
    """The text of a package's index with ``line`` among its imports, in alphabetical order."""

    def place(line: str) -> list[tuple[bool, int, str]]:
        parts = re.split(r"(\d+)", line.split(" import ")[0].strip(" ,\n"))
        return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]

    text = _text(index)
    form = r"    \w+,\n" if line.startswith(" ") else r"from umt_lib\.methods\.\w+ import .*\n"
    block = re.search(rf"(?m)(?:^{form})+", text)
    if not block:
        raise StudyError(f"{index}: no list of imports; write one a line")
    lines = sorted([*block[0].splitlines(keepends=True), line], key=place)
    return text.replace(block[0], "".join(lines))


def _listed(index: str, text: str, registry: str, line: str) -> str:
    """The text of a package's index with ``line`` at the end of its registry."""
    text, found = re.subn(
        rf"(?ms)(^{registry}\b[^\n]*\{{\n.*?)(^\}}\n)", lambda m: m[1] + line + m[2], text, count=1
    )
    if not found:
        raise StudyError(f"{index}: no dictionary {registry}; write one entry a line")
    return text


def _params(path: Path, changes: dict[str, Any], comment: str, like: str) -> str:
    """A params file with other values of these keys, and another opening comment.

    Args:
        changes: a key with an empty value is left out; new keys follow ``method``.
        comment: may refer to the data set, the method and the time in the comment that is there as
            groups 1, 2 and 3.
        like: whose time it is.
    """
    old = mapping(path)
    opening, _, text = path.read_text(encoding="utf-8").partition("\n")
    blocks = {m[1]: m[0] for m in re.finditer(r"(?m)^(\w+):.*\n(?: +.*\n)*", text)}
    changes, times = dict(changes), _trainings({**old, **changes}) / _trainings(old)
    time = f"The time is that of {like}"
    if times != 1:
        opening, found = re.subn(
            r"an estimated (\d+) hours?", lambda m: _hours(_scaled(m[1], times)), opening
        )
        time += f", times {times:.1f} for" if found else f", and {times:.1f} times that with"
        time += " the sweep"
        if "resources" in old:
            hours = _scaled(old["resources"]["gpu_hours"], times)
            changes["resources"] = {"gpu_hours": hours}
    opening, found = re.subn(r"^# ([^:]+): ([^.]*)\. (.*)$", f"{comment} {time}.", opening)
    if not found or set(blocks) != set(old):
        raise StudyError(
            f"{path}: cannot be copied; open it with '# data set: method. Time.' and begin a line "
            f"with each key, as the other params files do"
        )
    added = [key for key in changes if key not in old]
    order = [k for key in old for k in ([key, *added] if key == "method" else [key])]
    kept = (k for k in order if k not in changes or changes[k])
    lines = [
        blocks[k] if changes.get(k, old.get(k)) == old.get(k) else _key(k, changes[k]) for k in kept
    ]
    return f"{opening}\n{''.join(lines)}"


def _key(key: str, value: Any) -> str:
    """A key with its value, on one line if it is not too long."""
    end = "  # chosen on validation, by the first three seeds" if key == "sweep" else ""
    if key == "teachers" or (key == "sweep" and len(value) > 1):
        return f"{key}:{end}\n" + "".join(f"  {k}: {_flow(v)}\n" for k, v in value.items())
    return f"{key}: {_flow(value)}{end}\n"


def _trainings(params: dict[str, Any]) -> int:
    """How many trainings an experiment takes at most: its sweeps are decided by the first seeds."""
    seeds, grids = len(params["seeds"]), len(params.get("sweep", {}))
    deciding = min(seeds, SWEEP_SEEDS)
    return deciding * MOST * grids + seeds - deciding if grids else seeds


def _hours(number: int) -> str:
    return f"an estimated {number} hour{'s' * (number > 1)}"


def _scaled(hours: str | int, times: float) -> int:
    return math.ceil(round(int(hours) * times, 6))  # 25 times 2.2 is 55, not a little more


def _flow(value: Any) -> str:
    """YAML on one line."""
    if isinstance(value, str):
        return value
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).strip()
