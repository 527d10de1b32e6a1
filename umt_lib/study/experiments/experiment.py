"""One experiment: train and test the method of a params file for all its seeds.

The validation split chooses the epoch, the learning rate, swept hyper-parameters and the weights of
UME. Then the test split is read, once per seed. On small data a seed is also a split: seed s has
fold s mod 5. Models are saved under ``runs/checkpoints``, unfinished ones too: the same command
resumes an interrupted run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from umt_lib import distributed, models, paths
from umt_lib.data import Split, Splits
from umt_lib.errors import StudyError
from umt_lib.evaluation import metrics
from umt_lib.evaluation.probes import linear_probe
from umt_lib.files import check_writable, load_tensors, save_tensors, write_atomically
from umt_lib.methods import METHODS, Method, Setting
from umt_lib.models import LateFusion
from umt_lib.models.inference import outputs
from umt_lib.study.experiments import params as params_files
from umt_lib.study.experiments import provenance, sweep
from umt_lib.study.experiments.checkpoints import load_state, matching, save_state
from umt_lib.study.experiments.results import (
    Cost,
    Measured,
    Provenance,
    Result,
    Score,
    SeedRecord,
    Trial,
    learning_rate,
    load,
)
from umt_lib.training import Diverged, Progress, State, Training, fit

SAVE_EVERY = 15.0  # seconds of training between two checkpoints of an unfinished run
SWEEP_SEEDS = 3  # a sweep is decided on the first seeds; only the chosen value is trained on all
APART = 1_000_003  # between the initialisation seeds of a joint model and of its teachers
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

    def __init__(self, params: dict[str, Any], data: Callable[[int], Splits]):
        self.params, self.data, self.name = params, data, params["name"]
        self.splits = data(params["seeds"][0])  # modalities, classes and shapes are those of all
        self.training = Training(**params["training"])
        self.folder = paths.checkpoints_dir() / self.name

    @classmethod
    def from_params(cls, params: dict[str, Any], source: str = "the parameters") -> Experiment:
        """Check ``params``, load the data and return the experiment; nothing is trained yet.

        Raises:
            StudyError: what :func:`.params.check` and :func:`umt_lib.data.load` raise, or the
                encoders do not match the modalities or the shapes of the data.
        """
        params_files.check(params, source)
        splits = provenance.splits(params, params["seeds"][0])
        if set(params["encoders"]) != set(splits.modalities):
            raise StudyError(
                f"{source}: encoders are given for {sorted(params['encoders'])}, the modalities of "
                f"{params['dataset']['name']!r} are {sorted(splits.modalities)}; give one each"
            )
        experiment = cls(params, lambda seed: provenance.splits(params, seed))
        try:
            experiment.make()(splits.train.inputs(slice(0, 2)))
        except (RuntimeError, ValueError, IndexError, AssertionError) as error:
            raise StudyError(
                f"{source}: encoders and head do not take samples of {splits.shapes} ({error}); "
                f"choose encoders made for these shapes or other sizes"
            ) from None
        return experiment

    def run(self, device: str = "auto", progress: bool = True, to: Path | None = None) -> Result:
        """Train all seeds and swept values, choose by validation, test once, write the result.

        Args:
            device: "auto" (a GPU if there is one), "cpu", "cuda", ...
            progress: show a progress bar on the terminal.
            to: the results file; by default ``runs/results/<name>.json``.

        Raises:
            StudyError: a teacher or the result of ``learning_rate_of`` is missing, the loss is not
                finite, a file cannot be written.
        """
        began, place = time.perf_counter(), _device(device)
        to = to or paths.results_dir() / f"{self.name}.json"
        for folder in (to.parent, self.folder):
            check_writable(folder)
        seeds, grids = self.params["seeds"], self.params.get("sweep", {})
        trainings = sum(map(len, grids.values())) * len(seeds[:SWEEP_SEEDS]) + len(seeds)
        tried: dict[str, list[sweep.Tried]] = {}  # by hyper-parameter
        chosen = self._borrowed()
        with tqdm(  # a grid that is extended takes longer
            total=trainings * self.method({}).epochs(self.training.epochs),
            desc=self.name,
            unit="epoch",
            disable=None if progress and distributed.is_main() else True,
        ) as bar:
            for field, grid in grids.items():

                def score(value: Any, field: str = field) -> sweep.Scored:
                    return self._try({**chosen, field: value}, place, bar)

                tried[field] = sweep.search(grid, score, partial(self._valid, field))
                chosen[field] = sweep.best(tried[field])
            runs = self._train_all(tried, chosen, place, bar)
        trials = [_trial(field, *trial) for field, values in tried.items() for trial in values]
        self._keep(chosen)
        records = [self._record(s, run) for s, run in zip(seeds, runs, strict=True)]
        result = Result(
            name=self.name,
            params=self.params,
            measured=Measured(sweep=trials, chosen=chosen, seeds=records),
            provenance=self._provenance(runs, len(trials), place, time.perf_counter() - began),
        )
        if distributed.is_main():
            result.save(to)
        return result

    def _borrowed(self) -> dict[str, Any]:
        """{"learning_rate": the rate that ``learning_rate_of`` chose}, or {} without that key."""
        name = self.params.get("learning_rate_of")
        if name is None:
            return {}
        path = paths.results_dir() / f"{name}.json"
        if not path.exists():
            raise StudyError(
                f"{self.name}: learning_rate_of: {name!r} has no result ({path}); run "
                f"umt run params/{name}.yaml first"
            )
        found, mine = load(path), self.params
        if any(found.params[key] != mine[key] for key in ("dataset", "encoders", "head")):
            raise StudyError(
                f"{self.name}: learning_rate_of: {name!r} has another data set, other encoders or "
                f"another head; name joint training with those of this experiment"
            )
        if found.provenance.code != provenance.code_key(found.params):
            raise StudyError(
                f"{self.name}: learning_rate_of: {name!r} was measured by other code ({path}); run "
                f"umt run params/{name}.yaml again"
            )
        return {"learning_rate": learning_rate(found)}

    def _try(self, overrides: dict[str, Any], device: torch.device, bar: tqdm) -> sweep.Scored:
        """Train the first seeds with a value of a sweep; their mean accuracy and cross-entropy."""
        seeds = self.params["seeds"][:SWEEP_SEEDS]
        try:
            scores = [self.train(seed, overrides, device, bar).validation for seed in seeds]
        except Diverged:
            return sweep.FAILED
        accuracy = sum(score.accuracy for score in scores) / len(scores)
        return accuracy, -sum(score.nll for score in scores) / len(scores)

    def _train_all(
        self,
        tried: dict[str, list[sweep.Tried]],
        chosen: dict[str, Any],
        device: torch.device,
        bar: tqdm,
    ) -> list[Trained]:
        """Train all seeds with what the first seeds chose.

        A value with which a later seed diverges has failed, and the next best one is taken: then
        ``tried`` and ``chosen`` change.
        """
        while True:
            try:
                return [self.train(seed, chosen, device, bar) for seed in self.params["seeds"]]
            except Diverged:
                if not tried:
                    raise
                field = list(tried)[-1]
                tried[field] = sweep.failed(tried[field], chosen[field])
                if all(scored == sweep.FAILED for _, scored in tried[field]):
                    raise
                chosen[field] = sweep.best(tried[field])

    def _valid(self, field: str, value: Any) -> bool:
        """Whether a value by which a sweep would be extended is one that may be in the file."""
        try:
            params_files.check({**self.params, "sweep": {field: [value, value]}}, self.name)
        except StudyError:
            return False
        return True

    def _keep(self, chosen: dict[str, Any]) -> None:
        """Save the chosen models under the names that teachers and diagnostics look for."""
        if chosen and distributed.is_main():
            for seed in self.params["seeds"]:
                trained = self.folder / f"{_tag(seed, chosen)}.safetensors"
                write_atomically(
                    self.folder / f"{_tag(seed, {})}.safetensors", trained.read_bytes()
                )

    def method(self, overrides: dict[str, Any]) -> Method:
        """A new method object with the hyper-parameters of the params file and ``overrides``."""
        changed = {field: v for field, v in overrides.items() if field != "learning_rate"}
        spec = {**self.params["method"], **changed}
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

    def initialise(self, seed: int) -> None:
        """Seed torch for the initial weights of one run.

        Joint models of a seed start alike, so that methods can be compared by seed (QMF's models
        draw in another order). A uni-modal model starts differently: with the same seed the first
        encoder of a student would start as that of its teacher, and the others would not.
        """
        modality = self.params["method"].get("modality")
        other = 0 if modality is None else 1 + self.splits.modalities.index(modality)
        torch.manual_seed(seed + APART * other)

    def train(
        self, seed: int, overrides: dict[str, Any], device: torch.device, bar: tqdm
    ) -> Trained:
        """Train one seed: resume it if it is unfinished, load it if it is finished."""
        distributed.barrier()  # for files of the training before
        method, splits = self.method(overrides), self.data(seed)
        torch.manual_seed(seed)
        teachers = self._teachers(seed, device) if method.needs_teachers else {}
        self.initialise(seed)
        model = distributed.prepare_model(method.build(self.make, teachers).to(device))
        train, validation = splits.train.to(device), splits.validation.to(device)
        augmented, learn = splits.augment is not None, partial(self._learn, seed, overrides)
        method.start(model, Setting(train, validation, teachers, augmented, learn))
        keys = {m: about["key"] for m, (_, about) in self._teacher_files(seed).items()}
        key = provenance.training_key(self.params, seed, overrides, keys)
        done = self.folder / f"{_tag(seed, overrides)}.safetensors"
        if found := matching(done, key):
            model.load_state_dict(found[0])
            progress = Progress(**found[1]["progress"])
            bar.update(method.epochs(self.training.epochs))
        else:
            unfinished = done.with_suffix(".unfinished.safetensors")
            progress = self._fit(model, method, seed, overrides, key, unfinished, bar)
            about = {
                "key": key,
                "params": self.params,
                "chosen": overrides,
                "progress": asdict(progress),
            }
            if distributed.is_main():
                save_tensors(done, model.state_dict(), about)
                unfinished.unlink(missing_ok=True)
        logits = method.validate(outputs(model, validation), validation)
        return Trained(model, method, key, progress, _score(logits, validation))

    def schedule(self, overrides: dict[str, Any], **changes: Any) -> Training:
        """The training schedule, with the learning rate in ``overrides`` and other changes."""
        rate = {k: v for k, v in overrides.items() if k == "learning_rate"}
        return replace(self.training, **rate, **changes)

    def _fit(
        self,
        model: nn.Module,
        method: Method,
        seed: int,
        overrides: dict[str, Any],
        key: str,
        file: Path,
        bar: tqdm,
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
            schedule = self.schedule(overrides)
            return fit(model, method, self.data(seed), schedule, seed, state, save, tick)
        except Diverged as error:
            file.unlink(missing_ok=True)
            raise Diverged(f"{self.name}: {error}") from None
        except StudyError as error:
            raise StudyError(f"{self.name}: {error}") from None

    def _learn(
        self,
        seed: int,
        overrides: dict[str, Any],
        model: nn.Module,
        method: Method,
        train: Split,
        held: Split,
        epochs: int,
    ) -> int:
        """Train another model on this experiment's schedule: :data:`umt_lib.methods.base.Learn`."""
        splits = replace(self.data(seed), train=train, validation=held)
        schedule = self.schedule(overrides, epochs=epochs, probe_every=0)
        return fit(model, method, splits, schedule, seed).samples

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
            expected = provenance.training_key(theirs, seed, about.get("chosen", {}), {})
            if about["key"] != expected:  # of another split, perhaps: it may know the test samples
                raise StudyError(
                    f"{self.name}: teacher {name!r} was trained by other code or on other data "
                    f"({path}); run umt run params/{name}.yaml again"
                )
            found[m] = tensors, about
        return found

    def _teachers(self, seed: int, device: torch.device) -> dict[str, LateFusion]:
        """The uni-modal models of this seed, frozen and in evaluation mode."""
        teachers = {}
        for m, (tensors, about) in self._teacher_files(seed).items():
            theirs = Experiment(about["params"], self.data)
            teachers[m] = theirs.make(modalities=(m,)).to(device)
            _restore(teachers[m], tensors, self.params["teachers"][m])
            teachers[m].eval().requires_grad_(False)
        return teachers

    def _record(self, seed: int, run: Trained) -> SeedRecord:
        """Test and probe a trained model; no other function here reads the test split."""
        device = next(iter(run.model.state_dict().values())).device
        splits = self.data(seed)
        train, test = splits.train.to(device), splits.test.to(device)
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

    def _provenance(
        self, runs: list[Trained], trials: int, device: torch.device, seconds: float
    ) -> Provenance:
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
                trainings=max(1, trials),
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
    splits, method = provenance.splits(about["params"], seed), about["params"]["method"]
    modalities = (method["modality"],) if "modality" in method else None
    model = Experiment(about["params"], lambda seed: splits).make(modalities)
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


def _tag(seed: int, overrides: dict[str, Any]) -> str:
    """The name of a checkpoint, e.g. "seed0-learning_rate0.1-weight3.0"."""
    return "-".join([f"seed{seed}", *(f"{k}{v}" for k, v in overrides.items())])


def _trial(field: str, value: Any, scored: sweep.Scored) -> Trial:
    accuracy, minus_nll = scored
    failed = scored == sweep.FAILED
    return Trial(field=field, value=value, validation=accuracy, nll=None if failed else -minus_nll)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        one = torch.ones(1, device=name)
        one.item()  # a device without data, "meta", cannot
        return one.device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"device {name!r} cannot be used ({reason}); choose auto or cpu") from None


def _score(logits: torch.Tensor, split: Split) -> Score:
    return Score(
        accuracy=metrics.accuracy(logits, split.y),
        nll=metrics.nll(logits, split.y),
        samples=len(split),
    )
