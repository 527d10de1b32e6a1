"""UME-MMA: joint training from uni-modal initialisation with modality dropout.

    z_m starts as t_m;   z_m <- 0 for one m drawn at random, with probability p a sample
    L = CE(H(z_1, ..., z_M), y)

Joint training from uni-modal initialisation forgets as it adapts; where a modality is missing, each
of the others has to stay useful. The paper aims at models that tolerate a missing modality at test;
here the test has all of them, so this asks whether its training helps there too.

Deviation: features are dropped as in :mod:`umt_lib.methods.modality_dropout`, not inputs.

Source: Li et al., 2023 (arXiv:2310.06383).
"""

from __future__ import annotations

from dataclasses import dataclass

from umt_lib.methods.modality_dropout import ModalityDropout
from umt_lib.methods.unimodal_init import UnimodalInit


@dataclass
class UMEMMA(UnimodalInit, ModalityDropout):
    """Joint training from uni-modal initialisation with dropped features.

    ``p`` 0 is joint training from uni-modal initialisation, bit for bit.
    """

    title = "UME-MMA"
    family = "uni-modal initialisation"
    year = 2023
    baseline = False
