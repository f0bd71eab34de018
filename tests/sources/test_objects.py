"""Objects and pieces of Zarr stores come from real servers: the chunks that are needed, all of them, and no others."""

import hashlib
import threading
import warnings
from pathlib import Path
from urllib.parse import unquote

import boto3
import numpy as np
import pytest
import xarray as xr
from loopback import Quiet, serve
from moto.server import ThreadedMotoServer

from geojax import stages, store
from geojax.config import Dataset, load
from geojax.data import parts, raw, sources
from geojax.data.sources import objects
from geojax.errors import NothingThereError, UserError

pytestmark = pytest.mark.usefixtures("loopback", "logins")
CONTENT = np.random.default_rng(0).bytes(300_001)
DAYS = np.datetime64("1991-01-01") + np.arange(90)


@pytest.fixture
def logins(monkeypatch):
    """The environment of someone with a login."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(objects, "RETRIES", 2)


@pytest.fixture(scope="module")
def s3():
    """The address of an S3 server, with a bucket `open`."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    client = boto3.client(
        "s3", "us-east-1", endpoint_url=address, aws_access_key_id="test", aws_secret_access_key="test"
    )
    client.create_bucket(Bucket="open", ACL="public-read-write")
    client.put_object(Bucket="open", Key="a/sst_1991.nc", Body=CONTENT, ACL="public-read")
    yield address, client
    server.stop()


class Folder(Quiet):
    """A plain web server of a folder, which lists nothing; it takes down what was asked for."""

    root: Path
    asked: list[str]
    broken: dict[str, int]  # path: status
    lock = threading.Lock()

    def get(self) -> None:
        path = unquote(self.path.split("?")[0]).strip("/")
        with self.lock:
            self.asked.append(path)
        if path in self.broken:
            return self.answer(self.broken[path])
        if not (self.root / path).is_file():
            return self.answer(404)
        content, wanted = (self.root / path).read_bytes(), self.headers["Range"]
        if not wanted:
            return self.answer(200, content)
        first, last = wanted.removeprefix("bytes=").split("-")
        start = int(first) if first else len(content) - int(last)
        end = min(int(last) + 1, len(content)) if first and last else len(content)
        return self.answer(206, content[start:end], Content_Range=f"bytes {start}-{end - 1}/{len(content)}")


@pytest.fixture
def web(tmp_path):
    fresh = type("Fresh", (Folder,), {"root": tmp_path / "web", "asked": [], "broken": {}})
    with serve(fresh) as address:
        fresh.address = address
        yield fresh


def field() -> xr.Dataset:
    """Ninety days of a packed field in chunks of 30 × 4 × 5, another variable, and a 360th meridian to mind."""
    values = np.arange(90 * 8 * 10, dtype="i2").reshape(90, 8, 10)
    values[3, 2, 1] = -32768
    packed = {"scale_factor": 0.01, "add_offset": 20.0, "units": "degree_Celsius"}
    coords = {"time": DAYS.astype("M8[ns]"), "lat": np.linspace(70, -70, 8), "lon": np.arange(10) * 36.0}
    content = xr.Dataset(
        {
            "sst": (("time", "lat", "lon"), values, packed | {"_FillValue": np.int16(-32768)}),
            "ice": (("time", "lat", "lon"), values.astype("f4"), {"units": "1"}),
        },
        coords,
    )
    for name in ("sst", "ice"):
        content[name].encoding["chunks"] = (30, 4, 5)
    return content


def write(folder: Path, zarr_format: int, consolidated: bool = True, shards: bool = False) -> None:
    content = field()
    encoding = {name: {"chunks": (30, 4, 5)} for name in ("sst", "ice")}
    for own in encoding.values():
        own |= {"shards": (30, 8, 10)} if shards else {}
    with warnings.catch_warnings(action="ignore"):  # consolidated metadata are not yet in the specification of v3
        content.to_zarr(folder, zarr_format=zarr_format, consolidated=consolidated, encoding=encoding)


def order(url: str, **changes) -> dict:
    own = {"kind": "objects", "url": url, "variables": [], "region": {}}
    access = {"endpoint": None, "region": None, "skip_signature": False, "missing_is_fill": False}
    return own | changes | {"options": access | changes.get("options", {})}


