"""Trials: runs under a name of their own, which keep the result and the models of a params file.

A run is a trial if its params differ from those of the file ``params/NAME.yaml`` of its name,
whether a setting of ``umt run``, a parameter of the notebook or a copy of the file changed them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from umt_lib import paths
from umt_lib.errors import StudyError, nearest
from umt_lib.study.experiments import params as params_files
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.study.experiments.provenance import digest, params_key


def prepare(
    params: dict[str, Any], source: str = "the parameters", changed: bool = False
) -> tuple[Experiment, Path | None]:
    """Check ``params``; return the experiment, and the results file if it is a trial, else None.

    Args:
        changed: make it a trial in any case.

    Raises:
        StudyError: what :meth:`Experiment.from_params` raises, a value of a sweep is repeated, or
            ``teachers`` or ``learning_rate_of`` is a name without params file and without result.
    """
    params_files.check(params, source)
    # not in params.check: a sweep tests with [value, value] whether its grid may be extended
    for field, values in params.get("sweep", {}).items():
        if any(value in values[:i] for i, value in enumerate(values)):
            raise StudyError(f"{source}: sweep.{field} {values} repeats; give each value once")
    _check_names(params, source)
    file = paths.params_dir() / f"{params['name']}.yaml"
    if not changed and not _differs(params, file):
        return Experiment.from_params(params, source), None
    to = file_of(params)
    return Experiment.from_params({**params, "name": to.stem}, source), to


def file_of(params: dict[str, Any]) -> Path:
    """The results file of a trial of an experiment or an analysis with these params."""
    return paths.runs() / "trials" / f"{params['name']}-trial-{digest(params)[:8]}.json"


def _differs(params: dict[str, Any], file: Path) -> bool:
    return file.exists() and params_key(params_files.mapping(file)) != params_key(params)


def _check_names(params: dict[str, Any], source: str) -> None:
    """Refuse a name of another experiment that exists nowhere: the run could only fail later."""
    names = {f"teachers.{m}": name for m, name in params.get("teachers", {}).items()}
    names["learning_rate_of"] = params.get("learning_rate_of")
    folder = paths.params_dir()
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    for key, name in names.items():
        places = (paths.results_dir() / f"{name}.json", paths.checkpoints_dir() / str(name))
        if name and name not in known and not any(place.exists() for place in places):
            raise StudyError(
                f"{source}: {key}: {name!r} has neither a params file in {paths.shown(folder)} nor "
                f"a result{nearest(name, known) if known else '; correct the name'}"
            )


def where(to: Path, name: str) -> str:
    """State where the result of a trial of the experiment ``name`` is."""
    return f"a trial, in {to}; the result of {name} is kept"
