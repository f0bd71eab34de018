"""SEG-Y comes as ObsPy reads it, with axes and places as its headers tell; what contradicts or is cut is refused."""

import warnings
from pathlib import Path

import numpy as np
import obspy
import pytest
import segyio
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from obspy.io.segy.core import _read_segy

from geojax import store
from geojax.data.readers import segy
from geojax.errors import UserError

BUNDLED = sorted((Path(obspy.__file__).parent / "io/segy/tests/data").glob("*.s*gy*"))
BUNDLED = [path for path in BUNDLED if path.suffix != ".npy"]
AMPLITUDE = {"amplitude": {"units": "1", "long_name": "amplitude"}}
DTYPES = {1: "f4", 2: "i4", 3: "i2", 5: "f4", 8: "i1"}
FIELD = segyio.TraceField


def noise(traces: int = 6, samples: int = 50, form: int = 5) -> np.ndarray:
    return np.random.default_rng(0).normal(scale=30, size=(traces, samples)).astype(DTYPES[form])


def saved(path: Path, data: np.ndarray, form: int = 5, endian: str = "big", interval: int = 4000, **headers) -> Path:
    """A file written by segyio; headers are named as its own and given for each trace."""
    spec = segyio.spec()
    spec.samples, spec.tracecount, spec.format, spec.endian = np.arange(data.shape[1]), len(data), form, endian
    with segyio.create(str(path), spec) as file:
        file.bin.update({segyio.BinField.Interval: interval, segyio.BinField.Samples: data.shape[1]})
        for number, trace in enumerate(data):
            file.header[number] = {getattr(FIELD, key): int(values[number]) for key, values in headers.items()}
            file.trace[number] = trace
    return path


def read(path: Path, variables=AMPLITUDE, selection=None, **options) -> xr.Dataset:
    return segy.read({"file": path}, selection or {}, variables, **options)


