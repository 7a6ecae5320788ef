"""Hold an environment's packages against what a collection declares; print both as JSON.

A program for the Python of an environment that has the collection, and knows nothing of a checkout.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def declared(collection: Path) -> list[Requirement]:
    """Read what the collection needs: ansible-core, and what ansible-builder would install."""
    runtime = yaml.safe_load((collection / "meta/runtime.yml").read_text(encoding="utf-8"))
    needs = yaml.safe_load((collection / "meta/execution-environment.yml").read_text("utf-8"))
    lines = (collection / needs["dependencies"]["python"]).read_text(encoding="utf-8").splitlines()
    words = (line.partition("#")[0].strip() for line in lines)
    return [
        Requirement(f"ansible-core{runtime['requires_ansible']}"),
        *(Requirement(word) for word in words if word),
    ]


def closure(requirements: list[Requirement]) -> dict[str, str]:
    """Name the packages that requirements bring with them, each with its version.

    A package that is not installed, or not as required, has the version "".
    """
    found: dict[str, str] = {}
    todo = [(requirement, "") for requirement in requirements]
    done = set()
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        if str(requirement) in done:
            continue
        done.add(str(requirement))
        name = canonicalize_name(requirement.name)
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
            continue
        found[name] = package.version if requirement.specifier.contains(package.version) else ""
        for extra in ("", *requirement.extras):
            todo += [(Requirement(line), extra) for line in package.requires or ()]
    return found


def main(collection: Path) -> None:
    """Print what is declared and what is there."""
    installed = {
        canonicalize_name(package.name): package.version for package in metadata.distributions()
    }
    json.dump({"declared": closure(declared(collection)), "installed": installed}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
