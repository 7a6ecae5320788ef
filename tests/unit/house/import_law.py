"""The law of the house (docs/architecture.md), asked of the imports of Python files.

Each rule is a function from what was read to what breaks it, a line each; none is as it should be.
"""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

COLLECTION = "ansible_collections.gpulab.core"
PLUGINS = f"{COLLECTION}.plugins"
MODULES = f"{PLUGINS}.modules"
MODULE_UTILS = f"{PLUGINS}.module_utils"
PLUGIN_UTILS = f"{PLUGINS}.plugin_utils"

# What EL 9 runs our code with.
NODE_PYTHON = (3, 9)
# Of the standard library of the Python that runs this, what NODE_PYTHON has not.
_NEWER = {"tomllib", "annotationlib", "compression"}


@dataclass(frozen=True)
class Import:
    """One name that a file imports.

    Attributes:
        target: full name of the file, else of the foreign module.
        line: where it stands.
        relative: whether it is written with dots before it.
    """

    target: str
    line: int
    relative: bool


@dataclass(frozen=True)
class File:
    """A Python file and what it imports, wherever in it."""

    path: Path
    folder: str
    imports: tuple[Import, ...]


Tree = Mapping[str, File]


def read_tree(root: Path) -> dict[str, File]:
    """Read every Python file below a folder that is on Python's path: full name → file."""
    paths = {_name(path.relative_to(root)): path for path in sorted(root.rglob("*.py"))}
    return {
        name: File(
            path.relative_to(root),
            _folder(path.relative_to(root)),
            tuple(_imports(path, root, paths.keys())),
        )
        for name, path in paths.items()
    }


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _folder(path: Path) -> str:
    # What starts a program stands above the folder that it lies in.
    return ".".join(path.parts[:-1]) + (" (__main__)" if path.stem == "__main__" else "")


def _imports(path: Path, root: Path, known: Iterable[str]) -> Iterator[Import]:
    package = path.relative_to(root).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, relative=False)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *filter(None, [node.module])))
            for alias in node.names:
                full = f"{base}.{alias.name}"
                target = full if full in known else base
                yield Import(target, node.lineno, relative=bool(node.level))


