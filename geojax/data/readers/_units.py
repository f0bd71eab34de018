"""Units as files of each kind write them and as CF writes them: which two mean the same."""

from pathlib import Path

from geojax.data.quality import Finding
from geojax.errors import UserError

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


def same(told: str, declared: str) -> bool:
    """Whether two spellings mean one unit; units that this module does not know must be spelled alike."""
    return told == declared or _name(told) == _name(declared)


def check(told: str, declared: str, path: Path, variable: str, found: list[Finding]) -> None:
    """Compare the units that a file tells with the declared ones; where it tells none, say so in `found`.

    raises UserError : they differ
    """
    if not told and _name(declared) != "1":
        words = f"the file tells no units; those of the configuration, {declared}, are taken on trust"
        found.append(Finding("warning", str(path), variable, 1, "header", words))
    elif told and not same(told, declared):
        raise UserError(
            f"{path}: `{variable}` must be in {declared!r}, but its units are {told!r}. "
            "Correct `reader: variables: units`, or convert the file."
        )


def _name(units: str) -> str:
    bare = " ".join(units.strip().strip("[]()").split())
    return NAMES.get(bare.lower(), bare.lower())
