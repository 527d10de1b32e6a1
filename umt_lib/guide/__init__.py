r"""UME, UMT, or interactions? A recommendation for one data set, with its evidence.

    recommendation = recommend({"audio": a, "video": v}, labels)
    umt guide my_features.npz --out report.html [--inputs my_inputs.npz]

Features are what uni-modal encoders make of samples they were not trained on. By cross-validation
(stratified; whole groups where there are groups) every sample gets a held-out prediction of

* a linear classifier per modality, and their ensemble (UME) by the mean of probabilities, by their
  product and by fitted weights; the best rule is chosen inside each training part;
* one linear head on all features, as on frozen encoders;
* the best ensemble with a trained correction, once additive over modalities and once with pairs
  (:mod:`umt_lib.evaluation.residual`).

All classifiers are linear on purpose: encoders are trained to be read linearly, and with the same
kind of model on both sides a difference is due to how modalities are joined. What a linear
classifier misses within one modality goes to the additive correction, not to the pairs.

**Our rule**, first match (gains are held-out and paired; "clearly" = the 95% interval of the gain
in log-likelihood or in accuracy is above 0):

1. ``interactions``: the correction with pairs clearly beats the additive one, and is at least 0.5
   accuracy points better than it, than the linear head and than UME. Train jointly with a head that
   can join features (not a linear one).
2. ``UMT``: the linear head clearly beats UME's *best* rule, by at least 0.5 accuracy points. The
   features hold something in common that only training together uses.
   Both of these must clearly beat naming the commonest class themselves.
3. ``UME``: UME clearly beats naming the commonest class; neither the linear head nor pairs gain 0.5
   points, and the upper ends of both intervals stay below 2 points.
4. ``no clear winner``: anything else.

**Where features hide pairs.** An encoder trained alone may drop what speaks only in a pair. Columns
``beside`` the features (components of the raw inputs, a hidden layer) are asked for that one thing:
the rule is followed twice, without them and with them, and ``interactions`` counts wherever it is
said; every other verdict is that of the features alone, among which small gains show best.

Either may show that a gain is real (one over-confident sample can spoil the likelihood); the
accuracy decides whether it matters. 0.5 points: below, a joint training is not worth its cost.
2 points: the loss "UME" may still hide; with a few hundred samples no verdict is that sure.

**The paper's rule** stands beside it: the linear head against UME by the mean of probabilities, in
accuracy. Where the two differ, a better rule of combining or an interaction is the reason.

**What is refused** (a StudyError that names source, array and mend): fewer than two modalities;
rows that do not match; text, NaN, infinity or numbers beyond 1e30; arrays that are not (n, d); a
constant modality; labels or groups that are not (n,); one class; a class with fewer than 2 samples
per fold; fewer than 3 groups, or a class in fewer than 3. Labels may have any values. Above 10,000
samples, or 2**26 numbers, a stratified draw is used and the report says so; only the drawn rows are
read and checked.

Source of the paper's rule: Du et al., ICML 2023, section 4. The rest is ours.
"""

from umt_lib.guide.recommend import recommend
from umt_lib.guide.recommendation import VERDICTS, Recommendation

__all__ = ["VERDICTS", "Recommendation", "recommend"]
