"""How raw data fall into parts, the units of change."""

import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from geojax.config.section import Name, Section

Period = Annotated[str, WithJsonSchema({"type": ["string", "integer"]})]  # YAML reads 1991 as a number


class PeriodParts(Section):
    """One part for each calendar year, month or day."""

    by: Literal["year", "month", "day"]
    first: Period | None = Field(default=None, description="first period, as 1991, 1991-01 or 1991-01-01")
    last: Period | None = Field(default=None, description="last period, itself included")
    date: str | None = Field(
        default=None, description="with files: how {part} in their names tells the date, as %Y.%j; they are grouped"
    )
    SHAPES: ClassVar = {"year": r"\d{4}", "month": r"\d{4}-\d{2}", "day": r"\d{4}-\d{2}-\d{2}"}

    @field_validator("first", "last", mode="before")
    @classmethod
    def as_text(cls, period: Any) -> str | None:
        return None if period is None else str(period)

    @model_validator(mode="after")
    def in_order(self) -> Self:
        for period in (self.first, self.last):
            if period is not None and not re.fullmatch(self.SHAPES[self.by], period):
                shown = {"year": "1991", "month": "1991-01", "day": "1991-01-01"}[self.by]
                raise ValueError(f"by {self.by}, first and last must be given as {shown}, but {period!r} was")
        if self.first and self.last and self.last < self.first:
            raise ValueError(f"last ({self.last}) must not lie before first ({self.first})")
        return self


class StationParts(Section):
    """One part for each block of neighbouring stations of one raw file."""

    by: Literal["station"]
    blocks: dict[Name, list[str]] = Field(description="block: station codes or ranges such as 1001-1035")


class RegionParts(Section):
    """One part for each region of a field."""

    by: Literal["region"]
    regions: dict[Name, dict[str, tuple[float, float]]] = Field(
        min_length=1, description="name: span of each coordinate, its upper end left out, as {lon: [0, 20]}"
    )

    @model_validator(mode="after")
    def upwards(self) -> Self:
        for region, spans in self.regions.items():
            for axis, (low, high) in spans.items():
                if axis not in ("lat", "lon"):
                    raise ValueError(f"{region}: a region is cut along lat and lon, not along {axis}")
                if high <= low:
                    raise ValueError(f"{region}: {axis} must run from the lower to the higher value")
        return self


class FileParts(Section):
    """One part for each `{part}` of the source: one raw file, or several."""

    by: Literal["file"]


Parts = Annotated[PeriodParts | StationParts | RegionParts | FileParts, Field(discriminator="by")]
