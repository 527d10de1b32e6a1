"""Is the guide right? Its verdicts, and the paper's, against what the test split says.

A verdict names a way to train. Which one is best is decided on the test split, over seeds: a case
is *decided* if the best way beats each other one by a paired 95% t-interval, else it is a tie.

* ``UME``: the best of mean, product and fitted weights, chosen on validation.
* ``UMT``: with a linear head, its weight chosen on validation.
* ``interactions``: joint training with an MLP head, as the advice says: one training, from the
  inputs.
* ``no clear winner``: the advice is then to take UME, the cheapest.

A rule is *right* in a decided case if it names the best; "no clear winner" is not right there.
Its *regret* is the test accuracy of the best way less that of the way it makes one take. The rule
of the paper knows UME (mean) and UMT only, so it is scored among all ways, and again among its own
two, with a linear and with an MLP head; and *by sign*, which asks for no interval and never says
"no clear winner". A guide is worth asking only if it beats taking one way always: two rules that
ask nothing are scored as well.

Thresholds of the guide were set on a quarter of the map's cells, told by a hash of the cell; the
other cells are held out, and only these are reported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from umt_lib import paths
from umt_lib import results as results_files
from umt_lib.errors import StudyError
from umt_lib.guide import views
from umt_lib.guide.decide import INTERACTIONS, UME, UMT, UNCLEAR, Recommendation
from umt_lib.guide.inputs import INNER
from umt_lib.guide.recommend import recommend
from umt_lib.map import lazy, runs
from umt_lib.map.grid import Cell, Grid, grid
from umt_lib.methods.ume import fit_weights
from umt_lib.metrics import t_interval

AT_ONCE = 30  # models trained at once, seeds counted: what 1.5 GB of memory hold
VIEWS = ("features", "features and inputs")
ALL = {UME: "UME", UMT: "UMT", INTERACTIONS: "joint (MLP)"}
PAPER = {UME: "UME (mean)", UMT: "UMT"}
PAPER_MLP = {UME: "UME (mean)", UMT: "UMT (MLP)"}
CHOICES = {  # what is chosen on validation among variants of the map
    "UME": ("ume-mean", "ume-product", "ume-weighted"),
    "UME (mean)": ("ume-mean",),
    "UMT": ("umt-linear@",),
    "UMT (MLP)": ("umt-mlp@",),
    "joint (MLP)": ("joint-mlp",),
}
EXPERIMENTS = {  # the same on a data set: names of experiments after <dataset>-
    "UME": ("ume-mean", "ume-product", "ume-weighted"),
    "UME (mean)": ("ume-mean",),
    "UMT": ("umt",),
    "UMT (MLP)": ("umt-mlp",),
    "joint (MLP)": ("joint-mlp",),
}


class Rule(NamedTuple):
    """Whose verdict, from which view, the ways it takes, and those it is measured against.

    ``who`` may be a verdict: then it is always that one, whatever the data say.
    """

    who: str
    view: str
    takes: dict[str, str]
    among: dict[str, str]


RULES = {
    "ours": Rule("ours", VIEWS[0], ALL, ALL),
    "ours, with inputs": Rule("ours", VIEWS[1], ALL, ALL),
    "paper's": Rule("paper", VIEWS[0], PAPER, ALL),
    "paper's, by sign": Rule("paper by sign", VIEWS[0], PAPER, ALL),
    "paper's, own two ways": Rule("paper", VIEWS[0], PAPER, PAPER),
    "paper's, own two ways, by sign": Rule("paper by sign", VIEWS[0], PAPER, PAPER),
    "paper's, own two ways, MLP head": Rule("paper", VIEWS[0], PAPER_MLP, PAPER_MLP),
    "always joint (MLP)": Rule(INTERACTIONS, VIEWS[0], ALL, ALL),
    "always UME": Rule(UME, VIEWS[0], ALL, ALL),
}


def held_out(cell: Cell) -> bool:
    """Whether the cell took no part in setting thresholds: three of four cells, by their hash."""
    digest = hashlib.sha256(json.dumps(list(cell)).encode()).hexdigest()
    return int(digest, 16) % 4 != 0


def judged(
    rule: Rule, verdict: str, accuracy: Mapping[str, Sequence[float]]
) -> dict[str, bool | float | str]:
    """One case: {"decided", "best", "right", "unclear", "regret"}, regret in accuracy 0..1.

    Args:
        accuracy: {way to train: test accuracy per seed}.
    """
    means = {verdict: float(np.mean(accuracy[way])) for verdict, way in rule.among.items()}
    best = max(means, key=means.__getitem__)
    others = [way for verdict, way in rule.among.items() if verdict != best]
    top = np.asarray(accuracy[rule.among[best]])
    decided = all(t_interval(top - np.asarray(accuracy[way])).low > 0 for way in others)
    taken = rule.takes[UME if verdict == UNCLEAR else verdict]
    return {
        "decided": decided,
        "best": best,
        "right": decided and verdict == best,
        "unclear": verdict == UNCLEAR,
        "regret": max(*means.values(), (own := float(np.mean(accuracy[taken])))) - own,
    }


def on_map(
    dataset: str,
    cells: int,
    seeds: tuple[int, ...],
    guide_seeds: int = 1,
    n_validation: int = 1000,
    part: str = "held out",
    progress: bool = False,
) -> dict[str, Any]:
    """Both rules on cells of the map, against the truth of all seeds.

    Args:
        dataset: a key of :data:`umt_lib.map.grid.GRIDS`, or "lazy" (:mod:`umt_lib.map.lazy`).
        cells: how many, spread evenly over the grid; 0 for all.
        guide_seeds: of so many seeds the guide is given the uni-modal models, one after the other.
        n_validation: samples of the validation split: the guide sees these, and methods choose on
            them.
        part: "held out", or "tuning" for the cells that thresholds may be set on.

    Returns:
        "cases" [{"uni", "paired", "asymmetry", "n_train", "seed", "held_out", "test" {way: accuracy
        per seed}, "verdicts" {view: {who: verdict}}, "gains" {view: {gain: interval}}, "rules"
        {rule: see :func:`judged`}}].

    Raises:
        StudyError: a data set without a map, or an unknown part.
    """
    if part not in ("held out", "tuning"):
        raise StudyError(f"part is {part!r}; give 'held out' or 'tuning'")
    where = replace(lazy.GRID if dataset == "lazy" else grid(dataset), n_validation=n_validation)
    places = [cell for cell in where.cells if held_out(cell) == (part == "held out")]
    places = spread(places, cells)
    chunk_size = max(1, AT_ONCE // len(seeds))
    cases: list[dict[str, Any]] = []
    with tqdm(total=len(places), desc=f"guide on {dataset}", disable=not progress) as bar:
        for n_train in sorted({cell.n_train for cell in places}):
            same = [cell for cell in places if cell.n_train == n_train]
            for start in range(0, len(same), chunk_size):
                chunk = same[start : start + chunk_size]
                cases += _cases(where, chunk, seeds, seeds[:guide_seeds])
                bar.update(len(chunk))
    return {
        "dataset": dataset,
        "part": part,
        "seeds": len(seeds),
        "n_validation": n_validation,
        "n_test": where.n_test,
        "cells": len(places),
        "cases": cases,
    }


def spread(places: Sequence[Cell], number: int) -> list[Cell]:
    """``number`` cells evenly along the grid in an order that runs through strengths last."""
    order = sorted(places, key=lambda c: (c.n_train, c.asymmetry, c.paired, c.uni))
    if not 0 < number < len(order):
        return order
    return [order[i] for i in np.linspace(0, len(order) - 1, number).round().astype(int)]


def _cases(
    where: Grid, cells: Sequence[Cell], seeds: Sequence[int], guided: Sequence[int]
) -> list[dict[str, Any]]:
    trained = runs.train(where, cells, seeds)
    validation, train = trained.data.validation, trained.data.train
    scores: dict[str, dict[str, np.ndarray]] = {}
    weights = None
    for part in ("validation", "test"):
        split = getattr(trained.data, part)
        logits = runs.predictions(trained, split)
        logs = torch.stack([logits[f"alone-{m}"] for m in split.x])  # (M, G, n, K)
        if weights is None:  # as :class:`umt_lib.methods.ume.UME` fits them, on validation
            fitted = [fit_weights(logs[:, g], split.y[g]) for g in range(len(split.y))]
            weights = torch.from_numpy(np.stack(fitted, axis=1)).float()
        logits["ume-weighted"] = (weights[:, :, None, None] * logs).sum(0)
        for name, value in logits.items():
            right = (value.argmax(2) == split.y).double().mean(1)
            scores.setdefault(part, {})[name] = right.view(len(cells), len(seeds)).numpy()
    features = runs.features(trained.teachers, validation)
    cases = []
    for i, cell in enumerate(cells):
        by_part = {part: {k: v[i] for k, v in found.items()} for part, found in scores.items()}
        accuracy = {way: _chosen(by_part, names).tolist() for way, names in CHOICES.items()}
        for s, seed in enumerate(guided):
            g = i * len(seeds) + s
            seen = {m: z[g].numpy() for m, z in features.items()}
            inputs = [{m: x[g] for m, x in split.x.items()} for split in (train, validation)]
            found = _asked(seen, *inputs, validation.y[g].numpy(), None)
            case = {**cell._asdict(), "seed": seed, "held_out": held_out(cell), "test": accuracy}
            cases.append(case | _record(found, accuracy))
    return cases


def _chosen(by_part: Mapping[str, Mapping[str, np.ndarray]], names: tuple[str, ...]) -> np.ndarray:
    """Test accuracy per seed of the variant that is best on validation, by its mean over seeds."""
    variants = [v for v in by_part["validation"] if v.startswith(names)]
    return by_part["test"][max(variants, key=lambda v: by_part["validation"][v].mean())]


def _asked(features, train, asked, y, groups, folds: int = 5) -> dict[str, Recommendation]:
    """{view: what the guide says}"""
    given = (features, views.with_inputs(features, train, asked))
    return {
        view: recommend(z, y, groups, folds=folds) for view, z in zip(VIEWS, given, strict=True)
    }


def _record(
    found: Mapping[str, Recommendation], accuracy: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """What is kept of one case: verdicts, gains and rules."""
    verdicts = {
        view: {
            "ours": one.verdict,
            "paper": one.paper,
            "paper by sign": UMT if one.gains["paper"].accuracy.mean > 0 else UME,
        }
        for view, one in found.items()
    }
    return {
        "verdicts": verdicts,
        "gains": {view: one.to_dict()["gains"] for view, one in found.items()},
        "rules": {
            name: judged(rule, verdicts[rule.view].get(rule.who, rule.who), accuracy)
            for name, rule in RULES.items()
        },
    }


def on_data(
    dataset: str, seeds: tuple[int, ...], folds: int = 5, progress: bool = False
) -> dict[str, Any]:
    """Both rules on a data set's finished runs, against the truth of its test split.

    Groups are left out where the validation split has too few of them for folds ("groups" says so);
    ``folds`` is the guide's, fewer for a validation split with few samples of a class.

    Returns:
        "cases" as of :func:`on_map`, one per seed, and "recommendation": all the evidence of the
        first seed.

    Raises:
        StudyError: a result or a uni-modal model of this machine is missing.
    """
    accuracy = {way: _measured(dataset, names, seeds) for way, names in EXPERIMENTS.items()}
    cases, first = [], {}
    for seed in tqdm(seeds, desc=f"guide on {dataset}", disable=not progress):
        features, splits = views.last_layer(dataset, seed)
        train, held = splits.train, splits.validation
        groups = held.groups
        if groups is not None and len(set(groups.tolist())) < INNER:
            groups = None
        found = _asked(features, train.x, held.x, held.y.numpy(), groups, folds)
        cases.append({"seed": seed, **_record(found, accuracy)})
        first = first or found[VIEWS[1]].to_dict()
    first["cost"].pop("seconds")  # the only part that is not the same when measured again
    return {
        "dataset": dataset,
        "seeds": len(seeds),
        "groups": {None: "none", True: "kept", False: "too few"}[
            None if held.groups is None else groups is not None
        ],
        "test": accuracy,
        "cases": cases,
        "recommendation": first,
    }


def _measured(dataset: str, names: tuple[str, ...], seeds: Sequence[int]) -> list[float]:
    """Test accuracy per seed of the experiment that is best on validation."""
    means, tests = [], []
    for name in names:
        result = results_files.load(paths.results_dir() / f"{dataset}-{name}.json")
        records = {record.seed: record for record in result.measured.seeds}
        if absent := [seed for seed in seeds if seed not in records]:
            raise StudyError(
                f"{dataset}-{name}: no seed {absent[0]}; run python -m umt_lib.experiment "
                f"params/{dataset}-{name}.yaml with it"
            )
        means.append(np.mean([records[seed].validation.accuracy for seed in seeds]))
        tests.append([records[seed].test.accuracy for seed in seeds])
    return tests[int(np.argmax(means))]
