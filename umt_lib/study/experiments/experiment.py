"""Run one experiment: train and test the method of a params file for all its seeds.

    umt run params/watch-umt.yaml

On several GPUs: torchrun --nproc-per-node 4 -m umt_lib run params/watch-umt.yaml

The validation split chooses the epoch, a swept hyper-parameter and the weights of UME. Then the
test split is read, once per seed. Models are saved under ``runs/checkpoints``, unfinished ones too:
the same command resumes an interrupted run.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn
from tqdm import tqdm

from umt_lib import distributed, models, paths
from umt_lib.data import Split, Splits
from umt_lib.errors import StudyError, exit_status
from umt_lib.evaluation import intervals, metrics
from umt_lib.evaluation.probes import linear_probe
from umt_lib.files import load_tensors, save_tensors
from umt_lib.methods import METHODS, Method, Setting
from umt_lib.models import LateFusion
from umt_lib.models.inference import outputs
from umt_lib.study.experiments import params as params_files
from umt_lib.study.experiments import provenance
from umt_lib.study.experiments.checkpoints import load_state, matching, save_state
from umt_lib.study.experiments.results import (
    Cost,
    Measured,
    Provenance,
    Result,
    Score,
    SeedRecord,
    Trial,
)
from umt_lib.training import Progress, State, Training, fit

SAVE_EVERY = 15.0  # seconds of training between two checkpoints of an unfinished run
SWEEP_SEEDS = 3  # a sweep is decided on the first seeds; only the chosen value is trained on all
PROBED = 10_000  # a linear probe is fitted to at most so many training samples, a fixed subset


@dataclass
class Trained:
    """A finished training: the model that validation chose, its method, progress and score."""

    model: nn.Module
    method: Method
    key: str  # provenance.training_key
    progress: Progress
    validation: Score


class Experiment:
    """One experiment: made by :meth:`from_params`, measured by :meth:`run`."""

    def __init__(self, params: dict[str, Any], splits: Splits):
        self.params, self.splits, self.name = params, splits, params["name"]
        self.training = Training(**params["training"])

    @classmethod
    def from_params(cls, params: dict[str, Any], source: str = "the parameters") -> Experiment:
        """Check ``params``, load the data and return the experiment; nothing is trained yet.

        Raises:
            StudyError: what :func:`.params.check` and :func:`umt_lib.data.load` raise, or the
                encoders do not match the modalities or the shapes of the data.
        """
        params_files.check(params, source)
        splits = provenance.splits(params)
        if set(params["encoders"]) != set(splits.modalities):
            raise StudyError(
                f"{source}: encoders are given for {sorted(params['encoders'])}, the modalities of "
                f"{params['dataset']['name']!r} are {sorted(splits.modalities)}; give one each"
            )
        experiment = cls(params, splits)
        try:
            experiment.make()(splits.train.inputs(slice(0, 2)))
        except (RuntimeError, ValueError, IndexError, AssertionError) as error:
            raise StudyError(
                f"{source}: encoders and head do not take samples of {splits.shapes} ({error}); "
                f"choose encoders made for these shapes or other sizes"
            ) from None
        return experiment

    def run(self, device: str = "auto", progress: bool = True) -> Result:
        """Train all seeds and swept values, choose by validation, test once, write the result.

        Args:
            device: "auto" (a GPU if there is one), "cpu", "cuda", ...
            progress: show a progress bar on the terminal.

        Raises:
            StudyError: a teacher is missing, the loss is not finite, a file cannot be written.
        """
        began, place = time.perf_counter(), _device(device)
        values = self._sweep()
        seeds, epochs = self.params["seeds"], self.method({}).epochs(self.training.epochs)
        deciding = seeds[:SWEEP_SEEDS] if len(values) > 1 else seeds
        total = (len(values) * len(deciding) + len(seeds) - len(deciding)) * epochs
        with tqdm(
            total=total,
            desc=self.name,
            unit="epoch",
            disable=not progress or not distributed.is_main(),
        ) as bar:
            trials = [[self.train(s, v, place, bar) for s in deciding] for v in values]
            means = [sum(run.validation.accuracy for run in row) / len(row) for row in trials]
            best = max(range(len(values)), key=lambda i: means[i])  # the first of equals
            rest = seeds[len(deciding) :]
            runs = trials[best] + [self.train(s, values[best], place, bar) for s in rest]
        records = [self._record(s, run) for s, run in zip(seeds, runs, strict=True)]
        result = Result(
            name=self.name,
            params=self.params,
            measured=Measured(
                sweep=[
                    Trial(value=next(iter(v.values())), validation=m)
                    for v, m in zip(values, means, strict=True)
                    if v
                ],
                chosen=values[best],
                seeds=records,
            ),
            provenance=self._provenance(runs, place, time.perf_counter() - began),
        )
        if distributed.is_main():
            result.save(paths.results_dir() / f"{self.name}.json")
        return result

    def method(self, overrides: dict[str, Any]) -> Method:
        """A new method object with the hyper-parameters of the params file and ``overrides``."""
        spec = {**self.params["method"], **overrides}
        return METHODS[spec["name"]](**params_files.options(spec))

    def make(
        self, modalities: tuple[str, ...] | None = None, auxiliary: bool = False
    ) -> LateFusion:
        """A freshly initialised model for ``modalities`` (all of them by default)."""
        encoders = {m: self.params["encoders"][m] for m in modalities or self.splits.modalities}
        model = models.build(
            encoders,
            self.params["head"],
            self.splits.shapes,
            len(self.splits.classes),
            auxiliary,
            bf16=self.training.precision == "bf16",
        )
        if self.training.compile:
            for encoder in model.encoders.values():
                encoder.compile()
        return model

    def train(
        self, seed: int, overrides: dict[str, Any], device: torch.device, bar: tqdm
    ) -> Trained:
        """Train one seed: resume it if it is unfinished, load it if it is finished."""
        distributed.barrier()  # for files of the training before
        method = self.method(overrides)
        torch.manual_seed(seed)
        teachers = self._teachers(seed, device) if method.needs_teachers else {}
        torch.manual_seed(seed)
        model = distributed.prepare_model(method.build(self.make, teachers).to(device))
        train, validation = self.splits.train.to(device), self.splits.validation.to(device)
        augmented, learn = self.splits.augment is not None, partial(self._learn, seed)
        method.start(model, Setting(train, validation, teachers, augmented, learn))
        keys = {m: about["key"] for m, (_, about) in self._teacher_files(seed).items()}
        key = provenance.training_key(self.params, seed, overrides, keys)
        tag = "-".join([f"seed{seed}", *(f"{k}{v}" for k, v in overrides.items())])
        done = paths.checkpoints_dir() / self.name / f"{tag}.safetensors"
        if found := matching(done, key):
            model.load_state_dict(found[0])
            progress = Progress(**found[1]["progress"])
            bar.update(method.epochs(self.training.epochs))
        else:
            unfinished = done.with_suffix(".unfinished.safetensors")
            progress = self._fit(model, method, seed, key, unfinished, bar)
            about = {"key": key, "params": self.params, "progress": asdict(progress)}
            if distributed.is_main():
                save_tensors(done, model.state_dict(), about)
                unfinished.unlink(missing_ok=True)
        logits = method.predict(outputs(model, validation))
        return Trained(model, method, key, progress, _score(logits, validation))

    def _fit(
        self, model: nn.Module, method: Method, seed: int, key: str, file: Path, bar: tqdm
    ) -> Progress:
        """Call :func:`umt_lib.training.fit`; resume from a checkpoint and save new ones."""
        saved = time.monotonic()

        def save(state: State) -> None:
            nonlocal saved
            if distributed.is_main() and time.monotonic() - saved >= SAVE_EVERY:
                save_state(file, state, key)
                saved = time.monotonic()

        def tick(text: str) -> None:
            bar.set_postfix_str(f"seed {seed}, {text}", refresh=False)
            bar.update()

        state = load_state(file, key)
        bar.update(state.progress.epoch if state else 0)
        try:
            return fit(model, method, self.splits, self.training, seed, state, save, tick)
        except StudyError as error:
            raise StudyError(f"{self.name}: {error}") from None

    def _learn(
        self, seed: int, model: nn.Module, method: Method, train: Split, held: Split, epochs: int
    ) -> int:
        """Train another model on this experiment's schedule: :data:`umt_lib.methods.base.Learn`."""
        splits = replace(self.splits, train=train, validation=held)
        training = replace(self.training, epochs=epochs, probe_every=0)
        return fit(model, method, splits, training, seed).samples

    def _teacher_files(self, seed: int) -> dict[str, tuple[dict[str, torch.Tensor], dict]]:
        """{modality: (tensors, description)} of the uni-modal checkpoints of this seed."""
        found = {}
        for m, name in self.params.get("teachers", {}).items():
            path = paths.checkpoints_dir() / name / f"seed{seed}.safetensors"
            if not path.exists():
                raise StudyError(
                    f"{self.name}: teacher {name!r} has no model for seed {seed} ({path}); run "
                    f"umt run params/{name}.yaml first"
                )
            tensors, about = load_tensors(path)
            theirs = about["params"]
            needed = self.params["dataset"], m, self.params["encoders"][m]
            given = theirs["dataset"], theirs["method"].get("modality"), theirs["encoders"].get(m)
            if given != needed:
                raise StudyError(
                    f"{self.name}: teacher {name!r} has data set, modality and encoder {given}, "
                    f"but this experiment needs {needed}; name the uni-modal experiment of {m!r} "
                    f"on the same data"
                )
            found[m] = tensors, about
        return found

    def _teachers(self, seed: int, device: torch.device) -> dict[str, LateFusion]:
        """The uni-modal models of this seed, frozen and in evaluation mode."""
        teachers = {}
        for m, (tensors, about) in self._teacher_files(seed).items():
            theirs = Experiment(about["params"], self.splits)
            teachers[m] = theirs.make(modalities=(m,)).to(device)
            _restore(teachers[m], tensors, self.params["teachers"][m])
            teachers[m].eval().requires_grad_(False)
        return teachers

    def _sweep(self) -> list[dict[str, Any]]:
        """One {field: value} for each value of the sweep; [{}] without a sweep."""
        sweep = self.params.get("sweep", {})
        return [{field: value} for field, values in sweep.items() for value in values] or [{}]

    def _record(self, seed: int, run: Trained) -> SeedRecord:
        """Test and probe a trained model; no other function reads the test split."""
        device = next(iter(run.model.state_dict().values())).device
        train, test = self.splits.train.to(device), self.splits.test.to(device)
        if len(train) > PROBED:
            train = train.take(np.random.default_rng(0).permutation(len(train))[:PROBED])
        known, out = outputs(run.model, train), outputs(run.model, test)
        return SeedRecord(
            seed=seed,
            epoch=run.progress.best,
            validation=run.validation,
            test=_score(run.method.predict(out), test),
            unimodal={m: metrics.accuracy(logits, test.y) for m, logits in out.unimodal.items()},
            probes={
                m: linear_probe(known.features[m], train.y, z, test.y)
                for m, z in out.features.items()
            },
            curves=run.progress.curves,
        )

    def _provenance(self, runs: list[Trained], device: torch.device, seconds: float) -> Provenance:
        progress = [run.progress for run in runs]
        return Provenance(
            params=provenance.params_key(self.params),
            code=provenance.code_key(self.params),
            source=self.splits.source,
            keys={str(seed): run.key for seed, run in zip(self.params["seeds"], runs, strict=True)},
            environment=provenance.environment(device),
            cost=Cost(
                seconds=sum(p.seconds for p in progress) / len(progress),
                samples=sum(p.samples for p in progress) // len(progress),
                trainings=len(self._sweep()),
            ),
            seconds=seconds,
        )


