"""Kill the study with SIGKILL at random moments, and compare its files with an undisturbed run.

    python benchmarks/storm.py [--kills 100] [--seed 0] [--verbs prepare ...] [--out FILE]

The study is a copy of this repository with short experiments of one embedded data set and of one
that is prepared from meshes, an analysis and a book of few pages; it saves the state of a training
after every epoch. First it runs undisturbed: ``umt prepare``, the run graph with its book,
``umt publish`` and ``umt book --published``. Then it runs again and again from an empty folder:
each command is killed a few times, with all processes that it has started, at moments drawn
uniformly from the time that it took undisturbed, and then runs to its end. After each such round
there must be the same files, without one that is half-written, with the same rows of prepared data,
measurements, models and pages, byte by byte; seconds, which results contain too, do not count. The
published book of each round is made from nothing but the results of the undisturbed run, since
pages show seconds. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from umt_lib.files import load_tensors
from umt_lib.paths import PARAMS, ROOT
from umt_lib.study.experiments.provenance import environment
from umt_lib.study.experiments.results import measured_digest
from umt_lib.study.pipeline.run_graph import snakemake_command

EXPERIMENTS = ("unimodal-left", "unimodal-right", "joint-linear", "joint-mlp", "umt")
CODE = ("umt_lib", "notebooks", "profiles", "Snakefile", "constraints.txt", "pyproject.toml")
STYLE = ("_config.yml", "_ext", "_static", "_templates", "references.bib")
CHANGED = (  # the state of a training is saved after every epoch; two seeds are published
    ("umt_lib/study/experiments/experiment.py", "SAVE_EVERY = 15.0", "SAVE_EVERY = 0.0"),
    ("umt_lib/study/pipeline/publish.py", "FEWEST = 5", "FEWEST = 2"),
)
KEPT = {  # pages of data sets and methods
    "datasets/digit-halves",
    *(f"methods/{name}" for name in ("index", "joint", "umt", "unimodal")),
}
UMT = [sys.executable, "-m", "umt_lib"]
RAW, PREPARED, HTML = "raw", "prepared", "book/_build/html"
COMMANDS = {
    "prepare": [*UMT, "prepare", "modelnet40", "--root", RAW, "--out", PREPARED, "--size", "32"],
    "study": snakemake_command(),
    "publish": [*UMT, "publish"],
    "book": [*UMT, "book", "--published"],
}
AT_ONCE = 3  # kills of a command before it may end
UNCOUNTED = {".snakemake", "__pycache__", "work"}  # folders of logs and caches


def make(folder: Path) -> None:
    """Write the study into ``folder``."""
    for name in CODE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    for file, old, new in CHANGED:
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new))
    (folder / "results").mkdir()
    _write_params(folder / "params")
    _write_book(folder / "book")
    rng = np.random.default_rng(0)
    for number in range(60):  # tetrahedra of two kinds, flat and high
        kind, split = ("flat", "high")[number % 2], "test" if number % 6 > 3 else "train"
        file = folder / RAW / f"ModelNet40/{kind}/{split}/{kind}_{number + 1:04d}.off"
        file.parent.mkdir(parents=True, exist_ok=True)
        corners = rng.uniform(0.5, 1, (4, 3)) * [[1, 1, 1 + number % 2]] * np.eye(4, 3, -1)
        lines = ["OFF", "4 4 6", *(" ".join(map(str, corner)) for corner in corners)]
        file.write_text("\n".join([*lines, "3 0 2 1", "3 0 1 3", "3 0 3 2", "3 1 2 3", ""]))


def _write_params(folder: Path) -> None:
    (folder / "analyses").mkdir(parents=True)
    for name in EXPERIMENTS:
        spec = yaml.safe_load((PARAMS / f"digit-halves-{name}.yaml").read_text())
        spec["seeds"], spec["training"]["epochs"], spec["training"]["probe_every"] = [0, 1], 3, 3
        spec["sweep"] = {field: values[:2] for field, values in spec.get("sweep", {}).items()}
        (folder / f"{spec['name']}.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    analysis = "analyses/diagnosis-digit-halves.yaml"
    spec = yaml.safe_load((PARAMS / analysis).read_text())
    spec["analysis"]["seeds"] = [0, 1]
    (folder / analysis).write_text(yaml.safe_dump(spec, sort_keys=False))


def _write_book(folder: Path) -> None:
    """Write the page of all results, and the titles of the other pages that it has links to."""
    book = ROOT / "book"
    for name in STYLE:
        copy = shutil.copytree if (book / name).is_dir() else shutil.copy
        folder.mkdir(exist_ok=True)
        copy(book / name, folder / name)
    for page in book.rglob("*.md"):
        name, text = page.relative_to(book).with_suffix("").as_posix(), page.read_text()
        if name.startswith(("datasets/", "methods/", "_")) and name not in KEPT:
            continue
        title = next(line for line in text.splitlines() if line.startswith("# "))
        (folder / page.parent.relative_to(book)).mkdir(exist_ok=True)
        (folder / f"{name}.md").write_text(text if name == "results" else f"{title}\n")
    others = sorted({path.relative_to(folder).as_posix() for path in folder.rglob("[a-z]*.md")})
    chapters = [{"file": name.removesuffix(".md")} for name in others if name != "index.md"]
    toc = {"format": "jb-book", "root": "index", "chapters": chapters}
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))


def run(command: list[str], folder: Path, limit: float | None = None) -> float | None:
    """Run a command in the study; its seconds, or None if it was killed after ``limit`` seconds.

    Beside the folder of the study, ``log`` has the output of the last command.
    """
    began = time.monotonic()
    with (folder.parent / "log").open("w+b") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={k: v for k, v in os.environ.items() if not k.startswith("UMT_")}
            | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            kill_session(process.pid)
            process.wait()
            return None
        log.seek(0)
        if status:
            sys.exit(f"{' '.join(command)}: exit status {status}\n{log.read().decode()}")
    return time.monotonic() - began


def kill_session(session: int) -> None:
    """Kill all processes of a session, until there is none."""
    while alive := [pid for pid in _processes() if _session(pid) == session]:
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _session(process: int) -> int:
    """The session of a process; 0 if all its threads have ended.

    After a kill the first thread can end before the others, which still hold files and locks.
    """
    tasks, threads = Path(f"/proc/{process}/task"), []
    with contextlib.suppress(OSError):
        threads = os.listdir(tasks)
    for thread in threads:
        with contextlib.suppress(OSError):
            status = (tasks / thread / "stat").read_text()
            state, _, _, session, *_ = status.rpartition(")")[2].split()
            if state not in "ZX":
                return int(session)
    return 0


def contents(folder: Path, pages: bool) -> dict[str, str]:
    """{file: digest of what counts in it} of all files; without ``pages``, none of the book."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    names = [file.relative_to(folder) for file in files]
    return {
        name.as_posix(): hashlib.sha256(counted(folder, name)).hexdigest()
        for name in names
        if not UNCOUNTED & {*name.parts} and (pages or not name.is_relative_to(HTML))
    }


