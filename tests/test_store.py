"""A store is what was given, whole or absent, and its manifest knows every byte of it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from geojax import store
from geojax.errors import UserError


@pytest.fixture
def fields(rng) -> xr.Dataset:
    """Fields with what geophysics brings: land as NaN, whole numbers, flags, codes, times, attributes."""
    sst = rng.normal(20, 3, (12, 4, 5)).astype("float32")
    sst[:, 0, 0] = np.nan
    return xr.Dataset(
        {
            "sst": (("time", "lat", "lon"), sst, {"units": "degree_Celsius", "valid_range": [-2, 40]}),
            "count": ("lat", np.arange(4, dtype="int32")),
            "picked": ("lat", np.array([True, False, True, True])),
        },
        coords={
            "time": pd.date_range("1991-01-16", periods=12, freq="30D"),
            "lat": ("lat", np.linspace(-7.5, 7.5, 4), {"units": "degrees_north"}),
            "lon": ("lon", np.arange(5) * 5.0),
            "code": ("lat", ["1001", "1002", "A", "B-1"]),
        },
        attrs={"Conventions": "CF-1.12", "part": "1991"},
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def manifest(path: Path) -> dict:
    return json.loads(store.manifest_of(path).read_text())


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_store_holds_what_was_given(fields, tmp_path):
    store.write(fields, tmp_path / "a.zarr")

    xr.testing.assert_identical(store.read(tmp_path / "a.zarr").load(), fields)


def test_a_store_can_be_named_by_its_manifest(fields, tmp_path):
    store.write(fields, tmp_path / "a.zarr")

    xr.testing.assert_identical(store.read(tmp_path / "a.manifest.json").load(), fields)


@given(
    arrays.arrays(
        st.sampled_from(["float32", "float64", "int16", "int64", "bool"]),
        arrays.array_shapes(max_dims=3, max_side=5, min_side=0),
    )
)
def test_every_bit_comes_back(tmp_path, values):
    given_ = xr.Dataset({"x": (tuple("abc"[: values.ndim]), values)})

    store.write(given_, tmp_path / "a.zarr")
    back = store.read(tmp_path / "a.zarr")["x"].values

    assert (back.dtype, back.shape, back.tobytes()) == (values.dtype, values.shape, values.tobytes())


def test_two_writes_of_the_same_content_are_the_same_bytes(fields, tmp_path):
    for folder in ("one", "two"):
        store.write(fields.copy(deep=True), tmp_path / folder / "a.zarr", raw={"sst.nc": "0123"})

    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_store_read_and_written_again_is_the_same_bytes(fields, tmp_path):
    store.write(fields, tmp_path / "one" / "a.zarr")
    store.write(store.read(tmp_path / "one" / "a.zarr"), tmp_path / "two" / "a.zarr")

    assert contents(tmp_path / "one" / "a.zarr") == contents(tmp_path / "two" / "a.zarr")


@settings(max_examples=8)
@given(st.integers(0, 239))
def test_another_value_anywhere_gives_another_digest_to_its_array_and_the_whole_only(tmp_path, place):
    one = xr.Dataset({"x": ("a", np.arange(240.0)), "y": ("a", np.arange(240.0))})
    two = one.copy(deep=True)
    two["x"][place] += 1e-9

    store.write(one, tmp_path / "one.zarr")
    store.write(two, tmp_path / "two.zarr")

    one, two = manifest(tmp_path / "one.zarr"), manifest(tmp_path / "two.zarr")
    assert one["digest"] != two["digest"]
    assert one["arrays"]["x"]["digest"] != two["arrays"]["x"]["digest"]
    assert one["arrays"]["y"] == two["arrays"]["y"]


def test_another_unit_gives_another_digest(fields, tmp_path):
    store.write(fields, tmp_path / "one.zarr")
    fields["sst"].attrs["units"] = "K"
    store.write(fields, tmp_path / "two.zarr")

    assert manifest(tmp_path / "one.zarr")["digest"] != manifest(tmp_path / "two.zarr")["digest"]


def test_a_manifest_tells_shape_type_and_span_of_time_and_the_facts_handed_over(fields, tmp_path):
    store.write(fields.isel(time=[5, 0, 3]), tmp_path / "a.zarr", raw={"sst.nc": "0123"})

    told = manifest(tmp_path / "a.zarr")

    assert told["arrays"]["sst"]["shape"] == {"time": 3, "lat": 4, "lon": 5}
    assert told["arrays"]["sst"]["dtype"] == "float32"
    assert [moment[:10] for moment in told["time_span"]] == ["1991-01-16", "1991-06-15"]
    assert told["raw"] == {"sst.nc": "0123"}
    assert {"geojax", "numpy", "xarray", "zarr"} <= set(told["versions"])


def test_a_store_without_times_has_no_span_of_time(tmp_path):
    store.write(xr.Dataset({"x": ("a", [1.0])}), tmp_path / "a.zarr")

    assert manifest(tmp_path / "a.zarr")["time_span"] is None


def test_the_span_of_time_leaves_out_what_is_no_time(tmp_path):
    times = np.array(["2024-05-03", "NaT", "2024-05-01"], "M8[ns]")
    for name, own in (("some", times), ("none", times[1:2])):
        store.write(xr.Dataset(coords={"time": own}), tmp_path / f"{name}.zarr")

    assert [moment[:10] for moment in manifest(tmp_path / "some.zarr")["time_span"]] == ["2024-05-01", "2024-05-03"]
    assert manifest(tmp_path / "none.zarr")["time_span"] is None


def test_an_untouched_store_agrees_with_its_manifest(fields, tmp_path):
    store.write(fields, tmp_path / "a.zarr")

    assert store.differences(tmp_path / "a.zarr") == store.differences(tmp_path / "a.manifest.json") == []


def test_a_changed_byte_is_named(fields, tmp_path):
    store.write(fields, tmp_path / "a.zarr")

    for name, content in contents(tmp_path / "a.zarr").items():
        place = tmp_path / "a.zarr" / name
        place.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert store.differences(tmp_path / "a.zarr") == [f"{place}: content differs"]
        place.write_bytes(content)


def test_a_missing_chunk_is_named(fields, tmp_path):
    store.write(fields, tmp_path / "a.zarr")
    (tmp_path / "a.zarr/sst/c/0/0/0").unlink()

    assert store.differences(tmp_path / "a.zarr") == [f"{tmp_path}/a.zarr/sst/c/0/0/0: missing"]


def test_a_chunk_too_many_is_named(fields, tmp_path):
    store.write(fields, tmp_path / "a.zarr")
    (tmp_path / "a.zarr/sst/c/0/0/1").write_bytes(b"x")

    assert store.differences(tmp_path / "a.zarr") == [f"{tmp_path}/a.zarr/sst/c/0/0/1: not in the manifest"]


def test_the_mark_that_snakemake_leaves_inside_is_no_difference(fields, tmp_path):
    store.write(fields, tmp_path / "a.zarr")
    (tmp_path / "a.zarr/.snakemake_timestamp").touch()

    assert store.differences(tmp_path / "a.zarr") == []
    xr.testing.assert_identical(store.read(tmp_path / "a.zarr").load(), fields)


def test_a_manifest_of_the_first_format_still_serves(fields, tmp_path):
    store.write(fields, tmp_path / "a.zarr", chunks={"time": 5})
    told = manifest(tmp_path / "a.zarr")
    for array in told["arrays"].values():
        array.pop("chunks", None)
    store.write_json(told | {"format": 1}, tmp_path / "a.manifest.json")

    assert store.differences(tmp_path / "a.zarr") == []
    shard = tmp_path / "a.zarr/sst/c/0/0/0"
    shard.write_bytes(shard.read_bytes()[:-1] + b"!")
    assert store.differences(tmp_path / "a.zarr") == [f"{shard}: content differs"]
    xr.testing.assert_identical(store.read(tmp_path / "a.zarr")[["count"]].load(), fields[["count"]])


def test_a_manifest_of_a_newer_format_is_refused(fields, tmp_path):
    store.write(fields, tmp_path / "a.zarr")
    store.write_json(manifest(tmp_path / "a.zarr") | {"format": 99}, tmp_path / "a.manifest.json")

    for ask in (store.read, store.differences):
        with pytest.raises(UserError, match=r"a\.manifest\.json: must be of format 2 or older, but is of 99"):
            ask(tmp_path / "a.zarr")


def test_a_store_without_manifest_cannot_be_compared(fields, tmp_path):
    store.write(fields, tmp_path / "a.zarr")
    (tmp_path / "a.manifest.json").unlink()

    with pytest.raises(UserError, match=r"a\.manifest\.json: must be JSON written by geojax"):
        store.differences(tmp_path / "a.zarr")


def test_an_absent_store_is_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r"gone\.zarr: must be a Zarr store"):
        store.read(tmp_path / "gone.zarr")


@pytest.mark.parametrize("keep", [None, 0.0, 0.5, -1])
def test_a_store_that_lost_any_file_or_its_end_is_refused_and_never_read_as_gaps(fields, tmp_path, keep):
    store.write(fields, tmp_path / "a.zarr")

    for name, content in contents(tmp_path / "a.zarr").items():
        place = tmp_path / "a.zarr" / name
        if keep is None:
            place.unlink()
        else:
            place.write_bytes(content[: -1 if keep == -1 else int(keep * len(content))])
        with pytest.raises(UserError, match=r"a\.zarr: must be "):
            store.read(tmp_path / "a.zarr")
        place.write_bytes(content)


def test_a_new_store_takes_the_place_of_the_old_and_leaves_nothing_beside(fields, tmp_path):
    store.write(fields.isel(lat=[0]), tmp_path / "a.zarr")
    store.write(fields, tmp_path / "a.zarr")

    xr.testing.assert_identical(store.read(tmp_path / "a.zarr").load(), fields)
    assert names(tmp_path) == ["a.manifest.json", "a.zarr"]


def test_a_writer_that_fails_leaves_the_old_store_and_nothing_of_the_new(fields, tmp_path, monkeypatch):
    store.write(fields, tmp_path / "a.zarr")
    before = contents(tmp_path)

    def fails(self, target, **_):
        group = target.zarr_group.store.root
        (group / "sst").mkdir(parents=True)
        (group / "sst" / "zarr.json").write_text("{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "dump_to_store", fails)
    for path in ("a.zarr", "b.zarr"):
        with pytest.raises(UserError, match=rf"{path}: must be written whole, but no space is left on the disk \("):
            store.write(fields, tmp_path / path)

    assert contents(tmp_path) == before


KILLED = """
import json, os, random, shutil, signal, sys, time
import xarray.backends.zarr, zarr.api.synchronous  # once, not in every child
import numpy as np, xarray as xr
from pathlib import Path
from geojax import store