def _below(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _broken(tree: Tree, sources: str, targets: Iterable[str]) -> list[str]:
    return [
        f"{file.path}:{found.line} imports {found.target}"
        for name, file in tree.items()
        if _below(name, sources)
        for found in file.imports
        if any(_below(found.target, target) for target in targets)
    ]


def reached(tree: Tree, starts: Iterable[str]) -> set[str]:
    """Name the files that some files import, those of theirs, and so on; the starts among them."""
    found: set[str] = set()
    todo = [name for name in starts if name in tree]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [each.target for each in tree[name].imports if each.target in tree]
    return found


def unreached(tree: Tree, programs: Iterable[str]) -> list[str]:
    """`module_utils` has what runs on a machine: for a module, or for a program shipped there."""
    starts = [name for name in tree if _below(name, MODULES)]
    found = reached(tree, [*starts, *programs])
    return [
        f"{file.path} is reached from no module and no program"
        for name, file in tree.items()
        if _below(name, MODULE_UTILS) and name not in found
    ]


def not_shipped(tree: Tree, package: str, packer: str, shipped: Iterable[str]) -> list[str]:
    """What a package that ships alone imports of the collection goes with it, and nothing else.

    But for the file that packs it, which stays.
    """
    starts = [name for name in tree if _below(name, package) and name != packer]
    wanted = {name for name in reached(tree, starts) if _below(name, COLLECTION)}
    return sorted(
        [f"{name} is imported and does not go with {package}" for name in wanted - set(shipped)]
        + [f"{name} goes with {package} and is not imported" for name in set(shipped) - wanted]
    )


def judging_on_nodes(tree: Tree) -> list[str]:
    """What runs on a node imports nothing that decides."""
    return _broken(tree, MODULE_UTILS, [PLUGIN_UTILS]) + _broken(tree, MODULES, [PLUGIN_UTILS])


def imported_plugins(tree: Tree) -> list[str]:
    """Nothing imports a plugin: what two share is in a folder of utils."""
    utils = (MODULE_UTILS, PLUGIN_UTILS)
    return [
        f"{file.path}:{found.line} imports {found.target}"
        for file in tree.values()
        for found in file.imports
        if _below(found.target, PLUGINS) and not any(_below(found.target, util) for util in utils)
    ]


def absolute_inside(tree: Tree) -> list[str]:
    """Imports inside the collection are relative."""
    return [
        f"{file.path}:{found.line} imports {found.target} absolutely"
        for name, file in tree.items()
        if _below(name, COLLECTION)
        for found in file.imports
        if _below(found.target, COLLECTION) and not found.relative
    ]


def circle(tree: Tree) -> list[str]:
    """No folder imports in a circle; one circle at a time is told."""
    lines: dict[tuple[str, str], str] = {}
    above: dict[str, set[str]] = {}
    for file in tree.values():
        above.setdefault(file.folder, set())
        for found in file.imports:
            target = tree.get(found.target)
            if target is not None and target.folder != file.folder:
                above[file.folder].add(target.folder)
                line = f"{file.path}:{found.line} imports {found.target}"
                lines.setdefault((file.folder, target.folder), line)
    try:
        graphlib.TopologicalSorter(above).prepare()
    except graphlib.CycleError as error:
        # Each stands before what it is imported by.
        around = list(reversed(error.args[1]))
        return [lines[step] for step in zip(around, around[1:])]
    return []


def foreign(tree: Tree, package: str, allowed: Iterable[str]) -> list[str]:
    """What nodes run needs the standard library alone, and what is allowed."""
    names = set(sys.stdlib_module_names) - _NEWER
    return [
        f"{file.path}:{found.line} imports {found.target}"
        for name, file in tree.items()
        if _below(name, package)
        for found in file.imports
        if found.target not in tree
        and found.target.partition(".")[0] not in names
        and not any(_below(found.target, each) for each in allowed)
    ]


def unparsable(files: Iterable[Path]) -> list[str]:
    """What nodes run is written in the Python that they have."""
    return [problem for file in files for problem in _grammar_problems(file)]


def _grammar_problems(file: Path) -> list[str]:
    try:
        ast.parse(file.read_text(encoding="utf-8"), feature_version=NODE_PYTHON)
    except SyntaxError as error:
        return [f"{file}:{error.lineno} {error.msg}"]
    return []


def path_changes(files: Iterable[Path]) -> list[str]:
    """No file touches the path that Python imports from."""
    return [
        f"{file}:{node.lineno} touches sys.path"
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Attribute) and _is_path(node))
        or (isinstance(node, ast.ImportFrom) and node.module == "sys" and _imports_path(node))
    ]


def _is_path(node: ast.Attribute) -> bool:
    # pytest's monkeypatch and the module site have ways of their own.
    return node.attr in ("syspath_prepend", "addsitedir") or (
        node.attr == "path" and isinstance(node.value, ast.Name) and node.value.id == "sys"
    )


def _imports_path(node: ast.ImportFrom) -> bool:
    return any(alias.name == "path" for alias in node.names)


def elsewhere(tree: Tree, target: str, places: Iterable[str]) -> list[str]:
    """What is done in one place is done there only: nobody else imports what it takes."""
    return [
        f"{file.path}:{found.line} imports {found.target}"
        for name, file in tree.items()
        if not any(_below(name, place) for place in places)
        for found in file.imports
        if _below(found.target, target)
    ]


def renames(files: Iterable[Path]) -> list[str]:
    """Say where a file is put into another's place."""
    return [
        f"{file}:{node.lineno} renames a file"
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _renames(node)
    ]


def _renames(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    of_os = isinstance(call.func.value, ast.Name) and call.func.value.id in ("os", "shutil")
    if of_os:
        return call.func.attr in ("replace", "rename", "renames", "move")
    # Of a path: a text has two words to replace, and a date names what it replaces.
    return call.func.attr in ("replace", "rename") and len(call.args) == 1 and not call.keywords
