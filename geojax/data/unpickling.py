"""Read a pickled ObsPy Stream without trusting it and without ObsPy.

A pickle is a program: loading one runs whatever it names.  This reader admits a fixed list
of names and gives each an inert stand-in that merely keeps what it is handed.  No ObsPy or
NumPy unpickling code runs; the samples are rebuilt from their bytes with `numpy.frombuffer`.
"""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np

from geojax.errors import UserError


class Held:
    """Inert stand-in: keeps constructor arguments and state, and does nothing with them."""

    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any) -> "Held":
        held = object.__new__(cls)
        held.args, held.state = args, {}
        return held

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state


_RESPONSE = "obspy.core.inventory.response"
_UTIL = "obspy.core.util.obspy_types"
ADMITTED = {
    ("obspy.core.stream", "Stream"),
    ("obspy.core.trace", "Trace"),
    ("obspy.core.trace", "Stats"),
    ("obspy.core.utcdatetime", "UTCDateTime"),
    ("obspy.core.util.attribdict", "AttribDict"),
    (_RESPONSE, "Response"),
    (_RESPONSE, "InstrumentSensitivity"),
    (_RESPONSE, "ResponseStage"),
    (_RESPONSE, "PolesZerosResponseStage"),
    (_RESPONSE, "CoefficientsTypeResponseStage"),
    (_RESPONSE, "FIRResponseStage"),
    (_RESPONSE, "FilterCoefficient"),
    (_RESPONSE, "CoefficientWithUncertainties"),
    (_RESPONSE, "ResponseListResponseStage"),
    (_RESPONSE, "ResponseListElement"),
    (_RESPONSE, "PolynomialResponseStage"),
    (_RESPONSE, "InstrumentPolynomial"),
    ("obspy.core.inventory.util", "Frequency"),
    (_UTIL, "ComplexWithUncertainties"),
    (_UTIL, "_ComplexUncertainty"),
    (_UTIL, "FloatWithUncertainties"),
    (_UTIL, "FloatWithUncertaintiesAndUnit"),
    ("_codecs", "encode"),  # bytes, in the protocol 2 that ObsPy writes
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
}
SAMPLE_CODES = ("i1", "i2", "i4", "i8", "f4", "f8")  # dtype codes a trace may hold
_STAND_INS = {name: type(name[1], (Held,), {}) for name in ADMITTED}


class RefusedPickleError(UserError):
    """The pickle names something outside the list, or holds what a Stream does not."""


class StreamUnpickler(pickle.Unpickler):
    """Unpickler that knows only the stand-ins of `ADMITTED`."""

    def __init__(self, file: IO[bytes], path: str | Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module: str, name: str) -> type[Held]:
        if (module, name) not in ADMITTED:
            raise RefusedPickleError(
                f"{self._path}: the pickle asks for {module}.{name}, which a pickled ObsPy "
                "Stream of float or integer samples does not need. Nothing of it was run. Do "
                "not load the file by other means: ask its source for miniSEED or SAC, or, if "
                "the name is a harmless data class, add it to geojax.data.unpickling.ADMITTED."
            )
        return _STAND_INS[module, name]

    def persistent_load(self, pid: Any) -> NoReturn:
        raise RefusedPickleError(f"{self._path}: persistent id {pid!r} refused; ask for miniSEED.")


@dataclass(frozen=True)
class PickledTrace:
    """One component: codes, start time [ns since 1970, UTC], rate [Hz] and samples."""

    network: str
    station: str
    location: str
    channel: str
    sampling_rate: float
    starttime_ns: int
    data: np.ndarray
    units: str  # of `data`: "counts" if no response was removed
    sensitivity: float | None  # counts per `input_units`
    input_units: str | None
    processing: tuple[str, ...]  # ObsPy's record of what was done to the samples


def _samples(array: Any, path: str | Path) -> np.ndarray:
    """float or integer samples from a held ndarray, whose state is
    (version, shape, dtype, Fortran order, bytes)."""
    try:
        _, shape, dtype, _, raw = array.state
        if isinstance(raw, _STAND_INS["_codecs", "encode"]) and raw.args[1] == "latin1":
            raw = raw.args[0].encode("latin1")
        code, order = dtype.args[0], dtype.state[1]
        plain = code in SAMPLE_CODES and order in ("<", ">", "=", "|")
        if not (plain and isinstance(raw, bytes) and len(shape) == 1):
            raise ValueError(f"dtype {code!r}, shape {shape!r}, {type(raw).__name__} buffer")
        # A copy: the pickle's bytes are read-only.
        return np.frombuffer(raw, np.dtype(order + code), count=shape[0]).copy()
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise RefusedPickleError(
            f"{path}: trace data are not a 1-D float or integer array ({error}); "
            "object arrays are never read. Ask for miniSEED."
        ) from error


def _nanoseconds(state: Any) -> int:
    """Time since 1970 from a held UTCDateTime: (ns, precision) since ObsPy 1.5, a dictionary before."""
    return int(state[0] if isinstance(state, tuple) else state["_UTCDateTime__ns"])


def _trace(held: Any, path: str | Path) -> PickledTrace:
    stats = held.state["stats"].state
    response = stats.get("response")
    sensitivity = response and response.state.get("instrument_sensitivity")
    sensitivity = sensitivity.state if sensitivity else {}
    processing = tuple(str(step) for step in stats.get("processing", ()))
    removed = any("remove_response" in s or "remove_sensitivity" in s for s in processing)
    return PickledTrace(
        *(str(stats[key]) for key in ("network", "station", "location", "channel")),
        sampling_rate=float(stats["sampling_rate"]),
        starttime_ns=_nanoseconds(stats["starttime"].state),
        data=_samples(held.state["data"], path),
        units="see processing" if removed else "counts",
        sensitivity=sensitivity.get("value"),
        input_units=sensitivity.get("input_units"),
        processing=processing,
    )


def read_pickled_stream(path: str | Path) -> list[PickledTrace]:
    """List of `PickledTrace` in the file's order.  Raises `RefusedPickleError` on any other pickle."""
    try:
        with Path(path).open("rb") as file:
            stream = StreamUnpickler(file, path).load()
    except RefusedPickleError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly any
        raise RefusedPickleError(f"{path}: not a readable pickle ({error})") from error
    try:
        return [_trace(held, path) for held in stream.state["traces"]]
    except RefusedPickleError:
        raise
    except Exception as error:
        raise RefusedPickleError(f"{path}: not a pickled ObsPy Stream ({error!r})") from error
