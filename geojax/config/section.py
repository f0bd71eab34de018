"""What every section of a configuration is, and how a file of them is read."""

from collections.abc import Iterator
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

    raises UserError : the file is missing, is not YAML, tells a key twice, or says something that `kind` does not admit
    """
    path = Path(path)
    try:
        loader = yaml.SafeLoader(path.read_text())
        tree = loader.get_single_node()
        if twice := next(_repeated(tree, set()), None):
            raise UserError(f"{path}: {twice} Keep one of them.")
        content = loader.construct_document(tree) if tree else None
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


def _repeated(node: yaml.Node | None, seen: set[int], within: str = "") -> Iterator[str]:
    """Each key that stands twice in one mapping, of which YAML's reader would keep the last in silence."""
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:  # an alias is the very node that it stands for
        return
    seen.add(id(node))
    lines: dict[tuple[str, str], int] = {}
    for child in node.value:
        key, value = child if isinstance(node, yaml.MappingNode) else (None, child)
        inside = within
        if isinstance(key, yaml.ScalarNode):
            line = key.start_mark.line + 1
            if first := lines.get((key.tag, key.value)):
                yield f"line {line}: {within}`{key.value}` must stand once, but stands in line {first} too."
            lines[key.tag, key.value] = line
            inside = f"{within}{key.value}: "
        yield from _repeated(value, seen, inside)
