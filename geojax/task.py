"""What a task is: one file in geojax.tasks that ends in TASK, a class made from this one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import BaseModel, ConfigDict, ValidationError

from geojax import modules
from geojax.errors import UserError
from geojax.messages import explain

if TYPE_CHECKING:
    from flax import nnx
    from matplotlib.figure import Figure

BEFORE = "model before the update"  # a method in the tables of scores, but never a baseline
Arrays = dict[str, Any]  # NumPy arrays at rest, JAX arrays under jit


class Examples(NamedTuple):
    """Examples as arrays: `rows` (example, …) and what all of them share, such as a bank of noise."""

    rows: Arrays
    shared: Mapping[str, Any] = {}

    @property
    def size(self) -> int:
        return len(next(iter(self.rows.values())))

    def take(self, rows: Any) -> "Examples":
        """The examples of these rows; under jit as well."""
        return Examples({name: array[rows] for name, array in self.rows.items()}, self.shared)


class Turn(NamedTuple):
    """One optimizer's part in a training step; most tasks have one, an adversarial one has two.

    loss : (model, batch, key, training) to a scalar, under jit
    player : attribute of the model that this turn trains, for instance "critic"; all of it without
    times : updates of this player in one step, each on a batch of its own
    """

    loss: Callable[[Any, Examples, Any, bool], Any]
    player: str | None = None
    times: int = 1


class Settings(BaseModel):
    """The settings `examples` of a run; a task's own class names them. Closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Settings)


class Baseline(Protocol):
    """A classical method: fitted and tuned like the model, on the same examples."""

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        """Fit, tune on the validation examples, and return what was chosen."""
        ...

    def predict(self, examples: Examples) -> np.ndarray:
        """What a model would return for the same examples: (example, …)."""
        ...


@dataclass(frozen=True)
class Score:
    """The headline of a task: a variable of what `Task.score` returns."""

    name: str
    long_name: str
    units: str
    higher_is_better: bool
    slices: str | None = None  # dimension along which the score is also shown, for instance coverage

    def better(self, difference: float) -> bool:
        """Whether model minus baseline is a gain."""
        return difference > 0 if self.higher_is_better else difference < 0


@dataclass(frozen=True)
class Picture:
    """A figure of the report."""

    title: str
    caption: str
    figure: "Figure"


@dataclass(frozen=True)
class Outcome:
    """All that a task draws its pictures from; predictions follow the rows of `index`."""

    index: pd.DataFrame  # test rows
    parts: Mapping[str, xr.Dataset]
    scaling: xr.Dataset
    examples: Examples
    model: np.ndarray
    baselines: Mapping[str, np.ndarray]
    best_baseline: str
    scores: pd.DataFrame


@dataclass(frozen=True)
class Data:
    """What `Task.apply` may need of the run's data, beside the model.

    parts, scaling : those that the run was trained on, normalized
    read : raw files to one part, by the dataset's own reader and scaling; variables that are named need not be there
    """

    parts: Mapping[str, xr.Dataset]
    scaling: xr.Dataset
    read: Callable[[Sequence[Path], Sequence[str]], xr.Dataset]


