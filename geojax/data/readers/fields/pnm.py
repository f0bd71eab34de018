"""PGM and PPM as they are: Pillow stretches values to 255 or 65535 where the file's largest is another."""

import re
from pathlib import Path

import numpy as np

HEADER = re.compile(rb"P([2356])" + 3 * rb"(?:\s+|\s*#[^\n]*\n)+(\d+)" + rb"\s")


def is_pnm(begin: bytes) -> bool:
    return re.match(rb"P[2356][\s#]", begin) is not None


def size(path: Path) -> tuple[int, int]:
    """Width and height.

    raises ValueError : the header cannot be read
    """
    with path.open("rb") as file:
        _, width, height, *_ = _header(file.read(4096))
    return width, height


def read(path: Path) -> np.ndarray:
    """(y, x) or (y, x, channel), uint8 or uint16.

    raises EOFError : the file ends before its last number
    raises ValueError : it is none, or a value is larger than the header admits
    source : the Netpbm manual, pgm(5) and ppm(5)
    """
    content = path.read_bytes()
    kind, width, height, largest, begin = _header(content)
    shape = (height, width, 3) if kind in (3, 6) else (height, width)
    count = int(np.prod(shape))
    if kind in (5, 6):
        kept = np.dtype("u1" if largest < 256 else ">u2")
        found = np.frombuffer(content, kept, offset=begin, count=(len(content) - begin) // kept.itemsize)
        if len(content) - begin > count * kept.itemsize:
            raise ValueError("it holds more than one image, or more than its header says")
    else:
        if content[-1:].isdigit():
            raise EOFError("its last line has no end, so its last number may be cut")
        found = np.array(re.sub(rb"#[^\n]*", b"", content[begin:]).split(), "int64")
    if len(found) != count:
        raise EOFError(f"it promises {count} values, but {len(found)} could be read")
    if found.size and not 0 <= int(found.min()) <= int(found.max()) <= largest:
        raise ValueError(f"its largest value must be {largest}, but is {int(found.max())}")
    return found.reshape(shape).astype("uint8" if largest < 256 else "uint16")


def _header(content: bytes) -> tuple[int, int, int, int, int]:
    if not (header := HEADER.match(content)):
        raise ValueError("its header cannot be read")
    kind, width, height, largest = map(int, header.groups())
    if not (width and height and 0 < largest < 65536):
        raise ValueError(f"its header says {width} by {height}, largest value {largest}")
    return kind, width, height, largest, header.end()
