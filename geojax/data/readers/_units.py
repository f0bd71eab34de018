"""Whether two spellings name the same unit. Nothing is converted: kelvin is not degree Celsius."""

import re
from collections import Counter
from pathlib import Path

from geojax.data.findings import Finding
from geojax.errors import UserError

# Whole spellings of logs, observatories and tables; lower case, as they are compared.
SAME = (
    ("m", "metre", "meter", "metres", "meters"),
    ("ft", "f", "feet", "foot"),
    ("cm",),
    ("mm",),
    ("in", "inch", "inches"),
    ("s", "sec", "second", "seconds"),
    ("ms", "msec"),
    ("us m-1", "us/m", "usec/m", "µs/m"),
    ("us ft-1", "us/f", "us/ft", "usec/ft", "usec/f", "µs/ft"),
    ("kg m-3", "k/m3", "kg/m3", "kgm3"),
    ("g cm-3", "g/c3", "g/cc", "g/cm3", "gm/cc", "gm/c3", "gm/cm3"),
    ("1", "v/v", "m3/m3", "ft3/ft3", "frac", "fraction", "dec", "decimal", "v/v_decimal", "unitless", "dimensionless"),
    ("percent", "%", "pu", "p.u."),
    ("ohm m", "ohmm", "ohm.m", "ohm-m", "ohm/m", "ohm m2 m-1"),
    ("mV", "mv", "millivolt"),
    ("gapi", "api", "api units", "gapi units"),
    ("degree_Celsius", "degc", "deg c", "celsius", "°c", "degrees celsius", "degree_celsius"),
    ("degree", "deg", "degrees", "degrees of arc", "degree of arc", "arc_degree"),
    ("arc_minute", "arcmin", "arcminute", "arc_minutes", "minutes of arc", "minute of arc", "min of arc"),
    ("nT", "nanotesla"),
    ("b e-1", "b/e", "barn/electron", "barns/e", "barn e-1"),
    ("mD", "millidarcy"),
)  # fmt: skip
NAMES = {spelling.lower(): spellings[0] for spellings in SAME for spelling in spellings}

# Bases of composed units, as GRIB and NetCDF write them.
SPELLINGS = {
    "K": ("kelvin", "kelvins", "degK", "deg_K", "degree_Kelvin", "degrees_Kelvin", "Kelvin"),
    "degree_Celsius": ("degC", "deg_C", "degree_C", "degrees_C", "degrees_Celsius", "celsius", "Celsius", "°C"),
    "m": ("meter", "meters", "metre", "metres"),
    "s": ("second", "seconds", "sec"),
    "kg": ("kilogram", "kilograms"),
    "Pa": ("pascal", "pascals"),
    "%": ("percent", "per_cent"),
    "degree": ("degrees", "deg", "°"),
}
ONE = ("1", "dimensionless", "Dimensionless", "(0 - 1)", "Proportion", "Numeric")
KNOWN = {name: unit for unit, names in SPELLINGS.items() for name in names}


def same(told: str, declared: str) -> bool:
    """Whether the units are the same but for spelling: m s-1, m/s, m s**-1 and meters second^-1 are."""
    return told == declared or _name(told) == _name(declared) or _powers(told) == _powers(declared)


def check(told: str | None, declared: str, path: Path, variable: str, found: list[Finding]) -> None:
    """Compare the units that a file tells with the declared ones; where it tells none, say so in `found`.

    raises UserError : they differ
    """
    if told is None or not told.strip():
        if _name(declared) != "1":
            words = f"the file tells no units; those of the configuration, {declared}, are taken on trust"
            found.append(Finding("metadata", str(path), variable, 1, "its units", words))
    elif not same(told, declared):
        raise UserError(
            f"{path}: `{variable}` must be in {declared!r}, but its units are {told!r}. "
            "Correct `reader: variables: units`, or the file."
        )


def _name(units: str) -> str:
    bare = " ".join(units.strip().strip("[]()").split())
    return NAMES.get(bare.lower(), bare.lower())


def _powers(units: str) -> dict[str, int] | str:
    """Each base with its power; the text itself where that is not how it is built."""
    if units.strip() in ONE:
        return {}
    plain = units.strip().replace("**", "").replace("^", "")
    plain = re.sub(r"(?<=[\w%])[.*·](?=[A-Za-z])", " ", plain)
    powers: Counter[str] = Counter()
    for divided, token in re.findall(r"(/?)\s*([^\s/]+)", plain):
        parts = re.fullmatch(r"([^\d\s+-]+)([+-]?\d+)?", token)
        if parts is None and token != "1":
            return units.strip()
        if parts:
            powers[KNOWN.get(parts[1], parts[1])] += int(parts[2] or 1) * (-1 if divided else 1)
    return dict(powers)
