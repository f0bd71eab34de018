"""An FDSN web service on this machine that answers from an SDS archive, an inventory and a catalogue."""

import io
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import obspy
from loopback import Quiet
from obspy import UTCDateTime
from obspy.clients.filesystem.sds import Client as Archive

PACKAGE = Path(obspy.__file__).parent
WADL = PACKAGE / "clients/fdsn/tests/data"
MSEED = PACKAGE / "io/mseed/tests/data"
TSINDEX = PACKAGE / "clients/filesystem/tests/data/tsindex_data"


def build_archive(root: Path, *files: Path) -> None:
    """Lay real miniSEED out as YEAR/NET/STA/CHA.D/NET.STA.LOC.CHA.D.YEAR.DAY, one file for each day."""
    for trace in (trace for file in files for trace in obspy.read(file)):
        stats, day = trace.stats, UTCDateTime(trace.stats.starttime.date)
        while day <= stats.endtime:
            piece = trace.slice(day, day + 86400 - 1e-6, nearest_sample=False)
            folder = root / f"{day.year}/{stats.network}/{stats.station}/{stats.channel}.D"
            folder.mkdir(parents=True, exist_ok=True)
            piece.write(str(folder / f"{trace.id}.D.{day.year}.{day.julday:03d}"), "MSEED", encoding="STEIM2")
            day += 86400


class Fdsn(Quiet):
    """The three services. A test sets `root`, `inventory` and `catalog`, and may plant faults."""

    root: Path
    inventory: obspy.Inventory
    catalog: obspy.Catalog
    asked: list[tuple[str, dict[str, str]]]  # service and parameters of each query
    statuses: dict[str, list[int]]  # service: statuses of its next answers
    cuts: dict[str, list[int]]  # service: bytes after which its next answers end
    length = True  # whether an answer tells its length
    unknown = ""  # a parameter that no service knows
    services = ("dataselect", "station", "event")

    def get(self) -> None:
        url = urlsplit(self.path)
        _, _, service, _, resource = url.path.split("/")[:5]
        if service not in self.services:
            return self.answer(404)
        if resource == "version":
            return self.answer(200, b"1.1.1")
        if resource == "application.wadl":
            owner = "iris" if service == "event" else "ethz"
            lines = (
                (WADL / f"2014-01-07_{owner}_{service}.wadl").read_text().replace(f'name="{self.unknown}"', 'name="x"')
            )
            return self.answer(200, lines.encode())
        if resource != "query":
            return self.answer(404)
        asked = dict(parse_qsl(url.query))
        type(self).asked.append((service, asked))
        if self.statuses.get(service):
            return self.answer(self.statuses[service].pop(0), b"so it is")
        found = getattr(self, service)(asked, UTCDateTime(asked["starttime"]), UTCDateTime(asked["endtime"]))
        if not found:
            return self.answer(204)
        cut = self.cuts[service].pop(0) if self.cuts.get(service) else len(found)
        self.send_response(200)
        if self.length:
            self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found[:cut])

    def dataselect(self, asked: dict[str, str], start: UTCDateTime, end: UTCDateTime) -> bytes:
        stream, location = obspy.Stream(), asked["location"].replace("--", "")
        for channel in asked["channel"].split(","):
            stream += Archive(str(self.root)).get_waveforms(
                asked["network"], asked["station"], location, channel, start, end
            )
        stream.trim(start, end, nearest_sample=False)  # the archive's client takes the nearest, be it outside
        return written(stream, format="MSEED") if stream else b""

    def station(self, asked: dict[str, str], start: UTCDateTime, end: UTCDateTime) -> bytes:
        codes = {key: asked[key].replace("--", "") for key in ("network", "station", "location")}
        found = obspy.Inventory()
        for channel in asked["channel"].split(","):
            found += self.inventory.select(**codes, channel=channel, starttime=start, endtime=end)
        return written(found, format="STATIONXML") if len(found) else b""

    def event(self, asked: dict[str, str], start: UTCDateTime, end: UTCDateTime) -> bytes:
        found = self.catalog.copy()
        least = float(asked.get("minmagnitude", -9))
        found.events = [e for e in found if start <= e.origins[0].time <= end and e.magnitudes[0].mag >= least]
        for origin in (origin for event in found for origin in event.origins):
            origin.arrivals = origin.arrivals if asked.get("includearrivals") == "true" else []
        return written(found, format="QUAKEML") if len(found) else b""


def written(content: obspy.Stream | obspy.Inventory | obspy.Catalog, **how: str) -> bytes:
    buffer = io.BytesIO()
    content.write(buffer, **how)
    return buffer.getvalue()
