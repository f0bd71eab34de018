"""Numbers as a reader wants them: as many digits as the interval supports."""

import math
import re
from collections.abc import Mapping

MINUS = "\N{MINUS SIGN}"


def decimals(low: float, high: float) -> int:
    """Digits after the point that leave two significant digits of half the interval."""
    half = abs(high - low) / 2
    if not math.isfinite(half) or half == 0:
        return 3
    return min(max(0, 1 - math.floor(math.log10(half))), 6)


def number(value: float, digits: int, signed: bool = False) -> str:
    """A fixed number of decimals, with a true minus sign."""
    if not math.isfinite(value):
        return "undefined"
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return text.replace("-", MINUS)


def minus(text: str) -> str:
    """A text with true minus signs before numbers; hyphens inside names stay."""
    return re.sub(r"-(?=\d)", MINUS, text)


def value(row: Mapping[str, float], units: str = "1", digits: int | None = None) -> str:
    """Value with its 95 % interval, for instance `0.213 K (0.201 to 0.226)`.

    digits : after the point; without, as many as the interval supports
    """
    digits = decimals(row["low"], row["high"]) if digits is None else digits
    return _interval(row["value"], row["low"], row["high"], units, digits, signed=False)


def difference(row: Mapping[str, float], units: str = "1") -> str:
    """Model minus baseline with its 95 % interval."""
    ends = row["difference_low"], row["difference_high"]
    return _interval(row["difference"], *ends, units, decimals(*ends), signed=True)


def seconds(time_s: float) -> str:
    """A duration as one would say it."""
    if time_s < 90:
        return f"{time_s:.1f} s" if time_s < 10 else f"{time_s:.0f} s"
    return f"{time_s / 60:.1f} min" if time_s < 5400 else f"{time_s / 3600:.1f} h"


def _interval(middle: float, low: float, high: float, units: str, digits: int, signed: bool) -> str:
    unit = "" if units in ("", "1") else f"\N{NO-BREAK SPACE}{units}"
    ends = f"{number(low, digits, signed)} to {number(high, digits, signed)}"
    return f"{number(middle, digits, signed)}{unit} ({ends})"
