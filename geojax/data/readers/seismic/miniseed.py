"""How many samples the records of a miniSEED file promise: libmseed passes in silence over what it cannot read."""

import struct

import numpy as np

HEADER = 48  # bytes of the fixed section of a data header
DATA = b"DRQM"  # quality codes of data records


def promised_samples(content: bytes) -> int | None:
    """Sum of the sample counts of all records; None where a record does not tell its length.

    raises EOFError : the file ends inside a record
    source : SEED Reference Manual, version 2.4, chapter 8
    """
    if (total := _of_like_records(content)) is not None:
        return total
    offset = total = 0
    while offset < len(content):
        header = content[offset : offset + HEADER]
        if len(header) < HEADER:
            raise EOFError(f"it ends {len(header)} bytes into a record")
        if header[6] not in DATA or (found := _record(content, offset)) is None:
            return None
        samples, length = found
        if offset + length > len(content):
            raise EOFError(f"its last record must have {length} bytes, but has {len(content) - offset}")
        total, offset = total + samples, offset + length
    return total


def _of_like_records(content: bytes) -> int | None:
    """Samples of all records at once, if these are of one length and built alike, and the file ends with the last."""
    if len(content) < HEADER or (found := _record(content, 0)) is None or len(content) % found[1]:
        return None
    order = ">" if 1900 <= struct.unpack_from(">H", content, 20)[0] <= 2100 else "<"
    (at,) = struct.unpack_from(order + "H", content, 46)
    length = found[1]
    if length < HEADER or at + 8 > length:
        return None
    records = np.frombuffer(content, "u1").reshape(-1, length)
    numbers = records.view(order + "u2")
    years, kinds = records.view(">u2")[:, 10], numbers[:, at // 2]
    alike = (
        at % 2 == 0
        and (((years >= 1900) & (years <= 2100)) == (order == ">")).all()
        and (numbers[:, 23] == at).all()
        and (kinds == 1000).all()
        and (records[:, at + 6] == length.bit_length() - 1).all()
        and np.isin(records[:, 6], np.frombuffer(DATA, "u1")).all()
    )
    return int(numbers[:, 15].sum(dtype="int64")) if alike else None


def _record(content: bytes, offset: int) -> tuple[int, int] | None:
    """Samples and bytes of a record, from its header and blockette 1000."""
    (year,) = struct.unpack_from(">H", content, offset + 20)
    order = ">" if 1900 <= year <= 2100 else "<"
    (samples,) = struct.unpack_from(order + "H", content, offset + 30)
    (at,) = struct.unpack_from(order + "H", content, offset + 46)
    while at >= HEADER and offset + at + 8 <= len(content):
        kind, following = struct.unpack_from(order + "HH", content, offset + at)
        if kind == 1000:
            return samples, 1 << content[offset + at + 6]
        if following <= at:
            break
        at = following
    return None