def from_s3(s3, key: str, **changes) -> dict:
    return order(f"s3://open/{key}", options={"endpoint": s3[0]} | changes.pop("options", {}), **changes)


def upload(s3, folder: Path, prefix: str) -> None:
    for path in (path for path in folder.rglob("*") if path.is_file()):
        key = f"{prefix}/{path.relative_to(folder)}"
        s3[1].put_object(Bucket="open", Key=key, Body=path.read_bytes(), ACL="public-read")


def opened(path: Path) -> xr.Dataset:
    with xr.open_dataset(path) as content:
        return content.load()


def expected() -> xr.Dataset:
    return xr.decode_cf(field())


def test_an_object_comes_under_its_own_name_and_its_version_is_logged(s3, tmp_path, caplog):
    objects.logger.addHandler(caplog.handler)
    try:
        with caplog.at_level("INFO", "geojax"):
            digests = sources.fetch(from_s3(s3, "a/sst_1991.nc"), tmp_path / "1991")
    finally:
        objects.logger.removeHandler(caplog.handler)

    assert (tmp_path / "1991/sst_1991.nc").read_bytes() == CONTENT
    assert digests == {"sst_1991.nc": hashlib.sha256(CONTENT).hexdigest()}
    assert hashlib.md5(CONTENT).hexdigest() in caplog.text  # which S3 gives as the ETag
    assert f"{len(CONTENT)} bytes" in caplog.text


