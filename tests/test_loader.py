"""A window is what xarray cuts out of the same part."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from geojax import store
from geojax.data.loader import Loader
from geojax.errors import UserError


@pytest.fixture
def parts(tmp_path, rng) -> dict:
    """Three days of four traces and of grids; the days differ in length."""
    found = {}
    for day, length in (("2024.131", 500), ("2024.132", 700), ("2024.133", 600)):
        time = pd.date_range("2024-05-10", periods=length, freq="10ms")
        sst = rng.normal(size=(length, 4, 5)).astype("float32")
        sst[:, 0, 0] = np.nan
        found[day] = tmp_path / f"{day}.zarr"
        store.write(
            xr.Dataset(
                {
                    "velocity": (("trace", "time"), rng.normal(size=(4, length)).astype("float32")),
                    "sst": (("time", "lat", "lon"), sst),
                    "moment": ("time", time + pd.Timedelta(3)),
                },
                coords={"time": time, "trace": ["a", "b", "c", "d"]},
            ),
            found[day],
        )
    return found


def rows(parts: dict, rng, count: int = 40) -> pd.DataFrame:
    return pd.DataFrame({"part": rng.choice(list(parts), count), "start": rng.integers(0, 400, count)})


def through_xarray(parts: dict, variable: str, table: pd.DataFrame, **chosen) -> np.ndarray:
    opened = {name: store.read(path)[variable] for name, path in parts.items()}
    return np.stack(
        [
            opened[row.part].isel(time=slice(row.start, row.start + 100), **{d: v[i] for d, v in chosen.items()})
            for i, row in enumerate(table.itertuples())
        ]
    )


def test_windows_of_all_traces_are_those_of_xarray(parts, rng):
    table = rows(parts, rng)

    found = Loader(parts, "velocity").windows(table["part"], {"time": table["start"]}, {"time": 100})

    assert found.shape == (40, 4, 100)
    np.testing.assert_array_equal(found, through_xarray(parts, "velocity", table))


def test_a_single_trace_for_each_row_drops_its_dimension(parts, rng):
    table, trace = rows(parts, rng), rng.integers(0, 4, 40)

    found = Loader(parts, "velocity").windows(table["part"], {"time": table["start"], "trace": trace}, {"time": 100})

    np.testing.assert_array_equal(found, through_xarray(parts, "velocity", table, trace=trace))


@pytest.mark.parametrize("several", [1, 3])
def test_several_traces_for_each_row_come_in_the_order_asked_for(parts, rng, several):
    table, trace = rows(parts, rng), rng.integers(0, 4, (40, several))

    found = Loader(parts, "velocity").windows(table["part"], {"time": table["start"], "trace": trace}, {"time": 100})

    assert found.shape == (40, several, 100)
    np.testing.assert_array_equal(found, through_xarray(parts, "velocity", table, trace=trace))


def test_fields_keep_the_order_of_their_dimensions(parts, rng):
    table, lat, lon = rows(parts, rng), rng.integers(0, 4, 40), rng.integers(0, 5, (40, 2))
    loader = Loader(parts, "sst")

    whole = loader.windows(table["part"], {"time": table["start"]}, {"time": 100})
    np.testing.assert_array_equal(whole, through_xarray(parts, "sst", table))
    chosen = loader.windows(table["part"], {"time": table["start"], "lat": lat, "lon": lon}, {"time": 100})
    np.testing.assert_array_equal(chosen, through_xarray(parts, "sst", table, lat=lat, lon=lon))
    tiles = loader.windows(table["part"], {"time": table["start"], "lat": lat % 3}, {"time": 1, "lat": 2})
    assert tiles.shape == (40, 1, 2, 5)
    np.testing.assert_array_equal(tiles[:, 0, 0], whole[np.arange(40), 0, lat % 3])


def test_times_are_decoded_as_xarray_does(parts, rng):
    table = rows(parts, rng)

    found = Loader(parts, "moment").windows(table["part"], {"time": table["start"]}, {"time": 100})

    assert found.dtype == "datetime64[ns]"
    np.testing.assert_array_equal(found, through_xarray(parts, "moment", table))


@pytest.mark.parametrize(
    "attributes", [{"scale_factor": 0.5}, {"add_offset": 3.0}, {"_FillValue": 7.0}, {"missing_value": 7.0}], ids=str
)
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_numbers_that_attributes_change_are_those_of_xarray(tmp_path, attributes):
    values = xr.Dataset({"depth": ("sample", np.arange(20.0))})
    values.to_zarr(tmp_path / "a.zarr", zarr_format=3, encoding={"depth": {"dtype": "f4"} | attributes})

    found = Loader({"a": tmp_path / "a.zarr"}, "depth").windows(["a", "a"], {"sample": [2, 5]}, {"sample": 4})

    expected = xr.open_zarr(tmp_path / "a.zarr")["depth"].values
    np.testing.assert_array_equal(found, [expected[2:6], expected[5:9]])


def test_a_part_can_be_named_by_its_manifest(parts):
    manifests = {name: store.manifest_of(path) for name, path in parts.items()}

    found = Loader(manifests, "velocity").windows(["2024.133"], {"time": [7]}, {"time": 5})

    np.testing.assert_array_equal(found[0], store.read(parts["2024.133"])["velocity"][:, 7:12])


@pytest.mark.parametrize("variable", ["velocity", "moment"])
def test_a_window_that_leaves_its_part_is_refused_by_name(parts, variable):
    loader = Loader(parts, variable)
    for start in (-1, 401):
        with pytest.raises(UserError, match=rf"2024\.131\.zarr/{variable}: what is read must lie inside"):
            loader.windows(["2024.132", "2024.131"], {"time": [0, start]}, {"time": 100})


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ((["2024.134"], {"time": [0]}, {"time": 5}), "part '2024.134' must be one of 2024.131"),
        (([], {"time": []}, {"time": 5}), "there are no rows"),
        ((["2024.131"], {"tme": [0]}, {"time": 5}), "has no dimension `tme`, but trace, time"),
        ((["2024.131"], {"time": [0.5]}, {"time": 5}), "begin at whole numbers"),
        ((["2024.131"], {"time": [0, 1]}, {"time": 5}), "begin at whole numbers"),
        ((["2024.131"], {"time": [[0, 1]]}, {"time": 5}), "begin at whole numbers"),
        ((["2024.131"], {"time": [0]}, {"time": 0}), "must lie inside"),
        ((["2024.131", "2024.132"], {"trace": [0, 1]}, {}), "must have 500 along `time`"),
        ((["2024.131"], {"trace": [[0, 1]], "time": [[0, 1]]}, {}), "one dimension may have several"),
    ],
)
def test_what_cannot_be_cut_is_refused_in_words(parts, asked, words):
    with pytest.raises(UserError, match=words):
        Loader(parts, "velocity").windows(*asked)


def test_an_unknown_variable_is_refused_with_those_there_are(parts):
    with pytest.raises(UserError, match="must hold a variable `speed`, but holds moment, sst, time, trace, velocity"):
        Loader(parts, "speed").windows(["2024.131"], {"time": [0]}, {"time": 5})


def test_a_lost_chunk_is_refused_not_read_as_fill_values(parts):
    (chunk,) = (p for p in (parts["2024.131"] / "velocity" / "c").rglob("*") if p.is_file())
    chunk.unlink()

    with pytest.raises(UserError, match=f"{chunk}: must exist, as the manifest of its store says"):
        Loader(parts, "velocity").windows(["2024.131"], {"time": [0]}, {"time": 5})
