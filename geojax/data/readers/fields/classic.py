"""How long a NetCDF classic file must be: the NetCDF library reads what is missing at its end as zeros."""

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import BinaryIO

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}  # bytes of a number of each type


def check_length(path: Path) -> None:
    """Refuse a NetCDF classic file (CDF-1, 2 or 5) that ends before its last number; let any other file pass.

    raises EOFError : it does
    source : NetCDF Users Guide, appendix B, "File Format Specifications"
    """
    with path.open("rb") as file:
        magic = file.read(4)
        if magic[:3] == b"CDF" and (required := _end(file, magic[3])) > path.stat().st_size:
            raise EOFError(f"it must have {required} bytes, but has {path.stat().st_size}")


def _end(file: BinaryIO, version: int) -> int:
    def integer(size: int = 8 if version == 5 else 4) -> int:
        return int.from_bytes(file.read(size), "big")

    def skip(size: int) -> None:
        file.seek(_padded(size), 1)

    def each(entry: Callable[[], None]) -> None:
        integer(4)  # the tag of the list
        for _ in range(integer()):
            skip(integer())  # the name of the entry
            entry()

    def attribute() -> None:
        size = SIZES[integer(4)]
        skip(size * integer())

    def variable() -> None:
        shape = [lengths[integer()] for _ in range(integer())]
        each(attribute)
        size = SIZES[integer(4)]
        integer()  # its size, which does not tell that of large variables
        begin = integer(4 if version == 1 else 8)
        found.append((bool(shape) and shape[0] == 0, begin, size * prod(n for n in shape if n)))

    lengths: list[int] = []
    found: list[tuple[bool, int, int]] = []  # for each variable: whether it has records, its begin and size
    records = integer()
    each(lambda: lengths.append(integer()))
    each(attribute)
    each(variable)
    own = [size for has_records, _, size in found if has_records]
    step = own[0] if len(own) == 1 else sum(map(_padded, own))
    ends = [begin + size for has_records, begin, size in found if not has_records]
    if records and records != (1 << (64 if version == 5 else 32)) - 1:  # else none, or not counted
        ends += [begin + (records - 1) * step + size for has_records, begin, size in found if has_records]
    return max(ends, default=0)


def _padded(size: int) -> int:
    return -(-size // 4) * 4
