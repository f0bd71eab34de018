"""Rows of an SQLite database, opened so that nothing can be written."""

import sqlite3
import urllib.parse
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from geojax.data.readers.tables.cells import Rows
from geojax.data.readers.tables.files import AT_ONCE, positions
from geojax.errors import UserError

READS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)


def sqlite_rows(path: Path, wanted: Sequence[str], table: str | None, query: str | None) -> Iterator[Rows]:
    """Rows of a table of an SQLite database, or of a query that can only read.

    raises UserError : it is damaged, cut or in use, lacks the table or a column, or the query does more than read
    """
    _check_database(path)
    address = f"file:{urllib.parse.quote(str(path.resolve()))}?mode=ro&immutable=1"
    connection = sqlite3.connect(address, uri=True)
    try:
        (healthy,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if healthy != "ok":
            raise sqlite3.DatabaseError(healthy)
        if bool(table) == bool(query):
            tables = ", ".join(name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name"))
            raise UserError(f"{path}: give `reader: options: table` or `query`, one of both. There are: {tables}.")
        connection.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_OK if action in READS else sqlite3.SQLITE_DENY
        )  # nor may it open a second file
        quoted = '"' + str(table).replace('"', '""') + '"'
        cursor = connection.execute(query or f"SELECT * FROM {quoted}")
        places = positions(path, [column[0] for column in cursor.description or ()], wanted)
        first = 1
        while block := list(islice(cursor, AT_ONCE)):
            cells = {name: [row[place] for row in block] for name, place in places.items()}
            yield Rows(path, "row", np.arange(first, first + len(block)), cells)
            first += len(block)
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise UserError(
            f"{path}: must be an SQLite database that answers `table` or `query` by reading, but does not ({error}). "
            "Correct the option, or fetch the file again."
        ) from error
    finally:
        connection.close()


def _check_database(path: Path) -> None:
    """Refuse a database cut short, or with changes that are not yet in it.

    source : "Database File Format", sqlite.org, section 1.3
    """
    for ending in ("-wal", "-journal"):
        other = path.with_name(path.name + ending)
        if other.exists() and other.stat().st_size:
            raise UserError(f"{path}: must hold all its rows, but {other.name} holds changes. Close what writes it.")
    with path.open("rb") as file:
        head = file.read(100)
    size = int.from_bytes(head[16:18], "big")
    required = int.from_bytes(head[28:32], "big") * (65_536 if size == 1 else size)
    counted = len(head) == 100 and head[24:28] == head[92:96]
    if not head.startswith(b"SQLite format 3\0") or (counted and path.stat().st_size < required):
        raise UserError(f"{path}: must be a whole SQLite database, but is not, or is cut short. Fetch it again.")
