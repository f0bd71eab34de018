"""JSON schemas of the configuration, with what tasks, models and readers add, for editors."""

from typing import Any

from geojax import models, task
from geojax.config import Dataset, Run
from geojax.data import readers


def dataset() -> dict[str, Any]:
    """Schema of config/datasets/*.yaml."""
    schema = Dataset.model_json_schema()
    schema["$defs"]["Reader"]["properties"]["name"]["enum"] = readers.names()
    return schema


def run() -> dict[str, Any]:
    """Schema of config/runs/*.yaml: the settings of the task and the sizes of the model that a run names."""
    schema = Run.model_json_schema()
    schema["properties"]["task"]["enum"] = task.names()
    schema["$defs"]["Model"]["properties"]["name"]["enum"] = models.names()
    schema["allOf"] = [_of_task(name) for name in task.names()] + [_of_model(name) for name in models.names()]
    return schema


def _of_task(name: str) -> dict[str, Any]:
    own = task.load(name)
    then = {
        "examples": own.settings_type.model_json_schema(),
        "model": {"properties": {"name": {"enum": list(own.models)}}},
    }
    return {"if": {"properties": {"task": {"const": name}}}, "then": {"properties": then}}


def _of_model(name: str) -> dict[str, Any]:
    sizes = models.sizes_schema(name).model_json_schema()["properties"] | {"name": {"const": name}}
    model = {"properties": {"name": {"const": name}}}
    closed = {"properties": {"model": {"properties": sizes, "additionalProperties": False}}}
    return {"if": {"properties": {"model": model}}, "then": closed}