def test_open_data_need_no_login(s3, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    sources.fetch(from_s3(s3, "a/sst_1991.nc", options={"skip_signature": True}), tmp_path / "1991")

    assert (tmp_path / "1991/sst_1991.nc").read_bytes() == CONTENT


def test_an_object_of_a_plain_web_server_comes_too(web, tmp_path):
    web.root.mkdir()
    (web.root / "sst.nc").write_bytes(CONTENT)

    sources.fetch(order(f"{web.address}/sst.nc"), tmp_path / "1991")

    assert (tmp_path / "1991/sst.nc").read_bytes() == CONTENT


def test_a_key_that_is_not_there_is_told(s3, tmp_path):
    with pytest.raises(UserError, match=r"s3://open/a/tos\.nc: there is no such object\. Correct `source: url`"):
        sources.fetch(from_s3(s3, "a/tos.nc"), tmp_path / "1991")

    assert not (tmp_path / "1991").exists()


def test_a_bucket_that_is_not_there_is_told(s3, tmp_path):
    with pytest.raises(UserError, match=r"there is no such bucket"):
        sources.fetch(order("s3://shut/x.nc", options={"endpoint": s3[0]}), tmp_path / "1991")


@pytest.mark.parametrize("name", ["x.nc", "x.zarr"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_told_with_what_to_set(web, tmp_path, name, status):
    web.get = lambda self: self.answer(status)

    with pytest.raises(UserError, match=r"the store refuses it .*skip_signature.* AWS_ACCESS_KEY_ID"):
        sources.fetch(order(f"s3://open/{name}", options={"endpoint": web.address}), tmp_path / "1991")


@pytest.mark.parametrize("name", ["x.nc", "x.zarr"])
def test_an_endpoint_that_cannot_be_reached_is_told(tmp_path, name):
    nobody = order(f"s3://open/{name}", options={"endpoint": "http://127.0.0.1:9"})

    with pytest.raises(UserError, match=r"could not be fetched .* Check the network, .*`options: endpoint`"):
        sources.fetch(nobody, tmp_path / "1991")


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("consolidated", [True, False])
def test_a_piece_of_a_zarr_store_in_s3_is_what_was_asked_for(s3, tmp_path, zarr_format, consolidated):
    prefix = f"z{zarr_format}{consolidated}.zarr"
    write(tmp_path / "store", zarr_format, consolidated)
    upload(s3, tmp_path / "store", prefix)
    asked = from_s3(s3, prefix, variables=["sst"], region={"lat": [-30, 30]}, span=["1991-02-01", "1991-03-01"])

    digests = sources.fetch(asked, tmp_path / "1991-02")

    (name,) = digests
    assert name == prefix.replace(".zarr", ".nc")
    right = expected()[["sst"]].sel(time="1991-02", lat=slice(30, -30))
    xr.testing.assert_identical(opened(tmp_path / "1991-02" / name).drop_attrs(), right.drop_attrs())
    assert opened(tmp_path / "1991-02" / name)["sst"].attrs["units"] == "degree_Celsius"


@pytest.mark.parametrize(("zarr_format", "shards"), [(2, False), (3, False), (3, True)])
def test_only_the_chunks_that_are_needed_are_read(web, tmp_path, zarr_format, shards):
    write(web.root / "era.zarr", zarr_format, shards=shards)
    span = {"span": ["1991-02-01", "1991-02-11"]}  # inside the second of three chunks in time

    sources.fetch(
        order(f"{web.address}/era.zarr", variables=["sst"], region={"lon": [0, 100]}, **span), tmp_path / "lot"
    )

    chunks = {
        path for path in web.asked if path.split("/")[1] == "sst" and not path.endswith((".json", ".zarray", ".zattrs"))
    }
    told = {2: {"sst/1.0.0", "sst/1.1.0"}, 3: {"sst/c/1/0/0"} if shards else {"sst/c/1/0/0", "sst/c/1/1/0"}}[
        zarr_format
    ]
    assert chunks == {f"era.zarr/{chunk}" for chunk in told}
    assert not any(path.startswith("era.zarr/ice/") and "json" not in path and "/.z" not in path for path in web.asked)
    right = expected()[["sst"]].sel(time=slice("1991-02-01", "1991-02-10"), lon=slice(0, 100))
    xr.testing.assert_equal(opened(tmp_path / "lot/era.nc"), right)


def test_values_stay_packed_as_in_the_store(web, tmp_path):
    write(web.root / "era.zarr", 2)

    sources.fetch(order(f"{web.address}/era.zarr"), tmp_path / "lot")

    with xr.open_dataset(tmp_path / "lot/era.nc", decode_cf=False) as content:
        assert content["sst"].dtype == np.int16
        np.testing.assert_array_equal(content["sst"].values, field()["sst"].values)
        assert content["sst"].attrs["_FillValue"] == -32768


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_chunk_that_the_server_lost_never_becomes_fill_values(web, tmp_path, zarr_format):
    write(web.root / "era.zarr", zarr_format)
    lost = {2: "sst/1.0.0", 3: "sst/c/1/0/0"}[zarr_format]
    (web.root / "era.zarr" / lost).unlink()
    whole = order(f"{web.address}/era.zarr")

    with pytest.raises(UserError, match=rf"1 chunks must be there, but are not, first {lost}; .*missing_is_fill: true"):
        sources.fetch(whole, tmp_path / "lot")
    assert not (tmp_path / "lot").exists()

    elsewhere = whole | {"span": ["1991-01-01", "1991-01-31"]}
    sources.fetch(elsewhere, tmp_path / "january")  # which that chunk does not touch
    sources.fetch(whole | {"options": whole["options"] | {"missing_is_fill": True}}, tmp_path / "lot")
    found = opened(tmp_path / "lot/era.nc")["sst"][30:60, :4, :5]
    fill = {2: np.nan, 3: 20.0}[zarr_format]  # xarray makes the fill value of v3 0, which is packed for 20 degrees
    np.testing.assert_allclose(found, np.full((30, 4, 5), fill))


@pytest.mark.parametrize("status", [500, 403])
def test_a_chunk_that_cannot_be_had_ends_the_job(web, tmp_path, status):
    write(web.root / "era.zarr", 2)
    web.broken["era.zarr/sst/1.0.0"] = status

    with pytest.raises(UserError, match=r"era\.zarr: (could not be fetched|the store refuses it)"):
        sources.fetch(order(f"{web.address}/era.zarr"), tmp_path / "lot")

    assert not (tmp_path / "lot").exists()


def test_a_damaged_chunk_ends_the_job(web, tmp_path):
    write(web.root / "era.zarr", 3)
    chunk = web.root / "era.zarr/sst/c/1/0/0"
    chunk.write_bytes(chunk.read_bytes()[:40])

    with pytest.raises(UserError, match=r"era\.zarr: chunks of the store cannot be read"):
        sources.fetch(order(f"{web.address}/era.zarr"), tmp_path / "lot")


def test_a_period_after_the_end_of_the_store_is_nothing_there(web, tmp_path):
    write(web.root / "era.zarr", 2)

    with pytest.raises(NothingThereError, match=r"no time steps from 1992-01-01 .* it ends at 1991-03-31"):
        sources.fetch(order(f"{web.address}/era.zarr", span=["1992-01-01", "1992-02-01"]), tmp_path / "lot")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"variables": ["tos"]}, r"must hold `tos`, but holds .*sst.*`source: variables`"),
        ({"region": {"latitude": [0, 1]}}, r"must have a coordinate `latitude`, but has .*lat"),
        ({"region": {"lon": [-90, 20]}}, r"`lon` must reach from -90 to 20, but runs from 0\.0 to 324\.0.*0 … 360"),
        ({"region": {"lat": [500, 600]}}, r"`lat` must reach from 500"),
    ],
)
def test_what_the_store_does_not_have_is_refused_with_what_it_has(web, tmp_path, asked, words):
    write(web.root / "era.zarr", 2)

    with pytest.raises(UserError, match=words):
        sources.fetch(order(f"{web.address}/era.zarr", **asked), tmp_path / "lot")


