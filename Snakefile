# The run graph: uni-modal teachers -> methods -> analyses -> book. One job = one params file.
#
#   snakemake --profile profiles/local -n          what would run, and why (runs/stamps/<name>)
#   snakemake --profile profiles/local             run it, one experiment per core
#   snakemake --profile profiles/local --config study=full    all of params/, not only default.txt
#   snakemake --profile profiles/slurm             the same on a cluster
#   snakemake --profile profiles/local runs/results/watch-umt.json     one experiment
import os
import sys
from functools import cache
from pathlib import Path

from umt_lib.errors import StudyError
from umt_lib.paths import ROOT, runs
from umt_lib.study.experiments.progress import announce
from umt_lib.study.pipeline.forecast import forecast, published_seconds
from umt_lib.study.pipeline.run_graph import mark, needs, resources, sources, wanted
from umt_lib.study.pipeline.units import Unit, units

RUNS = runs().relative_to(ROOT) if runs().is_relative_to(ROOT) else runs()
PARAMS = Path(config.get("params", "params"))
os.environ["UMT_PARAMS"] = str(PARAMS.resolve())  # a job of another folder is not a trial
EXPERIMENTS = [unit.name for unit in units(PARAMS) if not unit.is_analysis]
WHICH = config.get("study", "default")
RESULT = f"{RUNS}/results/{{name}}.json"
CORES = workflow.resource_settings.cores or 1  # not given on a cluster, where jobs are counted


wildcard_constraints:
    name="[^/]+",


STALE = set()
try:
    WANTED = wanted(PARAMS, WHICH)
    if workflow.is_main_process:  # not on the nodes of a cluster
        SOURCES, STALE = sources(PARAMS), set(mark(PARAMS, WHICH))
        if stale := [name for name in WANTED if name in STALE]:
            seconds = published_seconds(stale, PARAMS)
            announce(seconds, CORES)
            print(forecast(seconds, CORES), file=sys.stderr)
except StudyError as error:
    print(error, file=sys.stderr)
    raise


def results(names):
    """The results files of experiments and analyses, as inputs; current ones are ancient.

    Stale ones are not: Snakemake does not run a job in the same run as one that makes its inputs
    again if these exist and are ancient, even if the job has other reasons to run.
    """
    files = {name: RESULT.format(name=name) for name in names}
    return [file if name in STALE else ancient(file) for name, file in files.items()]


def made_from(folder=""):
    """The results that the result of a job is made from, of an experiment or in a folder."""
    return lambda wildcards: results(needs(Unit(f"{folder}{wildcards.name}", PARAMS)))


@cache
def estimate(name):
    """The resources of an experiment; its params file is read once for all of them."""
    return resources(Unit(name, PARAMS))


def job(key):
    """One of an experiment's resources."""
    return lambda wildcards: estimate(wildcards.name)[key]


def cores(wildcards):
    """All cores for a map, which measures its cells in several processes."""
    return CORES if wildcards.name.startswith("map-") else 1


rule book:  # made from current results only; runs every time, and does nothing if nothing changed
    localrule: True
    input:
        results(WANTED),
    shell:
        "{sys.executable:q} -m umt_lib.study.pipeline.run_graph {PARAMS:q} {WHICH:q} {SOURCES:q}"
        " && {sys.executable:q} -m umt_lib book"


rule experiments:
    input:
        expand(RESULT, name=EXPERIMENTS),


rule experiment:
    input:
        f"{RUNS}/stamps/{{name}}",
        made_from(),
    output:
        RESULT,
    log:
        f"{RUNS}/notebooks/{{name}}.ipynb",  # kept when the job fails, as outputs are not
    threads: job("threads")
    resources:
        gpu=job("gpu"),
        mem_mb=job("mem_mb"),
        runtime=job("runtime"),  # minutes
    shell:
        "{sys.executable:q} -m umt_lib.study.pipeline.notebook_server run notebooks/experiment.py"
        " {log:q} -f {PARAMS:q}/{wildcards.name:q}.yaml"


rule analysis:
    input:
        f"{RUNS}/stamps/analyses/{{name}}",
        made_from("analyses/"),
    output:
        f"{RUNS}/results/analyses/{{name}}.json",
    threads: cores  # of the maps; the other analyses use one
    priority: 1  # the longest jobs of all start first
    resources:
        mem_mb=lambda wildcards, threads: 1000 + 1000 * threads,
        runtime=60,  # minutes
    shell:
        "{sys.executable:q} -m umt_lib analyse {PARAMS:q}/analyses/{wildcards.name:q}.yaml"
        " --workers {threads:q}"


def without_result():
    """A sentence that names the experiments and analyses without a result; "" if all have one."""
    missing = [name for name in WANTED if not Path(RESULT.format(name=name)).exists()]
    if not missing:
        return ""
    first, more = missing[:10], len(missing) - 10
    return (
        f"{len(missing)} of {len(WANTED)} experiments have no result: {', '.join(first)}"
        f"{f' and {more} more' if more > 0 else ''}; the same command resumes from here"
    )


onerror:
    if missing := without_result():
        print(missing, file=sys.stderr)


# With keep-going, Snakemake calls a run a success from which jobs were left out.
onsuccess:
    if not workflow.dag_settings.targets and (missing := without_result()):
        sys.exit(missing)
