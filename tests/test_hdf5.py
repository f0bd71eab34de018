"""HDF5 series are read to the last digit; what contradicts itself is refused by name."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from geojax.data.readers import hdf5
from geojax.errors import UserError

RC = {"rc": {"name": "RC", "units": "nT", "long_name": "index of the ring current"}}
OPTIONS = {"time_format": "days since 2000-01-01", "resolution": "1s"}
HOURS = np.round((np.arange(48) + 0.5) / 24, 8)  # of 2000-01-01 and 02, as decimals of a day


def written(path: Path, **datasets: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


def observed(path: Path, variables: Any = RC, selection: Any = None, **options: Any) -> Any:
    return hdf5.read({path.name: path}, selection or {}, variables, **(OPTIONS | options))


def refusal(path: Path, variables: Any = RC, selection: Any = None, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        observed(path, variables, selection, **options)
    return str(caught.value)


def test_a_part_takes_its_span_with_times_rounded_as_declared(tmp_path):
    path = written(tmp_path / "rc.h5", time=HOURS, RC=-np.arange(48.0))

    found = observed(path, selection={"span": ("2000-01-02", "2000-01-03")})

    np.testing.assert_array_equal(found["rc"], -np.arange(24.0, 48.0))
    assert found["time"].values[0] == np.datetime64("2000-01-02T00:30:00")
    assert set(np.diff(found["time"].values)) == {np.timedelta64(1, "h")}
    assert [f["kind"] for f in found.attrs["quality"]] == ["metadata"]  # the file tells no units


def test_what_the_file_calls_missing_is_nan_and_its_units_are_believed(tmp_path):
    path = written(tmp_path / "rc.h5", time=HOURS, RC=np.arange(48))
    with h5py.File(path, "a") as file:
        file["RC"].attrs.update({"units": "nT", "_FillValue": 7})

    found = observed(path, missing=[9])

    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found["rc"])), [7, 9])
    assert found.attrs["quality"] == []


def test_further_dimensions_have_their_coordinates(tmp_path):
    field = np.arange(96.0).reshape(48, 2)
    path = written(tmp_path / "rc.h5", time=HOURS, RC=field, z=[10.0, 20.0])

    found = observed(path, dimensions=["time", "depth"], coordinates={"depth": {"name": "z", "units": "m"}})

    np.testing.assert_array_equal(found["rc"].sel(depth=20.0), field[:, 1])


@pytest.mark.parametrize(
    ("datasets", "options", "said"),
    [
        ({"time": HOURS, "Dst": HOURS}, {}, "must hold numbers in a dataset `RC`, but holds Dst, time"),
        ({"time": HOURS, "RC": HOURS[:40]}, {}, "the first of the 48 times, but has shape \\(40,\\)"),
        ({"time": HOURS[::-1], "RC": HOURS}, {}, "row 1: times must increase"),
        ({"time": HOURS + 1e-4, "RC": HOURS}, {"resolution": "1min"}, "within a tenth of 1min"),
        ({"time": HOURS, "RC": HOURS}, {"time_format": None}, "must tell its times as"),
        ({"time": HOURS * np.nan, "RC": HOURS}, {}, "row 0: `/?time` must be a number of days"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path, datasets, options, said):
    with pytest.raises(UserError, match=said):
        observed(written(tmp_path / "rc.h5", **datasets), **options)


def test_other_units_wild_values_and_other_years_are_refused(tmp_path):
    path = written(tmp_path / "rc.h5", time=HOURS, RC=np.full(48, -600.0))
    ranged = {"rc": RC["rc"] | {"valid_range": [-500, 100]}}

    assert "must lie in -500 … 100, but 48 values do not" in refusal(path, ranged)
    assert "must hold times from 1999-01-01" in refusal(path, selection={"span": ("1999-01-01", "2000-01-01")})
    with h5py.File(path, "a") as file:
        file["RC"].attrs["units"] = "T"
    assert "must be in 'nT', but its units are 'T'" in refusal(path)


def test_a_file_cut_short_is_refused(tmp_path):
    path = written(tmp_path / "rc.h5", time=np.arange(100_000.0), RC=np.arange(100_000.0))
    path.write_bytes(path.read_bytes()[:900_000])

    assert "Fetch it again" in refusal(path)
