"""One command for everything: ``umt VERB ...``, or ``python -m umt_lib VERB ...``."""

from __future__ import annotations

import importlib
import sys

from umt_lib.errors import nearest

VERBS = {  # verb: (module whose ``main`` takes the arguments, what it does)
    "run": ("umt_lib.study.experiments.command", "train and test one experiment of params/"),
    "analyse": ("umt_lib.study.analyses.analysis", "measure one analysis of params/analyses/"),
    "guide": ("umt_lib.guide.command", "recommend UME, UMT or joint training for your features"),
    "prepare": ("umt_lib.data.prepare.__main__", "convert raw videos and meshes to arrays"),
    "book": ("umt_lib.study.report.build", "build the book from results"),
    "publish": ("umt_lib.study.pipeline.publish", "copy current results to results/"),
    "smoke": ("umt_lib.study.pipeline.smoke", "run every experiment for one epoch"),
    "new": ("umt_lib.study.pipeline.new", "write all files of a new method or data set"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the verb; returns its exit status, 2 for an unknown verb.

    A verb's module is imported only when the verb is used.
    """
    verb, *rest = (sys.argv[1:] if arguments is None else arguments) or [""]
    if verb in ("", "-h", "--help"):
        print(usage(), file=sys.stdout if verb else sys.stderr)
        return 0 if verb else 2
    if verb not in VERBS:
        print(f"umt: unknown verb {verb!r}{nearest(verb, VERBS)}", file=sys.stderr)
        return 2
    command = importlib.import_module(VERBS[verb][0]).main
    if verb == "guide":  # the study knows data sets and methods; the guide alone knows files
        from umt_lib.study.analyses.guide_check.features import load
        from umt_lib.study.analyses.guide_check.trial import attempt

        return command(rest, load, attempt)
    return command(rest)


def usage() -> str:
    """One line per verb."""
    lines = [f"  {verb:<9} {what}" for verb, (_, what) in VERBS.items()]
    return "\n".join(["usage: umt VERB ...", "", *lines, "", "umt VERB --help says more"])


if __name__ == "__main__":
    sys.exit(main())
