"""A file of a web server comes whole, by its digest, however often the line breaks; else not at all."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from loopback import Quiet, serve

from geojax import stages, store
from geojax.data import sources
from geojax.data.sources import _retry, http
from geojax.errors import UserError

pytestmark = pytest.mark.usefixtures("loopback")
CONTENT = np.random.default_rng(0).bytes(700_001)


class Files(Quiet):
    """Serves one file, as a test has arranged it."""

    content = CONTENT
    cuts: list[int]  # bytes after which each of the next answers breaks off
    statuses: list[int]  # of the next answers, before it serves
    ranges = True
    etag: str | None = '"first"'
    obeys_if_range = True
    shift = 0  # bytes by which an answer begins before what was asked
    length = True
    pause_s = 0.0
    asked: list[str | None]  # the header Range of each request

    def get(self) -> None:
        cls = type(self)
        cls.asked.append(self.headers["Range"])
        if self.path.startswith("/moved"):
            return self.answer(302, Location="/sst.nc")
        if self.path != "/sst.nc":
            return self.answer(404)
        if cls.statuses:
            return self.answer(cls.statuses.pop(0))
        start, code, headers = 0, 200, {}
        wanted = self.headers["Range"] if cls.ranges else None
        if wanted and (not cls.obeys_if_range or self.headers["If-Range"] in (None, cls.etag)):
            start, code = int(wanted.removeprefix("bytes=").rstrip("-")) - cls.shift, 206
            if start >= len(cls.content):
                return self.answer(416, Content_Range=f"bytes */{len(cls.content)}")
            headers["Content-Range"] = f"bytes {start}-{len(cls.content) - 1}/{len(cls.content)}"
        if cls.etag:
            headers["ETag"] = cls.etag
        if cls.length:
            headers["Content-Length"] = str(len(cls.content) - start)
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        end = cls.cuts.pop(0) if cls.cuts else len(cls.content)
        for at in range(start, start + end, 50_000):
            self.wfile.write(cls.content[at : min(at + 50_000, start + end)])
            time.sleep(cls.pause_s)


@pytest.fixture
def files():
    """A server of one file, fresh for each test, and its address."""
    fresh = type("Fresh", (Files,), {"cuts": [], "statuses": [], "asked": []})
    with serve(fresh) as address:
        fresh.address = address
        yield fresh


def order(files, path: str = "/sst.nc", content: bytes = CONTENT, **changes) -> dict:
    own = {"kind": "http", "url": files.address + path, "sha256": hashlib.sha256(content).hexdigest(), "part": "1991"}
    return own | changes


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_comes_under_the_last_name_of_its_address(files, tmp_path):
    digests = sources.fetch(order(files), tmp_path / "raw" / "1991")

    assert left(tmp_path) == ["raw/1991/sst.nc"]
    assert (tmp_path / "raw/1991/sst.nc").read_bytes() == CONTENT
    assert digests == {"sst.nc": hashlib.sha256(CONTENT).hexdigest()}


def test_a_redirect_is_followed_and_the_address_that_was_asked_names_the_file(files, tmp_path):
    sources.fetch(order(files, "/moved.nc"), tmp_path / "1991")

    assert (tmp_path / "1991/moved.nc").read_bytes() == CONTENT


@given(cuts=st.lists(st.integers(0, len(CONTENT) - 1), min_size=1, max_size=4), ranges=st.booleans())
def test_a_download_cut_at_any_bytes_comes_whole_and_asks_for_what_is_missing_alone(
    files, tmp_path_factory, cuts, ranges
):
    tmp_path = tmp_path_factory.mktemp("cut")
    files.cuts, files.asked, files.ranges = list(cuts), [], ranges

    sources.fetch(order(files), tmp_path / "1991")

    assert (tmp_path / "1991/sst.nc").read_bytes() == CONTENT
    if ranges:  # each answer went on where the one before broke off
        came = np.minimum(np.cumsum([0, *cuts]), len(CONTENT))
        wanted = [None if n == 0 else f"bytes={n}-" for n in came if n < len(CONTENT)]
        assert files.asked[: len(wanted)] == wanted


def test_a_download_given_up_goes_on_in_the_next_run(files, tmp_path):
    files.cuts = [300_000, 0, 0, 0, 0, 0]
    with pytest.raises(UserError, match=r"sst\.nc: could not be fetched .* the 300000 bytes that came are kept"):
        sources.fetch(order(files), tmp_path / "1991")
    assert left(tmp_path) == [".partial/1991/content", ".partial/1991/of.json"]
    files.asked, files.cuts = [], []

    sources.fetch(order(files), tmp_path / "1991")

    assert files.asked == ["bytes=300000-"]
    assert left(tmp_path) == ["1991/sst.nc"]


def test_all_bytes_that_came_before_a_kill_are_not_asked_for_again(files, tmp_path):
    whole = order(files)
    kept = http.Partial(tmp_path / ".partial/1991", whole["url"], whole["sha256"])
    kept.begin('"first"')
    kept.content.write_bytes(CONTENT)

    sources.fetch(whole, tmp_path / "1991")

    assert files.asked == [f"bytes={len(CONTENT)}-"]
    assert (tmp_path / "1991/sst.nc").read_bytes() == CONTENT


@pytest.mark.parametrize("etags", [('"first"', '"second"'), ('W/"first"', 'W/"second"'), (None, None)])
def test_a_file_that_changes_between_two_runs_is_never_patched_together(files, tmp_path, etags):
    files.cuts, files.etag = [300_000, 0, 0, 0, 0, 0], etags[0]
    new = CONTENT[::-1]
    with pytest.raises(UserError):
        sources.fetch(order(files, content=new), tmp_path / "1991")
    files.content, files.etag, files.cuts = new, etags[1], []

    sources.fetch(order(files, content=new), tmp_path / "1991")

    assert (tmp_path / "1991/sst.nc").read_bytes() == new


@pytest.mark.parametrize("fault", [{"obeys_if_range": False, "etag": '"second"'}, {"shift": 10}])
def test_an_answer_that_does_not_fit_the_bytes_that_are_here_is_not_joined_to_them(files, tmp_path, fault):
    files.cuts = [300_000, 0, 0, 0, 0, 0]
    with pytest.raises(UserError):
        sources.fetch(order(files), tmp_path / "1991")
    files.asked, files.cuts = [], []
    for name, value in fault.items():
        setattr(files, name, value)

    sources.fetch(order(files), tmp_path / "1991")

    assert files.asked == ["bytes=300000-", None]  # once, and from the start
    assert (tmp_path / "1991/sst.nc").read_bytes() == CONTENT


def test_a_server_that_begins_too_early_within_one_run_is_noticed(files, tmp_path):
    files.cuts, files.shift = [300_000], 10

    sources.fetch(order(files), tmp_path / "1991")

    assert (tmp_path / "1991/sst.nc").read_bytes() == CONTENT


def test_bytes_of_another_order_are_thrown_away(files, tmp_path):
    files.cuts = [300_000, 0, 0, 0, 0, 0]
    with pytest.raises(UserError):
        sources.fetch(order(files, sha256="0" * 64), tmp_path / "1991")
    files.asked, files.cuts = [], []

    sources.fetch(order(files), tmp_path / "1991")

    assert files.asked == [None]


def test_another_digest_is_refused_with_both_and_nothing_is_kept(files, tmp_path):
    with pytest.raises(UserError) as caught:
        sources.fetch(order(files, sha256="0" * 64), tmp_path / "1991")

    assert all(word in str(caught.value) for word in ("0" * 64, hashlib.sha256(CONTENT).hexdigest(), files.address))
    assert "`source: sha256` is wrong" in str(caught.value)
    assert left(tmp_path) == []


def test_an_answer_cut_short_without_a_length_is_caught_by_the_digest(files, tmp_path):
    files.length, files.cuts = False, [1000]

    with pytest.raises(UserError, match=r"SHA256 hash .* does not match"):
        sources.fetch(order(files), tmp_path / "1991")

    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "words"), [(403, "refuses it"), (401, r"~/\.netrc"), (410, "no longer"), (418, "teapot")]
)
def test_a_refusal_is_told_at_once_and_plainly(files, tmp_path, code, words):
    files.statuses = [code]

    with pytest.raises(UserError, match=rf"(?i)sst\.nc: HTTP {code}: the server .*{words}"):
        sources.fetch(order(files), tmp_path / "1991")

    assert len(files.asked) == 1


def test_a_file_that_is_not_there_is_told_with_the_setting(files, tmp_path):
    with pytest.raises(UserError, match=r"/tos\.nc: HTTP 404: the server has no such file; correct `source: url`"):
        sources.fetch(order(files, "/tos.nc"), tmp_path / "1991")


def test_a_busy_server_is_asked_again(files, tmp_path):
    files.statuses = [503, 429, 502]

    sources.fetch(order(files), tmp_path / "1991")

    assert len(files.asked) == 4


def test_a_server_that_stays_busy_is_given_up_after_so_many_tries(files, tmp_path):
    files.statuses = [503] * 20

    with pytest.raises(UserError, match=r"could not be fetched \(PassingError: HTTP 503"):
        sources.fetch(order(files), tmp_path / "1991")

    assert len(files.asked) == _retry.TRIES


def test_waits_grow_and_obey_the_server(monkeypatch):
    waited = []
    monkeypatch.setattr(_retry, "WAIT_S", 1.0)
    monkeypatch.setattr(_retry.time, "sleep", waited.append)
    errors = iter([OSError(), OSError(), _retry.PassingError("busy", 30), _retry.PassingError("busy", 9999)])

    def attempt() -> None:
        raise next(errors, KeyError)

    with pytest.raises(KeyError):
        _retry.patiently(attempt, (OSError, _retry.PassingError))

    assert waited == [1, 2, 30, 300]


def test_a_refused_connection_is_told_with_the_address(tmp_path):
    nobody = {"kind": "http", "url": "http://127.0.0.1:9/sst.nc", "sha256": "0" * 64}  # the port of discard

    with pytest.raises(UserError, match=r"127\.0\.0\.1:9/sst\.nc: could not be fetched .*refused.* Check the network"):
        sources.fetch(nobody, tmp_path / "whole")


def test_a_server_that_falls_silent_is_given_up(files, tmp_path, monkeypatch):
    monkeypatch.setattr(http, "TIMEOUT_S", (0.2, 0.05))
    files.pause_s = 0.3
    files.content = CONTENT[:60_000]
    monkeypatch.setattr(_retry, "TRIES", 1)

    with pytest.raises(UserError, match=r"could not be fetched \(\w*Timeout\w*"):
        sources.fetch(order(files), tmp_path / "1991")


def test_a_full_disk_is_told_with_the_place(files, tmp_path):
    whole = order(files)
    kept = http.Partial(tmp_path / ".partial/1991", whole["url"], whole["sha256"])
    kept.begin("")
    kept.content.unlink()
    kept.content.symlink_to("/dev/full")

    with pytest.raises(
        UserError, match=r"could not be written to .*\.partial/1991/content \(No space left on device\)"
    ):
        sources.fetch(whole, tmp_path / "1991")

    assert not (tmp_path / "1991").exists()


def test_a_login_in_the_address_is_refused_and_not_repeated(tmp_path):
    with pytest.raises(UserError, match=r"~/\.netrc") as caught:
        sources.fetch({"kind": "http", "url": "http://me:secret@127.0.0.1/x", "sha256": "0" * 64}, tmp_path / "whole")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("path", "name"), [("/a/%2e%2e%2fx.nc", "_x.nc"), ("/", "file"), ("/a%20b.nc", "a_b.nc")])
def test_no_address_leads_out_of_the_folder(files, tmp_path, path, name):
    files.get = lambda self: self.answer(200, CONTENT)

    assert list(sources.fetch(order(files, path), tmp_path / "1991")) == [name]


def test_a_fetch_killed_midway_shows_nothing_and_the_next_goes_on(files, tmp_path):
    files.pause_s = 0.1
    whole, manifest = order(files), tmp_path / "raw/1991.manifest.json"
    code = f"from geojax import stages; stages.fetch_raw({str(tmp_path / 'raw/1991')!r}, {str(manifest)!r}, {whole!r})"
    job = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)})
    content = tmp_path / "raw/.partial/1991/content"
    deadline = time.monotonic() + 60
    while not (content.exists() and content.stat().st_size > 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    job.send_signal(signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL
    here = content.stat().st_size
    assert 0 < here < len(CONTENT)
    assert not (tmp_path / "raw/1991").exists()
    assert not manifest.exists()
    files.asked, files.pause_s = [], 0.0

    stages.fetch_raw(str(tmp_path / "raw/1991"), str(manifest), whole)

    assert files.asked == [f"bytes={here}-"]
    assert (tmp_path / "raw/1991/sst.nc").read_bytes() == CONTENT
    assert store.read_json(manifest)["files"] == {"sst.nc": whole["sha256"]}
    assert sorted(path.name for path in (tmp_path / "raw").iterdir() if path.name != ".partial") == [
        "1991",
        "1991.manifest.json",
    ]
