import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from worlds import decoded

from umt_lib.data import shared_nuisance, synthetic
from umt_lib.data.shared_nuisance import bayes
from umt_lib.data.synthetic import WIDTH, best_accuracy
from umt_lib.errors import StudyError

DIALS = {"classes": 3, "uni_a": (0.3, 0.2), "uni_b": (0.4,), "rho": 1.5, "sig": 1.0, "noise": 0.3}


def test_bayes_is_the_accuracy_of_the_true_densities_on_samples():
    """Labels from log-densities that are written as the model is, with scipy's Gaussians."""
    n, k, d = 100_000, 3, 4
    rng = np.random.default_rng(0)
    y, values = synthetic.draw(rng, n, k, {"a": DIALS["uni_a"], "b": DIALS["uni_b"]}, ())
    z = DIALS["rho"] * rng.standard_normal((n, d))
    means = np.eye(k, d)
    noises = DIALS["noise"] * rng.standard_normal((2, n, d))
    both = np.hstack([means[y] + z + noises[0], z + noises[1]])
    within = np.kron(np.eye(2) * DIALS["noise"] ** 2 + DIALS["rho"] ** 2, np.eye(d))

    def gaussian(columns: slice) -> np.ndarray:
        padded = np.hstack([means, np.zeros((k, d))])[:, columns]
        parts = [multivariate_normal(m, within[columns, columns]) for m in padded]
        return np.stack([part.logpdf(both[:, columns]) for part in parts], axis=1)

    def discrete(m: str) -> np.ndarray:
        return sum(
            np.log(p * (v[:, None] == np.arange(k)) + (1 - p) / k)
            for v, p in zip(values[m].T, DIALS[f"uni_{m}"], strict=True)
        )

    one, two, every = gaussian(slice(0, d)), gaussian(slice(d, 2 * d)), gaussian(slice(0, 2 * d))
    scores = {"a": discrete("a") + one, "b": discrete("b") + two}
    scores["additive"] = scores["a"] + scores["b"]
    scores["all"] = discrete("a") + discrete("b") + every
    ties = 1e-9 * rng.random((n, k))
    reached = {seen: ((s + ties).argmax(1) == y).mean() for seen, s in scores.items()}
    assert reached == pytest.approx(bayes(**DIALS), abs=0.006)  # 4 standard errors


def test_samples_reach_bayes_by_their_fitted_densities():
    """Gaussians that are fitted to the last blocks, plus the known probabilities of the codes."""
    splits = shared_nuisance.load(40_000, 100, 40_000, **DIALS)
    train, test = splits.train, splits.test
    values = decoded(test.x, {"a": 2, "b": 1}, 3)
    reached = {}
    for seen in ("a", "b", "ab"):
        blocks = [np.hstack([s.x[m][:, -WIDTH:] for m in seen]) for s in (train, test)]
        score = LinearDiscriminantAnalysis().fit(blocks[0], train.y).predict_log_proba(blocks[1])
        for m in seen:
            for v, p in zip(values[m].T, DIALS[f"uni_{m}"], strict=True):
                score = score + np.log(p * (v[:, None] == np.arange(3)) + (1 - p) / 3)
        reached[seen] = (score.argmax(1) == test.y.numpy()).mean()
    found = bayes(**DIALS)
    reached["all"] = reached.pop("ab")
    for seen, accuracy in reached.items():
        assert accuracy == pytest.approx(found[seen], abs=0.01), seen


def fitted(splits, *modalities: str) -> tuple[np.ndarray, float]:
    """Log-probabilities of a logistic regression on the test split, and its accuracy."""
    x, other = (np.hstack([s.x[m] for m in modalities]) for s in (splits.train, splits.test))
    model = LogisticRegression(C=0.1, max_iter=500).fit(x, splits.train.y)
    return model.predict_log_proba(other), model.score(other, splits.test.y)


