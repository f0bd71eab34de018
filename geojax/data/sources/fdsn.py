"""Waveforms of an FDSN web service for one period, as the server sent them, with the stations and events beside."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geojax import store
from geojax.data.readers.seismic.miniseed import DATA, promised_samples
from geojax.data.sources._retry import patiently
from geojax.errors import NothingThereError, UserError

TIMEOUT_S = 120.0
FINAL = {
    400: "calls the request wrong; look at `source`: codes, `events`",
    401: "wants a login, which geojax does not give; ask for open data",
    403: "refuses the data; ask for open data",
    413: "finds it too much for one request; take smaller parts (`parts: by: day`) or fewer channels",
    414: "finds the request too long; write fewer codes, or wildcards",
    501: "does not know the request; look at `source`",
}
NOTHING = (204, 404)  # which of them it is, FDSN lets the client choose; a proxy or an old server chooses itself
NO_EVENTS = (
    b'<?xml version="1.0" encoding="utf-8"?>\n<q:quakeml xmlns:q="http://quakeml.org/xmlns/quakeml/1.2" '
    b'xmlns="http://quakeml.org/xmlns/bed/1.2"><eventParameters publicID="smi:local/none"/></q:quakeml>\n'
)


def fetch(order: dict[str, Any], directory: Path) -> dict[str, str]:
    """Fetch the files `waveforms` (miniSEED), `stations` (StationXML with responses) and `events` (QuakeML).

    order : base_url, network, station, location, channel, stations, events; span: [first day, day after the last]
    returns : digest of each file; of a period without events, `events` is a catalogue of none
    raises UserError : no such service, no network, a refusal, or an answer that is not whole
    raises NothingThereError : the service has no waveforms of the period
    """
    from obspy import UTCDateTime

    client = _client(order["base_url"])
    codes = {key: order[key] for key in ("network", "station", "location", "channel")}
    first, end = map(UTCDateTime, order["span"])
    span = {"starttime": first, "endtime": end - 1e-6}  # the service counts the last moment in
    shown = f"{'.'.join(codes.values())} from {order['span'][0]} until before {order['span'][1]}"

    def ask(service: str, request: Callable[..., None], check: Callable[[bytes], None], **asked: Any) -> bytes:
        return _ask(order["base_url"], client, service, request, check, shown, **asked)

    found = {"waveforms": ask("dataselect", client.get_waveforms, _check_miniseed, **codes, **span)}
    if not found["waveforms"]:
        raise NothingThereError(f"{order['base_url']}: has no waveforms of {shown}.")
    if order["stations"]:
        stations = ask("station", client.get_stations, _check_xml("FDSNStationXML"), **codes, **span, level="response")
        if not stations:
            raise UserError(f"{order['base_url']}: has waveforms of {shown}, but no stations. Set `stations: false`.")
        found["stations"] = stations
    if order["events"] is not None:
        found["events"] = ask("event", client.get_events, _check_xml("quakeml"), **(order["events"] | span))
    for name, content in found.items():
        (directory / name).write_bytes(content or NO_EVENTS)
    return {name: store.digest(directory / name) for name in found}


def _client(base_url: str) -> Any:
    from obspy.clients.fdsn import Client
    from obspy.clients.fdsn.header import FDSNNoServiceException, FDSNTimeoutException

    try:
        return patiently(lambda: Client(base_url, timeout=TIMEOUT_S), (FDSNNoServiceException, FDSNTimeoutException))
    except (FDSNNoServiceException, FDSNTimeoutException) as error:
        raise UserError(
            f"{base_url}: must be an FDSN web service, but none answers there ({_short(error)}). "
            "Check the network and `source: base_url`, and run again."
        ) from None
    except ValueError as error:
        raise UserError(f"source: base_url: {_short(error)}") from None


def _ask(
    base_url: str, client: Any, service: str, request: Callable[..., None], check: Callable[[bytes], None], shown: str,
    **asked: Any,
) -> bytes:  # fmt: skip
    """The whole answer of a service as it was sent; empty if it has nothing."""
    import io
    from http.client import HTTPException

    from obspy.clients.fdsn.header import FDSNException

    if service not in client.services:
        raise UserError(
            f"{base_url}: must offer the service `{service}`, but offers {', '.join(sorted(client.services))}. "
            "Take another `source: base_url`, or run again if it is out for the moment."
        )

    def attempt() -> bytes:
        with warnings.catch_warnings():
            # A limit that the service does not know would else be left out, and more would come than was asked.
            warnings.filterwarnings("error", message=".*not supported by")
            answer = io.BytesIO()
            try:
                request(**asked, filename=answer)
            except FDSNException as error:
                if (code := _code(error)) in NOTHING:
                    return b""
                if code in FINAL:
                    raise UserError(f"{base_url}: {shown}: the server {FINAL[code]} ({_short(error)}).") from None
                raise
            except (TypeError, UserWarning) as error:
                raise UserError(f"{base_url}: {service}: {_short(error)} Mend `source`.") from None
        check(answer.getvalue())
        return answer.getvalue()

    try:
        return patiently(attempt, (FDSNException, HTTPException, OSError, EOFError))
    except (FDSNException, HTTPException, OSError, EOFError) as error:
        raise UserError(
            f"{base_url}: {service}: {shown} could not be fetched whole ({type(error).__name__}: {_short(error)}). "
            "Check the network and run again; what is already built stays."
        ) from None


def _code(error: Exception) -> int | None:
    """HTTP status; ObsPy keeps those that it has no name for in words."""
    words = str(error).split("\n")[0]
    known = getattr(error, "status_code", None)
    return known or (int(words.rsplit(" ", 1)[-1]) if words.startswith("Unknown HTTP code: ") else None)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _check_miniseed(content: bytes) -> None:
    """raises EOFError : it ends inside a record, or is no miniSEED"""
    number = content[:6].strip(b" \0")
    if content[6:7] not in [bytes([code]) for code in DATA] or (number and not number.isdigit()):
        raise EOFError(f"it must be miniSEED, but begins with {content[:40]!r}")
    promised_samples(content)


def _check_xml(root: str) -> Callable[[bytes], None]:
    from lxml import etree

    def check(content: bytes) -> None:
        try:
            tag = etree.QName(
                etree.fromstring(content, etree.XMLParser(huge_tree=True, resolve_entities=False))
            ).localname
        except etree.XMLSyntaxError as error:
            raise EOFError(f"it must be {root}, but is not, or ends too early: {error}") from None
        if tag != root:
            raise EOFError(f"it must be {root}, but is {tag}")

    return check
