"""What ``notebooks/explore_synthetic.py`` shows while it trains, until a slider moves again."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from umt_lib.evaluation.intervals import t_interval
from umt_lib.study.analyses.regime_map.one_cell import Answer, Step
from umt_lib.study.analyses.regime_map.worlds import World
from umt_lib.study.report import explore_figures as figures
from umt_lib.style import Figure

PAUSE = 0.02  # seconds between two trainings, in which a kernel reads messages of sliders


class Newest:
    """Pass the items of an iterator to ``show``, until another iterator is started.

    Between two items the event loop runs, so that a kernel notices that a slider has moved. Where
    no loop runs, as under papermill, all items are shown at once.
    """

    def __init__(self, show: Callable[[Any], None], failed: Callable[[Exception], None]):
        self.show, self.failed = show, failed
        self.task: asyncio.Task | None = None

    def start(self, items: Iterator[Any]) -> None:
        """Show these items from now on, and no more of those before."""
        if self.task:
            self.task.cancel()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            for item in items:
                self.show(item)
        else:
            self.task = loop.create_task(self._follow(items))

    async def _follow(self, items: Iterator[Any]) -> None:
        try:
            for item in items:
                self.show(item)
                await asyncio.sleep(PAUSE)
        except Exception as error:  # of a task nobody waits for
            self.failed(error)
            raise


class Widget(Protocol):
    """What shows HTML: an ``ipywidgets.HTML``."""

    value: str


class View:
    """Writes steps into widgets; draws a figure again only if its numbers have changed."""

    def __init__(self, world: World, status: Widget, cell: Widget, line: Widget):
        self.world, self.status, self.cell, self.line = world, status, cell, line
        self._drawn: dict[str, Any] = {}

    def show(self, step: Step, dial: str = "paired") -> None:
        """Show the progress, the figure of the cell, and that of the line through it."""
        answer, line, _ = step
        self.status.value = f"<p>{progress(step)}</p>"
        if self._changed("cell", (answer.cell, answer.test)) and answer.test:
            drawn = figures.cell(answer, self.world.bayes(answer.cell.dials))
            text = sentence(answer)
            self.cell.value = (
                html(drawn, f"Test accuracy of each strategy. {text}") + f"<p>{text}</p>"
            )
        if self._changed("line", [a.cell for a in line]):
            alt = "Accuracy of strategies minus that of UME along the factor."
            self.line.value = html(figures.line(line, dial), alt) if len(line) > 1 else ""

    def failed(self, error: Exception) -> None:
        """Show an error in place of the progress."""
        self.status.value = f"<p><b>The training failed: {error}</b></p>"

    def _changed(self, what: str, now: Any) -> bool:
        before, self._drawn[what] = self._drawn.get(what), now
        return before != now


def html(figure: Figure, alt: str) -> str:
    """A figure as HTML for a widget, on white because JupyterLab may be dark."""
    data = io.StringIO()
    figure.savefig(data, format="svg", facecolor="white")
    svg = data.getvalue()
    return f'<div role="img" aria-label="{alt}">{svg[svg.index("<svg") :]}</div>'


def progress(step: Step) -> str:
    """What is being trained, and what the figure shows until then, as a sentence."""
    answer, line, length = step
    if not answer.training:
        done = f"Finished with {len(answer.seeds)} seeds."
        waits = len(line) < length
        return f"{done} Training the line: {len(line)} of {length} ..." if waits else done
    shown = len(next(iter(answer.test.values()), ()))
    number = len(answer.seeds)
    what = f"Training {answer.training} with {number} seed{'s' if number > 1 else ''} ..."
    return f"{what} Below: {figures.seeds_of(shown)}." if shown else what


def sentence(answer: Answer) -> str:
    """The strategy with the highest mean, and its gain over joint training with the same head."""
    if len(answer.test) < len(figures.STRATEGIES):
        return ""
    means = {name: 100 * float(np.mean(values)) for name, values in answer.test.items()}
    first = max(means, key=lambda name: means[name])
    found = f"{first} has the highest mean accuracy, {means[first]:.1f}%"
    if first.startswith("joint"):
        return f"{found}; UME has {means['UME']:.1f}%."
    joint = f"joint ({'MLP' if 'MLP' in first else 'linear'})"
    gain = t_interval(100 * np.subtract(answer.test[first], answer.test[joint]))
    spread = f" [{gain.low:+.1f}, {gain.high:+.1f}]" if gain.n > 1 else ""
    return f"{found}: {gain.mean:+.1f}{spread} points from {joint}, paired over seeds."
