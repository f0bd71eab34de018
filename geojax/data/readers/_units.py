"""Whether two spellings name the same unit. Nothing is converted: kelvin is not degree Celsius."""

import re
from collections import Counter

from geojax.data.quality import Finding
from geojax.errors import UserError

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


def same(one: str, other: str) -> bool:
    """Whether the units are the same but for spelling: m s-1, m/s, m s**-1 and meters second^-1 are."""
    return one == other or _powers(one) == _powers(other)


def check(found: str | None, wanted: str, shown: str, assume: bool) -> str | None:
    """Compare what the file says with what the configuration declares; returns words where the file says nothing.

    shown : where the variable stands, for the message
    raises UserError : the units differ, or the file has none and they may not be assumed
    """
    if found is None or not found.strip():
        if assume:
            return f"the file says no units; {wanted!r} is assumed"
        raise UserError(
            f"{shown} must say its units, but says none. If you know that they are {wanted!r}, "
            "set `reader: options: assume_units: true`, which is recorded."
        )
    if same(found, wanted):
        return None
    raise UserError(
        f"{shown} must be in {wanted!r}, but its units are {found!r}. "
        "Correct `reader: variables: units`, or the attribute in the file."
    )


def assumed(words: str | None, path: object, name: str) -> list[Finding]:
    """What `check` returned, as a finding."""
    return [Finding("warning", str(path), name, 1, "its units", words)] if words else []


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
