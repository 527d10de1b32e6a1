"""Labels of strategies, the simple choices among them, and what each experiment costs in all."""

from __future__ import annotations

from umt_lib.errors import StudyError, nearest
from umt_lib.methods import METHODS
from umt_lib.study.experiments.comparisons import same_models
from umt_lib.study.experiments.params import options
from umt_lib.study.pipeline.collection import Entry, Study

# Labels of experiments (``Entry.label``). The maps have the same names for UME, joint and UMT.
UME = "UME"  # the one whose rule validation chose
UME_MEAN, UME_PRODUCT, UME_WEIGHTED = "UME (mean)", "UME (product)", "UME (weighted)"
JOINT, JOINT_MLP = "joint (linear)", "joint (MLP)"
LONGER, LONGER_MLP = "joint, UMT's budget (linear)", "joint, UMT's budget (MLP)"
TWO = "two joint models (linear)"
AUXILIARY, AUXILIARY_MLP = "joint + uni-modal CE (linear)", "joint + uni-modal CE (MLP)"
UMT, UMT_MLP = "UMT (linear)", "UMT (MLP)"
FROZEN, FROZEN_MLP = "frozen encoders (linear)", "frozen encoders (MLP)"
HEADS = ("linear", "MLP")
BY_HEAD = {  # a strategy with each head: {strategy with a linear head: {head: label}}
    linear: dict(zip(HEADS, (linear, mlp), strict=True))
    for linear, mlp in (
        (JOINT, JOINT_MLP),
        (LONGER, LONGER_MLP),
        (AUXILIARY, AUXILIARY_MLP),
        (UMT, UMT_MLP),
        (FROZEN, FROZEN_MLP),
        (UME, UME),  # its models have heads of their own
    )
}
ANSWERED = (UME, JOINT, UMT, JOINT_MLP, UMT_MLP)  # in the main table of accuracies
ANY_JOINT = (JOINT, JOINT_MLP, LONGER, LONGER_MLP)
SIMPLE = (  # what every method is compared with
    JOINT,
    JOINT_MLP,
    AUXILIARY,
    AUXILIARY_MLP,
    UME,
    UMT,
    UMT_MLP,
    FROZEN,
    FROZEN_MLP,
    LONGER,
    LONGER_MLP,
)
LABELS = frozenset((*SIMPLE, UME_MEAN, UME_PRODUCT, UME_WEIGHTED, TWO))  # that code looks up
FILLED = ("linear", "mean")  # variants that figures draw as filled dots, and UME
BUDGET = 0.1  # two budgets are equal if neither is larger by more than this share


def is_known(study: Study, label: str) -> bool:
    """Whether a params file has this label: of the study, or one of :data:`LABELS`."""
    return label in LABELS or label in study.labels


def check(study: Study, *labels: str) -> None:
    """Refuse a label that no params file has: nothing could ever be measured of it.

    Raises:
        StudyError: there is such a label.
    """
    for label in labels:
        if not is_known(study, label):
            known = sorted(LABELS | study.labels)
            raise StudyError(f"no params file has the label {label!r}{nearest(label, known)}")


def simple(study: Study, dataset: str) -> dict[str, Entry]:
    """The simple choices that have a result on ``dataset``, {label: entry}."""
    found = study.labelled(dataset)
    return {label: found[label] for label in SIMPLE if label in found}


def is_joint_again(study: Study, entry: Entry) -> bool:
    """Whether an entry is longer joint training with the same models as joint training.

    It then controls no budget, and only the longer schedule was paid for.
    """
    if entry.method != "joint-longer" or entry.result is None:
        return False
    joint = study.result(entry.dataset, "joint", entry.head)
    return joint is not None and same_models(entry.result, joint)


def row_label(study: Study, entry: Entry) -> str:
    """The label of an entry in a table, with a note if it has the same models as joint training."""
    again = is_joint_again(study, entry)
    return f"{entry.label}: same models as joint training" if again else entry.label


def is_filled(entry: Entry) -> bool:
    """Whether figures draw an entry as a filled dot: a linear head, UME, or its rule *mean*."""
    return entry.label == UME or entry.params["method"].get("rule", entry.head) in FILLED


def encoder_passes(entry: Entry) -> int:
    """Training samples times the encoders that each passes through, for one seed, no sweep."""
    spec = entry.params["method"]
    method = METHODS[entry.method](**options(spec))
    encoders = 1 if "modality" in spec else len(entry.params["encoders"])
    return entry.result.provenance.cost.samples * encoders * getattr(method, "size", 1)


def with_teachers(study: Study, entry: Entry) -> list[Entry] | None:
    """The entry and the uni-modal trainings that it needs; None if one of these has no result."""
    by_name = {e.name: e for e in study.entries if e.result}
    teachers = [by_name.get(name) for name in entry.params.get("teachers", {}).values()]
    return [entry, *(t for t in teachers if t)] if all(teachers) else None


def total_passes(study: Study, entry: Entry) -> int | None:
    """:func:`encoder_passes` with those of the teachers; None if a teacher has no result."""
    needed = with_teachers(study, entry)
    return None if needed is None else sum(map(encoder_passes, needed))


def equal_budget(study: Study, a: Entry, b: Entry) -> bool | None:
    """Whether two entries have about the same :func:`total_passes`; None if one is unknown."""
    mine, other = total_passes(study, a), total_passes(study, b)
    if mine is None or other is None:
        return None
    return max(mine, other) <= (1 + BUDGET) * min(mine, other)
