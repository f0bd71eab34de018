"""A problem held in pools and blocks gives what it gives as a whole, and reads no part that it need not."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from geojax import task as tasks
from geojax.errors import UserError
from geojax.problem import Problem

RATE, SAMPLES, P, S = 100.0, 4000, 1500, 1800
BLOCKS = {"train": ["a", "b", "c"], "validation": ["d"], "test": ["e", "f"]}


class Watched(dict):
    """Parts that remember which of them were opened."""

    def __init__(self, parts):
        super().__init__(parts)
        self.opened = []

    def __getitem__(self, part):
        self.opened.append(part)
        return super().__getitem__(part)


@pytest.fixture
def phases(rng):
    """Six blocks of four stations with noise and two onsets."""
    task = tasks.configured(
        "seismic_phases", {"samples": 512, "train_windows": 2, "evaluation_windows": 1, "rate_hz": RATE}
    )
    parts, pieces = {}, []
    for place, (split, block) in enumerate((split, block) for split, own in BLOCKS.items() for block in own):
        onset = ("station", np.full(4, P)), ("station", np.full(4, S))
        coords = {
            "station": [f"{block}{i}" for i in range(4)],
            "time": ("station", np.full(4, np.datetime64("2020", "ns"))),
        }
        coords |= {"lat": ("station", np.full(4, 36.0)), "lon": ("station", np.arange(4.0) + place)}
        waveform = ("station", "component", "sample"), rng.normal(size=(4, 3, SAMPLES)).astype("float32")
        content = {"waveform": waveform, "p_onset": onset[0], "s_onset": onset[1]}
        parts[block] = xr.Dataset(content, coords, {"sampling_rate_hz": RATE, "part": block})
        pieces.append(task.index(parts[block]).assign(part=block, split=split))
    index = task.expand(pd.concat(pieces, ignore_index=True))
    return Problem(task, Watched(parts), xr.Dataset(), index)


def test_blocks_of_examples_are_those_of_the_whole_in_order(phases):
    whole = phases.examples("test")
    blocks = list(phases.blocks("test", 7))

    assert [own.size for _, own in blocks] == [7, 7, 7, 7, 4]
    for name, array in whole.rows.items():
        np.testing.assert_array_equal(np.concatenate([own.rows[name] for _, own in blocks]), array)


def test_a_block_opens_only_the_parts_that_its_rows_lie_in(phases):
    blocks = phases.blocks("test", 8)

    next(blocks)
    next(blocks)
    assert set(phases.parts.opened) == {"e"}
    next(blocks)
    assert set(phases.parts.opened) == {"e", "f"}


def test_pools_hold_the_records_of_their_own_stations_and_are_of_one_shape(phases):
    found = [phases.pool(40, 0, n) for n in range(6)]

    shapes = [{name: array.shape for name, array in (pool.rows | pool.shared).items()} for pool in found]
    assert all(own == shapes[0] for own in shapes)
    assert shapes[0]["waveforms"] == (5, 3, SAMPLES)  # of 40 windows, 8 of each station
    rows = phases.rows("train")
    records = {(part, i): phases.parts[part]["waveform"].values[i] for part in BLOCKS["train"] for i in range(4)}
    seen = set()
    for pool in found[:3]:
        for station in range(5):
            own = pool.rows["window"][pool.rows["station"] == station]
            assert len(own) == 8
            key = next(k for k, record in records.items() if (record == pool.shared["waveforms"][station]).all())
            wanted = rows["label"][(rows["part"] == key[0]) & (rows["position"] == key[1])]
            assert pool.rows["label"][pool.rows["station"] == station].tolist() == wanted.tolist()
            seen.add(key)
    assert len(seen) == 12  # one round sees every station


def test_a_pool_of_all_rows_is_the_whole(phases):
    whole, pool = phases.examples("train"), phases.some("train", slice(None))

    for name, array in (whole.rows | whole.shared).items():
        np.testing.assert_array_equal((pool.rows | pool.shared)[name], array)


def test_no_station_lends_noise_to_itself_even_when_alone_of_its_block(phases):
    for number in range(6):
        lenders = phases.pool(40, 1, number).shared["lenders"]
        assert (lenders != np.arange(5)[:, None]).all()


def test_a_pool_of_one_station_has_no_one_to_lend_noise(phases):
    with pytest.raises(UserError, match="two stations or more"):
        phases.pool(8, 0, 0)


def test_what_fits_is_made_as_a_whole(phases):
    assert phases.sample("train", 96).size == 96
    assert phases.sample("train", 95).size == 88
    assert phases.sampled("train", None).tolist() == list(range(96))


def test_features_of_a_new_array_are_not_those_of_one_that_lay_there_before(rng):
    from geojax.task import Examples
    from geojax.tasks.seismic_phases import _Features

    features = _Features(tasks.configured("seismic_phases", {"rate_hz": RATE}).settings)
    for _ in range(4):
        window = rng.normal(size=(2, 3, 512)).astype("float32")
        features(Examples({"window": window}), True)
        assert len(features.known) == 1
        del window
        assert features.known == {}


def test_gaps_in_pools_share_the_months_of_all_training_years(rng):
    task = tasks.configured("sst_gaps", {"training_gaps": 3, "evaluation_gaps": 1, "folds": 2})
    years = range(1991, 1999)
    split = {y: "train" if y < 1995 else "validation" if y < 1997 else "test" for y in years}
    coords = {"lat": np.arange(4.0), "lon": np.arange(5.0)}
    parts, pieces = Watched({}), []
    for year in years:
        time = np.arange(f"{year}-01", f"{year + 1}-01", dtype="datetime64[M]").astype("datetime64[ns]")
        fields = ("time", "lat", "lon"), rng.normal(size=(12, 4, 5)).astype("float32")
        parts[str(year)] = xr.Dataset({"sst": fields}, coords | {"time": time})
        pieces.append(task.index(dict.__getitem__(parts, str(year))).assign(part=str(year), split=split[year]))
    center = ("month", "lat", "lon"), np.zeros((12, 4, 5))
    scaling = xr.Dataset({"sst_center": center, "sst_spread": 2.0}, coords | {"month": np.arange(1, 13)})
    problem = Problem(task, parts, scaling, task.expand(pd.concat(pieces)))

    whole, pools = problem.examples("train"), [problem.pool(4, 0, n) for n in range(3)]

    for pool in pools:
        for name, array in whole.shared.items():
            np.testing.assert_array_equal(pool.shared[name], array)
    rows = {row.tobytes() + bytes([fold]) for row, fold in zip(whole.rows["hidden"], whole.rows["fold"], strict=True)}
    drawn = [
        r.tobytes() + bytes([f])
        for pool in pools
        for r, f in zip(*(pool.rows[k] for k in ("hidden", "fold")), strict=True)
    ]
    assert set(drawn) == rows
    blocks = [own for _, own in problem.blocks("test", 3)]
    fields = np.concatenate([own.rows["fields"] for own in blocks])
    np.testing.assert_array_equal(fields, problem.examples("test").rows["fields"])


def test_of_parts_without_times_none_is_later_and_of_others_those_that_begin_later_are_unknown():
    times = {"b": pd.Timestamp("2001"), "c": pd.Timestamp("2003")}
    rows = pd.DataFrame({"part": ["a", "b"], "time": pd.to_datetime([None, "2002"]), "split": ["test", "train"]})
    problem = Problem(Plain(), dict.fromkeys("abcd"), xr.Dataset(), rows, times)

    assert set(problem.known(rows[:1])) == set("abcd")
    assert set(problem.known(rows)) == set("abd")


def test_folds_are_refused_where_training_examples_share_what_is_made_of_all(phases):
    with pytest.raises(UserError, match=r"by fold: examples must share nothing, but .* share waveforms"):
        phases.rotated()


class Plain:
    """A task whose examples tell their row and what they are for."""

    def examples(self, index, parts, scaling):
        training = np.full(len(index), (index["split"] == "train").all())
        return tasks.Examples({"row": index["row"].to_numpy(), "training": training})

    def model(self, name, sizes, train, rngs):
        return set(train.rows["row"])


@pytest.fixture
def folded(rng):
    fold = rng.permutation(np.repeat(np.arange(4), [3, 2, 5, 4]))
    index = pd.DataFrame({"row": np.arange(14), "part": "a", "split": "test", "fold": fold})
    return Problem(Plain(), {}, xr.Dataset(), index)


def test_rotated_examples_hold_every_row_to_train_on_and_to_be_judged_by(folded):
    train, judged = folded.rotated()

    assert (train.rows["row"] == np.arange(14)).all()
    assert (judged.rows["row"] == np.arange(14)).all()
    assert train.rows["training"].all()
    assert not judged.rows["training"].any()


def test_each_row_is_tested_once_and_validates_once_by_folds_that_did_not_train_on_it(folded):
    for split in ("test", "validation"):
        rows = [fold.examples(split).rows["row"] for fold in folded.folds]
        np.testing.assert_array_equal(folded.in_order(split, rows), np.arange(14))
    for number, fold in enumerate(folded.folds):
        of = {split: set(fold.rows(split)["fold"]) for split in ("train", "validation", "test")}
        assert of["test"] == {number}
        assert of["train"] | of["validation"] == set(range(4)) - {number}
        assert not of["train"] & of["validation"]


def test_what_a_fold_keeps_fixed_comes_from_its_own_training_rows(folded):
    creates = folded.creators({"name": "any"}, folded.rotated()[0])

    for create, fold in zip(creates, folded.folds, strict=True):
        assert create(rngs=None) == set(fold.rows("train")["row"])


def test_without_folds_the_problem_is_its_only_fold(phases):
    assert phases.folds == [phases]