folder, mode = Path(sys.argv[1]), sys.argv[2]
path = folder / "a.zarr"
one, two = (xr.Dataset({"x": ("t", np.full(64, value))}) for value in (1.0, 2.0))

def child(*actions):  # each writer is a process of its own, as a job is
    pid = os.fork()
    if pid == 0:
        for action in actions:
            action()
        os._exit(0)
    return pid

def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

changes = 0
def dying(n):  # at the n-th time that anything on the disk is about to change
    def hook(event, args):
        global changes
        writes = event == "open" and (args[1] or "r")[0] in "wxa" or event in {
            "os.rename", "os.remove", "os.rmdir", "os.mkdir"}
        changes += writes
        if writes and changes == n:
            os._exit(9)
    sys.addaudithook(hook)

def state():
    if not store.manifest_of(path).exists():
        return "nothing"
    if not path.exists() or store.differences(path):
        return "TORN"
    return known.get(store.read_json(store.manifest_of(path))["digest"], "UNKNOWN")

known = {}
for name, content in (("old", one), ("new", two)):
    assert ended(child(lambda: store.write(content, path))) == 0
    known[store.read_json(store.manifest_of(path))["digest"]] = name
shutil.copytree(folder, folder.with_name("two"))
assert ended(child(lambda: store.write(one, path))) == 0
shutil.copytree(folder, folder.with_name("one"))
states, left = [], set()
if mode == "everywhere":
    total = ended(child(lambda: dying(0), lambda: store.write(two, path), lambda: os._exit(changes)))
    assert 20 < total < 250
    for n in sorted({*range(1, total, 5), *range(total - 12, total + 2)}):  # all once the store itself is written
        for start in ("one", None) if n % 4 == 0 else ("one",):
            shutil.rmtree(folder)
            shutil.copytree(folder.with_name("one"), folder) if start else folder.mkdir()
            code = ended(child(lambda: dying(n), lambda: store.write(two, path)))
            states.append((start, code, state()))
            if n % 4 == 0:
                assert ended(child(lambda: store.write(two, path))) == 0 and state() == "new"
                left |= set(os.listdir(folder))
    assert code == 0
