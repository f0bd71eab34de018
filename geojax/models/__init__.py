"""Flax NNX modules: arrays to arrays. One module a file, ending in MODEL.

A constructor's keyword-only arguments, but for `rngs`, are the sizes that a run's `model` section may set.
"""

import inspect
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from geojax import modules
from geojax.errors import UserError
from geojax.messages import explain


def load(name: str) -> Any:
    """The module class of that name.

    raises UserError : geojax has none of that name
    """
    if name not in names():
        raise UserError(f"model: name: geojax has no model `{name}`. It has: {', '.join(names())}.")
    return import_module(f"{__name__}.{name}").MODEL


def names() -> list[str]:
    """Names of all models."""
    return modules.names("models")


def sizes_schema(name: str) -> type[BaseModel]:
    """What the constructor of a model takes, as a pydantic model closed to anything else."""
    fields: dict[str, Any] = {
        argument.name: (argument.annotation, argument.default)
        for argument in inspect.signature(load(name).__init__).parameters.values()
        if argument.kind is argument.KEYWORD_ONLY and argument.name != "rngs"
    }
    return create_model(f"{name}_sizes", __config__=ConfigDict(extra="forbid"), **fields)


def check_sizes(name: str, sizes: dict[str, Any], path: str = "") -> dict[str, Any]:
    """The sizes, checked against the constructor of the model.

    raises UserError : one is unknown or of the wrong type
    """
    schema = sizes_schema(name)
    try:
        return schema.model_validate(sizes).model_dump()
    except ValidationError as error:
        raise UserError(explain(path, schema, error, within="model")) from None
