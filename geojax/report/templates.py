"""Pages from templates, with nothing to be loaded from elsewhere."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from geojax.report import rounding


def render(template: str, **content: Any) -> str:
    """A page of this folder's template."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"value": rounding.value, "difference": rounding.difference}
    environment.filters |= {"doi": link_dois, "stacked": _stacked, "minus": rounding.minus}
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return environment.get_template(template).render(made=made, **content)


def link_dois(text: str) -> Markup:
    """Text in which each `doi:…` is a link; the only links that leave the pages."""
    pattern = re.compile(r"doi:(10\.\d{4,9}/[^\s,;]+[^\s,;.])")
    return Markup(pattern.sub(r'<a href="https://doi.org/\1">doi:\1</a>', str(escape(text))))


def _stacked(text: str) -> Markup:
    """A value with its interval on a line of its own."""
    middle, _, ends = text.partition(" (")
    return Markup('{}<br> <span class="muted">({}</span>').format(middle, ends)
