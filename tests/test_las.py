"""Well logs are read as lasio reads sound ones; a cut or crooked one is refused by line."""

from pathlib import Path

import lasio
import numpy as np
import pytest
import xarray as xr

from geojax.data.readers import las
from geojax.errors import UserError

GAMMA = {"gamma": {"name": "GR", "units": "gAPI", "long_name": "gamma radiation"}}
BOTH = GAMMA | {"density": {"name": "RHOB", "units": "kg m-3", "long_name": "bulk density"}}
ROWS = "".join(f"{1670 - i / 8:9.3f} {50 + i:8.3f} {2500 + i:9.3f}\n" for i in range(9))
HEADER = """~VERSION INFORMATION
 VERS.                 2.0 : CWLS LOG ASCII STANDARD - VERSION 2.0
 WRAP.                  NO : ONE LINE PER DEPTH STEP
~WELL INFORMATION
 STRT.M           1670.000 : START
 STOP.M           1669.000 : STOP
 STEP.M             -0.125 : STEP
 NULL.             -999.25 : NULL
 WELL.           Brazeau 7 : WELL
~CURVE INFORMATION
 DEPT.M                    : DEPTH
 GR  .GAPI                 : GAMMA RAY
 RHOB.K/M3                 : BULK DENSITY
~ASCII LOG DATA
"""


def saved(tmp_path: Path, content: str, name: str = "well.las") -> Path:
    (tmp_path / name).write_bytes(content.encode())
    return tmp_path / name


def read(*paths: Path, variables=BOTH, selection=None, **options) -> xr.Dataset:
    return las.read({path.name: path for path in paths}, selection or {}, variables, **options)


def refusal(*paths: Path, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(*paths, **options)
    return str(caught.value)


def told(found: xr.Dataset) -> list[tuple[str, int]]:
    return [(finding["kind"], finding["count"]) for finding in found.attrs["quality"]]


def wrapped(lines: str) -> str:
    """The same values, the depth on a line of its own and then one value on each."""
    return HEADER.replace("NO :", "YES:") + "\n".join(lines.split()) + "\n"


def test_a_log_is_that_of_lasio(tmp_path):
    path = saved(tmp_path, HEADER + ROWS)

    found, oracle = read(path), lasio.read(str(path))

    np.testing.assert_array_equal(found["gamma"], oracle["GR"])
    np.testing.assert_array_equal(found["density"], oracle["RHOB"])
    np.testing.assert_array_equal(found["depth"], oracle.index)
    assert set(found["well"].values) == {"Brazeau 7"}
    assert found["gamma"].dims == ("sample",)
    assert found["depth"].attrs["units"] == "m"
    assert told(found) == []


def test_a_wrapped_log_is_the_same(tmp_path):
    plain = saved(tmp_path, HEADER + ROWS)

    xr.testing.assert_identical(read(saved(tmp_path, wrapped(ROWS), "wrapped.las")), read(plain))


def test_version_1_2_names_its_well_on_the_other_side(tmp_path):
    older = HEADER.replace(" 2.0 :", " 1.2 :").replace("Brazeau 7 : WELL", "WELL : Brazeau 7")

    assert set(read(saved(tmp_path, older + ROWS))["well"].values) == {"Brazeau 7"}


def test_the_null_of_the_header_is_missing_however_it_is_written(tmp_path):
    rows = ROWS.replace("  50.000", "-999.2500").replace("  51.000", " -999.25")

    found = read(saved(tmp_path, HEADER + rows))

    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found["gamma"])), [0, 1])
    assert told(found) == []


def test_another_null_is_found_and_left(tmp_path):
    found = read(saved(tmp_path, HEADER + ROWS.replace("  50.000", "-9999.00").replace("  51.000", "-9999.00")))

    assert told(found) == [("fill", 2)]
    assert (found["gamma"][:2] == -9999).all()


def test_wells_follow_one_another_on_samples(tmp_path):
    paths = [saved(tmp_path, HEADER.replace("Brazeau 7", name) + ROWS, f"{name}.las") for name in ("A", "B")]

    found = read(*paths)

    assert found["well"].values.tolist() == ["A"] * 9 + ["B"] * 9
    assert read(*paths, selection={"stations": {"B"}})["well"].values.tolist() == ["B"] * 9
    assert "must stand in one file" in refusal(paths[0], saved(tmp_path, paths[0].read_text(), "copy.las"))
    assert "must lie on `dim: sample`" in refusal(*paths, dim="depth")


