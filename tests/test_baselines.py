"""Classical methods do what their formulas say, and are tuned on the validation examples alone."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from obspy.signal.trigger import classic_sta_lta_py
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from geojax.baselines import gap_filling, phase_features
from geojax.baselines.classifiers import FeatureClassifier
from geojax.task import Examples

CELLS, RANK = 24, 3
COVERAGES = (0.25, 0.75)


def gappy(generator, patterns, count=8, months=6, noise=0.0) -> Examples:
    """Fields made of a few patterns, behind gaps of two coverages."""
    fields = generator.normal(size=(count, months, len(patterns))) @ patterns
    fields += noise * generator.normal(size=fields.shape)
    coverage = np.resize(COVERAGES, count)
    hidden = np.stack([generator.permutation(CELLS) < round(c * CELLS) for c in coverage])
    rows = {"fields": fields, "hidden": hidden, "coverage": coverage, "year": np.arange(count) // 2}
    return Examples(rows)


def training(generator, patterns, noise=0.0) -> Examples:
    months = generator.normal(size=(60, len(patterns))) @ patterns
    months += noise * generator.normal(size=months.shape)
    blocks = np.stack(np.split(months, 5))
    rest = [np.concatenate(np.split(months, 5)[:i] + np.split(months, 5)[i + 1 :]) for i in range(5)]
    places = np.stack([generator.uniform(-30, 30, CELLS), generator.uniform(40, 280, CELLS)], 1)
    samples = np.stack([each.T @ each / len(each) for each in rest])
    return Examples({}, {"months": months, "blocks": blocks, "samples": samples, "places": places})


@pytest.fixture
def patterns(rng):
    return rng.normal(size=(RANK, CELLS))


def without_hidden(examples: Examples) -> Examples:
    """The same with nonsense under the gaps, which no method may look at."""
    fields = np.where(examples.rows["hidden"][:, None], 1e6, examples.rows["fields"])
    return Examples(examples.rows | {"fields": fields}, examples.shared)


def log_error(predicted, examples: Examples) -> float:
    """Mean over coverages of the log RMSE of hidden cells, cell by cell."""
    squares = {coverage: [] for coverage in COVERAGES}
    for i, coverage in enumerate(examples.rows["coverage"]):
        for cell in np.flatnonzero(examples.rows["hidden"][i]):
            squares[coverage] += list((predicted[i, :, cell] - examples.rows["fields"][i, :, cell]) ** 2)
    return float(np.mean([0.5 * np.log(np.mean(each)) for each in squares.values()]))


METHODS = {
    "climatology": gap_filling.Climatology(),
    "EOF regression": gap_filling.EOFRegression(modes=RANK, ridges=(0.1,)),
    "DINEOF": gap_filling.DINEOF(candidates=(RANK,), iterations=10),
    "optimal interpolation": gap_filling.OptimalInterpolation(evaluations=8),
}


@pytest.mark.parametrize("name", METHODS)
def test_what_lies_under_a_gap_is_never_looked_at(rng, patterns, name):
    method = METHODS[name]
    method.fit(training(rng, patterns, 0.1), gappy(rng, patterns, noise=0.1))
    test = gappy(rng, patterns, noise=0.1)

    np.testing.assert_array_equal(method.predict(test), method.predict(without_hidden(test)))


@pytest.mark.parametrize("name", METHODS)
def test_an_absent_month_leaves_the_others_as_they_were(rng, patterns, name):
    method = METHODS[name]
    method.fit(training(rng, patterns, 0.1), gappy(rng, patterns, noise=0.1))
    test = gappy(rng, patterns, noise=0.1)
    short = Examples(test.rows | {"fields": test.rows["fields"].copy()})
    short.rows["fields"][:, -1] = np.nan
    emptied = Examples(test.rows | {"fields": np.nan_to_num(short.rows["fields"])})

    found = method.predict(short)

    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, method.predict(emptied))
    np.testing.assert_allclose(found[:, -1], 0, atol=1e-12)


def test_the_climatology_is_no_anomaly_anywhere(rng, patterns):
    method = gap_filling.Climatology()

    assert method.fit(training(rng, patterns), gappy(rng, patterns)) == {}
    assert (method.predict(gappy(rng, patterns)) == 0).all()


def test_eof_regression_restores_a_field_of_low_rank_exactly(rng, patterns):
    method = gap_filling.EOFRegression(modes=RANK, ridges=(1e-10,))
    test = gappy(rng, patterns)

    method.fit(training(rng, patterns), gappy(rng, patterns))

    np.testing.assert_allclose(method.predict(test), test.rows["fields"], atol=1e-4)


def test_eof_regression_is_the_ridge_regression_on_the_leading_components(rng, patterns):
    method = gap_filling.EOFRegression(modes=2, ridges=(0.5,))
    train, test = training(rng, patterns, 0.3), gappy(rng, patterns, noise=0.3)
    method.fit(train, test)

    found = method.predict(test)

    _, values, modes = np.linalg.svd(train.shared["months"], full_matrices=False)
    components = modes[:2] * values[:2, None] / np.sqrt(60)  # of unit variance
    for i, (fields, hidden) in enumerate(zip(test.rows["fields"], test.rows["hidden"], strict=True)):
        system = np.vstack([components[:, ~hidden].T, np.sqrt(0.5) * np.eye(2)])
        target = np.vstack([fields[:, ~hidden].T, np.zeros((2, len(fields)))])
        weights = np.linalg.lstsq(system, target)[0]
        np.testing.assert_allclose(found[i], weights.T @ components, rtol=1e-4, atol=1e-5)


def test_dineof_restores_a_field_of_low_rank(rng, patterns):
    method = gap_filling.DINEOF(candidates=(RANK,), iterations=300)
    test = gappy(rng, patterns)

    method.fit(training(rng, patterns), gappy(rng, patterns))
    found = method.predict(test)

    np.testing.assert_allclose(found, test.rows["fields"], atol=2e-2)
    assert log_error(found, test) < np.log(5e-3)


@pytest.mark.parametrize(
    ("create", "key", "candidates"),
    [
        (lambda c: gap_filling.EOFRegression(modes=6, ridges=c), "ridge", (1e-6, 0.1, 1.0, 100.0)),
        (lambda c: gap_filling.DINEOF(candidates=c, iterations=10), "modes", (1, 2, 3, 12)),
    ],
    ids=["EOF regression", "DINEOF"],
)
def test_tuning_takes_the_candidate_with_the_least_error_on_the_validation_examples(
    rng, patterns, create, key, candidates
):
    train, validation = training(rng, patterns, 0.5), gappy(rng, patterns, count=12, noise=0.5)
    errors = []
    for candidate in candidates:
        alone = create((candidate,))
        alone.fit(train, validation)
        errors.append(log_error(alone.predict(validation), validation))
    best = int(np.argmin(errors))

    for order in (candidates, candidates[::-1]):
        method = create(order)
        chosen = method.fit(train, validation)
        assert chosen[key] == getattr(method, key) == candidates[best]
        assert chosen["mean_log_rmse"] == pytest.approx(errors[best], rel=1e-5)
    assert max(errors) - min(errors) > 0.01


@given(seed=st.integers(0, 1000), count=st.integers(2, 15), noise=st.floats(0.01, 2.0))
def test_the_analysis_is_the_conditional_mean_of_gaussian_fields(seed, count, noise):
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(count, count))
    covariance = root @ root.T + 0.1 * np.eye(count)
    fields, hidden = generator.normal(size=(4, count)), generator.random(count) < 0.5
    hidden[generator.integers(count)] = False

    found = gap_filling.analyse(covariance, noise, fields, hidden)

    seen = ~hidden
    observed = covariance[np.ix_(seen, seen)] + noise**2 * np.eye(seen.sum())
    expected = covariance[:, seen] @ np.linalg.inv(observed) @ fields[:, seen].T
    np.testing.assert_allclose(found, expected.T, rtol=1e-6, atol=1e-8)


def test_the_analysis_beats_any_other_linear_estimate_of_the_fields_it_was_made_for(rng):
    root = rng.normal(size=(8, 8))
    covariance, noise = root @ root.T, 0.5
    truth = rng.multivariate_normal(np.zeros(8), covariance, 20_000)
    observed = truth + noise * rng.normal(size=truth.shape)
    hidden = np.arange(8) < 4

    error = gap_filling.analyse(covariance, noise, observed, hidden)[:, hidden] - truth[:, hidden]
    fitted = np.linalg.lstsq(observed[:, ~hidden], truth[:, hidden])[0]
    best = observed[:, ~hidden] @ fitted - truth[:, hidden]  # fitted to this very sample: cannot be beaten in it

    assert np.mean(best**2) <= np.mean(error**2) <= 1.005 * np.mean(best**2)


def test_without_noise_the_analysis_goes_through_what_was_observed(rng):
    root = rng.normal(size=(8, 8))
    fields, hidden = rng.normal(size=(3, 8)), np.arange(8) < 3

    found = gap_filling.analyse(root @ root.T + np.eye(8), 1e-6, fields, hidden)

    np.testing.assert_allclose(found[:, ~hidden], fields[:, ~hidden], atol=1e-6)


def test_far_from_all_observations_the_analysis_is_the_climatology(rng):
    fields, hidden = rng.normal(size=(3, 8)), np.arange(8) < 3

    assert (gap_filling.analyse(np.eye(8), 0.1, fields, hidden)[:, hidden] == 0).all()


def test_the_covariance_of_optimal_interpolation_is_that_of_its_formula(rng, patterns):
    method = gap_filling.OptimalInterpolation(evaluations=8)
    train = training(rng, patterns, 0.3)
    method.fit(train, gappy(rng, patterns, noise=0.3))

    p, months, places = method.parameters, train.shared["months"], train.shared["places"]
    sample = months.T @ months / len(months)
    for i in range(0, CELLS, 5):
        for j in range(CELLS):
            dy, dx = places[i] - places[j]
            taper = np.exp(-0.5 * ((dx / p["taper_x"]) ** 2 + (dy / p["taper_y"]) ** 2))
            model = np.exp(-np.hypot(dx / p["scale_x"], dy / p["scale_y"]))
            deviations = np.sqrt(sample[i, i] * sample[j, j])
            expected = (1 - p["shrink"]) * sample[i, j] * taper + p["shrink"] * deviations * model + p["offset"] ** 2
            assert method.covariance[i, j] == pytest.approx(expected)


def test_tuning_of_optimal_interpolation_goes_on_from_its_start_and_never_to_worse(rng, patterns):
    train, validation = training(rng, patterns, 0.5), gappy(rng, patterns, noise=0.5)

    errors = []
    for evaluations in (1, 10, 60):
        method = gap_filling.OptimalInterpolation(evaluations)
        errors.append(method.fit(train, validation)["mean_log_rmse"])

    assert errors[0] >= errors[1] >= errors[2]
    assert errors[2] < errors[0]
    assert all(value > 0 for value in method.parameters.values())
    assert method.parameters["shrink"] < 1


def test_settings_whose_covariance_cannot_be_inverted_are_passed_over(rng, patterns):
    train, validation = training(rng, patterns, 0.0), gappy(rng, patterns, noise=0.0)
    singular = gap_filling.OptimalInterpolation(evaluations=40)
    singular.start = singular.start | {"noise": 1e-9, "shrink": 1e-12, "offset": 1e-9, "taper_x": 1e9, "taper_y": 1e9}

    assert singular.fit(train, validation)["mean_log_rmse"] <= gap_filling.REFUSED


# Classifiers ---------------------------------------------------------------------------------------------------------


def features(examples: Examples, training: bool) -> list[np.ndarray]:
    """One view to train on, two to be averaged over."""
    x = examples.rows["x"]
    return [x] if training else [x, x + 0.5]


@pytest.fixture
def clouds(rng):
    def draw(count):
        label = np.resize(np.arange(3), count)
        return Examples({"x": rng.normal(size=(count, 2)) + 3 * np.stack([label, label % 2], 1), "label": label})

    return draw(90), draw(60), draw(30)


def mean_probability(classifier, examples):
    return np.mean([classifier.predict_proba(view) for view in features(examples, False)], axis=0)


def test_the_trial_with_the_best_macro_f1_on_the_validation_examples_is_taken(clouds):
    train, validation, test = clouds
    trials = [DummyClassifier(), LogisticRegression(C=1.0), LogisticRegression(C=1e-6), DummyClassifier()]

    method = FeatureClassifier(features, trials)
    chosen = method.fit(train, validation)

    expected, fitted = [], []
    for trial in trials:
        fitted.append(type(trial)(**trial.get_params()).fit(train.rows["x"], train.rows["label"]))
        guess = mean_probability(fitted[-1], validation).argmax(1)
        expected.append(f1_score(validation.rows["label"], guess, average="macro"))
    assert chosen["trials"] == pytest.approx(expected)
    assert chosen["validation_macro_f1"] == pytest.approx(max(expected))
    best = int(np.argmax(expected))
    assert expected[best] > expected[0]
    np.testing.assert_allclose(method.predict(test), mean_probability(fitted[best], test), rtol=1e-6)


def test_probabilities_are_averaged_over_the_views_and_sum_to_one(clouds):
    train, validation, test = clouds
    method = FeatureClassifier(features, [LogisticRegression()])
    method.fit(train, validation)

    found = method.predict(test)

    assert found.shape == (30, 3)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)


def test_fitting_leaves_the_trials_as_they_were(clouds):
    trial = LogisticRegression()

    FeatureClassifier(features, [trial]).fit(*clouds[:2])

    assert not hasattr(trial, "coef_")


# Features of windows -------------------------------------------------------------------------------------------------

RATE = 250.0


@pytest.fixture
def motion(rng):
    """Windows (window, component, sample) with an onset somewhere inside."""
    time = np.arange(1004) / RATE
    onset = rng.uniform(0.5, 3.0, (6, 1, 1))
    after = np.maximum(time - onset, 0)
    return rng.normal(size=(6, 3, 1004)) + rng.normal(size=(6, 3, 1)) * 20 * np.exp(-after) * np.sin(60 * after)


def test_sta_lta_is_the_ratio_of_mean_squares_that_obspy_spells_out(motion):
    found = phase_features.sta_lta(motion[:, 2], RATE, 0.1, 0.8)

    for trace, (peak, place) in zip(motion[:, 2], found, strict=True):
        ratio = classic_sta_lta_py(trace, 25, 200)
        assert peak == pytest.approx(ratio.max())
        assert place == ratio.argmax() / len(ratio)


def test_sta_lta_marks_a_sudden_rise(rng):
    trace = rng.normal(size=(1, 1000))
    trace[:, 600:] *= 30

    peak, place = phase_features.sta_lta(trace, RATE, 0.1, 0.8)[0]

    assert peak > 5
    assert 0.6 <= place <= 0.63


def test_polarization_is_that_of_the_covariance_of_each_window(motion):
    found = phase_features.polarization(motion)

    for window, (rectilinearity, planarity, incidence, vertical) in zip(motion, found, strict=True):
        covariance = np.cov(window)
        values, vectors = np.linalg.eig(covariance)
        small, middle, large = np.sort(values)
        assert rectilinearity == pytest.approx(1 - (small + middle) / (2 * large))
        assert planarity == pytest.approx(1 - 2 * small / (middle + large))
        assert incidence == pytest.approx(abs(vectors[2, values.argmax()]))
        assert vertical == pytest.approx(covariance[2, 2] / values.sum())


@given(arrays.arrays("float64", 3, elements=st.floats(-1, 1)).filter(lambda v: np.linalg.norm(v) > 0.1))
def test_motion_along_a_line_is_rectilinear_and_its_direction_is_found(direction):
    window = direction[:, None] * np.sin(np.arange(500) / 10)

    rectilinearity, planarity, incidence, vertical = phase_features.polarization(window[None])[0]

    assert rectilinearity == pytest.approx(1, abs=1e-6)
    assert planarity == pytest.approx(1, abs=1e-6)
    assert incidence == pytest.approx(abs(direction[2]) / np.linalg.norm(direction), abs=1e-6)
    assert vertical == pytest.approx(direction[2] ** 2 / (direction @ direction), abs=1e-6)


def test_motion_on_a_circle_is_planar_and_half_rectilinear():
    angle = 2 * np.pi * np.arange(1000) / 100
    window = np.stack([np.cos(angle), np.zeros(1000), np.sin(angle)])

    rectilinearity, planarity, _, vertical = phase_features.polarization(window[None])[0]

    assert (rectilinearity, planarity, vertical) == pytest.approx((0.5, 1.0, 0.5), abs=1e-3)


def test_the_spectrum_is_that_of_each_component_taken_alone(motion):
    found = phase_features.spectrum(motion, RATE)

    frequency = np.fft.rfftfreq(1004, 1 / RATE)
    for window, row in zip(motion, found.reshape(len(motion), -1, 3), strict=True):
        for component, (centroid, spread, *bands) in zip(window, row.T, strict=True):
            power = np.abs(np.fft.rfft(component * np.hanning(1004))) ** 2
            share = power / power.sum()
            mean = (share * frequency).sum()
            assert centroid == pytest.approx(mean)
            assert spread == pytest.approx(np.sqrt((share * (frequency - mean) ** 2).sum()))
            for (low, high), band in zip(phase_features.BANDS_HZ, bands, strict=True):
                inside = (low <= frequency) & (frequency < high)
                assert band == pytest.approx(np.log(share[inside].sum() + 1e-6))


@pytest.mark.parametrize("hz", [3.0, 8.0, 30.0])
def test_the_centroid_of_a_pure_tone_is_its_frequency(hz):
    tone = np.sin(2 * np.pi * hz * np.arange(1004) / RATE)

    found = phase_features.spectrum(np.tile(tone, (1, 3, 1)), RATE)[0]

    np.testing.assert_allclose(found[:3], hz, atol=0.1)
    assert (found[3:6] < 0.5).all()


def test_the_envelope_is_that_of_each_segment_taken_alone(motion):
    segments = motion[..., :1000].reshape(6, 3, 8, 125)

    found = phase_features.envelope(segments)

    for window, row in zip(segments, found, strict=True):
        energy = np.array([[np.mean(segment**2) for segment in component] for component in window])
        relative = np.log(energy / energy.mean() + 1e-6)
        share = energy.sum(0) / energy.sum()
        centre = sum(k * share[k] for k in range(8))
        width = np.sqrt(sum((k - centre) ** 2 * share[k] for k in range(8)))
        np.testing.assert_allclose(row, [*relative.ravel(), centre, width, share.max()], rtol=1e-6)


def test_kurtosis_is_that_of_scipy(motion):
    centred = motion - motion.mean(-1, keepdims=True)

    found = phase_features.kurtosis(centred)

    np.testing.assert_allclose(found, scipy.stats.kurtosis(centred, axis=-1), rtol=1e-6)


def test_features_of_a_window_do_not_depend_on_the_other_windows(motion):
    every = phase_features.phase_features(motion, RATE)

    np.testing.assert_allclose(phase_features.phase_features(motion[[4]], RATE)[0], every[4], rtol=1e-5, atol=1e-6)
    assert every.dtype == "float32"
    assert np.isfinite(every).all()


def test_features_do_not_depend_on_gain_or_offset(motion):
    before = phase_features.phase_features(motion, RATE)

    np.testing.assert_allclose(phase_features.phase_features(1e3 * motion, RATE), before, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(phase_features.phase_features(motion + 100.0, RATE), before, rtol=1e-3, atol=1e-3)
