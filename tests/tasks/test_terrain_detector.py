"""What is generated says so; what tells it from real relief is kept, judged on unseen places and asked about files."""

from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from conftest import DATASET, RUN
from flax import nnx
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import PolynomialFeatures

from geojax import application, stages, store
from geojax.config import Dataset, Run
from geojax.data import elevations
from geojax.errors import UserError
from geojax.problem import Problem
from geojax.report.detected import detector_picture
from geojax.scores import made_detector, terrain
from geojax.task import configured
from geojax.training import weights

SETTINGS = {"training_step": 16, "evaluation_step": 16}
MODEL = {"name": "relief_gan", "width": 2, "critic_width": 2, "latent": 4, "noise": 1}
SPLIT = {"a": "train", "b": "train", "c": "validation", "d": "test"}


# The detector


def curved(rng, count):
    """Two properties, alike one by one: of real examples they rise together, of made ones they do not."""
    real = rng.multivariate_normal([1.0, -2.0], [[1.0, 0.9], [0.9, 1.0]], count)
    made = rng.multivariate_normal([1.0, -2.0], [[1.0, -0.9], [-0.9, 1.0]], count)
    return real, made


def test_its_arrays_give_the_probabilities_of_the_regression_that_they_stand_for(rng):
    train, validation = curved(rng, 200), curved(rng, 60)
    found = made_detector.fit(train, validation)

    inputs = np.concatenate(train)
    reach = made_detector.REACH
    standard = [np.clip((own - inputs.mean(0)) / inputs.std(0), -reach, reach) for own in (inputs, validation[0])]
    products = PolynomialFeatures(2, include_bias=False).fit(standard[0])
    oracle = LogisticRegression(C=found.attrs["penalty"], max_iter=2000)
    oracle.fit(products.transform(standard[0]), np.repeat([0, 1], 200))

    expected = oracle.predict_proba(products.transform(standard[1]))[:, 1]
    np.testing.assert_allclose(made_detector.probability(validation[0], found), expected, atol=2e-3)


def test_it_sees_what_no_property_shows_by_itself_and_its_threshold_lets_one_real_in_twenty_pass(rng):
    validation, test = curved(rng, 400), curved(rng, 300)
    found = made_detector.fit(curved(rng, 400), validation)

    sums = made_detector.judged(*test, np.repeat(["x", "y", "z"], 100), found)
    scores = made_detector.scores(sums.sum("group"))

    odds = np.concatenate([made_detector.log_odds(own, found) for own in test])
    exact = roc_auc_score(np.repeat([0, 1], 300), odds)
    assert exact > 0.9
    assert float(scores["detector_auc"]) == pytest.approx(exact, abs=2e-3)  # by counts in bins
    assert found.attrs["validation_false_alarms"] == pytest.approx(made_detector.ALARMS, abs=1 / 400)
    assert float(scores["taken_for_made"].sel(sample="real")) == pytest.approx(made_detector.ALARMS, abs=0.04)
    said = made_detector.told(test[1], found)["said"]
    assert float(scores["taken_for_made"].sel(sample="made")) == (said == "made by this model").mean()


def test_it_cannot_tell_what_is_alike(rng):
    alike = [rng.normal(size=(300, 2)) for _ in range(6)]
    found = made_detector.fit(alike[:2], alike[2:4])

    scores = made_detector.scores(made_detector.judged(*alike[4:], np.zeros(300), found).sum("group"))

    assert float(scores["detector_auc"]) == pytest.approx(0.5, abs=0.08)


def test_what_lies_far_beyond_all_that_was_fitted_is_no_surer_than_the_edge(rng):
    found = made_detector.fit(curved(rng, 100), curved(rng, 50))
    edge = found["center"].values + made_detector.REACH * found["spread"].values

    np.testing.assert_array_equal(
        made_detector.log_odds(edge[None], found), made_detector.log_odds(1e6 + edge[None], found)
    )


def test_its_picture_tells_the_shares_beyond_the_threshold(rng):
    real, made = curved(rng, 300)
    found = made_detector.fit((real, made + 5), (real, made + 5))

    scores = pd.DataFrame([{"method": "model", "score": "detector_auc", "value": 1.0, "low": 0.98, "high": 1.0}])
    told = detector_picture(real, {"model": made + 5, "other": real}, ["one", "other"], found, scores, "tiles")

    assert "it takes 100 % of the model's tiles for made" in told.caption
    assert "and 5 % of the real ones" in told.caption


# Kept with the model


def surface(rng, columns=200):
    """Relief of some hundred metres on a grid about the equator, rough at short wavelengths."""
    return (3000 * gaussian_filter(rng.normal(size=(96, columns)), 2.0)).astype("float32")


