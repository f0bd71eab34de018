"""Names of years, months and days, and ranges of names. Light: it runs whenever Snakemake builds the DAG."""

import re
from collections.abc import Iterable
from datetime import date, timedelta

from geojax.errors import UserError

SHAPES = {"year": "%Y", "month": "%Y-%m", "day": "%Y-%m-%d"}


def periods(by: str, first: str, last: str) -> list[str]:
    """Names of the years, months or days from `first` to `last`, both included."""
    found, day = [], _day(first)
    while day <= _day(last):
        found.append(day.strftime(SHAPES[by]).zfill(4))
        day = _next(by, day)
    return found


def span(by: str, period: str) -> tuple[str, str]:
    """First day of a period and the day after its last, as ISO dates."""
    return _day(period).isoformat(), _next(by, _day(period)).isoformat()


def _day(period: str) -> date:
    numbers = [*map(int, period.split("-")), 1, 1][:3]
    try:
        return date(*numbers)
    except ValueError:
        raise UserError(f"parts: {period}: there is no such date. Correct `parts: first` and `last`.") from None


def _next(by: str, day: date) -> date:
    match by:
        case "year":
            return date(day.year + 1, 1, 1)
        case "month":
            return date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return day + timedelta(days=1)


def expand(items: Iterable[str]) -> list[str]:
    """Names, with each range such as 1991-2010 replaced by what it stands for.

    raises UserError : a range runs backwards
    """
    every: list[str] = []
    for item in items:
        if ends := re.fullmatch(r"(\d+)-(\d+)", item):
            if int(ends[2]) < int(ends[1]):
                raise UserError(f"{item}: a range must run upwards; write {ends[2]}-{ends[1]}.")
            width = len(ends[1])
            every += [str(n).zfill(width) for n in range(int(ends[1]), int(ends[2]) + 1)]
        else:
            every.append(item)
    return every