def test_one_linear_classifier_of_both_modalities_gains_what_no_ensemble_does():
    splits = shared_nuisance.load(3000, 100, 4000)
    logs = [fitted(splits, m)[0] for m in "ab"]
    y = splits.test.y.numpy()
    rules = {"product": logs[0] + logs[1], "mean": np.exp(logs[0]) + np.exp(logs[1])}
    ensembles = [(s.argmax(1) == y).mean() for s in rules.values()]
    half = len(y) // 2
    stacked = LogisticRegression().fit(np.hstack(logs)[:half], y[:half])  # any weights at all
    ensembles.append(stacked.score(np.hstack(logs)[half:], y[half:]))
    both = fitted(splits, "a", "b")[1]
    found = bayes()
    assert max(ensembles) < found["additive"] + 0.02
    assert both > max(ensembles) + 0.15
    assert both == pytest.approx(found["all"], abs=0.02)


def test_one_linear_classifier_gains_nothing_from_xor():
    splits = synthetic.load(3000, 100, 4000, paired=(1.0,))
    additive = synthetic.bayes({"a": (0.5, 0.4, 0.3), "b": (0.4, 0.3, 0.2)}, (1.0,), 2)["additive"]
    assert fitted(splits, "a", "b")[1] == pytest.approx(additive, abs=0.025)


def test_the_nuisance_of_b_is_independent_of_the_label():
    splits = shared_nuisance.load(20_000, 100, 20_000, uni_a=(), uni_b=())
    assert fitted(splits, "b")[1] == pytest.approx(0.25, abs=0.01)
    centred = splits.train.x["b"].numpy()
    for k in range(4):
        own = centred[splits.train.y == k]
        np.testing.assert_allclose(own.mean(axis=0), 0, atol=0.08)
        np.testing.assert_allclose(np.cov(own.T), np.cov(centred.T), atol=0.2)
    assert fitted(splits, "a")[1] == pytest.approx(bayes(uni_a=(), uni_b=())["a"], abs=0.015)


@pytest.mark.parametrize("reliabilities", [(), (0.6, 0.4), (0.5, 0.5, 0.5), (1.0, 0.1), (0.2,) * 5])
def test_without_a_class_vector_it_is_the_enumeration_of_synthetic(reliabilities):
    found = bayes(classes=3, uni_a=reliabilities, uni_b=(0.3,), sig=0.0)
    assert found["a"] == pytest.approx(best_accuracy(reliabilities, 3))
    assert found["all"] == pytest.approx(best_accuracy((*reliabilities, 0.3), 3))


def test_limits():
    certain = bayes(rho=1.0, noise=0.0)
    assert certain["all"] == 1
    assert certain["additive"] < 0.9
    nothing_hidden = bayes(rho=0.0)
    assert nothing_hidden["additive"] == pytest.approx(nothing_hidden["all"])
    assert bayes(rho=0.0, noise=0.0)["a"] == 1
    assert bayes(uni_a=(1.0,), uni_b=())["a"] == pytest.approx(1)
    two = bayes(classes=2, uni_a=(), uni_b=(), rho=0.0, noise=1.0, sig=2.0)["a"]
    assert two == pytest.approx(0.9213504)  # Phi(sqrt 2): half the distance 2 sqrt(2), by 1


def test_many_features_are_enumerated_by_their_counts():
    assert bayes(uni_a=(0.3,) * 16, uni_b=(0.3,) * 16)["all"] > 0.95
    with pytest.raises(StudyError, match="patterns of features are too many"):
        bayes(uni_a=tuple(np.linspace(0.1, 0.5, 20)))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rho": -1.0}, "rho is -1.0; give 0 or more"),
        ({"sig": -1.0}, "sig is -1.0; give 0 or more"),
        ({"uni_a": (0.2, 1.5)}, "uni_a has 1.5"),
        ({"classes": 9}, "classes is 9; give 2 to 8"),
        ({"dims": 3}, "dims is 3 for 4 classes; give 4 to 8"),
        ({"dims": 9}, "dims is 9 for 4 classes; give 4 to 8"),
    ],
)
def test_bad_options_are_named(options, sentence):
    with pytest.raises(StudyError, match=sentence):
        shared_nuisance.load(**options)
