"""What is gained by combining an RGB and a flow network, and by combining two RGB networks?

The test clips of UCF101's split 1 are divided by their groups: temperatures, weights and the rule
are chosen on some groups, and everything is tested on the others; then the same with the two parts
exchanged, as a check. A group of a class is one source video. So intervals resample source videos,
and p-values are those of McNemar's test over source videos, corrected by Holm's method in each of
three families:

- **gain**: every ensemble minus the better of its networks.
- **second**: RGB and flow minus the same RGB network and another one, and for RGB 1 also minus all
  RGB networks together, the control: if averaging networks were enough, further RGB networks would
  do as well as flow.
- **rule**: for RGB 1 and flow, every rule minus the sum of logits as released.

The networks were chosen by their accuracy on these very clips (see
:mod:`umt_lib.data.ucf101_two_stream`), all of them, so accuracies are optimistic.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from torch import Tensor
from tqdm import tqdm

from umt_lib.data import ucf101_two_stream
from umt_lib.data.splits import Split
from umt_lib.data.ucf101_two_stream import NETWORKS
from umt_lib.errors import StudyError
from umt_lib.evaluation.bootstrap import bootstrap, bootstrap_means
from umt_lib.evaluation.calibration import reliability
from umt_lib.evaluation.corrections import holm
from umt_lib.evaluation.mcnemar import mcnemar
from umt_lib.evaluation.metrics import accuracy, nll
from umt_lib.study.analyses.two_stream import rules

FIRST, FLOW = "RGB 1", "flow"  # the two networks of one repository
RGB = tuple(n.name for n in NETWORKS if n.name != FLOW)
BOTH = f"{FIRST} + {FLOW}"
TRAINED = {n.name: n.trained_scale for n in NETWORKS}
README = {FIRST: 0.813, FLOW: 0.797, BOTH: 0.881}  # of their repository, at its commit
CALIBRATED = (
    "sum, released",
    "sum, trained",
    "sum, temperature",
    "mean, temperature",
    rules.WEIGHTED,
)
ENSEMBLES = (*combinations(TRAINED, 2), RGB)
Right = dict[str, np.ndarray]  # whether a prediction is right on each clip, (n,) bool


def two_stream(fit_groups: tuple[int, ...]) -> dict[str, Any]:
    """Accuracies, gains and calibration of public RGB and flow networks and of their ensembles.

    Args:
        fit_groups: the groups gXX, of 1 to 7, on which rules are fitted and chosen.

    Returns:
        {"networks": {name: where its file is from}, "clips": their number, "published": {name:
        accuracies on all clips}, "unfitted": see :func:`unfitted`, "halves": [fitted to
        ``fit_groups``, fitted to the others], see :func:`half`}.

    Raises:
        StudyError: ``fit_groups`` are not some, but not all, of 1 to 7; or a file cannot be found
            or read, see :func:`umt_lib.data.ucf101_two_stream.load`.
    """
    everyone = set(range(1, 8))
    if not set(fit_groups) < everyone or not fit_groups or len(set(fit_groups)) < len(fit_groups):
        raise StudyError(
            f"fit_groups are {list(fit_groups)}; give some of 1 to 7, each once, and "
            f"leave others to test on"
        )
    split, known = ucf101_two_stream.load()
    others = tuple(sorted(everyone - set(fit_groups)))
    halves = []
    for chosen, tested in tqdm(
        [(fit_groups, others), (others, fit_groups)],
        desc="two-stream",
        disable=None,
    ):
        fit, test = (
            split.take(np.flatnonzero(np.isin(known.number, of))) for of in (chosen, tested)
        )
        halves.append(half(fit, test, known.training) | {"fit on": chosen, "tested on": tested})
    return {
        "networks": {
            n.name: {
                "repository": n.repository.name,
                "commit": n.repository.commit,
                "path": n.path,
                "sha256": n.repository.files()[n.path].sha256,
            }
            for n in NETWORKS
        },
        "clips": len(split),
        "published": {
            name: {
                "ours": accuracy(sum(split.x[m] for m in name.split(" + ")), split.y),
                "published": published,
            }
            for name, published in README.items()
        },
        "unfitted": unfitted(split),
        "halves": halves,
    }


def unfitted(split: Split) -> dict[str, Any]:
    """The sum of logits of RGB 1 and flow, as released and as trained: nothing is fitted.

    Returns:
        {"released", "trained": accuracy, "difference", "p"}; intervals as in :func:`half`.
    """
    assert split.groups is not None
    right = {
        "released": _right(split.x[FIRST] + split.x[FLOW], split.y),
        "trained": _right(sum(TRAINED[m] * split.x[m] for m in (FIRST, FLOW)), split.y),
    }
    columns = right | {"difference": right["trained"].astype(int) - right["released"]}
    p = mcnemar(right["trained"], right["released"], split.groups)
    return _intervals(columns, split.groups) | {"p": p}


def half(fit: Split, test: Split, training: Tensor) -> dict[str, Any]:
    """Fit and choose on ``fit``, measure on ``test``; both with the logits of all networks.

    Intervals are (value, low, high, number of source videos).

    Returns:
        - "fit", "test": {"clips", "videos"}
        - "networks": {name: {"accuracy", "fit" accuracy on fit, "temperature", "spread" of the
          released logits, "calibration" {scale: :func:`calibration`}}}
        - "ensembles": {name: {"members", "better" of its networks on fit, "chosen" rule, "rules"
          {rule: {"fit" accuracy on fit, "accuracy", "gain" over the better network}}}}
        - "calibration": {rule: :func:`calibration`} of RGB 1 and flow
        - "families": {family: {comparison: {"difference", "p", "adjusted"}}}
        - "corrected": {first: {second: share of what the first network gets wrong that the second
          gets right}}
    """
    assert test.groups is not None
    scales = rules.factors(fit, TRAINED)
    fit_accuracy = {m: accuracy(x, fit.y) for m, x in fit.x.items()}
    right: Right = {m: _right(x, test.y) for m, x in test.x.items()}
    ensembles: dict[str, dict[str, Any]] = {}
    calibrated = {}
    for members in ENSEMBLES:
        name = " + ".join(members)
        parts = [Split({m: s.x[m] for m in members}, s.y, s.groups) for s in (fit, test)]
        combined = rules.combine(parts[0], parts[1], TRAINED, training)
        scores = {rule: accuracy(on_fit, fit.y) for rule, (on_fit, _) in combined.items()}
        right |= {f"{name}: {rule}": _right(z, test.y) for rule, (_, z) in combined.items()}
        ensembles[name] = {
            "members": members,
            "better": max(members, key=fit_accuracy.__getitem__),
            "chosen": max(scores, key=scores.__getitem__),
            "rules": {rule: {"fit": score} for rule, score in scores.items()},
        }
        if name == BOTH:
            calibrated = {r: calibration(combined[r][1], test.y) for r in CALIBRATED}

    families = _families(ensembles)
    differences = {
        f"{name}: {rule}": (f"{name}: {rule}", found["better"])
        for name, found in ensembles.items()
        for rule in found["rules"]
    }
    differences |= {f"{f}/{c}": pair for f, pairs in families.items() for c, pair in pairs.items()}
    between = {c: right[a].astype(int) - right[b] for c, (a, b) in differences.items()}
    means = _intervals(right, test.groups)
    gains = _intervals(between, test.groups)
    for name, found in ensembles.items():
        for rule, scored in found["rules"].items():
            scored |= {"accuracy": means[f"{name}: {rule}"], "gain": gains[f"{name}: {rule}"]}
    return {
        "fit": _size(fit),
        "test": _size(test),
        "networks": {
            m: {
                "accuracy": means[m],
                "fit": fit_accuracy[m],
                "temperature": TRAINED[m] / scales["temperature"][m],
                "spread": float((fit.x[m] - fit.x[m].mean(1, keepdim=True)).std()),
                "calibration": {
                    scale: calibration(scales[scale][m] * test.x[m], test.y)
                    for scale in ("released", "trained", "temperature")
                },
            }
            for m in TRAINED
        },
        "ensembles": ensembles,
        "calibration": calibrated,
        "families": {
            family: _tested(family, pairs, right, gains, test.groups)
            for family, pairs in families.items()
        },
        "corrected": {
            a: {b: _corrected(right[a], right[b], test.groups) for b in TRAINED if b != a}
            for a in TRAINED
        },
    }


def calibration(logits: Tensor, y: Tensor) -> dict[str, Any]:
    """Bins of confidence, the expected calibration error, and the cross-entropy."""
    found = reliability(logits, y)
    return {
        "confidence": found.confidence.tolist(),
        "accuracy": found.accuracy.tolist(),
        "samples": found.samples.tolist(),
        "error": found.error,
        "nll": nll(logits, y),
    }


def _families(ensembles: dict[str, dict[str, Any]]) -> dict[str, dict[str, tuple[str, str]]]:
    """{family: {comparison: the two predictions}}; an ensemble is by its chosen rule."""
    best = {name: f"{name}: {found['chosen']}" for name, found in ensembles.items()}
    second = {
        f"{a}: {FLOW} or {b}": (best[f"{a} + {FLOW}"], best[" + ".join(sorted((a, b)))])
        for a in RGB
        for b in RGB
        if a != b
    }
    every = " + ".join(RGB)
    return {
        "gain": {name: (best[name], found["better"]) for name, found in ensembles.items()},
        "second": second | {f"{FIRST}: {FLOW} or all others": (best[BOTH], best[every])},
        "rule": {
            rule: (f"{BOTH}: {rule}", f"{BOTH}: {rules.RELEASED}")
            for rule in rules.RULES
            if rule != rules.RELEASED
        },
    }


def _tested(
    family: str,
    pairs: dict[str, tuple[str, str]],
    right: Right,
    gains: dict[str, Any],
    groups: np.ndarray,
) -> dict[str, Any]:
    """The comparisons of a family, with their p-values."""
    p = [mcnemar(right[a], right[b], groups) for a, b in pairs.values()]
    rows = zip(pairs, p, holm(p).tolist(), strict=True)
    return {
        c: {"difference": gains[f"{family}/{c}"], "p": raw, "adjusted": adjusted}
        for c, raw, adjusted in rows
    }


def _intervals(columns: Right, groups: np.ndarray) -> dict[str, tuple]:
    means = bootstrap_means(np.column_stack(list(columns.values())), groups)
    return {name: tuple(mean) for name, mean in zip(columns, means, strict=True)}


def _corrected(first: np.ndarray, second: np.ndarray, groups: np.ndarray) -> tuple:
    wrong = ~first
    columns = np.column_stack([wrong & second, wrong])
    return tuple(bootstrap(columns, lambda means: means[..., 0] / means[..., 1], groups))


def _right(logits: Tensor, y: Tensor) -> np.ndarray:
    return (logits.argmax(1) == y).numpy()


def _size(split: Split) -> dict[str, int]:
    assert split.groups is not None
    return {"clips": len(split), "videos": len(set(split.groups))}
