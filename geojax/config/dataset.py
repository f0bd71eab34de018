"""What may stand in `config/datasets/*.yaml`."""

from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from geojax.config.parts import Parts, PeriodParts
from geojax.config.section import Name, Section
from geojax.config.sources import Source


class Variable(Section):
    """What a variable must be when it enters: name in the file and CF attributes."""

    name: str | None = Field(default=None, description="name in the raw file, if another")
    units: str
    standard_name: str | None = Field(default=None, description="from the CF table, where it has one")
    long_name: str | None = Field(default=None, description="what it is, in words")
    valid_range: tuple[float, float] | None = None

    @model_validator(mode="after")
    def is_named(self) -> Self:
        if not (self.standard_name or self.long_name):
            raise ValueError("needs a standard_name from the CF table, or a long_name where CF has none")
        return self


class Reader(Section):
    """How raw files become arrays: a module of geojax.data.readers."""

    name: Name
    variables: dict[Name, Variable] = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict, description="what this reader alone takes")


class Scaling(Section):
    """Centre and spread, fitted on the reference parts only; without this section values stay as they are."""

    center: Literal["month", "mean", "none"] = Field(
        default="none", description="month: one mean for each calendar month"
    )
    spread: Literal["all", "point", "none"] = Field(
        default="none", description="all: one deviation; point: one for each place"
    )
    over: list[Name] = Field(default_factory=list, description="dimensions that the statistics run over")
    reference: list[str] = Field(
        default_factory=list, description="training parts: names or ranges such as 1991-2010; none if nothing is scaled"
    )

    @property
    def scales(self) -> bool:
        """Whether values change."""
        return (self.center, self.spread) != ("none", "none")

    @model_validator(mode="after")
    def is_fitted_on_something(self) -> Self:
        if self.scales and not (self.reference and self.over):
            raise ValueError("centre and spread are fitted: name `reference` parts and the dimensions `over`")
        return self

    @model_validator(mode="after")
    def months_need_time(self) -> Self:
        if self.center == "month" and "time" not in self.over:
            raise ValueError("center: month takes means over time, so `over` must hold time")
        return self


class _Split(Section):
    """What the audit asks of every split."""

    near_duplicates: float | None = Field(
        default=0.995,
        gt=0.5,
        lt=1,
        description="correlation from which on two examples count as copies; null: do not ask",
    )


class TimeSplit(_Split):
    """Spans of time, both ends included; an open end takes whatever arrives later."""

    by: Literal["time"]
    train: tuple[date, date]
    validation: tuple[date, date]
    test: tuple[date, date | None]
    embargo_days: int = Field(default=0, ge=0, description="shortest time that must lie between two splits")

    @model_validator(mode="after")
    def apart(self) -> Self:
        spans = [self.train, self.validation, (self.test[0], self.test[1] or date.max)]
        backward = any(last < first for first, last in spans)
        if backward or any(later[0] <= earlier[1] for earlier, later in pairwise(spans)):
            raise ValueError("train, validation and test must follow one another without overlap")
        for earlier, later in ((self.train, self.validation), (self.validation, self.test)):
            gap = (later[0] - earlier[1]).days - 1
            if gap < self.embargo_days:
                raise ValueError(f"{gap} days lie between two splits, but embargo_days is {self.embargo_days}")
        return self


class GroupSplit(_Split):
    """Whole groups (blocks of stations, basins, wells) for each split."""

    by: Literal["group"]
    train: list[str]
    validation: list[str]
    test: list[str]
    embargo_days: int = Field(default=0, ge=0, description="shortest time between windows of one trace in two splits")

    @model_validator(mode="after")
    def disjoint(self) -> Self:
        every = [*self.train, *self.validation, *self.test]
        if twice := sorted({group for group in every if every.count(group) > 1}):
            raise ValueError(f"{', '.join(twice)} must stand in one split only")
        return self


class FoldSplit(_Split):
    """Cross-validation: whole groups are dealt to folds, and each fold is tested once, by what was trained on others.

    The fold after the tested one validates; all others train.
    """

    by: Literal["fold"]
    folds: int | None = Field(default=None, ge=3, description="number of folds; null: each group is one")
    seed: int = 0
    embargo_days: int = Field(default=0, ge=0, description="shortest time between windows of one trace in two folds")


Split = Annotated[TimeSplit | GroupSplit | FoldSplit, Field(discriminator="by")]


class Quality(Section):
    """What becomes of a part with faults."""

    policy: Literal["fail", "quarantine"] = Field(
        default="fail", description="quarantine: set the part aside with its reason, and go on without it"
    )
    admit: list[Name] = Field(
        default_factory=list, description="kinds of faults that may stay, recorded: gap, spike, …; or all"
    )


class Card(Section):
    """What a reader of the report must know of the data."""

    title: str
    summary: str
    origin: str
    licence: str
    labels: str = Field(description="what the targets are and who made them")
    citation: str


class Dataset(Section):
    """One data set, prepared once for every run that uses it."""

    card: Card
    source: Source
    reader: Reader
    parts: Parts
    split: Split
    scaling: Scaling = Scaling()
    quality: Quality = Quality()
    chunks: dict[Name, int] = Field(
        default_factory=dict, description="dimension: length along it that is read at once; else chunks of about 1 MiB"
    )

    @model_validator(mode="after")
    def folds_share_no_statistics(self) -> Self:
        if self.split.by == "fold" and self.scaling.reference:
            raise ValueError(
                "split by fold: every group is tested, so no part can be a reference of the scaling; leave `scaling` "
                "out, and let the task's model scale its inputs by its training examples"
            )
        return self

    @model_validator(mode="after")
    def parts_fit_source(self) -> Self:
        names_parts = "{part}" in getattr(self.source, "pattern", getattr(self.source, "url", ""))
        grouped = isinstance(self.parts, PeriodParts) and self.parts.date is not None
        if grouped and self.source.kind != "files":
            raise ValueError("`date` groups files by what their names tell, so it goes with a source of kind files")
        if names_parts and not (self.parts.by == "file" or grouped):
            raise ValueError(
                "the source names its parts by {part}, so parts must be by file; or by year, month or day with `date`"
            )
        if self.parts.by == "file" and not names_parts:
            raise ValueError("parts by file go with a source that holds {part}, and with no other")
        if isinstance(self.parts, PeriodParts) and not grouped and not (self.parts.first and self.parts.last):
            raise ValueError("parts need first and last, as the source does not tell which periods there are")
        if self.source.kind == "fdsn" and not isinstance(self.parts, PeriodParts):
            raise ValueError("a source of kind fdsn is asked by period: parts by day, month or year")
        return self
