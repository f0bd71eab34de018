"""How many samples the records of a miniSEED file promise: libmseed passes in silence over what it cannot read."""

import struct

HEADER = 48  # bytes of the fixed section of a data header
DATA = b"DRQM"  # quality codes of data records


def promised_samples(content: bytes) -> int | None:
    """Sum of the sample counts of all records; None where a record does not tell its length.

    raises EOFError : the file ends inside a record
    source : SEED Reference Manual, version 2.4, chapter 8
    """
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
