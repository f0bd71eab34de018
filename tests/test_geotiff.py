"""Bands of a GeoTIFF are read at the centres of their pixels, or refused by name."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import Affine, from_origin

from geojax.data.readers import geotiff
from geojax.errors import UserError

Z = {"z": {"units": "m", "standard_name": "surface_altitude"}}
UTM, DEGREES = CRS.from_epsg(32632), CRS.from_epsg(4326)


def saved(tmp_path: Path, bands: np.ndarray, crs=UTM, transform=None, units="m", **profile) -> Path:
    path = tmp_path / "z.tif"
    transform = transform or from_origin(500_000, 5_300_000, 30, 20)
    shape = {"count": len(bands), "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype}
    after = {key: profile.pop(key) for key in ("scales", "offsets", "descriptions") if key in profile}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **shape, **profile) as file:
        file.write(bands)
        file.units = [units] * len(bands)
        for key, value in after.items():
            setattr(file, key, value)
    return path


def heights(rows: int = 40, columns: int = 50) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 3000, (1, rows, columns)).astype("float32")


def read(path: Path, variables=Z, selection=None, **options) -> xr.Dataset:
    return geotiff.read({"file": path}, selection or {}, variables, **options)


def refusal(path: Path, *content, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(path, *content, **options)
    return str(caught.value).removeprefix(f"{path}: ")


def test_a_tile_in_metres_lies_on_y_and_x_at_pixel_centres_both_ascending(tmp_path):
    found = read(saved(tmp_path, heights()))

    assert (found["z"].dims, found["z"].dtype) == (("y", "x"), "float32")
    np.testing.assert_array_equal(found["z"], heights()[0, ::-1])
    assert list(found["x"][:2]) == [500_015, 500_045]
    assert list(found["y"][[0, -1]]) == [5_300_000 - 40 * 20 + 10, 5_300_000 - 10]
    assert found["x"].attrs == {"standard_name": "projection_x_coordinate", "units": "metre"}
    assert CRS.from_wkt(found.attrs["crs_wkt"]) == UTM


def test_a_tile_in_degrees_lies_on_lat_and_lon(tmp_path):
    found = read(saved(tmp_path, heights(), DEGREES, from_origin(-180, 60, 0.5, 0.25)))

    assert found["z"].dims == ("lat", "lon")
    assert (float(found["lon"][0]), float(found["lat"][-1])) == (-179.75, 59.875)
    np.testing.assert_array_equal(found["z"].sel(lat=59.875), heights()[0, 0])


def test_each_value_lies_where_rasterio_samples_it(tmp_path):
    path = saved(tmp_path, heights())
    found = read(path)["z"]

    places = [(float(found["x"][i]), float(found["y"][j])) for i, j in ((0, 0), (49, 39), (7, 3))]
    with rasterio.open(path) as other:
        sampled = [float(value[0]) for value in other.sample(places)]
    assert [float(found.sel(x=x, y=y)) for x, y in places] == sampled


def test_nodata_is_missing_and_scale_and_offset_are_applied_after(tmp_path):
    packed = np.array([[[0, 1, -32768], [100, 200, 300]]], "int16")

    found = read(saved(tmp_path, packed, nodata=-32768, scales=(0.5,), offsets=(10.0,)))["z"]

    np.testing.assert_array_equal(found, [[60, 110, 160], [10, 10.5, np.nan]])


def test_whole_numbers_that_float32_does_not_hold_are_kept_exactly(tmp_path):
    found = read(saved(tmp_path, np.array([[[2**24 + 1, 3]]], "int32")))["z"]

    assert (found.dtype, found.values.tolist()) == ("float64", [[2**24 + 1, 3]])


def test_bands_are_named_by_number_or_description(tmp_path):
    bands = np.arange(24.0, dtype="float32").reshape(2, 3, 4)
    path = saved(tmp_path, bands, descriptions=("height", "error"))

    found = read(path, {"z": Z["z"] | {"name": "1"}, "error": {"units": "m"}})

    np.testing.assert_array_equal(found["z"], bands[0, ::-1])
    np.testing.assert_array_equal(found["error"], bands[1, ::-1])
    assert "must be one of its 2 bands, but 'z' is none. Give `name` a number, or one of height, error" in refusal(path)
    assert "'3' is none" in refusal(path, {"z": Z["z"] | {"name": "3"}})


def test_units_are_checked_and_if_not_told_put_on_record(tmp_path):
    assert "must be in 'm', but its units are 'ft'" in refusal(saved(tmp_path, heights(), units="ft"))
    silent = saved(tmp_path, heights(), units="")
    assert [f["kind"] for f in read(silent).attrs["quality"]] == ["metadata"]


def test_a_fill_value_that_nothing_declares_is_found_or_by_option_missing(tmp_path):
    holed = heights()
    holed[0, 0, 0] = -9999
    path = saved(tmp_path, holed)

    assert [f["kind"] for f in read(path).attrs["quality"]] == ["fill"]
    assert np.isnan(read(path, fill=[-9999])["z"][-1, 0])
    assert "must lie in 0 … 9000, but 1 values do not" in refusal(path, {"z": Z["z"] | {"valid_range": (0, 9000)}})


def test_what_lies_beside_the_file_is_not_read(tmp_path):
    path = saved(tmp_path, heights())
    Path(f"{path}.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><UnitType>ft</UnitType><Scale>7</Scale></PAMRasterBand></PAMDataset>"
    )
    with rasterio.open(path) as other:
        assert other.scales == (7.0,)  # so the trap is set

    np.testing.assert_array_equal(read(path)["z"], heights()[0, ::-1])


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        (Affine.rotation(10) * Affine.scale(30, -30), "rows must run from west to east"),
        (Affine(30, 0, 0, 0, 30, 0), "rows must run from west to east"),
    ],
)
def test_a_turned_tile_is_refused(tmp_path, transform, words):
    assert words in refusal(saved(tmp_path, heights(), transform=transform))


def test_a_picture_without_a_place_is_refused(tmp_path):
    Image.fromarray(np.zeros((4, 4), "uint8")).save(tmp_path / "z.tif")

    assert "must say where it lies" in refusal(tmp_path / "z.tif")


def test_complex_numbers_are_refused(tmp_path):
    assert "must hold real numbers, but holds complex64" in refusal(saved(tmp_path, heights().astype("complex64")))


def test_a_file_that_is_absent_or_no_geotiff_is_refused_by_name(tmp_path):
    (tmp_path / "page.tif").write_text("<html>not found</html>")

    assert refusal(tmp_path / "gone.tif").startswith("the raw file must exist")
    assert refusal(tmp_path / "page.tif").startswith("must be a GeoTIFF")


def test_tiles_are_parts_of_their_own_and_have_no_time(tmp_path):
    path = saved(tmp_path, heights())

    with pytest.raises(UserError, match="a part must have one file"):
        geotiff.read({"a": path, "b": path}, {}, Z)
    with pytest.raises(UserError, match="knows no times"):
        read(path, selection={"span": ("2020-01-01", "2021-01-01")})


KINDS = {
    "plain": {}, "deflate": {"compress": "deflate"}, "lzw": {"compress": "lzw", "predictor": 3},
    "tiled": {"tiled": True, "blockxsize": 16, "blockysize": 16}, "zstd": {"compress": "zstd"},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
@example(share=0.0)
@example(share=0.9999)
def test_a_file_cut_short_anywhere_is_refused_or_read_as_if_whole(tmp_path, kind, share):
    content = saved(tmp_path, heights(), **KINDS[kind]).read_bytes()
    (tmp_path / "cut.tif").write_bytes(content[: int(share * len(content))])

    try:
        found = read(tmp_path / "cut.tif")
    except UserError:
        return
    np.testing.assert_array_equal(found["z"], heights()[0, ::-1])
