"""One file of a web server, checked against its digest; a download cut midway goes on where it stopped."""

import json
import os
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from geojax import store
from geojax.data.sources._retry import PassingError, patiently
from geojax.errors import UserError

TIMEOUT_S = (10.0, 60.0)  # to connect; to wait for the next bytes
BLOCK = 1 << 18
BUSY = (408, 425, 429, 500, 502, 503, 504)  # answers that may differ the next time
SAID = {
    401: "wants a login; requests takes one from ~/.netrc",
    403: "refuses it; does the file need a login, or is the address meant for a browser?",
    404: "has no such file; correct `source: url`",
    410: "no longer has the file; correct `source: url`",
}


class Partial:
    """The bytes of a file that have come so far, and the version of the file that they are of; outlives its process."""

    def __init__(self, folder: Path, url: str, sha256: str) -> None:
        self.folder, self.content, self._note = folder, folder / "content", folder / "of.json"
        self._of = {"url": url, "sha256": sha256}
        if not self._of.items() <= self._read().items():
            shutil.rmtree(folder, ignore_errors=True)
        self.begun_before = self.size() > 0

    def _read(self) -> dict[str, str]:
        try:
            return json.loads(self._note.read_text())
        except (OSError, ValueError):
            return {}

    def size(self) -> int:
        return self.content.stat().st_size if self.content.exists() else 0

    @property
    def version(self) -> str:
        """What the server called the file whose bytes these are: ETag or date; empty if it said nothing."""
        return self._read().get("version", "")

    def begin(self, version: str) -> None:
        """Forget what is here and take down another version."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.content.open("wb").close()
        store.write_json(self._of | {"version": version}, self._note)


def fetch(order: dict[str, Any], directory: Path) -> dict[str, str]:
    """Fetch one file under the last name of its address.

    order : url, sha256
    returns : digest of the file
    raises UserError : no such file, no permission, no network, no space, or another digest
    """
    url, required = order["url"], order["sha256"]
    if urlsplit(url).username:
        raise UserError("source: url: must hold no login, as configurations are shared. Put it into ~/.netrc.")
    name = re.sub(r"[^\w.-]", "_", unquote(urlsplit(url).path.rsplit("/", 1)[-1])).lstrip(".") or "file"
    kept = Partial(directory.parent / ".partial" / order.get("part", "whole"), url, required)
    again = kept.begun_before  # bytes of two runs may be of two files, where a server does not tell them apart
    while True:
        try:
            _retrieve(url, required, name, directory, kept)
            return {name: required}
        except ValueError as error:
            if not again:
                words = str(error).split(" Deleted ")[0]
                raise UserError(
                    f"{url}: {words} Either the download was damaged or altered, or `source: sha256` is wrong; "
                    "nothing of it was kept."
                ) from None
            again = False


def _retrieve(url: str, required: str, name: str, directory: Path, kept: Partial) -> None:
    import pooch

    def download(url: str, target: str, _: Any) -> None:
        _download(url, kept)
        os.replace(kept.content, target)
        shutil.rmtree(kept.folder)

    pooch.get_logger().setLevel("ERROR")
    pooch.retrieve(url, f"sha256:{required}", name, directory, downloader=download)


def _download(url: str, kept: Partial) -> None:
    import requests
    import urllib3

    passing = (PassingError, requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError)
    try:
        patiently(partial(_go_on, url, kept), passing, kept.size)
    except (PassingError, requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise UserError(
            f"{url}: could not be fetched ({type(error).__name__}: {' '.join(str(error).split())}). "
            f"Check the network and `source: url`, and run again: the {kept.size()} bytes that came are kept."
        ) from None
    except OSError as error:
        raise UserError(
            f"{url}: could not be written to {kept.content} ({error.strerror}). "
            "Make room there and run again; it goes on where it stopped."
        ) from error


def _go_on(url: str, kept: Partial) -> None:
    """Ask for what is missing, and take it down as the server sends it."""
    import requests
    from tqdm import tqdm

    headers = {"Accept-Encoding": "identity"}  # the digest is that of the file, not of its transport
    if have := kept.size():
        headers["Range"] = f"bytes={have}-"
        if kept.version:
            headers["If-Range"] = kept.version
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        if response.status_code == 416 and _told_size(response) == have:
            return
        if response.status_code == 416 or (response.status_code == 206 and not _fits(response, kept)):
            kept.begin("")
            raise PassingError("the file is another than that of which a part is here")
        if response.status_code in BUSY:
            wait = response.headers.get("Retry-After", "")
            raise PassingError(f"HTTP {response.status_code} {response.reason}", float(wait) if wait.isdigit() else 0)
        if response.status_code not in (200, 206):
            said = SAID.get(response.status_code, f"answers {response.reason}; correct `source: url`")
            raise UserError(f"{url}: HTTP {response.status_code}: the server {said}.")
        if response.status_code == 200 or not have:
            kept.begin(_version(response))
        length = response.headers.get("Content-Length", "")
        total = kept.size() + int(length) if length.isdigit() else None
        bar = tqdm(
            desc="fetching", total=total, initial=kept.size(), unit="B", unit_scale=True, leave=False, disable=None
        )
        with bar, kept.content.open("ab") as file:
            for block in response.raw.stream(BLOCK, decode_content=False):
                file.write(block)
                bar.update(len(block))


def _version(response: Any) -> str:
    """What tells this file from a later one at the same address, strong enough to go on with it; empty if nothing."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _fits(response: Any, kept: Partial) -> bool:
    """Whether the answer goes on where the bytes that are here end, in the same file."""
    start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    same = not kept.version or _version(response) in ("", kept.version)
    return bool(start) and int(start[1]) == kept.size() and same


def _told_size(response: Any) -> int | None:
    told = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    return int(told[1]) if told else None
