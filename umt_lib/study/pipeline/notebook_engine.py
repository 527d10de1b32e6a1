"""A papermill engine without a kernel: it runs the cells in this process, in IPython's shell.

The output of a cell is saved as Jupyter saves it, in order: streams, displays, the rich form of the
last expression, the traceback. The engine saves the time to start a kernel and, in a process forked
from one that has imported everything (:mod:`umt_lib.study.pipeline.notebook_server`), all imports.
"""

from __future__ import annotations

import base64
import io
import logging
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbformat import NotebookNode, v4
from papermill.engines import Engine, papermill_engines
from traitlets import List, Type
from traitlets.config import Config

from umt_lib.errors import StudyError
from umt_lib.paths import results_dir
from umt_lib.study.experiments.params import read
from umt_lib.study.experiments.results import measured_digest
from umt_lib.study.pipeline.run_graph import unfinished

NAME = "inprocess"
MEASURED = "measured_digest"  # in the metadata of a notebook: of the result that it measured


def execute(notebook: str, out: str, params: str) -> int:
    """Run ``notebook`` (.py or .ipynb) in this process and write it to ``out``, failed or not.

    If no cell failed, its metadata has the digest of the result (:data:`MEASURED`). Returns 0, or 1
    after printing an unexpected error of a cell.

    Raises:
        StudyError: a cell raised it, the params file is wrong, or ``out`` cannot be written.
        KeyboardInterrupt: a cell was interrupted.
    """
    parameters, name, path = read(params), Path(params).stem, Path(out)
    partial = unfinished(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        jupytext.write(jupytext.read(notebook), partial)
        done = papermill.execute_notebook(
            str(partial),
            str(partial),
            parameters=parameters,
            engine_name=NAME,
            kernel_name="python3",
            language="python",
            progress_bar=False,
        )
        done.metadata[MEASURED] = measured_digest(results_dir(), name)
        nbformat.write(done, partial)
    except papermill.PapermillExecutionError as error:
        if error.ename == "KeyboardInterrupt":
            raise KeyboardInterrupt from None
        if error.ename == "StudyError":
            raise StudyError(error.evalue) from None
        print(f"{name}: {error.ename}: {error.evalue}; see {out}", file=sys.stderr)
        return 1
    except OSError as error:
        partial.unlink(missing_ok=True)  # it is cut off
        raise StudyError(
            f"{name}: {out} cannot be written ({error.strerror or error}); free some space, then "
            f"run the same command again"
        ) from None
    finally:
        if partial.exists():
            os.replace(partial, path)
    return 0


class _Hook(DisplayHook):
    """Saves the value of the last expression of a cell as an output."""

    def write_output_prompt(self) -> None:
        """Do nothing: a notebook has no prompt line."""

    def write_format_data(self, format_dict: dict, md_dict: dict | None = None) -> None:
        assert self.shell is not None
        self.shell.outputs.append(
            v4.new_output(
                "execute_result",
                data=_jsonable(format_dict),
                metadata=md_dict or {},
            )
        )

    def finish_displayhook(self) -> None:
        """Do nothing: a notebook has no line to end."""


class _Publisher(DisplayPublisher):
    """Saves what a cell passes to ``display``, figures included, as an output."""

    def publish(  # type: ignore[override]  # other arguments are ignored
        self, data: dict, metadata: dict | None = None, **_: Any
    ) -> None:
        output = v4.new_output("display_data", data=_jsonable(data), metadata=metadata or {})
        self.shell.outputs.append(output)

    def clear_output(self, wait: bool = False) -> None:
        self.shell.outputs.clear()


class _Stream(io.TextIOBase):
    """Saves stdout or stderr of a cell: one output for consecutive writes to the same stream."""

    def __init__(self, name: str, outputs: list[NotebookNode]):
        self.name, self.outputs = name, outputs

    def write(self, text: str) -> int:
        last = self.outputs[-1] if self.outputs else None
        if last is None or last.get("name") != self.name:
            last = v4.new_output("stream", name=self.name, text="")
            self.outputs.append(last)
        *lines, end = (last.text + text).split("\n")
        # a progress bar rewrites its line: keep the last version
        last.text = "\n".join([*(line.rsplit("\r", 1)[-1] for line in lines), end])
        return len(text)


class Shell(InteractiveShell):
    """IPython's shell with ``outputs`` in place of a terminal."""

    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)
    outputs: Any = List()

    def run(self, cell: NotebookNode) -> BaseException | None:
        """Run a code cell, write its outputs into it, and return its error, if any."""
        self.outputs = []
        out, err = _Stream("stdout", self.outputs), _Stream("stderr", self.outputs)
        with redirect_stdout(out), redirect_stderr(err):
            result = self.run_cell(cell.source, store_history=True)
        cell.execution_count, cell.outputs = result.execution_count, list(self.outputs)
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
        return result.error_before_exec or result.error_in_exec

    def enable_gui(self, gui: str | None = None) -> None:
        """Do nothing: there is no window that needs an event loop."""

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        error = v4.new_output("error", ename=etype.__name__, evalue=str(evalue), traceback=stb)
        self.outputs.append(error)


class InProcessEngine(Engine):
    """The engine ``inprocess`` of papermill; stops at the first error, as papermill does."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> None:
        shell = Shell.instance(config=Config(HistoryManager={"enabled": False}))
        shell.reset()  # every notebook starts with an empty namespace
        shell.run_line_magic("matplotlib", "inline")
        for index, cell in enumerate(nb_man.nb.cells):
            if cell.cell_type != "code" or not cell.source.strip():
                continue
            nb_man.cell_start(cell, index)
            error = shell.run(cell)
            if error is not None:
                nb_man.cell_exception(cell, index, exception=error)
                return
            nb_man.cell_complete(cell, index)


def _jsonable(data: dict[str, Any]) -> dict[str, Any]:
    """The same data with base64 text in place of bytes."""
    return {
        kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for kind, value in data.items()
    }


papermill_engines.register(NAME, InProcessEngine)
logging.getLogger("papermill").setLevel(
    logging.ERROR
)  # unknown keys raise a StudyError, no warning
