"""Digest of the code that a stage reaches, so that Snakemake reruns what an edit touches. Light.

Modules count whole, without comments and docstrings; of a task's module counts only what the stage asks of the task,
and what that uses in turn: an edited picture redraws the report, and trains nothing.
"""

import ast
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
IGNORED = ("geojax.log", "geojax.errors", "geojax.messages")  # what they change is never in a result
WHOLE = ("write_page",)  # stages that may ask a task for anything
ALWAYS = ("settings_type",)  # members of a task that every stage reads
Definition = ast.FunctionDef | ast.ClassDef | ast.stmt


class Kept:
    """`digest`, remembered in a file until any byte of the library changes, or Python does, whose parser counts too."""

    def __init__(self, path: str | Path) -> None:
        self.path, self.library = Path(path), _library()
        try:
            told = json.loads(self.path.read_text())
        except (OSError, ValueError):  # none yet, or none that can be read
            told = {}
        self.known: dict[str, str] = told["digests"] if told.get("library") == self.library else {}

    def __call__(self, stage: str, *extra: str) -> str:
        key = " ".join((stage, *extra))
        if key not in self.known:
            self.known[key] = digest(stage, *extra)
            self._keep()
        return self.known[key]

    def _keep(self) -> None:
        if _library() != self.library:  # edited meanwhile: of which state a digest is, is not certain
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}")  # jobs on other nodes keep theirs
        new.write_text(json.dumps({"library": self.library, "digests": self.known}, indent=1))
        os.replace(new, self.path)


def _library() -> str:
    """Digest of every byte of the package, and of Python's version."""
    files = sorted(path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    content = hashlib.sha256(sys.version.encode())
    for path in files:
        content.update(f"{path.relative_to(PACKAGE)} {path.stat().st_size} ".encode() + path.read_bytes())
    return content.hexdigest()


@cache
def digest(stage: str, *extra: str) -> str:
    """Digest of the code behind a stage.

    stage : name of a function of geojax.stages
    extra : modules that it loads by name, for instance "tasks.sst_gaps"
    raises KeyError : no such stage
    """
    trees = [_tree(path) for path in sorted((PACKAGE / "stages").glob("*.py"))]
    found = [{node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)} for tree in trees]
    tree, functions = next((pair for pair in zip(trees, found, strict=True) if stage in pair[1]), (trees[0], {}))
    own = _called(functions, stage)
    nodes: list[ast.AST] = list(own)
    waiting = [module for node in own for module in _imports(node)]
    waiting += [module for node in tree.body if not isinstance(node, ast.FunctionDef) for module in _imports(node)]
    for name in extra:
        if name.startswith("tasks.") and stage not in WHOLE:
            used = _used_of_task(_tree(_file(f"geojax.{name}")), _members(own))
            nodes += used
            waiting += [module for node in used for module in _imports(node)]
        else:
            waiting.append(f"geojax.{name}")
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen or module.startswith(IGNORED):
            continue
        seen.add(module)
        waiting += _reached(module)
    content = hashlib.sha256("".join(ast.dump(node) for node in nodes).encode())
    for path in sorted({path for module in seen for path in _read_by(module)}):
        content.update(_content(path))
    return content.hexdigest()[:16]


def _members(functions: Iterable[ast.AST]) -> set[str]:
    """Names that the functions ask of any object, and those that a Problem or a Task asks in turn to answer them."""
    answers: dict[str, list[ast.AST]] = {}
    for file in ("problem.py", "task.py"):
        for owner in _tree(PACKAGE / file).body:
            for node in owner.body if isinstance(owner, ast.ClassDef) else []:
                for name in _names(node):
                    answers.setdefault(name, []).append(node)
    found: set[str] = set(ALWAYS)
    waiting = [*functions, *answers["open"]]
    while waiting:
        asked = {node.attr for node in ast.walk(waiting.pop()) if isinstance(node, ast.Attribute)} - found
        found |= asked
        waiting += [node for name in asked & answers.keys() for node in answers[name]]
    return found


def _used_of_task(tree: ast.Module, members: set[str]) -> list[ast.AST]:
    """What of a task's module stands behind some members of the task: definitions and imports, in their order."""
    defined = {name: node for node in tree.body for name in _names(node)}
    made = defined["TASK"]
    task = next(defined[name] for name in _mentioned(made) if isinstance(defined.get(name), ast.ClassDef))
    assert isinstance(task, ast.ClassDef)
    own = {name: node for node in task.body for name in _names(node)}
    outside: list[ast.AST] = [*task.bases, *task.keywords, *task.decorator_list, made]
    found: dict[ast.AST, None] = {}
    # What is neither definition nor import acts when the module is read.
    waiting: list[ast.AST] = [*outside, *(node for node in tree.body if not _names(node))]
    waiting += [own[name] for name in members & own.keys()]
    while waiting:
        node = waiting.pop()
        if node in found or node is task:
            continue
        found[node] = None
        waiting += [defined[name] for name in _mentioned(node) & defined.keys()]
        waiting += [own[name] for name in _asked_of_self(node) & own.keys()]
    return sorted(found, key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)))


def _names(node: ast.stmt) -> list[str]:
    """What a statement of a module or class defines or imports."""
    match node:
        case ast.FunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Import() | ast.ImportFrom():
            return [alias.asname or alias.name.split(".")[0] for alias in node.names]
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            return [inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)]
    return []


def _mentioned(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _asked_of_self(node: ast.AST) -> set[str]:
    return {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}


def _read_by(module: str) -> list[Path]:
    """The module's file and what lies beside it that is not code: a template, coastlines."""
    file = _file(module)
    beside = (p for p in file.parent.iterdir() if p.is_file() and p.suffix not in (".py", ".pyc"))
    return [file, *(p for p in beside if re.fullmatch(r"\w[\w.-]*", p.name))]  # no editor's scratch, as .store.py.swp


def _content(path: Path) -> bytes:
    return _dumped(path.read_text()) if path.suffix == ".py" else path.read_bytes()


@cache
def _dumped(text: str) -> bytes:
    return ast.dump(_parsed(text)).encode()


def _tree(path: Path) -> ast.Module:
    return _parsed(path.read_text())


@cache
def _parsed(text: str) -> ast.Module:
    """A module without docstrings, which change no result, and without comments."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _called(functions: dict[str, ast.FunctionDef], stage: str) -> list[ast.FunctionDef]:
    """The stage and the helpers in the same file that it uses, each once."""
    found, waiting = {}, [stage]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = functions[name]
            waiting += [n.id for n in ast.walk(functions[name]) if isinstance(n, ast.Name) and n.id in functions]
    return [found[name] for name in sorted(found)]


def _reached(module: str) -> tuple[str, ...]:
    return tuple(name for name in _imported(_file(module).read_text()) if _is_ours(name))


@cache
def _imported(text: str) -> tuple[str, ...]:
    return tuple(_imports(_parsed(text)))


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
