"""Labels of strategies, and the simple choices among them."""

from __future__ import annotations

from umt_lib.errors import StudyError, nearest
from umt_lib.study.experiments.comparisons import same_models
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
    """The simple choices with a result on ``dataset`` that is not stale, {label: entry}."""
    found = study.current(dataset)
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