class Task(Generic[S]):
    """From normalized parts to examples, a model, baselines, scores and pictures, under a run's settings."""

    question: ClassVar[str]  # what is asked, in a sentence or two
    settings_type: ClassVar[type[Settings]]  # the S of this task
    models: ClassVar[tuple[str, ...]]  # modules of geojax.models that fit
    headline: ClassVar[Score]
    predicted: ClassVar[dict[str, str]]  # CF attributes of what model and baselines return
    groups: ClassVar[str]  # what is resampled for the intervals, for instance "years"
    unit: ClassVar[str | None] = (
        None  # column of the index whose equal rows must be held together, for instance station
    )
    averages: ClassVar[bool] = True  # whether the mean of several models' predictions is a prediction
    kept: xr.Dataset | None = None  # what `fit_beside` returned, for what comes after it: scores, pictures, `apply`

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @classmethod
    def has_own(cls, method: str) -> bool:
        """Whether the task has a method of its own in place of what is done by default."""
        return getattr(cls, method) is not getattr(Task, method)

    def index(self, part: xr.Dataset) -> pd.DataFrame:
        """One row for each example of a part before any split: position, group, time and the task's own.

        For the audit also, where they apply: end, trace or station, content, fingerprint; see geojax.data.audit.
        """
        raise NotImplementedError

    def expand(self, index: pd.DataFrame) -> pd.DataFrame:
        """Rows once the split is known: by default as they are; a task may repeat the evaluated ones."""
        return index

    def examples(self, index: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset) -> Examples:
        """Arrays of the rows of `index`, in their order.

        parts : those that the rows lie in, and all that begin no later, if examples hear of what was before them
        """
        raise NotImplementedError

    def pool(
        self, index: pd.DataFrame, whole: pd.DataFrame, parts: Mapping[str, xr.Dataset], scaling: xr.Dataset
    ) -> Examples:
        """Arrays of some rows, when not all can be held: of one shape for as many rows.

        whole : the index of the split that the rows of `index` are from; for tasks whose examples share something
            that comes from all of it
        """
        return self.examples(index, parts, scaling)

    def model(self, name: str, sizes: dict[str, Any], train: Examples, rngs: "nnx.Rngs") -> "nnx.Module":
        """A new model for examples like `train`; what it keeps fixed comes from `train` alone."""
        raise NotImplementedError

    def loss(self, model: Any, batch: Examples, key: Any, training: bool) -> Any:
        """Mean loss of a batch, a scalar; under jit. `key` drives augmentation and dropout."""
        raise NotImplementedError

    def turns(self) -> tuple[Turn, ...]:
        """What a training step does, in this order. The loss of validation is always `loss`."""
        return (Turn(self.loss),)

    def predict(self, model: Any, batch: Examples) -> Any:
        """Predictions (example, …) of a batch, under jit; an ensemble's members are averaged."""
        raise NotImplementedError

    def tune(self, predict: Callable[[Examples], np.ndarray], validation: Examples) -> dict[str, Any]:
        """What is chosen on the validation examples once the model is trained, as baselines are tuned: a threshold.

        returns : what `decide` needs and JSON can hold; by default nothing
        """
        return {}

    def decide(self, predicted: np.ndarray, chosen: Mapping[str, Any]) -> np.ndarray:
        """What is stored and scored, (example, …), from the model's predictions; by default these."""
        return predicted

    def fit_beside(
        self, predict: Callable[[Examples], np.ndarray], train: Examples, validation: Examples
    ) -> xr.Dataset | None:
        """What is kept with the model's predictions and fitted to it: a detector of what it generates, a calibration.

        predict : as what is stored, once the model is trained and tuned
        train : all training examples, or a fixed sample if they are not held at once
        returns : arrays of numbers without coordinates, and attributes that JSON can hold; see geojax.predictions. By
            default nothing. What follows has it as `self.kept`. A task that keeps something cannot be split by fold.
        """
        return None

    def baselines(self) -> Mapping[str, Baseline]:
        """Classical methods by the name that the report shows."""
        raise NotImplementedError

    def statistics(
        self, index: pd.DataFrame, examples: Examples, predictions: np.ndarray, scaling: xr.Dataset
    ) -> xr.Dataset:
        """Sums (group, …) that scores follow from, so that groups can be resampled without the examples."""
        raise NotImplementedError

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        """Scores from summed statistics; any leading dimension (resample) is kept."""
        raise NotImplementedError

    def pictures(self, outcome: Outcome) -> list[Picture]:
        """What a scientist would show."""
        raise NotImplementedError

    def apply(
        self, predict: Callable[[Examples], np.ndarray], files: Sequence[Path], output: Path, data: Data
    ) -> list[Path]:
        """Apply the trained model to new raw files, and write what it finds.

        predict : examples to predictions (example, …), with the run's weights
        output : folder for the results
        data : those of the run, and its reader
        returns : the files that were written
        raises UserError : the task does not say how, or a file is not what it must be
        """
        raise UserError(f"{type(self).__name__} does not say how its model is applied to files outside the workflow.")


def load(name: str) -> type[Task[Any]]:
    """The task of that name.

    raises UserError : geojax has none of that name
    """
    if name not in names():
        raise UserError(f"task: geojax has no task `{name}`. It has: {', '.join(names())}.")
    return import_module(f"geojax.tasks.{name}").TASK


def names() -> list[str]:
    """Names of all tasks."""
    return modules.names("tasks")


def configured(name: str, given: dict[str, Any], path: str = "") -> Task[Any]:
    """The task of that name under the settings `examples` of a run.

    path : the run's file, for what is said of an error
    raises UserError : there is no such task, or one of its settings is unknown or wrong
    """
    task = load(name)
    try:
        return task(task.settings_type.model_validate(given))
    except ValidationError as error:
        raise UserError(explain(path, task.settings_type, error, within="examples")) from None
