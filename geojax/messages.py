"""Turn what pydantic found into sentences that name the file, the setting and the remedy."""

import difflib
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError


def explain(path: Path | str, kind: type[BaseModel], error: ValidationError, within: str = "") -> str:
    """One line for each thing that is wrong in the configuration at `path`."""
    return "\n".join(f"{path}: {_sentence(kind, problem, within)}" for problem in error.errors())


def _sentence(kind: type[BaseModel], problem: Any, within: str) -> str:
    *parents, last = problem["loc"] or ("",)
    place = ": ".join(str(step) for step in ((within,) if within else ()) + tuple(parents))
    prefix = f"{place}: " if place else ""
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(last), known_keys(kind, parents), n=1, cutoff=0.5)
        known = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known_keys(kind, parents))}."
        return f"{prefix}no setting `{last}`. {known}"
    if problem["type"] == "missing":
        return f"{prefix}`{last}` is required and missing."
    message = problem["msg"].removeprefix("Value error, ")
    got = problem.get("input")
    came = f" (came: {got!r})" if isinstance(got, str | int | float | bool | None) else ""
    return f"{prefix}`{last}`: {message}{came}."


def known_keys(kind: type[BaseModel], parents: list[Any]) -> list[str]:
    """Names of the settings that `kind` knows below the keys `parents`."""
    models = [kind]
    for step in parents:
        inner = [m for model in models if step in model.model_fields for m in _models(model.model_fields[step])]
        models = inner or models  # a union's tag or a free key is no field: stay
    return sorted({key for model in models for key in model.model_fields})


def _models(field: Any) -> list[type[BaseModel]]:
    return list(_walk(field.annotation))


def _walk(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for inner in typing.get_args(annotation):
        yield from _walk(inner)