def test_an_address_without_a_store_is_told(web, tmp_path):
    web.root.mkdir()

    with pytest.raises(UserError, match=r"none\.zarr: .*Correct `source: url`"):
        sources.fetch(order(f"{web.address}/none.zarr"), tmp_path / "lot")


def test_a_month_of_a_store_becomes_a_part(web, tmp_path):
    write(web.root / "era.zarr", 3)
    asked = order(f"{web.address}/era.zarr", variables=["sst"], span=["1991-02-01", "1991-03-01"])
    manifest = tmp_path / "raw/1991-02.manifest.json"
    stages.fetch_raw(str(tmp_path / "raw/1991-02"), str(manifest), asked)
    reader = {"name": "netcdf", "variables": {"sst": {"units": "degree_Celsius", "long_name": "temperature"}}}

    stages.ingest_part(
        str(manifest), str(tmp_path / "1991-02.zarr"), "1991-02", {}, reader, {"policy": "fail", "admit": []}
    )

    right = expected()["sst"].sel(time="1991-02").sortby("lat").astype("f4")
    np.testing.assert_allclose(store.read(tmp_path / "1991-02.zarr")["sst"].values, right.values, rtol=1e-6)


@pytest.fixture
def section(dataset):
    dataset["source"] = {"kind": "objects", "url": "s3://open/era.zarr", "options": {"skip_signature": True}}
    dataset["parts"] = {"by": "month", "first": "1991-01", "last": "1991-03"}
    return dataset


def test_the_order_of_a_lot_holds_what_fetch_takes(section, s3):
    asked = raw.order(Dataset.model_validate(section), "1991-02")

    assert parts.lots(Dataset.model_validate(section)) == ["1991-01", "1991-02", "1991-03"]
    assert asked.keys() - {"part", "span"} == order("x").keys()
    assert asked["span"] == ["1991-02-01", "1991-03-01"]
    assert order("x")["options"].items() <= (asked["options"] | {"skip_signature": False}).items()


@pytest.mark.parametrize("name", ["secret_access_key", "token", "aws_access_key_id", "password", "account_key"])
def test_a_secret_in_the_configuration_is_refused_with_where_it_belongs(section, configure, name):
    section["source"]["options"][name] = "hunter2"

    with pytest.raises(
        UserError, match=rf"`{name}` must not stand in a configuration.*AWS_SECRET_ACCESS_KEY"
    ) as caught:
        load(Dataset, configure() / "datasets/fields.yaml")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "s3://open/sst_{part}.nc", "parts": ["1991"], "variables": ["sst"]}, "names no .zarr"),
        ({"region": {"lat": [60, 30]}}, "from the lower to the higher"),
        ({"options": {"endpiont": "http://x"}}, "endpoint"),
    ],
)
def test_settings_that_could_not_be_obeyed_are_refused(section, configure, changes, words):
    section["source"] |= changes

    with pytest.raises(UserError, match=words):
        load(Dataset, configure() / "datasets/fields.yaml")


@pytest.mark.parametrize("url", ["s3://me:secret@open/x.nc", "https://example.org/x.nc?X-Amz-Signature=secret"])
def test_a_login_in_the_address_is_refused_and_not_repeated(tmp_path, url):
    with pytest.raises(UserError, match="no login") as caught:
        sources.fetch(order(url), tmp_path / "lot")

    assert "secret" not in str(caught.value)