def grid(field, south=-4.75, step=0.1):
    lat, lon = south + step * np.arange(field.shape[0]), 10 + step * np.arange(field.shape[1])
    raw = xr.Dataset({"elevation": (("lat", "lon"), field)}, {"lat": lat, "lon": lon})
    raw["elevation"].attrs["units"] = "m"
    raw["lat"].attrs["units"], raw["lon"].attrs["units"] = "degrees_north", "degrees_east"
    return raw


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A run up to its scores, of a model that was never trained: its weights are those that it begins with."""
    folder, rng = tmp_path_factory.mktemp("run"), np.random.default_rng(5)
    data, results = folder / "data/hills", folder / "results/made"
    task, rows = configured("terrain_gan", SETTINGS), []
    for name, split in SPLIT.items():
        part = grid(surface(rng)).assign_attrs(part=name)
        store.write(part, data / f"normalized/{name}.zarr")
        rows.append(task.index(part).assign(part=name, split=split, dataset="hills"))
    store.write(xr.Dataset({"elevation_center": 0.0, "elevation_spread": 1.0}), data / "scaling.zarr")
    index = task.expand(pd.concat(rows, ignore_index=True)).drop(columns="fingerprint")
    store.write_table(index, results / "index.parquet")
    store.write_json({"digest": "of the index"}, results / "index.manifest.json")
    manifests = [str(data / f"normalized/{name}.manifest.json") for name in SPLIT]
    stages.gather_parts(manifests, str(data / "normalized.json"))
    given = {"parts": [str(data / "normalized.json")], "scaling": [str(data / "scaling.manifest.json")]}
    given |= {"index": str(results / "index.manifest.json"), "task": "terrain_gan", "examples": SETTINGS}

    problem = Problem.open(**given)
    sizes = {key: value for key, value in MODEL.items() if key != "name"}
    _, *variables = nnx.split(task.model(MODEL["name"], sizes, problem.examples("train"), nnx.Rngs(0)), nnx.Param, ...)
    store.write(weights.to_dataset(jax.tree.map(lambda leaf: leaf[None], tuple(variables))), results / "model.zarr")

    paths = {"weights": str(results / "model.manifest.json"), "zarr": str(results / "predictions.zarr")}
    stages.predict(**given, **paths, model=MODEL, batch_size=16, finished=str(results / "finished"))
    copies = terrain.metres(problem.examples("test").rows)
    facts = {"chosen": {"copies": {}}, "sampled": {}}
    store.write_blocks([xr.Dataset({"copies": (("a", "b", "c"), copies)})], results / "baselines.zarr", **facts)
    paths = {kind: str(results / f"{kind}.manifest.json") for kind in ("predictions", "baselines")}
    paths |= {"scores": str(results / "scores.json"), "table": str(results / "scores.parquet"), "run": "made"}
    stages.evaluate_run(**given, **paths, evaluation={"resamples": 100, "seed": 0})
    return folder


def test_a_store_of_what_is_generated_says_so_and_which_model_made_it_of_which_data(workplace):
    results = workplace / "results/made"
    told = store.read(results / "predictions.zarr")
    weights_of = store.read_json(results / "model.manifest.json")["digest"]

    assert told.attrs["comment"] == "Not observed: no such place exists."
    assert told.attrs["source"] == f"made by geojax, run made: model relief_gan, weights {weights_of}"
    assert told.attrs["trained_on"] == "training examples of hills, as index of the index lists them"
    for split in ("validation", "test"):
        assert told[split].attrs["source"] == "generated by a statistical model from random numbers"
        assert told[split].attrs["comment"] == told.attrs["comment"]


def test_the_kept_detector_is_judged_on_places_that_it_has_not_seen(workplace):
    table = pd.read_parquet(workplace / "results/made/scores.parquet").set_index(["method", "score", "slice"])

    model, copies = (table.loc[(name, "detector_auc", "all")] for name in ("model", "copies"))
    assert model["value"] > 0.95  # never trained
    assert model["low"] <= model["value"] <= model["high"]
    assert copies["value"] == 0.5  # real tiles against themselves
    for method in ("model", "copies"):
        assert table.loc[(method, "taken_for_made", "real"), "value"] < 0.5
    assert table.loc[("model", "taken_for_made", "made"), "value"] > 0.5


def applied(files):
    training = {"epochs": 1, "batch_size": 16, "learning_rate": 0.1}
    told = {"dataset": "hills", "task": "terrain_gan", "examples": SETTINGS, "model": MODEL, "training": training}
    return application.apply(
        "made", Run.model_validate(RUN | told), {"hills": Dataset.model_validate(DATASET)}, files, Path("found")
    )


def test_files_are_told_tile_by_tile_whether_the_model_made_them(workplace, monkeypatch, rng):
    monkeypatch.chdir(workplace)
    made = store.read("results/made/predictions.zarr")["test"].values[:2]
    grid(np.concatenate(made, 1)[:, :128], south=-3.15).to_netcdf("made.nc")
    grid(surface(rng)).rename(elevation="z").to_netcdf("real.nc")
    grid(0.01 * surface(rng)).to_netcdf("flat.nc")

    (written,) = applied([Path("made.nc"), Path("real.nc"), Path("flat.nc")])

    told = pd.read_csv(written)
    of = {name: own for name, own in told.groupby("file")}
    assert [len(of[f"{name}.nc"]) for name in ("made", "real", "flat")] == [2, 3, 3]
    assert (of["made.nc"]["said"] == "made by this model").all()
    assert (of["real.nc"]["said"] == "not made by this model").mean() > 0.5
    assert (of["flat.nc"]["said"] == "too flat to tell").all()
    assert of["flat.nc"]["probability"].isna().all()
    assert of["made.nc"]["probability"].min() > told["threshold"].iloc[0]
    np.testing.assert_allclose(of["made.nc"]["lat"], 0, atol=1e-6)
    np.testing.assert_allclose(of["made.nc"]["relief_m"], made.std((1, 2)), rtol=1e-3)


def test_one_bad_file_among_good_ones_is_named_and_nothing_is_written(workplace, monkeypatch, rng):
    monkeypatch.chdir(workplace)
    Path("found/made_tiles.csv").unlink(missing_ok=True)
    grid(surface(rng)).to_netcdf("good.nc")
    Path("bad.nc").write_text("no grid")

    with pytest.raises(UserError, match=r"^bad\.nc: must be a GeoTIFF or NetCDF file of elevations, but is neither"):
        applied([Path("good.nc"), Path("bad.nc")])

    assert not Path("found/made_tiles.csv").exists()


# Files


def geotiff(path, field, crs="EPSG:4326", step=0.1, units="m", nodata=None):
    transform = from_origin(9.95, 4.8, step, step)
    sizes = {"width": field.shape[1], "height": field.shape[0], "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, nodata=nodata, **sizes) as raw:
        raw.write(field[::-1].astype("float32"), 1)
        raw.units = [units]


def test_a_geotiff_and_a_netcdf_file_of_one_grid_have_the_same_tiles(tmp_path, rng):
    field = surface(rng)
    geotiff(tmp_path / "a.tif", field)
    grid(field).to_netcdf(tmp_path / "a.nc")

    rows, tiles = elevations.tiles(tmp_path / "a.tif", "elevation", 64, 0.1)
    others, same = elevations.tiles(tmp_path / "a.nc", "elevation", 64, 0.1)

    assert len(tiles) == 3
    np.testing.assert_array_equal(tiles, same)
    np.testing.assert_allclose(rows[["lat", "lon"]], others[["lat", "lon"]], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"crs": "EPSG:32633", "step": 1000.0}, r"must lie on lat and lon, in degrees, but lie on y, x"),
        ({"step": 0.05}, r"cells must be 0\.1 degrees apart, as those that the model has learned from, but are 0\.05"),
        ({"units": "ft"}, r"must be in 'm', but its units are 'ft'"),
        ({"nodata": 0.0}, r"must have an elevation in each cell, but has none in 10"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, rng, change, told):
    field = surface(rng)
    field[3, :10] = 0.0
    geotiff(tmp_path / "a.tif", field, **change)

    with pytest.raises(UserError, match=rf"a\.tif: .*{told}"):
        elevations.tiles(tmp_path / "a.tif", "elevation", 64, 0.1)


def test_a_file_too_small_for_a_tile_is_refused_by_name(tmp_path, rng):
    grid(surface(rng)[:, :60]).to_netcdf(tmp_path / "a.nc")

    with pytest.raises(UserError, match=r"a\.nc: must hold a tile of 64 × 64 cells .*, but has 96 × 60 cells"):
        elevations.tiles(tmp_path / "a.nc", "elevation", 64, 0.1)


def test_uneven_cells_are_refused_by_name(tmp_path, rng):
    raw = grid(surface(rng))
    raw.assign_coords(lon=raw["lon"] ** 1.1).to_netcdf(tmp_path / "a.nc")

    with pytest.raises(UserError, match=r"a\.nc: terrain: lat and lon must ascend in equal steps"):
        elevations.tiles(tmp_path / "a.nc", "elevation", 64, 0.1)


def test_of_several_fields_the_one_that_is_named_as_the_task_says_is_taken_or_all_are_told(tmp_path, rng):
    raw = grid(surface(rng))
    raw.assign(other=raw["elevation"] * 2).to_netcdf(tmp_path / "both.nc")
    raw.rename(elevation="z").assign(other=raw["elevation"] * 2).to_netcdf(tmp_path / "neither.nc")

    part = elevations.opened(tmp_path / "both.nc", "elevation")

    np.testing.assert_array_equal(part["elevation"], raw["elevation"])
    with pytest.raises(UserError, match=r"neither\.nc: must hold a variable `elevation`, but holds z, other"):
        elevations.opened(tmp_path / "neither.nc", "elevation")
