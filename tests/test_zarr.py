"""Zarr stores of others and of geojax are read as what they are; a chunk that is lost or cut is told."""

import shutil
from pathlib import Path

import numcodecs
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr as library
from zarr import codecs

from geojax import store
from geojax.data.readers import netcdf, zarr
from geojax.errors import UserError

SST = {"sst": {"units": "degree_Celsius", "standard_name": "sea_surface_temperature", "valid_range": (-2, 40)}}


def fields() -> xr.Dataset:
    values = np.random.default_rng(0).uniform(1, 30, (24, 4, 5)).astype("float32")
    return xr.Dataset(
        {"sst": (("time", "lat", "lon"), values, {"units": "degree_Celsius"})},
        coords={
            "time": pd.date_range("1991-01-01", periods=24, freq="MS").astype("datetime64[ns]"),
            "lat": ("lat", [7.5, 2.5, -2.5, -7.5], {"units": "degrees_north"}),
            "lon": ("lon", 20 + 5.0 * np.arange(5), {"units": "degrees_east"}),
        },
    )


def saved(tmp_path: Path, zarr_format: int = 3, content: xr.Dataset | None = None, packing=None, **how) -> Path:
    path = tmp_path / "sst.zarr"
    encoding = {"sst": {"chunks": (6, 4, 5)} | (packing or {})}
    content = fields() if content is None else content
    content.to_zarr(path, mode="w", zarr_format=zarr_format, consolidated=False, encoding=encoding, **how)
    return path


def read(path: Path, variables=SST, selection=None, **options) -> xr.Dataset:
    return zarr.read({"file": path}, selection or {}, variables, **options)