def counted(folder: Path, name: Path) -> bytes:
    """The bytes of a file without what differs between undisturbed runs: seconds, order of rows."""
    file = folder / name
    if name.name == "manifest.json":
        return b"".join(_rows(file.parent))
    if name.suffix == ".json" and "results" in name.parts:
        return measured_digest(file.parent, file.stem).encode() or b"damaged"
    if name.suffix == ".safetensors":
        tensors, _ = load_tensors(file)
        return b"".join(key.encode() + tensors[key].numpy().tobytes() for key in sorted(tensors))
    if name.is_relative_to("runs/notebooks"):
        return str(len(json.loads(file.read_bytes())["cells"])).encode()
    if name.is_relative_to(PREPARED) or name.is_relative_to("runs"):
        return b""  # the rows are those of the manifest; locks, stamps
    if name.is_relative_to("results") and file.stem == "results":
        return b""  # has seconds; is made of the files beside it
    return file.read_bytes()


def _rows(folder: Path) -> Iterator[bytes]:
    """The rows of a prepared folder in the order of its samples, and the digest in its manifest."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for modality in manifest["modalities"]:
        array = np.load(folder / f"{modality}.npy", mmap_mode="r")
        yield from (array[sample["row"]].tobytes() for sample in manifest["samples"])
    yield manifest["digest"].encode()


def storm(kills: int, seed: int, verbs: list[str], root: Path) -> dict[str, Any]:
    """Run the study once undisturbed, then in rounds with ``kills`` kills in all."""
    rng, study, undisturbed = random.Random(seed), root / "study", root / "undisturbed"
    make(study)
    seconds, expected = {}, {}
    for verb in verbs:
        if verb == "book":
            shutil.rmtree(study / "book/_build", ignore_errors=True)
        seconds[verb] = run(COMMANDS[verb], study)
        expected[verb] = contents(study, verb == "book")
        print(f"undisturbed: {verb}, {seconds[verb]:.0f} s", flush=True)
    study.rename(undisturbed)
    struck, different, rounds = Counter(), [], 0
    while struck.total() < kills:
        rounds += 1
        make(study)
        for verb in verbs:
            if verb == "book":
                shutil.rmtree(study / "results")
                shutil.copytree(undisturbed / "results", study / "results")
                shutil.rmtree(study / "book/_build", ignore_errors=True)
            for _ in range(min(AT_ONCE, kills - struck.total())):
                struck[verb] += run(COMMANDS[verb], study, rng.uniform(0, seconds[verb])) is None
            run(COMMANDS[verb], study)
            found = contents(study, verb == "book")
            wrong = {name for name, _ in found.items() ^ expected[verb].items()}
            if wrong:
                print((root / "log").read_text(), flush=True)
            for name in sorted(wrong):
                kind = "other content" if name in found else "missing"
                kind = kind if name in expected[verb] else "additional"
                different.append(f"round {rounds}, after {verb}: {name} ({kind})")
            print(f"round {rounds}: {verb}, {struck.total()} kills in all", flush=True)
        shutil.rmtree(study)
    print("\n".join(different))
    return {
        "kills": struck.total(),
        "kills_by_verb": dict(struck),
        "rounds": rounds,
        "seed": seed,
        "different_files": len(different),
    }


def main(arguments: list[str] | None = None) -> int:
    """The command; exit status 1 if a file differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--verbs", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        verbs = [verb for verb in COMMANDS if verb in given.verbs]
        measured = storm(given.kills, given.seed, verbs, Path(root))
    measured |= {
        "minutes": round((time.monotonic() - began) / 60, 1),
        "cores": os.cpu_count(),
        "environment": environment(torch.device("cpu")),
    }
    print(json.dumps(measured, indent=1))
    if given.out:
        given.out.write_text(json.dumps(measured, indent=1) + "\n")
    return 1 if measured["different_files"] else 0


if __name__ == "__main__":
    sys.exit(main())
