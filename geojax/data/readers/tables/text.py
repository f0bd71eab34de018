"""Whole text files in memory, as formats of a header and a block of numbers have them."""

from pathlib import Path

from geojax.data.findings import Finding
from geojax.errors import UserError

MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def lines(path: Path, kind: str, encoding: str | None = None) -> tuple[list[str], bool]:
    """Lines without their ends, and whether the last has one.

    kind : what the file must be, for the refusal
    encoding : if not told, by the mark at its begin, UTF-8, or Latin-1
    raises UserError : it is missing or no text
    """
    if not path.is_file():
        raise UserError(f"{path}: the raw file must exist, but does not. Put it there, or mend `source`.")
    content = path.read_bytes()
    known = encoding or next((name for mark, name in MARKS.items() if content.startswith(mark)), None)
    try:
        text = _decode(content, known)
    except (UnicodeError, LookupError) as error:
        raise UserError(f"{path}: must be text in {known}, but is not ({error}). Correct its encoding.") from None
    if "\0" in text:
        remedy = "Is its encoding UTF-16? Name it in `reader: options: encoding`, or fetch it again."
        raise UserError(f"{path}: must be {kind}, but holds zero bytes. {remedy}")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")[: -1 if text.endswith("\n") else None], text.endswith("\n")


def check_end(path: Path, block: list[str], ended: bool, found: list[Finding]) -> None:
    """Say in `found` that the last number may be cut: its line has no end, and is not as long as the others.

    block : lines of numbers
    """
    lengths = {len(line) for line in block}
    if not ended and (len(block) < 2 or len(lengths) > 1):
        words = "the last line has no end, so its last value may be cut"
        found.append(Finding("unproven", str(path), "all", 1, "the last line", words))


def _decode(content: bytes, encoding: str | None) -> str:
    if encoding:
        return content.decode(encoding)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")
