"""What may stand in `config/runs/*.yaml`."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from geojax.config.section import Name, Section
from geojax.errors import UserError
from geojax.messages import explain


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
    steps: int | None = Field(default=None, ge=1, description="steps that make an epoch; else one pass over all")
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(gt=0)
    player_rates: dict[str, float] = Field(
        default_factory=dict, description="of adversarial training: learning rate of a player as a multiple, by name"
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of SGD; decay of AdamW's mean gradient")
    weight_decay: float = Field(default=1e-4, ge=0)
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="of the learning rate after warm-up; it falls to 1 % but for `constant`"
    )
    warmup: float = Field(default=0.05, ge=0, lt=1, description="share of the steps in which the rate rises")
    clip_norm: float = Field(default=1.0, gt=0)
    average: float = Field(default=0.0, ge=0, lt=1, description="decay of the weights' moving average; 0 for none")
    patience: int = Field(default=20, ge=1, description="epochs without a better validation loss before the end")
    ensemble: int = Field(default=1, ge=1, description="members, trained at once from different seeds")
    accumulate: int = Field(default=1, ge=1, description="pieces of a batch whose gradients are summed; saves memory")
    rematerialize: bool = Field(default=False, description="compute activations twice instead of keeping them")
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="of the model's arithmetic; weights and losses stay float32"
    )
    device: Literal["auto", "cpu", "gpu", "tpu"] = "auto"
    seed: int = 0
    update: Literal["warm", "scratch"] = Field(
        default="scratch", description="on changed data: go on from the last finished weights, or begin anew"
    )
    resident: int | None = Field(
        default=None, ge=1, description="examples held in memory at once, an epoch's pool; null for all of a split"
    )

    @model_validator(mode="after")
    def fits_together(self) -> Self:
        if self.resident is not None and self.resident < self.batch_size:
            raise ValueError(f"resident ({self.resident}) must not be smaller than batch_size ({self.batch_size})")
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size ({self.batch_size}) must be a multiple of accumulate ({self.accumulate})")
        return self


class Evaluation(Section):
    """How sure the scores are."""

    resamples: int = Field(default=2000, ge=100)
    seed: int = 0


class Run(Section):
    """One experiment: a dataset, a task, a model."""

    dataset: Name | list[Name] = Field(description="one dataset; or several, on the examples of all of which")
    task: Name
    title: str
    quick: bool = Field(
        default=True, description="false: made by `snakemake all_tasks`, or when named, not by a plain `snakemake`"
    )
    against: Name | None = Field(
        default=None, description="another run of the same examples, to be compared with in pairs: another model"
    )
    examples: dict[str, Any] = Field(default_factory=dict, description="the task's own settings")
    model: Model
    training: Training
    evaluation: Evaluation = Evaluation()
    tiny: dict[str, Any] = Field(
        default_factory=dict,
        description="what differs with `--config tiny=true`, a trial of the whole run in seconds, named R.tiny",
    )

    @property
    def datasets(self) -> list[str]:
        return [self.dataset] if isinstance(self.dataset, str) else self.dataset

    @field_validator("dataset")
    @classmethod
    def names_each_dataset_once(cls, dataset: str | list[str]) -> str | list[str]:
        if isinstance(dataset, list) and (not dataset or len(set(dataset)) < len(dataset)):
            raise ValueError("must name at least one dataset, and each once")
        return dataset


TINY = ".tiny"  # ending of the names of runs, and of the front page, of a trial


def shrunk(run: Run, path: str | Path = "") -> Run:
    """The run with what its section `tiny` says in place of its own: two short epochs, if it says nothing of them.

    raises UserError : the section says something that is not admitted
    """
    least = {"training": {"epochs": 2, "steps": 2}, "evaluation": {"resamples": 100}}
    try:
        small = _merged(_merged(run.model_dump(exclude_unset=True), least), run.tiny)
        rival = {"against": run.against + TINY} if run.against else {}
        return Run.model_validate(small | {"title": f"{run.title} (a tiny trial, no result)"} | rival)
    except ValidationError as error:
        raise UserError(explain(f"{path}: tiny", Run, error)) from None


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Section by section; what stands in `over` wins."""
    both = {key: _merged(under[key], over[key]) for key in under.keys() & over if isinstance(over[key], dict)}
    return under | over | both
