"""Whether a waveform file is whole: ObsPy's readers of these formats take a file cut short for a shorter record."""

import re
import wave
from pathlib import Path

import obspy

from geojax.data.readers.seismic.miniseed import promised_samples

TEXTS = ("SLIST", "TSPAIR", "SACXY", "SH_ASC", "KNET")
# Measured by cutting ObsPy's own test files at random bytes: of the other formats each cut was refused by ObsPy.
UNPROVEN = ("AH", "DMX", "PDAS", "Y", "WIN", "RG16", "ALSEP_PSE", "ALSEP_WTN", "ALSEP_WTH")
COUNT = re.compile(rb"^TIMESERIES\s[^,\n]*,\s*(\d+)\s+samples", re.MULTILINE)


def check_whole(form: str, path: Path, stream: obspy.Stream) -> bool:
    """Refuse a file that ends inside a record; False where the format cannot tell.

    raises EOFError : it does, or samples that it promises could not be read
    """
    if form in TEXTS and path.read_bytes()[-1:] not in (b"\n", b"\r"):
        raise EOFError("its last line has no end, so its last number may be cut")
    promised = _promised(form, path, stream)
    came = sum(len(trace) for trace in stream)
    if promised is not None and promised != came:
        raise EOFError(f"it promises {promised} samples, but {came} could be read")
    return form not in UNPROVEN and not (form == "MSEED" and promised is None)


def _promised(form: str, path: Path, stream: obspy.Stream) -> int | None:
    match form:
        case "MSEED":
            return promised_samples(path.read_bytes())
        case "SLIST" | "TSPAIR":
            return sum(map(int, COUNT.findall(path.read_bytes())))
        case "KNET":
            return sum(round(trace.stats.knet.duration * trace.stats.sampling_rate) for trace in stream)
        case "WAV":
            with wave.open(str(path)) as file:
                return file.getnframes() * len(stream)
    return None
