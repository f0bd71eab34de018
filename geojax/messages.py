"""Turn what pydantic found into sentences that name the file, the setting and the remedy."""

import difflib
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError


def explain(path: Path | str, kind: type[BaseModel], error: ValidationError, within: str = "") -> str:
    """One line for each thing that is wrong in the configuration at `path`."""
    return "\n".join(f"{path}: {_sentence(kind, problem, within)}" for problem in error.errors())


def _sentence(kind: type[BaseModel], problem: Any, within: str) -> str:
    *parents, last = problem["loc"] or ("",)
    place = ((within,) if within else ()) + tuple(_keys(kind, parents))
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(last), known_keys(kind, parents), n=1, cutoff=0.5)
        known = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known_keys(kind, parents))}."
        return f"{_prefix(place)}no setting `{last}`. {known}"
    if problem["type"] == "missing":
        return f"{_prefix(place)}`{last}` is required and missing."
    *place, last = ((within,) if within else ()) + tuple(_keys(kind, problem["loc"])) or ("",)
    message = problem["msg"].removeprefix("Value error, ")
    got = problem.get("input")
    came = f" (came: {got!r})" if isinstance(got, str | int | float | bool | None) else ""
    return f"{_prefix(place)}{f'`{last}`: ' if last else ''}{message}{came}."


def _prefix(place: Iterable[str]) -> str:
    return "".join(f"{key}: " for key in place)


def known_keys(kind: type[BaseModel], parents: Iterable[Any]) -> list[str]:
    """Names of the settings that `kind` knows below the keys `parents`."""
    *_, (_, models) = (None, [kind]), *_descend(kind, parents)
    return sorted({key for model in models for key in model.model_fields})


def _keys(kind: type[BaseModel], location: Iterable[Any]) -> list[str]:
    """The keys that stand in the file: where pydantic also gives the kind chosen from a union, that is none."""
    return [key for key, _ in _descend(kind, location) if key is not None]


def _descend(kind: type[BaseModel], location: Iterable[Any]) -> Iterator[tuple[str | None, list[type[BaseModel]]]]:
    """Each step's key, None for the kind chosen from a union, and the sections that may lie below it."""
    models = [kind]
    for step in location:
        if str(step).startswith(("constrained-", "list[")):  # how pydantic calls one of several types of a field
            yield None, models
            continue
        if len(models) > 1 and (chosen := [model for model in models if step in _tags(model)]):
            models = chosen
            yield None, models
            continue
        inner = [m for model in models if step in model.model_fields for m in _models(model.model_fields[step])]
        models = inner or models  # a free key is no field: stay
        yield str(step), models


def _tags(model: type[BaseModel]) -> set[Any]:
    """What a section's literal fields may say, by which it is chosen from a union."""
    literal = [f.annotation for f in model.model_fields.values() if typing.get_origin(f.annotation) is typing.Literal]
    return {value for annotation in literal for value in typing.get_args(annotation)}


def _models(field: Any) -> list[type[BaseModel]]:
    return list(_walk(field.annotation))


def _walk(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for inner in typing.get_args(annotation):
        yield from _walk(inner)