def finished(name: str, seed: int) -> tuple[LateFusion, Splits]:
    """The model of a finished experiment of this machine, in evaluation mode, and its data.

    Raises:
        StudyError: there is no checkpoint for this seed, or it is damaged or of an older version.
    """
    path = paths.checkpoints_dir() / name / f"seed{seed}.safetensors"
    if not path.exists():
        raise StudyError(f"{path}: no such checkpoint; run umt run params/{name}.yaml first")
    tensors, about = load_tensors(path)
    splits, method = provenance.splits(about["params"]), about["params"]["method"]
    modalities = (method["modality"],) if "modality" in method else None
    model = Experiment(about["params"], splits).make(modalities)
    _restore(model, tensors, name)
    return model.eval(), splits


def _restore(model: nn.Module, tensors: dict[str, torch.Tensor], name: str) -> None:
    """Load a checkpoint of experiment ``name``; StudyError if an older version wrote it."""
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        why = " ".join(str(error).split())
        raise StudyError(
            f"{name}: its checkpoint does not fit the model of this version ({why}); run "
            f"umt run params/{name}.yaml again"
        ) from None


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise StudyError(f"device {name!r} cannot be used ({error}); choose auto or cpu") from None


def _score(logits: torch.Tensor, split: Split) -> Score:
    return Score(
        accuracy=metrics.accuracy(logits, split.y),
        nll=metrics.nll(logits, split.y),
        samples=len(split),
    )


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status (2 for a StudyError, 130 for Ctrl-C)."""
    parser = argparse.ArgumentParser(prog="umt run", description=__doc__)
    parser.add_argument("params", type=Path, help="a file of params/")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace a value of the file, e.g. --set training.epochs=1 --set seeds=[0]",
    )
    given = parser.parse_args(arguments)
    return exit_status(
        lambda: _run(given), f"{given.params}: interrupted; the same command resumes from here"
    )


def _run(given: argparse.Namespace) -> int:
    params = params_files.read(given.params)
    for setting in given.set:
        _replace(params, setting)
    with distributed.process_group():
        result = Experiment.from_params(params, str(given.params)).run(given.device)
        writes = distributed.is_main()
    if writes:
        mean, low, high, n = intervals.t_interval(result.accuracy)
        spread = f"[{low:.1%}, {high:.1%}], {n} seeds" if n > 1 else "(one seed)"
        print(f"{result.name}: test accuracy {mean:.1%} {spread}")
    return 0


def _replace(params: dict[str, Any], setting: str) -> None:
    """Replace the value at a dotted key, as in ``training.epochs=1``; the value is YAML."""
    key, equals, value = setting.partition("=")
    *parents, last = key.split(".")
    for parent in parents:
        params = params.get(parent) if isinstance(params, dict) else None
    if key == "name":  # the result would replace that of another experiment
        raise StudyError(
            f"--set {setting}: the name is that of the file; copy the file to rename it"
        )
    if not equals or not isinstance(params, dict) or last not in params:
        raise StudyError(f"--set {setting}: no such key in the params file; use KEY=VALUE")
    try:
        params[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise StudyError(f"--set {setting}: the value is not readable as YAML; quote it") from None
