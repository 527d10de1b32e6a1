"""Every training method, in reading order."""

from umt_lib.methods.agm import AGM
from umt_lib.methods.amco import AMCo
from umt_lib.methods.arl import ARL
from umt_lib.methods.balanced_mmtm import BalancedMMTM
from umt_lib.methods.base import HOOKS, Method, Setting, hooks
from umt_lib.methods.cggm import CGGM
from umt_lib.methods.di_mml import DIMML
from umt_lib.methods.diagnosing_relearning import DiagnosingRelearning
from umt_lib.methods.dus import DUS
from umt_lib.methods.frozen import Frozen
from umt_lib.methods.g2d import G2D
from umt_lib.methods.gblend import GBlend
from umt_lib.methods.inforeg import InfoReg
from umt_lib.methods.joint import Joint
from umt_lib.methods.joint_auxiliary import JointAuxiliary
from umt_lib.methods.joint_ensemble import JointEnsemble
from umt_lib.methods.joint_longer import JointLonger
from umt_lib.methods.lfm import LFM
from umt_lib.methods.mbt import MBT
from umt_lib.methods.mcr import MCR
from umt_lib.methods.mla import MLA
from umt_lib.methods.mlb import MLB
from umt_lib.methods.mmcosine import MMCosine
from umt_lib.methods.mmlora import MMLoRA
from umt_lib.methods.mmpareto import MMPareto
from umt_lib.methods.mmtm import MMTM
from umt_lib.methods.modality_dropout import ModalityDropout
from umt_lib.methods.modality_early_stopping import ModalityEarlyStopping
from umt_lib.methods.modality_rates import ModalityRates
from umt_lib.methods.ogm import OGM
from umt_lib.methods.ogm_ge import OGMGE
from umt_lib.methods.opm import OPM
from umt_lib.methods.pmr import PMR
from umt_lib.methods.qmf import QMF
from umt_lib.methods.reconboost import ReconBoost
from umt_lib.methods.sustained_boosting import SustainedBoosting
from umt_lib.methods.ume import UME
from umt_lib.methods.ume_mma import UMEMMA
from umt_lib.methods.ume_qmf import UMEQMF
from umt_lib.methods.umt import UMT
from umt_lib.methods.umt_subspace import UMTSubspace
from umt_lib.methods.unimodal import Unimodal
from umt_lib.methods.unimodal_init import UnimodalInit

FAMILIES = (  # a method's ``family`` is one of these: what it mainly changes
    "uni-modal",
    "ensemble",
    "late fusion",
    "intermediate fusion",
    "distillation",
    "uni-modal initialisation",
    "auxiliary losses",
    "gradient modulation",
    "alternating training",
    "dropout and sampling",
    "re-initialisation",
)
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
    "mmpareto": MMPareto,
    "pmr": PMR,
    "mla": MLA,
    "cggm": CGGM,
    "reconboost": ReconBoost,
    "mmtm": MMTM,
    "mbt": MBT,
    "gblend": GBlend,
    "ogm": OGM,
    "ogm-ge": OGMGE,
    "opm": OPM,
    "modality-dropout": ModalityDropout,
    "mlb": MLB,
    "agm": AGM,
    "di-mml": DIMML,
    "balanced-mmtm": BalancedMMTM,
    "lfm": LFM,
    "mcr": MCR,
    "g2d": G2D,
    "mmlora": MMLoRA,
    "ume-mma": UMEMMA,
    "dus": DUS,
    "mmcosine": MMCosine,
    "diagnosing-relearning": DiagnosingRelearning,
    "amco": AMCo,
    "sustained-boosting": SustainedBoosting,
    "modality-rates": ModalityRates,
    "modality-early-stopping": ModalityEarlyStopping,
    "inforeg": InfoReg,
    "qmf": QMF,
    "ume-qmf": UMEQMF,
    "arl": ARL,
}

__all__ = ["FAMILIES", "HOOKS", "METHODS", "Method", "Setting", "hooks"]
