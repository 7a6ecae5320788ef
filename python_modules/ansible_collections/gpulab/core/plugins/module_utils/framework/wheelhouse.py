"""Fill a folder with the wheels of a requirements file, for one kind of node.

Runs on the controller. `<path>.json` beside the folder is written last and lists it: without it the
folder is half a download, with it the folder is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..atomic_write import write_text
from ..process import run_group

# The oldest glibc of the supported platforms: 2.34, Enterprise Linux 9.
NEWEST_GLIBC_MINOR = 34
OLDEST_GLIBC_MINOR = 5
# How pip says that a file is not the one of the lock.
HASH_MISMATCH = "DO NOT MATCH THE HASHES"

Runner = Callable[[list[str], int], tuple[int, str]]


class WheelhouseError(RuntimeError):
    """The wheelhouse could not be filled; the message says what was tried and what to do."""


@dataclass(frozen=True)
class Target:
    """The nodes that a wheelhouse is for: CPython release ("3.11") and architecture ("x86_64")."""

    python: str
    machine: str

    def pip_options(self) -> list[str]:
        """Return pip's options that choose wheels for this target instead of for the controller.

        pip widens only the named manylinux platforms by itself, so every glibc is listed.
        """
        minors = range(NEWEST_GLIBC_MINOR, OLDEST_GLIBC_MINOR - 1, -1)
        platforms = [f"manylinux_2_{minor}_{self.machine}" for minor in minors]
        platforms += [f"manylinux2014_{self.machine}", f"linux_{self.machine}"]
        options = ["--implementation=cp", f"--python-version={self.python}"]
        return options + [f"--platform={platform}" for platform in platforms]


def is_complete(path: Path) -> bool:
    """Tell whether the folder holds what its manifest lists, by name and size.

    The hashes were checked when it was filled, and the node's pip checks them again.
    """
    try:
        manifest = json.loads(_manifest(path).read_text())
        return all(
            (path / entry["name"]).stat().st_size == entry["bytes"] for entry in manifest["files"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def fill(
    path: Path,
    requirements: str,
    target: Target,
    *,
    python: str,
    extra_index_url: str,
    timeout_s: int,
    run: Runner,
) -> None:
    """Download the wheels of `requirements` into `path` and write the manifest.

    The sources that pip is configured with are asked first; `extra_index_url` is added only when
    they do not serve everything, so that a site whose mirror has it all needs no vendor's server.
    What an earlier try downloaded is kept and used.

    Raises:
        WheelhouseError: pip failed with every source, or is not installed.
    """
    _manifest(path).unlink(missing_ok=True)
    path.mkdir(parents=True, exist_ok=True)
    wishes = path.with_name(f"{path.name}.txt")
    wishes.write_text(requirements)
    command = [
        *[python, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--quiet"],
        *["--require-hashes", "--only-binary=:all:", "--no-deps", "--progress-bar=off"],
        *target.pip_options(),
        *["--dest", str(path), "--requirement", str(wishes)],
    ]
    attempts = [command]
    if extra_index_url:
        # pip asks it for every package: one retry keeps a server out of reach from costing minutes.
        attempts.append([*command, "--retries=1", "--extra-index-url", extra_index_url])
    output = ""
    for attempt in attempts:
        code, output = run(attempt, timeout_s)
        if code == 0:
            _write_manifest(path, requirements)
            return
        if HASH_MISMATCH in output:  # somebody must look at this: no other source may cover it up
            break
    raise WheelhouseError(_explain(output, target, extra_index_url))


def run_pip(command: list[str], timeout_s: int) -> tuple[int, str]:
    """Run pip and return (exit status, output); a time-out counts as exit status 124."""
    outcome = run_group(command, os.environ, timeout_s)
    output = f"{outcome.stdout}{outcome.stderr_tail}{outcome.start_error}"
    if outcome.timed_out:
        return 124, f"{output}\nERROR: pip was ended after {timeout_s} s"
    return 127 if outcome.returncode is None else outcome.returncode, output


def _manifest(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _write_manifest(path: Path, requirements: str) -> None:
    manifest: dict[str, Any] = {
        "requirements_sha256": hashlib.sha256(requirements.encode()).hexdigest(),
        "files": [
            {"name": wheel.name, "bytes": wheel.stat().st_size}
            for wheel in sorted(path.glob("*.whl"))
        ],
    }
    write_text(_manifest(path), json.dumps(manifest, indent=1) + "\n")


def _explain(output: str, target: Target, extra_index_url: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines[-3:]
    tail = " ".join(errors[-4:])
    if "No module named pip" in output:
        fix = "Install pip for the Python that runs Ansible (python -m ensurepip)."
    elif HASH_MISMATCH in output:
        fix = (
            "A file differs from the lock: either the index serves another file, or the lock's "
            "hash is wrong. Compile the lock again with `make lock` and compare."
        )
    else:
        sources = f" and {extra_index_url}" if extra_index_url else ""
        fix = (
            f"Let the controller reach an index that serves these wheels (pip's configuration"
            f"{sources}), or copy a filled wheelhouse into pytorch_cache_dir."
        )
    return f"pip cannot download for Python {target.python} on {target.machine}: {tail} {fix}"