else:
    random.seed(1)
    for _ in range(4):
        pid = child(*(lambda c=c: store.write(c, path) for c in (two, one) * 1000))
        time.sleep(random.uniform(0.02, 0.15))
        os.kill(pid, signal.SIGKILL)
        states.append(("one", ended(pid), state()))
    assert ended(child(lambda: store.write(two, path))) == 0 and state() == "new"
    left |= set(os.listdir(folder))
print(json.dumps([states, sorted(left)]))
"""


@pytest.mark.parametrize("mode", ["everywhere", "at random"])
def test_a_writer_that_is_killed_leaves_the_old_the_new_or_nothing_and_the_next_clears_up(tmp_path, mode):
    (tmp_path / "stores").mkdir()

    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "stores"), mode], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    states, left = json.loads(done.stdout)
    killed = [(start, state) for start, code, state in states if code != 0]
    assert len(killed) >= 4
    assert {state for start, state in killed if start} <= {"old", "new", "nothing"}
    assert {state for start, state in killed if not start} <= {"nothing", "new"}
    assert left == ["a.manifest.json", "a.zarr"]


def test_what_a_killed_writer_left_is_not_in_the_way_and_goes(fields, tmp_path):
    for name in ("a.zarr", "a.json", "a.parquet"):
        shutil.copytree(Path(__file__).parent, tmp_path / f".{name}.writing" / "new")

    store.write(fields, tmp_path / "a.zarr")
    store.write_json({}, tmp_path / "a.json")
    store.write_table(pd.DataFrame({"x": [1]}), tmp_path / "a.parquet")

    xr.testing.assert_identical(store.read(tmp_path / "a.zarr").load(), fields)
    assert names(tmp_path) == ["a.json", "a.manifest.json", "a.parquet", "a.zarr"]


def test_what_another_store_is_being_written_to_is_left_alone(fields, tmp_path):
    others = [".a.zarr.zarr.writing", ".b.zarr.writing", ".a.zarr", "a.zarr.writing", ".a.manifest.json.writing"]
    for name in others:
        (tmp_path / name).mkdir()

    store.write(fields, tmp_path / "a.zarr")

    assert names(tmp_path) == sorted([*others, "a.manifest.json", "a.zarr"])


def test_a_second_writer_of_the_same_store_is_refused_and_one_of_another_is_not(fields, tmp_path, monkeypatch):
    def meanwhile(dataset, new, **options):
        monkeypatch.undo()
        with pytest.raises(UserError, match=r"a\.zarr: another process is writing it"):
            store.write(fields.isel(lat=[0]), tmp_path / "a.zarr")
        store.write(fields.isel(lat=[0]), tmp_path / "b.zarr")
        return dataset.dump_to_store(new, **options)

    monkeypatch.setattr(xr.Dataset, "dump_to_store", meanwhile)
    store.write(fields, tmp_path / "a.zarr")

    xr.testing.assert_identical(store.read(tmp_path / "a.zarr").load(), fields)
    xr.testing.assert_identical(store.read(tmp_path / "b.zarr").load(), fields.isel(lat=[0]))
    assert names(tmp_path) == ["a.manifest.json", "a.zarr", "b.manifest.json", "b.zarr"]


def test_no_writer_lists_the_folder_that_all_parts_lie_in(fields, tmp_path, monkeypatch):
    listed = []
    scandir, listdir = os.scandir, os.listdir
    monkeypatch.setattr(os, "scandir", lambda path=".": listed.append(str(path)) or scandir(path))
    monkeypatch.setattr(os, "listdir", lambda path=".": listed.append(str(path)) or listdir(path))

    store.write(fields, tmp_path / "a.zarr")
    store.write_json({}, tmp_path / "a.json")

    assert listed
    assert {str(tmp_path), f"{tmp_path}/"}.isdisjoint(listed)


def test_json_that_cannot_be_put_in_place_leaves_the_old(tmp_path, monkeypatch):
    store.write_json({"a": 1}, tmp_path / "a.json")

    def fails(*_):
        raise OSError("disk gone")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="disk gone"):
        store.write_json({"a": 2}, tmp_path / "a.json")

    assert store.read_json(tmp_path / "a.json") == {"a": 1}
    assert names(tmp_path) == ["a.json"]


def test_json_that_cannot_be_written_leaves_the_old(tmp_path):
    store.write_json({"a": 1}, tmp_path / "a.json")

    with pytest.raises(TypeError):
        store.write_json({"a": object()}, tmp_path / "a.json")

    assert store.read_json(tmp_path / "a.json") == {"a": 1}


def test_a_table_comes_back_as_it_was_and_makes_its_folder(tmp_path):
    table = pd.DataFrame({"part": ["1991", "1992"], "time": pd.to_datetime(["1991-01-01", "1992-01-01"]), "x": [1, 2]})

    store.write_table(table, tmp_path / "new" / "index.parquet")

    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "new" / "index.parquet"), table)
    assert names(tmp_path / "new") == ["index.parquet"]


def test_a_table_that_cannot_be_written_leaves_the_old(tmp_path):
    store.write_table(pd.DataFrame({"x": [1, 2]}), tmp_path / "a.parquet")

    with pytest.raises(Exception, match="object"):
        store.write_table(pd.DataFrame({"x": [1, object()]}), tmp_path / "a.parquet")

    assert list(pd.read_parquet(tmp_path / "a.parquet")["x"]) == [1, 2]
    assert names(tmp_path) == ["a.parquet"]


@pytest.mark.parametrize("content", [None, "", "{", "\x00"])
def test_a_manifest_that_cannot_be_read_is_refused_by_name(tmp_path, content):
    if content is not None:
        (tmp_path / "a.json").write_text(content)

    with pytest.raises(UserError, match=r"a\.json: must be JSON written by geojax"):
        store.read_json(tmp_path / "a.json")


def test_the_digest_of_a_file_is_its_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")

    assert store.digest(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.lists(st.integers(), max_size=3), max_size=6))
def test_the_digest_of_a_mapping_does_not_depend_on_the_order_of_its_keys(content):
    backwards = dict(reversed(content.items()))

    assert store.digest_of(content) == store.digest_of(backwards)
    assert store.digest_of(content) != store.digest_of(content | {"one more": 1})


@pytest.mark.parametrize("name", ["1991", "a.b", "x.zarr", "west_end"])
def test_what_stands_beside_a_store_bears_its_name(name):
    store_, told = Path("data") / f"{name}.zarr", Path("data") / f"{name}.manifest.json"

    assert store.manifest_of(store_) == told
    assert store.beside(told, ".zarr") == store_
    assert store.beside(told, ".parquet") == Path("data") / f"{name}.parquet"


def test_blocks_written_one_after_the_other_are_the_whole(tmp_path, rng):
    values, other = rng.normal(size=(23, 4, 2)), rng.normal(size=9).astype("float32")

    def blocks():
        for first in range(0, 23, 5):
            own = values[first : first + 5]
            yield xr.Dataset({"test": (("test_example", "a", "b"), own, {"units": "K"})})
        yield xr.Dataset({"validation": ("validation_example", other)})

    store.write_blocks(blocks(), tmp_path / "x.zarr", chosen={"a": 1})
    found = store.read(tmp_path / "x.zarr")

    np.testing.assert_array_equal(found["test"], values)
    np.testing.assert_array_equal(found["validation"], other)
    assert (found["test"].dims, found["test"].attrs["units"]) == (("test_example", "a", "b"), "K")
    assert store.differences(tmp_path / "x.zarr") == []
    told = store.read_json(tmp_path / "x.manifest.json")
    assert (told["chosen"], told["arrays"]["test"]["shape"]["test_example"]) == ({"a": 1}, 23)


def test_a_failure_between_blocks_leaves_the_old_store(tmp_path):
    store.write_blocks([xr.Dataset({"a": ("x", np.ones(3))})], tmp_path / "x.zarr")

    def blocks():
        yield xr.Dataset({"a": ("x", np.zeros(3))})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.write_blocks(blocks(), tmp_path / "x.zarr")

    assert (store.read(tmp_path / "x.zarr")["a"] == 1).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.manifest.json", "x.zarr"]


def test_parts_that_were_not_set_aside_come_in_order_with_their_manifests(tmp_path):
    for name, facts in (("a", {}), ("b", {"quarantined": "broken"}), ("c", {"own": ["c.nc"]})):
        store.write(xr.Dataset(), tmp_path / f"{name}.zarr", **facts)
    parts = [tmp_path / f"{name}.manifest.json" for name in "cba"]

    found = list(store.usable(parts))

    assert found == [(parts[0], manifest(parts[0])), (parts[2], manifest(parts[2]))]
    with pytest.raises(UserError, match="all 1 parts are set aside; the first: broken"):
        list(store.usable(parts[1:2]))


@pytest.mark.parametrize("write", [store.write, lambda dataset, path: store.write_blocks([dataset], path)])
def test_a_name_that_would_make_a_group_of_a_variable_is_refused(write, tmp_path):
    with pytest.raises(UserError, match="variable `STA/LTA`: a name must not hold a slash"):
        write(xr.Dataset({"STA/LTA": ("x", [1.0])}), tmp_path / "a.zarr")

    assert not (tmp_path / "a.zarr").exists()
