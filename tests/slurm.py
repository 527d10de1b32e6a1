"""A Slurm cluster of one node on this machine, whose node can be killed.

It needs root, Debian's packages slurmctld, slurmd, slurm-client and munge, and the extra ``slurm``
of this project. The node has 12 cores and a GPU of four shards by its configuration only, so that
it takes jobs that ask for them.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from commands import SNAKEMAKE

from umt_lib.paths import ROOT

CONFIGURATION = Path("/etc/slurm/slurm.conf")  # jobs look nowhere else: Snakemake unsets SLURM_CONF
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
PLUGIN = "snakemake_executor_plugin_slurm"
QUICK = ["--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "5"]
NO_DATABASE = ["--slurm-status-command", "squeue", "--slurm-no-account"]  # as the profile explains
SETTINGS = """
ClusterName=test
SlurmctldHost=localhost
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SlurmdTimeout=10
JobRequeue=0
ReturnToService=2
GresTypes=gpu,shard
NodeName=localhost NodeHostname={host} CPUs=12 RealMemory=40000 Gres=gpu:1,shard:4 State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""

needs_slurm = pytest.mark.skipif(
    sys.platform != "linux"
    or os.geteuid() != 0
    or not all(map(shutil.which, PROGRAMS))
    or importlib.util.find_spec(PLUGIN) is None
    or CONFIGURATION.exists(),
    reason="needs root, slurmd, slurmctld, slurm-client and munge without a configuration, and the "
    "extra slurm",
)


class Cluster:
    """The daemons of a cluster, which keep their files in ``folder``."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.running: dict[str, subprocess.Popen] = {}

    def start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen([name, *command], stdout=log, stderr=log)

    def start_node(self) -> None:
        """Start the node, and wait until it takes jobs."""
        self.start("slurmd", "-D", "-N", "localhost")
        wait(lambda: self.state() == "idle", "the node to take jobs")

    def state(self) -> str:
        """The state of the node: idle, alloc, mix, down, ..."""
        asked = subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True, text=True)
        return asked.stdout.strip()

    def kill_node(self) -> None:
        """Kill the daemon of the node and all processes of its jobs, as if its power failed."""
        daemon = self.running.pop("slurmd")
        daemon.kill()
        daemon.wait()
        while of_node := list(_processes_of_node()):
            for process in of_node:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.1)

    def running_jobs(self) -> int:
        """How many jobs run at this moment."""
        asked = subprocess.run(["squeue", "-h", "-t", "R"], capture_output=True, text=True)
        return len(asked.stdout.splitlines())

    def snakemake(self, params: Path, *options: str) -> subprocess.Popen:
        """Start the graph of the experiments in ``params`` with the profile for clusters."""
        program, *_ = SNAKEMAKE
        command = [program, "--profile", "profiles/slurm", *NO_DATABASE, *QUICK]
        command += [*options, "--config", f"params={params}", "--", "experiments"]
        with (self.folder / "snakemake.log").open("ab") as log:
            self.running["snakemake"] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        return self.running["snakemake"]

    def printed(self) -> str:
        """What Snakemake has printed."""
        return (self.folder / "snakemake.log").read_text()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A running cluster, which ends with the context."""
    made = Cluster(folder)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key, socket = folder / "munge.key", folder / "munge.socket"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    (CONFIGURATION.parent / "gres.conf").write_text("Name=gpu File=/dev/null\nName=shard Count=4\n")
    CONFIGURATION.write_text(SETTINGS.format(folder=folder, host=os.uname().nodename))
    try:
        options = [f"--key-file={key}", f"--socket={socket}", f"--seed-file={folder}/munge.seed"]
        options += [f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munge.log"]
        made.start("munged", "--foreground", "--force", *options)
        wait(socket.exists, "munged")
        made.start("slurmctld", "-D")
        made.start_node()
        yield made
    finally:
        if "slurmd" in made.running:
            made.kill_node()
        for process in reversed(made.running.values()):
            process.kill()
            process.wait()
        CONFIGURATION.unlink()
        (CONFIGURATION.parent / "gres.conf").unlink()


def wait(until: Callable[[], object], what: str, seconds: float = 600) -> None:
    """Wait for a condition; an AssertionError after ``seconds``."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, f"waited {seconds:.0f} seconds for {what}"
        time.sleep(0.2)


def _processes_of_node() -> Iterator[int]:
    """The processes of jobs, and those that watch jobs."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name = (folder / "comm").read_text().strip()
            if name == "slurmstepd" or b"\0SLURM_JOB_ID=" in (folder / "environ").read_bytes():
                yield int(folder.name)
