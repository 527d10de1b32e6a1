"""Warm workers: one server for all tests here, real processes on both sides."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

from umt_lib.errors import StudyError
from umt_lib.study.pipeline.notebook_engine import execute

WORKER = [sys.executable, "-m", "umt_lib.study.pipeline.notebook_server"]
BACKGROUND = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]  # as a script starts it with "&"
HEAD = '# %% tags=["parameters"]\nseeds = [7]\n\n'
RICH = """# %%
import sys

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

print("one")
print("aside", file=sys.stderr)
print("\\r 1/2\\r 2/2")
plt.plot([1, 2])
display(pd.DataFrame({"a": seeds}))

# %%
pd.DataFrame({"a": seeds})

# %%
figure = Figure()
figure.subplots().plot([1, 2])
figure

# %%
_ = seeds
"""

Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of the server and of its clients."""
    folder = tmp_path_factory.mktemp("served") / ("long" * 30)  # no socket has so long a name
    return {**os.environ, "UMT_RUNS": str(folder), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def server(environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    """A server that ends with its command, an endless one."""
    process = subprocess.Popen([*WORKER, "serve", "--", "sleep", "1000"], env=environment)
    wait_for(lambda: (Path(environment["UMT_RUNS"]) / "worker.sock").exists())
    yield process
    process.terminate()
    assert process.wait(timeout=20) == 128 + signal.SIGTERM


@pytest.fixture
def job(tmp_path: Path, params: dict[str, Any]) -> Callable[[str], list[str]]:
    """Write a notebook of these cells; returns the worker's arguments for it."""

    def write(cells: str) -> list[str]:
        (tmp_path / "cells.py").write_text(HEAD + cells)
        (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(params))
        return [str(tmp_path / file) for file in ("cells.py", "cells.ipynb", "tiny.yaml")]

    return write


@pytest.fixture
def run(server, environment, job) -> Run:
    """Run a notebook of these cells through the server."""

    def run(cells: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            command(job(cells)), env=environment, capture_output=True, text=True, timeout=120
        )

    return run


def command(job: list[str]) -> list[str]:
    notebook, out, params = job
    return [*WORKER, "run", notebook, out, "-f", params]


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def code_cells(path: str | Path) -> list:
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


def kinds(cell) -> list[tuple]:
    return [(o.output_type, o.get("text") or sorted(o.data)) for o in cell.outputs]


def test_everything_a_cell_shows_is_kept(job):
    notebook, out, params = job(RICH)
    assert execute(notebook, out, params) == 0
    default, given, shown, table, figure, nothing = code_cells(out)
    assert "[7]" in default.source
    assert "[0, 1]" in given.source
    assert kinds(shown) == [
        ("stream", "one\n"),
        ("stream", "aside\n"),
        ("stream", " 2/2\n"),
        ("display_data", ["text/html", "text/plain"]),
        ("display_data", ["image/png", "text/plain"]),
    ]
    assert kinds(table) == [("execute_result", ["text/html", "text/plain"])]
    assert kinds(figure) == [("execute_result", ["image/png", "text/plain"])]
    assert kinds(nothing) == []
    assert table.outputs[0].execution_count == table.execution_count == 4


def test_the_first_error_stops_the_notebook_and_is_kept_in_it(job, capsys):
    notebook, out, params = job("# %%\n1 / 0\n\n# %%\nprint('never')\n")
    assert execute(notebook, out, params) == 1
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err
    *_, failed, never = code_cells(out)
    assert failed.outputs[-1].ename == "ZeroDivisionError"
    assert never.outputs == []


def test_a_study_error_is_handed_on_as_it_is(job):
    cells = "# %%\nfrom umt_lib.errors import StudyError\nraise StudyError('one sentence')\n"
    with pytest.raises(StudyError, match=r"^one sentence$"):
        execute(*job(cells))


def test_names_do_not_pass_from_one_notebook_to_the_next(job):
    assert execute(*job("# %%\nleft_over = 1\n")) == 0
    assert execute(*job("# %%\nassert 'left_over' not in globals()\n")) == 0


def test_a_warm_child_tells_what_the_plain_way_tells(run, job):
    done = run(RICH)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("tiny, ")
    notebook, out, params = job(RICH)
    warm = list(map(kinds, code_cells(out)))
    execute(notebook, out, params)
    assert warm == list(map(kinds, code_cells(out)))


def test_an_optimiser_in_a_warm_child_imports_no_more_of_torch(run):
    done = run("""# %%
import sys

import torch

before = set(sys.modules)
torch.optim.SGD([torch.zeros(1, requires_grad=True)])
more = [name for name in set(sys.modules) - before if name.startswith("torch")]
assert not more, len(more)
""")
    assert (done.returncode, done.stderr) == (0, "")


def test_garbage_collection_in_a_warm_child_leaves_what_was_imported(run):
    """It would copy every page of memory, which costs more than the rest of a small experiment."""
    done = run("# %%\nimport gc\n\nassert gc.get_freeze_count() > 100_000\n")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_client_s_folder_and_environment_reach_the_notebook(run, environment):
    done = run(f"# %%\nimport os\nassert os.environ['UMT_RUNS'] == {environment['UMT_RUNS']!r}\n")
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("cells", "status", "sentence"),
    [
        ("from umt_lib.errors import StudyError\nraise StudyError('fix it')", 2, "fix it\n"),
        ("raise KeyError('gone')", 1, "tiny: KeyError: 'gone'; see "),
        ("import os\nos.kill(os.getpid(), 9)", 2, "tiny: its process was killed; run the command"),
    ],
)
def test_a_failing_child_gives_its_status_and_one_line(run, cells, status, sentence):
    done = run(f"# %%\n{cells}\n")
    assert done.returncode == status
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_ctrl_c_on_the_client_ends_its_child(server, environment, job, tmp_path):
    cells = f"""# %%
import os, pathlib, time
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()) + ".")
time.sleep(1000)
"""
    client = subprocess.Popen(
        [*BACKGROUND, *command(job(cells))], env=environment, stderr=subprocess.PIPE, text=True
    )
    pid = tmp_path / "pid"
    wait_for(lambda: pid.exists() and pid.read_text().endswith("."))
    client.send_signal(signal.SIGINT)
    _, error = client.communicate(timeout=60)
    assert client.returncode == 130
    assert error == "interrupted; run the same command again to resume\n"
    wait_for(lambda: not alive(int(pid.read_text()[:-1])))


def test_ctrl_c_on_a_server_in_the_background_ends_its_command(runs):
    serve = [*BACKGROUND, *WORKER, "serve", "--", "sleep", "1000"]
    server = subprocess.Popen(serve, start_new_session=True)
    wait_for(lambda: (runs / "worker.sock").exists())
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=60) == 128 + signal.SIGINT


def test_a_second_study_in_the_same_folder_is_refused(server, environment):
    done = subprocess.run(
        [*WORKER, "serve", "--", "true"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("another study is running in ")


def test_the_lock_is_the_command_s_when_the_server_is_killed(runs):
    serve = [*WORKER, "serve", "--"]
    study = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(1000)"]
    first = subprocess.Popen([*serve, *study], stdout=subprocess.PIPE)
    first.stdout.readline()
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children")
    (orphan,) = map(int, children.read_text().split())
    first.kill()
    first.wait()
    first.stdout.close()
    assert subprocess.run([*serve, "true"], stderr=subprocess.DEVNULL).returncode == 2
    os.kill(orphan, signal.SIGKILL)
    wait_for(lambda: not alive(orphan))
    assert subprocess.run([*serve, "false"]).returncode == 1
