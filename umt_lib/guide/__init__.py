r"""Recommend how to train on a multi-modal data set: UME, UMT, or joint training.

    recommendation = recommend({"audio": a, "video": v}, labels)
    umt guide my_features.npz --out report.html [--inputs my_inputs.npz]

The input is features: the outputs of uni-modal encoders for samples they were not trained on. The
verdict is one of

* ``UME``: keep the uni-modal models and combine their predictions (uni-modal ensemble);
* ``UMT``: train jointly, with the uni-modal models as teachers (uni-modal teachers);
* ``interactions``: train jointly with a head that can model interactions between modalities, such
  as an MLP (a linear head cannot);
* ``no clear winner``: the samples do not decide.

A second line names the *cheapest* strategy within half a point of the best, or the most frequent
class as long as no strategy is clearly more than half a point better.

**Strategies.** By cross-validation (stratified; groups, where given, stay together) every sample
gets a held-out prediction of every strategy that applies to features, and
:mod:`umt_lib.guide.strategies` ranks them by accuracy, with paired intervals and costs:

* always the most frequent class; a linear classifier of each modality;
* their ensemble (UME) by the mean of probabilities, by their product, by fitted weights and after
  calibration (:mod:`umt_lib.guide.classifiers`); the best rule is chosen inside each training part;
* a linear head and a small network on all features, as on frozen encoders;
* the best ensemble with a trained correction, once additive over modalities and once with
  interactions (:mod:`umt_lib.evaluation.residual`);
* UME of *better classifiers*: the linear classifier of each modality with an additive correction
  trained on the features of that modality alone.

The classifiers that are compared are linear on purpose: the features are trained for a linear
classifier, and if models are of the same kind, a difference is due to how the modalities are
combined. What a linear classifier misses within one modality is learned by the additive correction,
so it does not count as an interaction.

**Causes.** Five possible causes of a gain are told apart, each by one paired difference:

1. *A better rule of combining*: the best rule of UME over the mean of probabilities. Two parts of
   it are shown as well: the class frequencies counted once instead of M times, and calibration.
2. *A better uni-modal classifier*: UME of better classifiers over UME, by the same rule. Each is
   trained on one modality, so it can use nothing that modalities say only together.
3. *A head on frozen features*: a linear head over the best rule of UME, the head trained on samples
   whose modalities are shuffled within each class. Shuffling keeps what each modality says about
   the class and removes every other dependence, so the gain cannot come from paired features.
4. *Paired features that a linear head can use*, such as a nuisance that both modalities share: the
   linear head trained on the samples as they are over that trained on shuffled ones.
5. *Interactions*, which no linear head can use: the correction with interactions over the additive
   one, which has the same network, offset and batches.

**Our rule** gives the first verdict whose conditions hold. Gains are held-out and paired. "Clearly"
means that the 95% interval of a gain in log-likelihood or in accuracy lies above 0.

1. ``interactions``: the correction with interactions is clearly better than the additive one, and
   its accuracy is at least 0.5 points above that of the additive one, of the linear head and of
   UME. It is also clearly more accurate than predicting the most frequent class.
2. ``UMT``: the linear head is clearly better than the *best* rule of UME and than UME of better
   classifiers, by at least 0.5 accuracy points, and the additive correction is not clearly more
   accurate than the linear head by 0.5 points. Paired features are clearly the cause (number 4), by
   0.5 points. The linear head is also clearly more accurate than predicting the most frequent
   class. If better classifiers, the additive correction or a head without paired features close the
   gap, the verdict is ``no clear winner``, and the reason says so.
3. ``UME``: UME is clearly more accurate than predicting the most frequent class; neither the linear
   head nor interactions gain 0.5 points, and the upper ends of both intervals are below 2 points.
4. ``no clear winner``: in all other cases.

Either measure may show that a gain is real (a single over-confident sample can spoil the
log-likelihood); the accuracy decides whether it matters. Below 0.5 points a gain does not justify
the cost of joint training. 2 points is the largest loss that the verdict ``UME`` may hide; with a
few hundred samples no verdict is more certain than that.

**Repeats.** If the verdict would differ were one competitor better or worse by three quarters of
half its intervals, the cross-validation is repeated with other folds, up to 5 times in all and up
to 5,000 predicted samples in all: of many samples the intervals are narrow. After R repeats the
margin is divided by the root of R. The verdict is that for the mean of all scores, and
the report states the verdicts of the single repeats.

**Many samples.** Of more than 5,000 samples three folds are the default instead of five; of more
than 4,000 training rows one inner part chooses the regularisation; large features are float32. The
limits are constants of the modules, which ``book/when/guide-thresholds.csv`` lists.

**Copies.** Rows that repeat, exactly or nearly (:mod:`umt_lib.guide.copies`), are found before
anything is fitted. They are taken as one group and the report says so first; copies with different
labels are refused.

**Which pair.** With three or more modalities, the verdict ``interactions`` names the pairs for
which the correction with interactions is clearly better, by at least 0.5 points and corrected for
the number of pairs, on the features of the two alone.

**Wide features**, with more columns than samples, are replaced by their coordinates
(:mod:`umt_lib.guide.wide`); the corrections use the 128 longest axes of these.

**Extra columns.** An encoder trained on one modality may lose information that is useful only
together with another modality. The ``extra`` columns (principal components of the raw inputs, or a
hidden layer) serve only to detect this: the rule is applied without and with them. If they show
interactions, the verdict is ``interactions``; if they show paired features that a linear head can
use, such as a nuisance that both modalities share, it is ``UMT``: either way, encoders have to be
trained jointly from the inputs (:func:`umt_lib.guide.verdict.deciding`). Otherwise it is the
verdict for the features without extra columns, where small gains are easier to detect. Without
extra columns the report says that features alone cannot tell.

**The rule of the paper** is reported as well: the linear head against UME by the mean of
probabilities, in accuracy. Where the two rules differ, the reason is that the paper's rule names no
winner while its interval contains 0, or a better rule of combining predictions, better uni-modal
classifiers, or an interaction.

**Refused input** raises a StudyError that names the source, the array and the fix: fewer than two
modalities; numbers of rows that do not match; text, NaN, infinity, masked values or numbers beyond
1e30; arrays that are not (n, d); a constant modality; labels or groups that are not (n,); labels
that look continuous; copies with different labels; a single class; a class with fewer than 2
samples per fold; fewer than 3 groups, or a class in fewer than 3. Labels may have any values. Of
more than 10,000 samples, or 2**26 numbers, a stratified random subset is used, and the report
states it; only its rows are read and checked.

Source of the paper's rule: Du et al., ICML 2023, section 4. The rest is ours.
"""

from umt_lib.guide.recommend import recommend
from umt_lib.guide.recommendation import VERDICTS, Recommendation

__all__ = ["VERDICTS", "Recommendation", "recommend"]
