"""Digest of the modules that a stage reaches, so that Snakemake reruns what an edit touches. Light."""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
IGNORED = ("geojax.log", "geojax.errors", "geojax.messages")  # what they change is never in a result
PICTURES = "geojax.report"  # tasks name it, but only the page looks at it


def digest(stage: str, *extra: str) -> str:
    """Digest of the code behind a stage.

    stage : name of a function of geojax.stages
    extra : modules that it loads by name, for instance "tasks.sst_gaps"
    raises KeyError : no such stage
    """
    tree = ast.parse((PACKAGE / "stages.py").read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    own = _called(functions, stage)
    ignored = IGNORED if stage == "write_report" else (*IGNORED, PICTURES)
    seen: set[str] = set()
    waiting = [module for node in own for module in _imports(node)]
    waiting += [module for node in tree.body if not isinstance(node, ast.FunctionDef) for module in _imports(node)]
    waiting += [f"geojax.{name}" for name in extra]
    while waiting:
        module = waiting.pop()
        if module in seen or module.startswith(ignored):
            continue
        seen.add(module)
        waiting += _reached(module)
    content = hashlib.sha256("".join(ast.dump(node) for node in own).encode())
    for path in sorted({path for module in seen for path in _read_by(module)}):
        content.update(path.read_bytes())
    return content.hexdigest()[:16]


def _read_by(module: str) -> list[Path]:
    """The module's file and what lies beside it that is not code: a template, coastlines."""
    file = _file(module)
    beside = (p for p in file.parent.iterdir() if p.is_file() and p.suffix not in (".py", ".pyc"))
    return [file, *(p for p in beside if re.fullmatch(r"\w[\w.-]*", p.name))]  # no editor's scratch, as .store.py.swp


def _called(functions: dict[str, ast.FunctionDef], stage: str) -> list[ast.FunctionDef]:
    """The stage and the helpers in the same file that it uses, each once."""
    found, waiting = {}, [stage]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = functions[name]
            waiting += [n.id for n in ast.walk(functions[name]) if isinstance(n, ast.Name) and n.id in functions]
    return [found[name] for name in sorted(found)]


@cache
def _reached(module: str) -> tuple[str, ...]:
    return tuple(_imports(ast.parse(_file(module).read_text())))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "geojax":
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if _is_ours(name) else node.module


def _is_ours(module: str) -> bool:
    return module.split(".")[0] == "geojax" and _file(module).exists()


def _file(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
