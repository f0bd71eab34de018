"""Labelled seismograms in SeisBench's layout come as they were written, a doubt about each is told, none is mended."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from geojax import store
from geojax.data.readers import seisbench
from geojax.errors import UserError

FORMAT = {"component_order": "ZNE", "dimension_order": "CW", "sampling_rate": 20, "unit": "counts"}
MOTION = {"ground_motion": {"units": "counts"}}


def noise(count: int, samples: int = 400, seed: int = 0) -> np.ndarray:
    return np.round(np.random.default_rng(seed).normal(scale=300, size=(count, 3, samples)))


def table(names: list[str], **columns) -> pd.DataFrame:
    stations = ["PB01" if i % 2 == 0 else "PB02" for i in range(len(names))]
    arrivals = np.arange(len(names)) + 100.0
    given = {"trace_name": names, "station_code": stations, "trace_p_arrival_sample": arrivals}
    return pd.DataFrame(given | columns)


def saved(folder: Path, rows: pd.DataFrame, chunk: str = "", form=FORMAT, **data: np.ndarray) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"metadata{chunk}.csv", folder / f"waveforms{chunk}.hdf5"]
    rows.to_csv(paths[0], index=False)
    with h5py.File(paths[1], "w") as file:
        for name, values in data.items():
            file[f"data/{name}"] = values
        for key, value in form.items():
            file[f"data_format/{key}"] = value
    return paths


def bucket(count: int, *sizes: int) -> list[str]:
    return [f"bucket0${i},:3,:{sizes[i] if sizes else 400}" for i in range(count)]


def read(*paths: Path, selection=None, variables=MOTION, **options) -> xr.Dataset:
    return seisbench.read({path.name: path for path in paths}, selection or {}, variables, **options)


def refusal(*paths: Path, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(*paths, **options)
    return str(caught.value)


def told_of(paths: list[Path], error: UserError) -> None:
    """A refusal names its file."""
    assert any(str(path) in str(error) for path in paths)


def kinds(part: xr.Dataset) -> list[str]:
    return [finding["kind"] for finding in part.attrs["quality"]]


# What is there is what comes -----------------------------------------------------------------------------------------


def test_traces_labels_and_places_come_as_they_were_written_and_back_from_the_store(tmp_path):
    times = ["2007/01/01 01:42:45.08", "2007-01-02T00:00:00Z", ""]
    rows = table(
        bucket(3), trace_start_time=times, source_depth_km=[83.18, "", 5], station_network_code=["NA", "", "07"]
    )
    data = noise(3)

    store.write(read(*saved(tmp_path, rows, bucket0=data)), tmp_path / "part.zarr")
    part = store.read(tmp_path / "part.zarr")

    np.testing.assert_array_equal(part["ground_motion"], data)
    assert part["ground_motion"].dims == ("trace", "channel", "sample")
    assert part["ground_motion"].dtype == "float32"
    assert list(part["channel"].values) == list("ZNE")
    assert list(part["trace"].values) == bucket(3)
    np.testing.assert_array_equal(part["trace_p_arrival_sample"], [100, 101, 102])
    np.testing.assert_array_equal(part["source_depth_km"], [83.18, np.nan, 5])
    assert (part["source_depth_km"].attrs["units"], part["trace_p_arrival_sample"].attrs["units"]) == ("km", "1")
    assert list(part["station_network_code"].values) == ["NA", "", "07"]
    starts = np.array(["2007-01-01T01:42:45.08", "2007-01-02", "NaT"], "datetime64[ns]")
    np.testing.assert_array_equal(part["trace_start_time"].values.astype("datetime64[ns]"), starts)
    assert (part.attrs["sampling_rate_hz"], part.attrs["quality"]) == (20, [])


def test_chunks_are_joined_in_the_order_of_their_names(tmp_path):
    paths = [saved(tmp_path, table(bucket(2)), chunk, bucket0=noise(2, seed=int(chunk))) for chunk in "10"]
    (tmp_path / "chunks").write_text("0\n1\n")

    part = read(*paths[0], *paths[1], tmp_path / "chunks")

    np.testing.assert_array_equal(part["ground_motion"], np.concatenate([noise(2, seed=0), noise(2, seed=1)]))
    assert list(part["trace"].values) == [f"{chunk}/{name}" for chunk in "01" for name in bucket(2)]


def test_shorter_traces_end_in_nan_and_tell_their_length(tmp_path):
    data = noise(2)

    part = read(*saved(tmp_path, table(bucket(2, 400, 150)), bucket0=data))

    np.testing.assert_array_equal(part["samples"], [400, 150])
    np.testing.assert_array_equal(part["ground_motion"][1, :, :150], data[1, :, :150])
    assert np.isnan(part["ground_motion"][1, :, 150:]).all()
    assert not np.isnan(part["ground_motion"][0]).any()
    assert kinds(part) == []


def test_each_order_of_axes_and_components_gives_the_same_samples(tmp_path):
    data = noise(2)
    plain = read(*saved(tmp_path / "a", table(bucket(2)), bucket0=data))

    turned = [f"bucket0${i},:400,:3" for i in range(2)]
    form = FORMAT | {"dimension_order": "NWC"}
    by_axes = read(*saved(tmp_path / "b", table(turned), form=form, bucket0=data.transpose(0, 2, 1)))
    by_name = read(*saved(tmp_path / "c", table(["x", "y"]), x=data[0], y=data[1]))
    rows = table(bucket(2), trace_component_order=["ZNE", "ENZ"])
    data[1] = data[1, ::-1]
    by_component = read(*saved(tmp_path / "d", rows, bucket0=data))

    for other in (by_axes, by_name, by_component):
        np.testing.assert_array_equal(other["ground_motion"], plain["ground_motion"])


def test_a_station_that_lacks_components_has_nan_there_and_is_told(tmp_path):
    rows = table(["x", "y"], trace_component_order=["ZNE", "Z"])

    part = read(*saved(tmp_path, rows, x=noise(1)[0], y=noise(1, seed=1)[0, :1]))

    assert np.isnan(part["ground_motion"][1, 1:]).all()
    assert not np.isnan(part["ground_motion"][1, 0]).any()
    assert kinds(part) == ["gap"]


def test_stations_take_their_own_traces(tmp_path):
    paths = saved(tmp_path, table(bucket(4)), bucket0=noise(4))

    assert list(read(*paths, selection={"stations": {"PB02"}})["station_code"].values) == ["PB02", "PB02"]
    assert "must hold traces of the part" in refusal(*paths, selection={"stations": {"XX"}})


def test_samples_that_need_double_precision_keep_it(tmp_path):
    data = noise(2) + 2**30 + 1

    np.testing.assert_array_equal(read(*saved(tmp_path, table(bucket(2)), bucket0=data))["ground_motion"], data)


def test_columns_are_chosen_by_wildcards(tmp_path):
    rows = table(bucket(1), split=["train"], source_magnitude=[1.5], web_code=[7])

    assert set(read(*saved(tmp_path, rows, bucket0=noise(1))).coords) >= {"split", "source_magnitude"}
    chosen = read(*saved(tmp_path, rows, bucket0=noise(1)), columns=["web_*"])
    assert set(chosen.coords) == {"trace", "channel", "sample", "samples", "web_code"}


# Doubts --------------------------------------------------------------------------------------------------------------


def with_change(where: tuple, value: float) -> np.ndarray:
    data = noise(2)
    data[where] = value
    return data


@pytest.mark.parametrize(
    ("kind", "rows", "data"),
    [
        ("empty", table([*bucket(2), "bucket0$2,:3,:400"]), noise(2)),
        ("empty", table([*bucket(2), "bucket7$0,:3,:400"]), noise(2)),
        ("metadata", table(bucket(2)), noise(5)),
        ("duplicate", table([*bucket(2), bucket(2)[1]]), noise(2)),
        ("not_finite", table(bucket(2)), with_change((1, 0, 7), np.nan)),
        ("flat", table(bucket(2)), with_change((1, 2, slice(None)), 0)),
        ("spike", table(bucket(2)), with_change((0, 1, 200), 1e6)),
        ("fill", table(bucket(2)), with_change((0, 1, 200), -(2.0**31))),
    ],
)
def test_each_planted_fault_is_told(tmp_path, kind, rows, data):
    part = read(*saved(tmp_path, rows, bucket0=data))

    assert kind in kinds(part)
    assert set(kinds(part)) - {kind} <= {"spike"}


def test_infinite_samples_are_refused(tmp_path):
    assert "infinite" in refusal(*saved(tmp_path, table(bucket(2)), bucket0=with_change((1, 0, 7), np.inf)))


def test_a_finding_of_many_traces_is_one_that_counts(tmp_path):
    data = noise(3)
    data[:2, 0] = 0

    (finding,) = read(*saved(tmp_path, table(bucket(3)), bucket0=data)).attrs["quality"]

    assert (finding["kind"], finding["trace"], finding["count"]) == ("flat", "all", 2)
    assert finding["detail"].startswith("bucket0$0,:3,:400: Z: 1 runs of equal samples")
    assert finding["detail"].endswith("(and 1 more)")


# Refused -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "form", "told"),
    [
        (table(bucket(2)), FORMAT | {"unit": "mps"}, "samples must be in 'counts', but the file says 'mps'"),
        (table(bucket(2)), FORMAT | {"component_order": "ZN"}, "must have 2 components Z/N on axes CW, but has shape"),
        (table(bucket(2)), FORMAT | {"dimension_order": "CHW"}, "dimension_order must be CW or WC"),
        (table(bucket(2)), {"component_order": "ZNE"}, "each trace must have a sampling rate"),
        (table(bucket(2)), {"sampling_rate": 20}, "each trace must name its components"),
        (table(["bucket0$0,:3,:900", "x"]), FORMAT, "must lie within bucket0"),
        (table(bucket(2), trace_sampling_rate_hz=[20, 50]), FORMAT, "sampling rates must be those of waveforms.hdf5"),
        (table(bucket(2), trace_start_time=["yesterday", ""]), FORMAT, "trace_start_time: times must be UTC as in"),
    ],
)
def test_files_that_contradict_the_configuration_or_each_other_are_refused(tmp_path, rows, form, told):
    paths = saved(tmp_path, rows, form=form, bucket0=noise(2))
    with pytest.raises(UserError) as caught:
        read(*paths)

    told_of(paths, caught.value)
    assert told in str(caught.value)


def test_mixed_sampling_rates_are_refused_with_each(tmp_path):
    form = {"component_order": "ZNE", "unit": "counts"}
    rows = table(bucket(2), trace_sampling_rate_hz=[20, 100])

    told = refusal(*saved(tmp_path, rows, form=form, bucket0=noise(2)))

    assert "must share their sampling rate, but come as bucket0$0,:3,:400 20 Hz, bucket0$1,:3,:400 100 Hz" in told


def test_a_file_without_its_counterpart_is_refused(tmp_path):
    metadata, waveforms = saved(tmp_path, table(bucket(1)), "7", bucket0=noise(1))
    (tmp_path / "chunks").write_text("7\n8\n")

    assert "chunk '7' must have metadata7.csv and waveforms7.hdf5, but lacks its waveforms" in refusal(metadata)
    assert "chunk '8' must have" in refusal(metadata, waveforms, tmp_path / "chunks")


def test_samples_in_a_file_that_no_digest_covers_are_not_read(tmp_path):
    paths = saved(tmp_path, table(["x", "y"]), x=noise(1)[0])
    (hidden,) = saved(tmp_path / "hidden", table(["y"]), y=noise(1)[0])[1:]
    with h5py.File(paths[1], "a") as file:
        file["data/y"] = h5py.ExternalLink(str(hidden), "/data/y")

    part = read(*paths)

    assert list(part["trace"].values) == ["x"]
    assert kinds(part) == ["empty"]


@pytest.mark.parametrize("which", [0, 1])
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_files_cut_anywhere_give_no_wrong_number_and_no_missing_trace_in_silence(tmp_path, which, share):
    whole = tmp_path / "whole"
    paths = [whole / "metadata.csv", whole / "waveforms.hdf5"]
    if not whole.exists():
        saved(whole, table(bucket(4)), bucket0=noise(4))
    (tmp_path / "cut").mkdir(exist_ok=True)
    cut = [tmp_path / "cut" / path.name for path in paths]
    for number, (old, new) in enumerate(zip(paths, cut, strict=True)):
        content = old.read_bytes()
        new.write_bytes(content[: int(share * len(content))] if number == which else content)

    try:
        part = read(*cut)
    except UserError as error:
        told_of(cut, error)
    else:  # between two lines
        np.testing.assert_array_equal(part["ground_motion"], noise(4)[: part.sizes["trace"]])
        assert kinds(part) == ["metadata"]
