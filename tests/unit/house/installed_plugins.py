"""Load every plugin and every file of the installed collection; print as JSON what came of it.

A program for the Python of an environment that has the collection, and knows nothing of a checkout.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.plugins import loader

COLLECTION = "gpulab.core"
PACKAGE = f"ansible_collections.{COLLECTION}"
# It is made of mitogen, which is an opt-in.
OPTIONAL = {"plugins/strategy/mitogen.py": "ansible_mitogen"}


def plugin_files(folder: Path, pattern: str) -> list[str]:
    """Name the plugins of one kind."""
    return sorted(file.stem for file in folder.glob(pattern))


def kinds() -> dict[str, tuple[str, Callable[[str], Any]]]:
    """Kind of plugin → the files that each stand for one, and what loads it by its full name."""
    return {
        "modules": ("*.py", loader.module_loader.find_plugin),
        "action": ("*.py", lambda name: loader.action_loader.get(name, class_only=True)),
        "callback": ("*.py", lambda name: loader.callback_loader.get(name, class_only=True)),
        "lookup": ("*.py", lambda name: loader.lookup_loader.get(name, class_only=True)),
        # One file has several filters, and each its own documentation.
        "filter": ("*.yml", loader.filter_loader.get),
        "doc_fragments": ("*.py", lambda name: loader.fragment_loader.get(name, class_only=True)),
    }


def problem_of(load: Callable[[str], Any], name: str) -> str:
    """Say why something does not load; an empty string where it does."""
    try:
        return "" if load(name) else "Ansible finds no such plugin"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def main() -> None:
    """Print the plugins that load by kind, and the problem of each that does not."""
    loader.init_plugin_loader()
    (root,) = map(Path, importlib.import_module(PACKAGE).__path__)
    loaded: dict[str, list[str]] = {}
    problems: dict[str, str] = {}
    for file in sorted(root.glob("plugins/**/*.py")):
        name = file.relative_to(root).as_posix()
        # A `__main__` is a program.
        if file.stem != "__main__":
            module = f"{PACKAGE}.{name[: -len('.py')].replace('/', '.')}"
            problems[name] = problem_of(importlib.import_module, module)
    for kind, (pattern, load) in kinds().items():
        for name in plugin_files(root / "plugins" / kind, pattern):
            problems[f"{kind} {name}"] = problem_of(load, f"{COLLECTION}.{name}")
            if not problems[f"{kind} {name}"]:
                loaded.setdefault(kind, []).append(name)
    for name, package in OPTIONAL.items():
        if package in problems[name]:
            del problems[name]
    found = {
        "root": str(root),
        "loaded": loaded,
        "problems": {n: p for n, p in problems.items() if p},
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
