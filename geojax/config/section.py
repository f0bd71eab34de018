"""What every section of a configuration is, and how a file of them is read."""

from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geojax.errors import UserError
from geojax.messages import explain

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
T = TypeVar("T", bound="Section")


class Section(BaseModel):
    """A part of a configuration: fixed once read, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