def refusal(path: Path, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(path, **options)
    return str(caught.value)


def told_of(path: Path, error: UserError) -> None:
    """A refusal names its file."""
    assert str(error).startswith(f"{path}: ")


def kinds(part: xr.Dataset) -> list[str]:
    return [finding["kind"] for finding in part.attrs["quality"]]


# Samples -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
def test_the_files_of_obspy_come_as_obspy_reads_them(path):
    with warnings.catch_warnings(action="ignore"):
        expected = _read_segy(str(path))

    part = read(path)

    np.testing.assert_array_equal(part["amplitude"], [trace.data for trace in expected])
    assert float(part["twt"][1] - part["twt"][0]) == pytest.approx(expected[0].stats.delta, rel=1e-12)
    header = expected[0].stats.segy.trace_header
    assert part["offset"][0] == header.distance_from_center_of_the_source_point_to_the_center_of_the_receiver_group


@pytest.mark.parametrize("endian", ["big", "little"])
@pytest.mark.parametrize("form", DTYPES)
def test_each_format_in_each_byte_order_comes_as_it_was_written(tmp_path, form, endian):
    data = noise(form=form)

    part = read(saved(tmp_path / "line.sgy", data, form, endian))

    # Writing rounds to the 21 bits or more that an IBM float keeps.
    np.testing.assert_allclose(part["amplitude"], data, rtol=2**-20 if form == 1 else 0)
    assert part["amplitude"].dtype == "float32"
    assert (part["amplitude"].dims, part["amplitude"].attrs["units"]) == (("trace", "sample"), "1")
    assert kinds(part) == []


def test_ibm_floats_are_what_their_definition_says(tmp_path):
    words = [0x42640000, 0xC276A000, 0x41000001, 0x00000000, 0x21000ABC, 0x80000000, 0x7FFFFFFF, 0x00000001]
    expected = [100.0, -118.625, 2**-20, 0.0, 0xABC * 2.0**-24 * 16.0**-31, 0.0, (1 - 2**-24) * 16.0**63, 2.0**-280]
    path = saved(tmp_path / "line.sgy", noise(1, len(words), form=1), form=1)
    content = path.read_bytes()[: 3600 + 240] + np.array(words, ">u4").tobytes()
    path.write_bytes(content)

    part = read(path)

    np.testing.assert_array_equal(part["amplitude"][0], expected)
    assert part["amplitude"].dtype == "float64"  # float32 ends before the largest and the least


def test_integers_that_need_double_precision_keep_it(tmp_path):
    data = noise(form=2) + 2**30 + 1

    np.testing.assert_array_equal(read(saved(tmp_path / "line.sgy", data, 2))["amplitude"], data)


# Axes and places -----------------------------------------------------------------------------------------------------


def test_places_have_their_scalar_applied_and_come_back_from_the_store(tmp_path):
    scalars = [-100, 10, 0, 1, -10, -1]
    x, number = [123456, 12, 7, 8, 90, 5], range(1, 7)
    path = saved(
        tmp_path / "line.sgy", noise(), SourceGroupScalar=scalars, CDP_X=x, CDP_Y=x, INLINE_3D=number, offset=[0] * 6
    )

    store.write(read(path), tmp_path / "part.zarr")
    part = store.read(tmp_path / "part.zarr")

    np.testing.assert_allclose(part["cdp_x"], [1234.56, 120, 7, 8, 9, 5], rtol=1e-15)
    np.testing.assert_array_equal(part["inline"], number)
    np.testing.assert_array_equal(part["offset"], 0)
    assert "crossline" not in part.coords  # zero throughout: not told
    np.testing.assert_allclose(part["twt"], np.arange(50) * 0.004)
    assert part["twt"].attrs["units"] == "s"


def test_headers_may_lie_elsewhere(tmp_path):
    path = saved(tmp_path / "line.sgy", noise(), FieldRecord=range(10, 16))

    np.testing.assert_array_equal(read(path, headers={"inline": 9})["inline"], range(10, 16))


def test_a_delay_shared_by_all_traces_begins_the_axis_and_others_stand_beside(tmp_path):
    shared = read(saved(tmp_path / "a.sgy", noise(), DelayRecordingTime=[100] * 6))
    own = read(saved(tmp_path / "b.sgy", noise(), DelayRecordingTime=range(0, 600, 100)))

    assert float(shared["twt"][0]) == 0.1
    assert "delay_s" not in shared.coords
    assert float(own["twt"][0]) == 0
    np.testing.assert_allclose(own["delay_s"], np.arange(6) / 10)


def test_depth_needs_its_step_and_takes_it(tmp_path):
    path = saved(tmp_path / "line.sgy", noise(), interval=5000)

    assert "does not tell the units of depth: give `reader: options: step` in m" in refusal(path, axis="depth")
    part = read(path, axis="depth", step=5, start=100)
    np.testing.assert_array_equal(part["depth"], 100 + 5 * np.arange(50))
    assert part["depth"].attrs["units"] == "m"


@pytest.mark.parametrize("code", [2, 3])
def test_angles_are_told_as_such(tmp_path, code):
    path = saved(tmp_path / "line.sgy", noise(), SourceX=[7] * 6, CoordinateUnits=[code] * 6)

    assert read(path)["source_x"].attrs["units"] == {2: "arcsecond", 3: "degree"}[code]


def test_coordinates_in_degrees_minutes_and_seconds_are_left_out_and_told(tmp_path):
    part = read(saved(tmp_path / "line.sgy", noise(), SourceX=[7] * 6, CoordinateUnits=[4] * 6))

    assert "source_x" not in part.coords
    assert kinds(part) == ["metadata"]


# Doubts and refusals -------------------------------------------------------------------------------------------------


def with_change(where: tuple, value: float) -> np.ndarray:
    data = noise()
    data[where] = value
    return data


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("flat", with_change((2, slice(None)), 0)),
        ("not_finite", with_change((2, 7), np.nan)),
        ("spike", with_change((2, 20), 1e6)),
        ("fill", with_change((2, 20), 1e30)),
    ],
)
def test_each_planted_fault_is_told(tmp_path, kind, data):
    assert kind in kinds(read(saved(tmp_path / "line.sgy", data)))


