"""Read this host's own apt configuration, so that a sandbox image uses the mirror that it has."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ..process import run_group
from .errors import SandboxError

#: A release's pockets that an image installs from; backports and proposed stay out.
POCKETS = ("", "-updates", "-security")
#: apt's own settings that reach a mirror or bear its age; others are the host's business.
CARRIED_SETTINGS = (
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::ForceIPv4",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
)


def one_line_entries(text: str) -> Iterable[tuple[str, str, str, list[str]]]:
    """Yield (options, URI, suite, components) of each ``deb`` line of a sources.list."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if match:
            options, uri, suite, components = match.groups()
            yield (options or "").strip(), uri, suite, components.split()


def deb822_entries(text: str) -> Iterable[tuple[str, str, str, list[str]]]:
    """Yield (options, URI, suite, components) of each enabled stanza of a ``.sources`` file.

    An embedded key (a multi-line Signed-By) is left out: apt's default keyrings then apply.
    """
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = {
            key.strip().lower(): value.strip()
            for key, _, value in (
                line.partition(":") for line in stanza.splitlines() if line[:1].strip()
            )
        }
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        signed_by = fields.get("signed-by", "")
        options = f"signed-by={signed_by}" if signed_by.startswith("/") else ""
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield options, uri, suite, fields.get("components", "").split()


def sources_for(codename: str, files: dict[str, str]) -> str:
    """Render a sources.list with the distribution's own entries among ``files``.

    Args:
        codename: the release, such as ``bookworm``.
        files: file name → text of the host's sources.list and its ``.list``/``.sources`` files.

    Returns:
        One ``deb`` line per entry; empty when the host names no mirror of that release.
    """
    suites = {f"{codename}{pocket}" for pocket in POCKETS}
    lines = []
    for name, text in sorted(files.items()):
        entries = deb822_entries(text) if name.endswith(".sources") else one_line_entries(text)
        for options, uri, suite, components in entries:
            # Third parties borrow a release's name, but not its main component.
            if suite in suites and "main" in components:
                bracket = f"[{options}] " if options else ""
                lines.append(f"deb {bracket}{uri} {suite} {' '.join(components)}")
    return "".join(f"{line}\n" for line in dict.fromkeys(lines))


def read_sources(root: Path = Path("/etc/apt")) -> dict[str, str]:
    """Read the host's apt sources: file name → text."""
    folder = root / "sources.list.d"
    files = [root / "sources.list", *folder.glob("*.list"), *folder.glob("*.sources")]
    return {file.name: file.read_text(errors="replace") for file in files if file.is_file()}


def carried_settings(apt_config_dump: str) -> list[str]:
    """Pick the settings that an image needs out of ``apt-config dump``'s output."""
    return [
        line
        for line in apt_config_dump.splitlines()
        if line.split(" ", 1)[0] in CARRIED_SETTINGS and not line.endswith('"";')
    ]


def read_settings() -> list[str]:
    """Read the host's apt settings that an image needs (see ``CARRIED_SETTINGS``).

    Raises:
        SandboxError: apt-config does not say.
    """
    dump = run_group(["apt-config", "dump"], os.environ, 30)
    if dump.returncode != 0:
        raise SandboxError(f"apt-config dump: {dump.start_error or dump.stderr_tail}")
    return carried_settings(dump.stdout)
