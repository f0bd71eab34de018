"""Scores are those of the textbooks, and intervals those of resampling whole groups."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from geojax.errors import UserError
from geojax.scores import classification, regression, resampling, sums

CLASSES = ("noise", "P", "S", "coda")


@st.composite
def labels(draw):
    """True and guessed labels and groups of up to forty examples; some classes may never occur."""
    count = draw(st.integers(1, 40))
    few = draw(st.sampled_from([[0, 1, 2, 3], [0, 2], [1]]))
    return [
        np.array(draw(st.lists(st.sampled_from(choice), min_size=count, max_size=count)))
        for choice in (few, [0, 1, 2, 3], ["a", "b", "c"])
    ]


@given(labels())
def test_precision_recall_and_f1_are_those_of_scikit_learn(found):
    truth, guess, group = found
    counts = classification.confusion(truth, guess, pd.Series(group), CLASSES)

    score = classification.precision_recall_f1(counts.sum("group"))

    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth, guess, labels=range(len(CLASSES)), zero_division=0
    )
    np.testing.assert_allclose(score["precision"], precision)
    np.testing.assert_allclose(score["recall"], recall)
    np.testing.assert_allclose(score["f1"], f1)
    assert float(score["macro_f1"]) == pytest.approx(f1.mean())
    assert float(score["accuracy"]) == pytest.approx(metrics.accuracy_score(truth, guess))
    assert list(score["class"]) == list(CLASSES)


@given(labels())
def test_the_confusion_of_each_group_is_that_of_scikit_learn(found):
    truth, guess, group = found

    counts = classification.confusion(truth, guess, pd.Series(group), CLASSES)

    assert list(counts["group"]) == sorted(set(group))
    for name in counts["group"].values:
        own = group == name
        expected = metrics.confusion_matrix(truth[own], guess[own], labels=range(len(CLASSES)))
        np.testing.assert_array_equal(counts.sel(group=name), expected)


def test_classes_are_scored_for_each_of_many_tables_at_once(rng):
    tables = xr.DataArray(
        rng.integers(0, 9, (5, 4, 4)).astype(float), {"true": list(CLASSES), "guessed": list(CLASSES)},
        ("resample", "true", "guessed"),
    )  # fmt: skip

    together = classification.precision_recall_f1(tables)

    for i in range(5):
        xr.testing.assert_allclose(
            together.isel(resample=i), classification.precision_recall_f1(tables.isel(resample=i))
        )


@given(count=st.integers(1, 12), seed=st.integers(0, 1000), hidden=st.floats(0.1, 1.0))
def test_the_weighted_rmse_is_the_one_that_numpy_gives(count, seed, hidden):
    generator = np.random.default_rng(seed)
    truth, predicted = generator.normal(280, 10, (2, count, 6, 5))
    weight = np.where(generator.random((count, 6, 5)) < hidden, generator.random((count, 6, 5)), 0.0)
    group, slices = generator.integers(0, 3, count), generator.choice([0.25, 0.9], count)

    sums = regression.squared_error(truth, predicted, weight, group, slices, "coverage")

    if weight.any():
        expected = np.sqrt(np.average((predicted - truth) ** 2, weights=weight))
        assert float(regression.root_mean_square(sums.sum())) == pytest.approx(expected)
    for coverage in sums["coverage"].values:
        own = weight[slices == coverage]
        if own.any():
            error = (predicted - truth)[slices == coverage]
            found = regression.root_mean_square(sums.sum("group")).sel(coverage=coverage)
            assert float(found) == pytest.approx(np.sqrt(np.average(error**2, weights=own)))


def test_cells_of_no_weight_may_be_missing_and_do_not_count(rng):
    truth, predicted = rng.normal(size=(2, 4, 10))
    weight = np.ones((4, 10))
    weight[:, 3:] = 0
    truth[:, 5:], predicted[:, 8:] = np.nan, np.nan

    sums = regression.squared_error(truth, predicted, weight, np.arange(4), np.zeros(4), "coverage")

    expected = np.sqrt(np.mean((predicted - truth)[:, :3] ** 2))
    assert float(regression.root_mean_square(sums.sum())) == pytest.approx(expected)


# Resampling ----------------------------------------------------------------------------------------------------------


def groups(values: np.ndarray, **coords) -> xr.Dataset:
    """Sums and counts of one value a group, of which the score is the mean."""
    sums = {"sum": ("group", values), "count": ("group", np.ones(len(values)))}
    return xr.Dataset(sums, {"group": np.arange(len(values)), **coords})


def mean(sums: xr.Dataset) -> xr.Dataset:
    return xr.Dataset({"mean": sums["sum"] / sums["count"]})


def row(table: pd.DataFrame, method: str) -> pd.Series:
    return table[table["method"] == method].iloc[0]


@pytest.mark.parametrize("count", [50, 400])
def test_the_interval_of_a_mean_is_that_of_theory(rng, count):
    values = rng.normal(3, 2, count)

    found = row(resampling.table({"model": groups(values)}, mean, 4000, seed=0), "model")

    error = values.std() / np.sqrt(count)
    assert found["value"] == pytest.approx(values.mean())
    assert found["low"] == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert found["high"] == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)


def test_intervals_hold_the_truth_about_as_often_as_they_promise(rng):
    held = 0
    for seed in range(100):
        found = row(resampling.table({"model": groups(rng.normal(size=60))}, mean, 300, seed), "model")
        held += found["low"] <= 0 <= found["high"]

    assert 88 <= held <= 99  # of 100, three standard errors about 94 or 95


def test_examples_of_one_group_do_not_make_it_surer(rng):
    values = rng.normal(size=40)
    once = groups(values)
    often = once * 100  # a hundred equal examples in each group

    one, other = (resampling.table({"model": sums}, mean, 500, seed=0) for sums in (once, often))

    np.testing.assert_allclose(one[["value", "low", "high"]], other[["value", "low", "high"]])


@given(st.integers(1, 30), st.integers(0, 100))
def test_every_resample_holds_as_many_groups_as_there_are(count, seed):
    drawn = resampling.resample(groups(np.arange(float(count))), 100, seed)

    assert (drawn["count"] == count).all()
    assert drawn.sizes == {"resample": 100}


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=30), st.integers(0, 100))
def test_every_resample_holds_as_many_groups_of_each_stratum_as_there_are(strata, seed):
    member = np.array([[own == stratum for stratum in "abc"] for own in strata], dtype=float)
    sums = xr.Dataset({"member": (("group", "of"), member)}, {"stratum": ("group", strata)})

    drawn = resampling.resample(sums, 50, seed)["member"]

    np.testing.assert_allclose(drawn, np.broadcast_to(member.sum(0), (50, 3)))


def test_strata_take_the_difference_between_them_out_of_the_interval(rng):
    values = np.concatenate([rng.normal(0, 1, 50), rng.normal(100, 1, 50)])
    plain, strata = groups(values), groups(values, stratum=("group", ["west"] * 50 + ["east"] * 50))

    wide, narrow = (row(resampling.table({"model": s}, mean, 500, 0), "model") for s in (plain, strata))

    assert narrow["high"] - narrow["low"] == pytest.approx(2 * 1.96 * 1 / np.sqrt(100), rel=0.25)
    assert wide["high"] - wide["low"] > 10 * (narrow["high"] - narrow["low"])


def test_the_same_seed_gives_the_same_intervals_and_another_others(rng):
    sums = {"model": groups(rng.normal(size=30))}

    one, again, other = (resampling.table(sums, mean, 200, seed) for seed in (0, 0, 1))

    pd.testing.assert_frame_equal(one, again)
    assert one["low"][0] != other["low"][0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("method", ["model", "rival"])
def test_a_prediction_that_counts_but_is_not_finite_is_refused_rather_than_left_out(rng, method, value):
    truth, predicted = rng.normal(size=(2, 4, 10))
    predicted[1, 2] = value
    weight = np.ones((4, 10))
    wrong, right = (
        regression.squared_error(truth, each, weight, np.arange(4), np.zeros(4), "coverage")
        for each in (predicted, truth)
    )
    statistics = {name: wrong if name == method else right for name in ("model", "rival")}

    with pytest.raises(UserError, match=f"{method}: predictions must be finite"):
        resampling.table(statistics, lambda s: regression.root_mean_square(s).to_dataset(name="rmse"), 100, 0)


def test_a_method_differs_from_itself_by_exactly_nothing(rng):
    values = rng.normal(size=30)

    found = row(resampling.table({"model": groups(values), "twin": groups(values.copy())}, mean, 500, 0), "twin")

    assert (found["difference"], found["difference_low"], found["difference_high"]) == (0, 0, 0)


def test_methods_are_compared_on_the_same_draws(rng):
    hard = rng.normal(0, 10, 40)  # how hard each group is, for any method

    table = resampling.table({"model": groups(hard + 1), "rival": groups(hard)}, mean, 500, 0)

    rival = row(table, "rival")
    assert rival["difference_low"] == pytest.approx(1)
    assert rival["difference_high"] == pytest.approx(1)
    assert rival["high"] - rival["low"] > 3


def test_the_difference_is_model_minus_rival(rng):
    table = resampling.table({"model": groups(np.full(5, 2.0)), "rival": groups(np.full(5, 5.0))}, mean, 100, 0)

    assert row(table, "rival")["difference"] == -3
    assert np.isnan(row(table, "model")["difference"])


def test_a_score_along_a_dimension_gives_a_row_for_each_slice():
    sums = xr.Dataset({"sum": (("group", "coverage"), np.arange(6.0).reshape(3, 2))}, {"coverage": [0.25, 0.9]})

    def score(each):
        return xr.Dataset({"by_coverage": each["sum"], "whole": each["sum"].sum("coverage")})

    table = resampling.table({"model": sums}, score, 100, 0)

    assert list(zip(table["score"], table["slice"], table["value"], strict=True)) == [
        ("by_coverage", "0.25", 6.0), ("by_coverage", "0.9", 9.0), ("whole", "all", 15.0),
    ]  # fmt: skip
    assert list(table["dimension"]) == ["coverage", "coverage", ""]


def test_resampled_intervals_hold_the_score_between_them(rng):
    truth, guess = rng.integers(0, 4, (2, 200))
    counts = classification.confusion(truth, guess, pd.Series(rng.integers(0, 20, 200)), CLASSES).to_dataset(name="n")

    table = resampling.table({"model": counts}, lambda s: classification.precision_recall_f1(s["n"]), 300, 0)

    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()


@pytest.mark.parametrize(
    ("strata", "doubtful"),
    [("aaaa", True), ("aaaaa", False), ("abcde", True), ("aabbcc", True), ("aaaabbb", False), ("a", True)],
)
def test_intervals_from_fewer_than_five_groups_that_can_vary_are_doubted(strata, doubtful):
    sums = groups(np.arange(float(len(strata))))
    by_stratum = sums.assign_coords(stratum=("group", list(strata)))

    assert (resampling.doubt(by_stratum) is not None) == doubtful
    assert (resampling.doubt(sums) is not None) == (len(strata) < 5)


def test_sums_of_blocks_add_to_those_of_the_whole_whatever_groups_and_slices_a_block_has(rng):
    truth, predicted = rng.normal(size=(2, 40, 3))
    weight = rng.uniform(size=(40, 3))
    group, coverage = rng.integers(0, 6, 40).astype(str), rng.choice([0.25, 0.5, 0.9], 40)
    whole = regression.squared_error(truth, predicted, weight, group, coverage, "coverage")
    pieces = [
        regression.squared_error(truth[own], predicted[own], weight[own], group[own], coverage[own], "coverage")
        for own in (slice(0, 3), slice(3, 4), slice(4, 40))
    ]

    xr.testing.assert_allclose(sums.add(pieces), whole, rtol=1e-12)
    xr.testing.assert_identical(sums.add([whole]), whole)


def test_strata_survive_the_sum_of_blocks():
    def piece(groups, strata):
        counts = xr.DataArray(np.ones((len(groups), 2)), dims=("group", "class"))
        return counts.assign_coords(group=groups, stratum=("group", pd.Series(strata, dtype="str").values)).to_dataset(
            name="counts"
        )

    found = sums.add([piece(["b", "a"], ["north", "south"]), piece(["a", "c"], ["south", "north"])])

    assert found["group"].values.tolist() == ["a", "b", "c"]
    assert found["stratum"].values.tolist() == ["south", "north", "north"]
    assert found["counts"].values[:, 0].tolist() == [2, 1, 1]
