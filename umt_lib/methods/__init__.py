"""Every training method, in reading order."""

from umt_lib.methods.base import HOOKS, Method, Setting, hooks
from umt_lib.methods.frozen import Frozen
from umt_lib.methods.joint import Joint
from umt_lib.methods.joint_auxiliary import JointAuxiliary
from umt_lib.methods.joint_ensemble import JointEnsemble
from umt_lib.methods.joint_longer import JointLonger
from umt_lib.methods.ume import UME
from umt_lib.methods.umt import UMT
from umt_lib.methods.umt_subspace import UMTSubspace
from umt_lib.methods.unimodal import Unimodal
from umt_lib.methods.unimodal_init import UnimodalInit

METHODS: dict[str, type[Method]] = {
    "unimodal": Unimodal,
    "ume": UME,
    "joint": Joint,
    "joint-auxiliary": JointAuxiliary,
    "umt": UMT,
    "umt-subspace": UMTSubspace,
    "unimodal-init": UnimodalInit,
    "frozen": Frozen,
    "joint-longer": JointLonger,
    "joint-ensemble": JointEnsemble,
}

__all__ = ["HOOKS", "METHODS", "Method", "Setting", "hooks"]
