"""A period that is not over is fetched again, alone, on each later day, and for the last time once it is over."""

import http.server
import os
import threading
from functools import partial

import numpy as np
import pytest
import xarray as xr
from test_dag import jobs, snakemake

from geojax import store

FIRST = np.datetime64("2024-01-01", "ns")
# Snakemake and its jobs are processes of their own: what day it is they learn as they start.
TODAY = """
import os
from datetime import date
from geojax.data import raw
raw.today = lambda: date.fromisoformat(os.environ["TODAY"])
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path):
    """A folder and the address where it is served."""
    (tmp_path / "served").mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "served")))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield tmp_path / "served", f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def on(tmp_path, served, dataset, run, configure, monkeypatch):
    """Brings the source to a day, runs the workflow as of that day, and returns its jobs."""
    folder, address = served
    dataset |= {
        "source": {"kind": "objects", "url": f"{address}/sst.zarr"},
        "parts": {"by": "month", "first": "2024-01", "last": "2024-02"},
    }
    dataset["scaling"]["reference"] = ["2024-01"]
    configure()
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock/sitecustomize.py").write_text(TODAY)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'clock'}:{os.environ.get('PYTHONPATH', '')}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")

    def go(day: str):
        times = np.arange(FIRST, np.datetime64(day, "ns"), np.timedelta64(1, "D"))
        axes = {"time": times, "lat": np.arange(3.0), "lon": np.arange(4.0)}
        values = np.random.default_rng(0).normal(20, 1, (400, 3, 4))[: len(times)]
        content = xr.Dataset({"sst": (tuple(axes), values, {"units": "degree_Celsius"})}, axes)
        content.to_zarr(folder / "sst.zarr", mode="w", zarr_format=2, consolidated=True)
        monkeypatch.setenv("TODAY", day)
        done = snakemake(tmp_path, *(f"data/fields/parts/2024-{month}.manifest.json" for month in ("01", "02")))
        assert done.returncode == 0, done.stderr
        return dict(jobs(done))

    return go


def test_the_period_that_lasts_is_fetched_alone_on_a_later_day_and_for_the_last_time_once_it_is_over(tmp_path, on):
    def told(kind: str, month: str):
        return store.read_json(tmp_path / f"data/fields/{kind}/2024-{month}.manifest.json")

    assert on("2024-02-10") == {"fetch_raw": 2, "ingest_part": 2}
    january = told("raw", "01"), told("parts", "01")
    assert told("raw", "02")["source"]["until"] == "2024-02-10"
    assert told("parts", "02")["time_span"][1].startswith("2024-02-09")
    assert on("2024-02-10") == {}

    assert on("2024-02-11") == {"fetch_raw": 1, "ingest_part": 1}
    assert told("parts", "02")["time_span"][1].startswith("2024-02-10")

    assert on("2024-03-04") == {"fetch_raw": 1, "ingest_part": 1}
    assert "until" not in told("raw", "02")["source"]
    assert told("parts", "02")["time_span"][1].startswith("2024-02-29")
    assert (told("raw", "01"), told("parts", "01")) == january
