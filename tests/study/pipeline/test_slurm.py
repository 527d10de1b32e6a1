"""The run graph on a real Slurm cluster: a node that dies in the middle, a GPU that is shared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slurm
import yaml

from umt_lib.files import load_tensors
from umt_lib.paths import checkpoints_dir, results_dir
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.study.experiments.results import measured_digest


def study(folder: Path, params: dict[str, Any]) -> list[str]:
    """Write the params files of two teachers and of their student, which trains for a minute."""
    long = {**params["training"], "epochs": 6000, "probe_every": 3000}
    experiments = {
        "tiny-a": {"method": {"name": "unimodal", "modality": "a"}},
        "tiny-b": {"method": {"name": "unimodal", "modality": "b"}},
        "tiny-umt": {
            "method": {"name": "umt"},
            "teachers": {"a": "tiny-a", "b": "tiny-b"},
            "training": long,
        },
    }
    folder.mkdir()
    for name, differs in experiments.items():
        spec = {**params, **differs, "name": name, "seeds": [0]}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(spec))
    return list(experiments)


def made(names: list[str]) -> dict[str, bytes]:
    """The measurements and the bytes of all models of these experiments; nothing else is there."""
    found = {name: measured_digest(results_dir(), name).encode() for name in names}
    for file in sorted(checkpoints_dir().rglob("*")):
        if file.is_file():
            tensors, about = load_tensors(file)
            values = b"".join(tensors[key].numpy().tobytes() for key in sorted(tensors))
            found[f"{file.parent.name}/{file.name}"] = about["key"].encode() + values
    assert not list(results_dir().parent.rglob("*.partial"))
    return found


@slurm.needs_slurm
def test_a_node_that_dies_changes_no_byte(params, tmp_path, monkeypatch):
    names = study(tmp_path / "params", params)
    monkeypatch.setenv("UMT_RUNS", str(tmp_path / "undisturbed"))
    for name in names:
        spec = yaml.safe_load((tmp_path / f"params/{name}.yaml").read_text())
        Experiment.from_params(spec).run("cpu", progress=False)
    undisturbed = made(names)

    monkeypatch.setenv("UMT_RUNS", str(tmp_path / "runs"))
    unfinished = checkpoints_dir() / "tiny-umt/seed0.unfinished.safetensors"
    with slurm.cluster(tmp_path) as cluster:
        graph = cluster.snakemake(tmp_path / "params")
        slurm.wait(unfinished.exists, "the student to be half trained")
        cluster.kill_node()
        assert not (results_dir() / "tiny-umt.json").exists()
        slurm.wait(lambda: cluster.state().startswith("down"), "Slurm to miss the node")
        cluster.start_node()
        assert graph.wait(600) == 0, cluster.printed()  # it submits the job again
        assert "NODE_FAIL" in cluster.printed()
    assert made(names) == undisturbed


@slurm.needs_slurm
def test_experiments_share_a_gpu_that_is_divided_into_shards(params, tmp_path, monkeypatch):
    study(tmp_path / "params", params)
    for name in ("tiny-a", "tiny-b"):  # the node has one GPU
        file = tmp_path / f"params/{name}.yaml"
        spec = yaml.safe_load(file.read_text())
        spec["training"] |= {"epochs": 6000, "probe_every": 3000}
        file.write_text(yaml.safe_dump({**spec, "resources": {"gpu_hours": 1}}))
    (tmp_path / "params/tiny-umt.yaml").unlink()
    monkeypatch.setenv("UMT_RUNS", str(tmp_path / "runs"))
    shards = ["--set-resources", "experiment:gpu=0", "experiment:gres=shard:1"]
    with slurm.cluster(tmp_path) as cluster:
        graph = cluster.snakemake(tmp_path / "params", *shards)
        slurm.wait(lambda: cluster.running_jobs() == 2, "both jobs to run", 120)
        assert graph.wait(600) == 0, cluster.printed()
    assert {file.stem for file in results_dir().glob("*.json")} == {"tiny-a", "tiny-b"}
