"""Find the apt sources of a node that name a repository with another key. Pure.

apt refuses every use of its lists where two sources of one URI and suite have different values of
``Signed-By`` (apt's apt-pkg/deb/debmetaindex.cc, "Conflicting values set for option"); the manual
page sources.list(5) describes both formats.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MARK = "#gpulab-file "
_ONE_LINE = re.compile(r"(?:deb|deb-src)\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)")
_OFF = frozenset({"no", "false", "without", "off", "disable"})


@dataclass(frozen=True)
class Source:
    """One URI and suite of one file; ``key`` is its ``Signed-By``, "" for none."""

    file: str
    uri: str
    suite: str
    key: str


def apt_source_conflicts(
    text: str, uri: str, key: str, own_file: str, *, suite: str = "/", architecture: str = ""
) -> dict[str, Any]:
    """Compare a repository that is to be added with the sources that are there.

    Args:
        text: all sources, each file after a line ``#gpulab-file <path>``.
        uri: the repository.
        key: the ``Signed-By`` that it is to have.
        own_file: the file that it is written to; it does not count.
        suite: its suite.
        architecture: Debian's name of the node's, which stands for ``$(ARCH)``.

    Returns:
        ``gone``, as ``gpulab.core.files`` takes it, the files that name this repository alone, with
        another key: what is written takes their place; ``refused``, a sentence for each other file
        with it.
    """
    wanted = (_normal(uri, architecture), _suite(suite))
    sources = [source for source in parse_sources(text) if source.file != own_file]
    clashing = [
        source
        for source in sources
        if (_normal(source.uri, architecture), _suite(source.suite)) == wanted and source.key != key
    ]
    gone, refused = [], []
    for file in dict.fromkeys(source.file for source in clashing):
        others = [
            source
            for source in sources
            if source.file == file and _normal(source.uri, architecture) != wanted[0]
        ]
        if not others and file.startswith("/etc/apt/sources.list.d/"):
            gone.append({"path": file, "state": "absent"})
            continue
        signed = next(source.key for source in clashing if source.file == file)
        refused.append(
            f"{file} has {uri} too, {f'signed by {signed}' if signed else 'without a key'}, and "
            f"other repositories: apt would refuse both. Remove that entry from it, and run again"
        )
    return {"gone": gone, "refused": refused}


def parse_sources(text: str) -> Iterator[Source]:
    """Give the enabled sources of files in either format."""
    for part in text.split(_MARK)[1:]:
        file, _, content = part.partition("\n")
        read = _deb822 if file.endswith(".sources") else _one_line
        yield from read(file.strip(), content)


def _one_line(file: str, content: str) -> Iterator[Source]:
    for line in content.splitlines():
        match = _ONE_LINE.match(line.partition("#")[0].strip())
        if match:
            options = re.search(r"signed-by=(\S+)", match[1] or "", re.IGNORECASE)
            yield Source(file, match[2], match[3], options[1] if options else "")


def _deb822(file: str, content: str) -> Iterator[Source]:
    lines = [line for line in content.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n[ \t]*\n", "\n".join(lines)):
        fields = _fields(stanza)
        if fields.get("enabled", "yes").lower() in _OFF:
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(file, uri, suite, fields.get("signed-by", ""))


def _fields(stanza: str) -> dict[str, str]:
    """Return the fields of a stanza; the lines of a long one are joined."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1] in (" ", "\t"):
            fields[name] = f"{fields.get(name, '')}\n{line.strip()}".strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _normal(uri: str, architecture: str) -> str:
    return uri.replace("$(ARCH)", architecture or "$(ARCH)").rstrip("/")


def _suite(suite: str) -> str:
    return suite.rstrip("/")
