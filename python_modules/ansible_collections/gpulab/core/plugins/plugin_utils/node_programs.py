"""Programs of ours on nodes: the files of ``module_utils`` that each is made of."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

MODULE_UTILS = Path(__file__).resolve().parents[1] / "module_utils"
#: Program → the file of ``module_utils`` that it starts in.
PROGRAMS: Mapping[str, str] = {
    # Stays there.
    "gpulab-rollback": "commit/runner.py",
    # Stays on the head.
    "gpulab-slurm-admission": "slurm/keep.py",
    # Is sent by each sweep.
    "hardware-reader": "facts/read.py",
    # Stays in memory for the length of a run.
    "resident-python": "engine/resident.py",
}


def source_files(program: str, module_utils: Path = MODULE_UTILS) -> dict[str, str]:
    """Read the files of a program: the one that it starts in, and all that it imports of ours.

    Returns:
        Paths relative to ``module_utils``, sorted, and what the files hold.

    Raises:
        ValueError: there is no such program, or it imports a file that is not there.
    """
    if program not in PROGRAMS:
        msg = f"there is no program {program!r} (there are {', '.join(sorted(PROGRAMS))})"
        raise ValueError(msg)
    found: dict[str, str] = {}
    wanted = [module_utils / PROGRAMS[program]]
    while wanted:
        file = wanted.pop()
        name = file.relative_to(module_utils).as_posix()
        if name in found:
            continue
        try:
            found[name] = file.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            msg = f"{program} is made of {file}, which is not there"
            raise ValueError(msg) from error
        wanted += _imported(file, found[name])
    return dict(sorted(found.items()))


def _imported(file: Path, source: str) -> Iterator[Path]:
    """Name the files that a file imports; ours are imported relatively, and nothing else is."""
    for statement in ast.walk(ast.parse(source)):
        if not isinstance(statement, ast.ImportFrom) or not statement.level:
            continue
        folder = file.parents[statement.level - 1]
        if statement.module:
            path = folder.joinpath(*statement.module.split("."))
            # `from ..hardware import cpu` names a folder, `from .change import Entry` a file.
            if not path.is_dir():
                yield path.with_suffix(".py")
                continue
            folder = path
        for name in statement.names:
            yield folder / f"{name.name}.py"
