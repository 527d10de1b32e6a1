"""Units of work: experiments and analyses, each a params file with its result.

The run graph, the book and ``umt publish`` treat an experiment and an analysis alike: both have a
params file, a result, and reasons why the result is stale.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from umt_lib.paths import PARAMS

if TYPE_CHECKING:
    from umt_lib.study.analyses.analysis import Analysed
    from umt_lib.study.experiments.results import Result


@dataclass(frozen=True)
class Unit:
    """An experiment, ``watch-umt``, or an analysis, ``analyses/theory``."""

    name: str
    params_dir: Path = PARAMS

    @property
    def is_analysis(self) -> bool:
        """Whether the params file lies in ``analyses/``."""
        return self.name.startswith("analyses/")

    @property
    def file(self) -> Path:
        """The params file."""
        return self.params_dir / f"{self.name}.yaml"

    def read(self) -> dict[str, Any]:
        """The contents of the params file, checked; StudyError if they are wrong."""
        return self._kind.read(self.file)

    def stale(self, results: Path) -> str:
        """Why the result in a folder of results is stale, or "" if it is current.

        Raises:
            StudyError: the params file is wrong.
        """
        return self._kind.stale(self.name, results, self.params_dir)

    def load(self, results: Path) -> Result | Analysed:
        """The result in a folder of results; StudyError if it is missing or damaged."""
        return self._kind.load(results / f"{self.name}.json")

    @property
    def _kind(self) -> ModuleType:
        """The module for this kind of unit.

        It is imported here because importing the library takes longer than the run graph takes to
        find that all results are current.
        """
        if self.is_analysis:
            from umt_lib.study.analyses import analysis

            return analysis
        from umt_lib.study.experiments import results

        return results


def units(params_dir: Path = PARAMS) -> list[Unit]:
    """One for each params file: the experiments in alphabetical order, then the analyses."""
    files = [*sorted(params_dir.glob("*.yaml")), *sorted(params_dir.glob("analyses/*.yaml"))]
    return [Unit(f.relative_to(params_dir).with_suffix("").as_posix(), params_dir) for f in files]
