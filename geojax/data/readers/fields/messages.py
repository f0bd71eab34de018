"""What the messages of a GRIB file are; their values are left alone."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import eccodes
import numpy as np

from geojax.errors import UserError


@dataclass(frozen=True)
class Message:
    """A field and where it stands: the n-th of its file."""

    path: Path
    number: int
    names: tuple[str, str]  # short name and parameter id
    level: float
    level_type: str
    time: np.datetime64
    units: str
    grid: str
    shown: str


def scan(path: Path, where: Mapping[str, Any]) -> list[Message]:
    """What each message of a file is, without its values.

    raises UserError : the file does not end with a message, or holds something else between two
    """
    messages, end = [], 0
    for number, handle in enumerate(handles(path)):
        begin = eccodes.codes_get_message_offset(handle)
        length = _length(path, begin, handle)
        if begin > end:
            _check_between(path, end, begin)
        end = max(end, begin + length)
        if all(_has(handle, key, value) for key, value in where.items()):
            with trouble(path, number):
                messages.append(_message(path, number, handle))
    size = path.stat().st_size
    if end == 0:
        raise UserError(f"{path}: must be a GRIB file, but has no message. Fetch it again, or mend `source`.")
    _check_between(path, end, size)
    return messages


def _length(path: Path, begin: int, handle: Any) -> int:
    """Bytes of a message in its file: of one with several fields, ecCodes tells that of a message for one alone."""
    if eccodes.codes_get(handle, "edition", int) != 2:
        return eccodes.codes_get(handle, "totalLength", int)
    with path.open("rb") as file:
        file.seek(begin + 8)
        return int.from_bytes(file.read(8), "big")


def _check_between(path: Path, begin: int, end: int) -> None:
    """ecCodes passes in silence over what it takes for no message, such as one whose first byte is lost."""
    with path.open("rb") as file:
        file.seek(begin)
        if file.read(end - begin).strip(b"\0\r\n\x01\x03 "):
            raise UserError(
                f"{path}: must hold GRIB messages one after another, but bytes {begin} to {end} are none. "
                "A message may be damaged: fetch the file again."
            )


def handles(path: Path) -> Iterator[Any]:
    """Each field of a file in turn, those of messages with several fields too.

    raises UserError : the file cannot be read to its end
    """
    number = 0
    eccodes.codes_grib_multi_support_on()
    try:
        with trouble(path, None), path.open("rb") as file:
            eccodes.codes_grib_multi_support_reset_file(file)
            while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
                try:
                    yield handle
                finally:
                    eccodes.codes_release(handle)
                number += 1
    finally:
        eccodes.codes_grib_multi_support_off()


@contextmanager
def trouble(path: Path, number: int | None) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, eccodes.CodesInternalError) as error:
        at = "" if number is None else f"message {number + 1}: "
        raise UserError(
            f"{path}: must be a GRIB file that can be read to its end, but is not ({at}{error}). "
            "It may be truncated: fetch it again."
        ) from error


def _has(handle: Any, key: str, value: Any) -> bool:
    return bool(eccodes.codes_is_defined(handle, key)) and eccodes.codes_get(handle, key, type(value)) == value


def _message(path: Path, number: int, handle: Any) -> Message:
    def get(key: str, kind: type | None = None) -> Any:
        return eccodes.codes_get(handle, key, kind)

    day, clock = get("validityDate", int), get("validityTime", int)
    told = [key for key in ("dataDate", "stepRange", "number") if eccodes.codes_is_defined(handle, key)]
    date = f"{day // 10000:04}-{day // 100 % 100:02}-{day % 100:02}"
    return Message(
        path,
        number,
        names=(get("shortName", str), get("paramId", str)),
        level=get("level", float),
        level_type=get("typeOfLevel", str),
        time=np.datetime64(f"{date}T{clock // 100:02}:{clock % 100:02}", "ns"),
        units=get("units", str),
        grid=f"{get('gridType', str)} {get('md5GridSection', str)}",
        shown=f"{path}: message {number + 1} ({', '.join(f'{key} {get(key, str)}' for key in told)})",
    )