def refusal(path: Path, *content, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(path, *content, **options)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


def chunks(path: Path) -> list[Path]:
    return sorted(p for p in (path / "sst").rglob("*") if p.is_file() and p.name[0] not in ".z")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_store_is_read_as_the_same_fields_in_a_netcdf_file_are(tmp_path, zarr_format):
    fields().to_netcdf(tmp_path / "sst.nc", engine="netcdf4")
    selection = {"span": ("1991-03-01", "1992-02-01")}

    found = read(saved(tmp_path, zarr_format), selection=selection)

    xr.testing.assert_identical(found, netcdf.read({"file": tmp_path / "sst.nc"}, selection, SST))


def test_a_group_of_a_store_is_read(tmp_path):
    path = saved(tmp_path, group="ocean/surface")

    assert read(path, group="ocean/surface").sizes["time"] == 24
    assert "must be a Zarr store" in refusal(path, group="land")


def test_stores_that_follow_one_another_are_joined(tmp_path):
    paths = {}
    for year in ("1991", "1992"):
        paths[year] = tmp_path / year
        fields().sel(time=year).to_zarr(paths[year], zarr_format=2, consolidated=False)

    np.testing.assert_array_equal(zarr.read(paths, {}, SST)["sst"], fields()["sst"].sortby("lat"))


def test_other_units_are_refused_as_in_a_netcdf_file(tmp_path):
    kelvin = fields()
    kelvin["sst"].attrs["units"] = "K"

    assert "must be in 'degree_Celsius', but its units are 'K'" in refusal(saved(tmp_path, content=kelvin))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_chunk_that_is_lost_is_told_as_it_looks_like_fill_values(tmp_path, zarr_format):
    path = saved(tmp_path, zarr_format)
    chunks(path)[0].unlink()

    found = read(path)

    (finding,) = found.attrs["quality"]
    assert (finding["kind"], finding["count"]) == ("unproven", 1)
    assert finding["detail"].startswith("1 of 4 chunks are absent")
    assert int(found["sst"].isnull().sum()) == 6 * 4 * 5


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_coordinate_that_lost_a_chunk_is_refused(tmp_path, zarr_format):
    path = saved(tmp_path, zarr_format)
    (chunk,) = [p for p in (path / "time").rglob("*") if p.is_file() and p.name == "0"]
    chunk.unlink()

    assert "coordinate `time` must be whole" in refusal(path)


CODECS = {
    "2 blosc": (2, {"compressors": (numcodecs.Blosc(),)}), "2 zlib": (2, {"compressors": (numcodecs.Zlib(),)}),
    "2 zstd": (2, {"compressors": (numcodecs.Zstd(),)}), "2 lz4": (2, {"compressors": (numcodecs.LZ4(),)}),
    "2 lzma": (2, {"compressors": (numcodecs.LZMA(),)}), "2 gzip": (2, {"compressors": (numcodecs.GZip(),)}),
    "2 none": (2, {"compressors": None}), "2 bz2": (2, {"compressors": (numcodecs.BZ2(),)}), "3 zstd": (3, {}),
    "3 blosc": (3, {"compressors": (codecs.BloscCodec(),)}), "3 gzip": (3, {"compressors": (codecs.GzipCodec(),)}),
    "3 none": (3, {"compressors": None}), "3 shards": (3, {"shards": (12, 4, 5)}),
    "3 blosc in shards": (3, {"shards": (12, 4, 5), "compressors": (codecs.BloscCodec(),)}),
}  # fmt: skip


@pytest.mark.parametrize("codec", CODECS)
def test_a_chunk_cut_short_anywhere_is_refused(tmp_path, codec, rng):
    zarr_format, packing = CODECS[codec]
    path = saved(tmp_path, zarr_format, packing=packing)
    chunk = chunks(path)[1]
    whole = chunk.read_bytes()
    assert read(path).attrs["quality"] == []
    for length in {0, 1, len(whole) - 1, *rng.integers(0, len(whole), 10).tolist()}:
        chunk.write_bytes(whole[:length])
        assert "can be read to its end" in refusal(path)


@pytest.mark.parametrize(("zarr_format", "name"), [(2, ".zarray"), (3, "zarr.json")])
def test_metadata_that_are_lost_or_cut_are_refused(tmp_path, zarr_format, name):
    path = saved(tmp_path, zarr_format)
    text = (path / "sst" / name).read_text()
    (path / "sst" / name).write_text(text[: len(text) // 2])
    refusal(path)

    (path / "sst" / name).unlink()
    refusal(path)


def test_a_store_of_geojax_is_checked_against_its_manifest(tmp_path):
    path = tmp_path / "1991.zarr"
    store.write(fields(), path)
    np.testing.assert_array_equal(read(path)["sst"], fields()["sst"].sortby("lat"))

    metadata = path / "sst" / "zarr.json"
    metadata.write_text(metadata.read_text().replace('"units": "degree_Celsius"', '"units": "degree_Celsius" '))
    assert "sst/zarr.json: content differs, as" in refusal(path)
    metadata.unlink()
    assert "sst/zarr.json: missing" in refusal(path)


def test_what_is_no_store_is_refused_by_name(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.zarr").write_bytes(b"PK")

    assert "must be a Zarr store that can be read" in refusal(tmp_path / "empty")
    assert "must be a Zarr store, a directory" in refusal(tmp_path / "file.zarr")
    assert "must be a Zarr store, a directory" in refusal(tmp_path / "gone.zarr")


def test_the_digest_of_a_tree_changes_with_any_byte_or_name_and_nothing_else(tmp_path):
    path = saved(tmp_path)
    before = store.digest(path)
    shutil.copytree(path, tmp_path / "copy")
    (tmp_path / "copy" / ".snakemake_timestamp").touch()
    assert store.digest(tmp_path / "copy") == before

    first = chunks(tmp_path / "copy")[0]
    first.rename(first.with_name("9"))
    assert store.digest(tmp_path / "copy") != before
    first.with_name("9").rename(first)
    first.write_bytes(first.read_bytes() + b"0")
    assert store.digest(tmp_path / "copy") != before
    assert store.digest(first) == store.digest(first)


def test_a_store_whose_metadata_are_gathered_is_read_too(tmp_path):
    path = saved(tmp_path, 2)
    library.consolidate_metadata(path)

    assert read(path).sizes["time"] == 24
