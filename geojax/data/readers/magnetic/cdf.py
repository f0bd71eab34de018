"""How long a CDF file must be, from its own records: cdflib does not ask."""

from pathlib import Path

MAGIC = (b"\xcd\xf3\x00\x01", b"\xcd\xf2\x60\x02")  # versions 3 and 2.6
PLAIN, PACKED = b"\x00\x00\xff\xff", b"\xcc\xcc\x00\x01"


def check_length(path: Path) -> None:
    """Refuse a CDF file that ends before its end.

    raises EOFError : it does; ValueError : it is no CDF file of version 2.6 or later
    source : CDF Internal Format Description, version 3.9, chapter 2
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        magic, packed = file.read(4), file.read(4)
        wide = 8 if magic == MAGIC[0] else 4  # bytes of an offset

        def offset(at: int) -> int:
            file.seek(at)
            return int.from_bytes(file.read(wide), "big")

        if magic not in MAGIC or packed not in (PLAIN, PACKED):
            raise ValueError("it does not begin as one")
        if packed == PACKED:  # one record with all others inside, and the record that says how they are packed
            how = offset(8 + wide + 4)
            required = max(8 + offset(8), how + offset(how))
        else:
            general = offset(8 + wide + 4)  # of the record that says where the file ends
            required = offset(general + wide + 4 + 3 * wide)
    if size < max(required, 1):
        raise EOFError(f"it must have {required} bytes, but has {size}")
