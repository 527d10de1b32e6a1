# The run graph: uni-modal teachers -> methods -> analyses -> book. One job = one params file.
#
#   snakemake --profile profiles/local -n          what would run, and why (runs/stamps/<name>)
#   snakemake --profile profiles/local             run it, one experiment per core
#   snakemake --profile profiles/local --config study=full    all of params/, not default.txt alone
#   snakemake --profile profiles/slurm             the same on a cluster
#   snakemake --profile profiles/local runs/results/watch-umt.json     one experiment
import os
import sys
from pathlib import Path

import yaml

from umt_lib.errors import StudyError
from umt_lib.study.pipeline.run_graph import hours, mark, sources, wanted
from umt_lib.paths import ROOT, runs

RUNS = runs().relative_to(ROOT) if runs().is_relative_to(ROOT) else runs()
PARAMS = Path(config.get("params", "params"))
NAMES = sorted(path.stem for path in PARAMS.glob("*.yaml"))
ANALYSES = sorted(f"analyses/{path.stem}" for path in PARAMS.glob("analyses/*.yaml"))
WHICH = config.get("study", "default")
RESULT = f"{RUNS}/results/{{name}}.json"


wildcard_constraints:
    name="[^/]+",


try:
    WANTED = wanted([*NAMES, *ANALYSES], PARAMS, WHICH)
    if workflow.is_main_process:  # not on the nodes of a cluster
        SOURCES = sources(PARAMS)
        stale = mark([*NAMES, *ANALYSES], PARAMS, WHICH)
        os.environ["UMT_TODO"] = " ".join(name for name in stale if name in WANTED)
except StudyError as error:
    print(error, file=sys.stderr)
    raise


def teachers(wildcards):
    """Results of the uni-modal experiments this one distils from; their models lie beside them."""
    return rests_on(PARAMS / f"{wildcards.name}.yaml", lambda params: params["teachers"].values())


def needs(wildcards):
    """Results this analysis reads."""
    return rests_on(PARAMS / f"analyses/{wildcards.name}.yaml", lambda params: params["needs"])


def rests_on(file, names):
    try:
        params = yaml.safe_load(file.read_text(encoding="utf-8"))
        return [RESULT.format(name=name) for name in names(params)]
    except (yaml.YAMLError, TypeError, KeyError, AttributeError):  # none, or its run says why
        return []


def long(wildcards):
    """Hours on a GPU, 0 for what a processor does: the job asks for what its params file says."""
    return hours(PARAMS / f"{wildcards.name}.yaml")


rule book:  # made of nothing but current results; asked for every time, it knows what it is made of
    localrule: True
    input:
        ancient(expand(RESULT, name=WANTED)),
    shell:
        "{sys.executable} -m umt_lib.study.pipeline.run_graph {PARAMS} {WHICH} {SOURCES} && {sys.executable} -m umt_lib book"


rule experiments:
    input:
        expand(RESULT, name=NAMES),


rule experiment:
    input:
        f"{RUNS}/stamps/{{name}}",
        ancient(teachers),
    output:
        RESULT,
    log:
        f"{RUNS}/notebooks/{{name}}.ipynb",  # kept when the job fails, as outputs are not
    threads: lambda wildcards: 5 if long(wildcards) else 1  # four of them read
    resources:
        gpu=lambda wildcards: 1 if long(wildcards) else 0,
        mem_mb=lambda wildcards: 16000 if long(wildcards) else 2000,
        runtime=lambda wildcards: 90 * long(wildcards) or 60,  # minutes: estimates are rough
    shell:
        "{sys.executable} -m umt_lib.study.pipeline.notebook_server run notebooks/experiment.py {log}"
        " -f {PARAMS}/{wildcards.name}.yaml"


rule analysis:
    input:
        f"{RUNS}/stamps/analyses/{{name}}",
        ancient(needs),
    output:
        f"{RUNS}/results/analyses/{{name}}.json",
    threads: 1
    priority: 1  # the longest jobs of all start first
    resources:
        mem_mb=2000,
        runtime=30,  # minutes
    shell:
        "{sys.executable} -m umt_lib analyse {PARAMS}/analyses/{wildcards.name}.yaml"


onerror:
    missing = [name for name in WANTED if not Path(RESULT.format(name=name)).exists()]
    if missing:
        print(
            f"{len(missing)} of {len(WANTED)} experiments have no result: {', '.join(missing)};",
            "the same command goes on from here",
            file=sys.stderr,
        )