def test_a_muted_beginning_is_no_fault(tmp_path):
    assert kinds(read(saved(tmp_path / "line.sgy", with_change((slice(None), slice(20)), 0)))) == []


def test_infinite_samples_are_refused(tmp_path):
    assert "infinite" in refusal(saved(tmp_path / "line.sgy", with_change((2, 7), np.inf)))


@pytest.mark.parametrize("what", ["cube", "ensembles"])
def test_a_cube_or_ensemble_that_lacks_traces_is_told(tmp_path, what):
    headers = {"INLINE_3D": np.repeat([1, 2], 3), "CROSSLINE_3D": np.tile([1, 2, 3], 2)} if what == "cube" else {}
    path = saved(tmp_path / "line.sgy", noise(), **headers)
    with segyio.open(str(path), "r+", ignore_geometry=True) as file:
        file.bin.update({segyio.BinField.Traces: 3 if what == "ensembles" else 0, segyio.BinField.AuxTraces: 0})
    assert kinds(read(path)) == []

    path.write_bytes(path.read_bytes()[: -(240 + 4 * 50)])

    (finding,) = read(path).attrs["quality"]
    assert (finding["kind"], finding["count"]) == ("gap", 1)
    assert what in finding["detail"]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"TRACE_SAMPLE_COUNT": [50] * 5 + [40]}, "must have the 50 samples of the binary header, but some say 40"),
        ({"TRACE_SAMPLE_INTERVAL": [4000] * 5 + [2000]}, "must tell one interval, but say 2000, 4000 µs"),
        ({"interval": 0}, "must tell one interval, but tell none"),
    ],
)
def test_headers_that_contradict_are_refused(tmp_path, headers, told):
    assert told in refusal(saved(tmp_path / "line.sgy", noise(), **headers))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"axis": "time"}, "axis: must be twt or depth"),
        ({"headers": {"iline": 9}}, "no header `iline`"),
        ({"headers": {"inline": 999}}, "fill the file, but is not"),
        ({"selection": {"year": 2000}}, "take `by: file`"),
        ({"variables": {"amplitude": {"units": "1", "valid_range": (-1, 1)}}}, "must lie in -1 … 1"),
    ],
)
def test_settings_that_mean_nothing_here_are_refused(tmp_path, options, told):
    assert told in refusal(saved(tmp_path / "line.sgy", noise()), **options)


def test_other_revisions_and_formats_are_refused(tmp_path):
    path = saved(tmp_path / "line.sgy", noise())
    content = bytearray(path.read_bytes())
    content[3500] = 2
    path.write_bytes(content)
    assert "must be SEG-Y of revision 0 or 1, but is of 2" in refusal(path)
    content[3225] = 4
    path.write_bytes(content)
    assert "bytes 3225-3226 say 4" in refusal(path)
    assert "must exist" in refusal(tmp_path / "absent.sgy")


@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_file_cut_anywhere_is_refused_but_between_traces(tmp_path, share):
    whole = tmp_path / "whole.sgy"
    if not whole.exists():
        saved(whole, noise())
    content = whole.read_bytes()
    cut = tmp_path / "cut.sgy"
    cut.write_bytes(content[: int(share * len(content))])

    try:
        part = read(cut)
    except UserError as error:
        told_of(cut, error)
    else:
        assert (cut.stat().st_size - 3600) % (240 + 4 * 50) == 0
        np.testing.assert_array_equal(part["amplitude"], noise()[: part.sizes["trace"]])


@given(at=st.integers(3200, 3600 + 239), byte=st.integers(0, 255))
def test_a_flipped_byte_of_a_header_never_crashes_the_reader(tmp_path, at, byte):
    whole = tmp_path / "whole.sgy"
    if not whole.exists():
        saved(whole, noise())
    content = bytearray(whole.read_bytes())
    content[at] = byte
    (tmp_path / "flipped.sgy").write_bytes(content)

    try:
        read(tmp_path / "flipped.sgy")
    except UserError as error:
        told_of(tmp_path / "flipped.sgy", error)