def test_one_well_may_lie_on_depth(tmp_path):
    found = read(saved(tmp_path, HEADER + ROWS), dim="depth")

    assert found["gamma"].dims == ("depth",)
    assert found["well"].item() == "Brazeau 7"


def test_a_curve_that_a_well_lacks_is_missing_only_where_it_is_optional(tmp_path):
    sonic = BOTH | {"sonic": {"name": "DT", "units": "us m-1", "long_name": "slowness"}}
    path = saved(tmp_path, HEADER + ROWS)

    assert "must hold a curve `DT`, but holds DEPT, GR, RHOB" in refusal(path, variables=sonic)
    assert np.isnan(read(path, variables=sonic, optional=["sonic"])["sonic"]).all()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("RHOB.K/M3", "RHOB.G/C3", "`RHOB` must be in 'kg m-3', but its units are 'G/C3'"),
        ("DEPT.M ", "DEPT.F ", "`DEPT` must be in 'm', but its units are 'F'"),
        ("STOP.M ", "STOP.FT", "STOP must be in 'm', but its units are 'FT'"),
        ("1669.000 : STOP", "1660.000 : STOP", "depths must run from 1670 to 1660 (STRT, STOP), but end at 1669"),
        ("   51.000  2501.000", "   51.000", "line 16: must hold 3 values (DEPT, GR, RHOB), but holds 2"),
        ("   51.000  2501.000", "   51.000  2501.000 1", "line 16: must hold 3 values (DEPT, GR, RHOB), but holds 4"),
        ("   51.000", "   51.0x0", "line 16: `GR` must be a number, but is '51.0x0'"),
        ("   51.000", "   51,000", "line 16: `GR` must be a number, but is '51,000'"),
        (" 1669.875", "  -999.25", "line 16: `DEPT` must be a depth"),
        (" 2.0 :", " 3.0 :", "must be LAS 1.2 or 2.0, but says 3.0"),
        ("Brazeau 7", "", "must name its well"),
        ("~ASCII", "~OTHER", "must be a LAS file with a section ~A"),
        ("1669.000 : STOP", "deep     : STOP", "STOP must be a number, but is 'deep'"),
    ],
)
def test_a_crooked_log_is_refused_in_words(tmp_path, old, new, words):
    content = (HEADER + ROWS).replace(old, new, 1)
    assert content != HEADER + ROWS

    path = saved(tmp_path, content)

    assert f"{path}: " in refusal(path)
    assert words in refusal(path)


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        (" 1669.875", " 1669.800", ("misaligned", 2)),
        (" 1669.875", " 1670.000", ("duplicate", 1)),
        (" 1669.875", " 1670.125", ("order", 1)),
        (ROWS.splitlines(keepends=True)[3], "", ("gap", 1)),
        ("1670.000 : START", "1680.000 : START", ("warning", 1)),
        ("RHOB.K/M3", "RHOB.    ", ("metadata", 1)),
        (" NULL.             -999.25 : NULL\n", "", ("warning", 1)),
    ],
)
def test_doubts_about_depths_units_and_nulls_are_told(tmp_path, old, new, finding):
    content = (HEADER + ROWS).replace(old, new, 1)
    assert content != HEADER + ROWS

    assert finding in told(read(saved(tmp_path, content)))


def test_depths_rounded_by_their_last_digit_are_even_steps(tmp_path):
    header = HEADER.replace("-0.125", "-0.1524").replace("1669.000", "1668.78")
    rows = "".join(f"{1670 - 0.1524 * i:.2f} 50 2500\n" for i in range(9))

    assert told(read(saved(tmp_path, header + rows))) == []


def test_a_missing_file_and_other_content_are_refused(tmp_path):
    assert "must exist" in refusal(tmp_path / "none.las")
    assert "must be a LAS file" in refusal(saved(tmp_path, "depth,gr\n1,2\n"))
    assert "zero bytes" in refusal(saved(tmp_path, "~A\0\0"))


@pytest.mark.parametrize("content", [HEADER + ROWS, wrapped(ROWS)], ids=["plain", "wrapped"])
def test_a_log_cut_anywhere_is_refused_or_told(tmp_path, content, rng):
    whole = read(saved(tmp_path, content))
    for size in rng.integers(0, len(content) - 1, 80):
        try:
            found = read(saved(tmp_path, content[:size]))
        except UserError:
            continue
        assert told(found) == [("unproven", 1)]  # in its last number
        xr.testing.assert_equal(found["depth"], whole["depth"])
