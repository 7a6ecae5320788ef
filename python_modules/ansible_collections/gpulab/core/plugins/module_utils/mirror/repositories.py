"""Which of a node's dnf repositories can't be kept by the lab's head, and why."""

from __future__ import annotations

import configparser
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

# dnf.conf(5): a repository is enabled unless it says otherwise; booleans are 1, 0, yes, no, true …
_OFF = {"0", "no", "false", "off"}
#: Options that name where lists of servers are, one of which dnf then chooses by itself.
_SERVER_LISTS = ("metalink", "mirrorlist")
_HERE = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Repository:
    """An enabled repository, as its file has it (variables such as $releasever are not replaced).

    Attributes:
        id: its name for dnf.
        file: path of the file that has it.
        addresses: its baseurl, one or more.
        server_list: ``metalink`` or ``mirrorlist`` where it has that, else empty.
        direct: whether it says itself that no proxy is asked for it.
    """

    id: str
    file: str
    addresses: tuple[str, ...]
    server_list: str
    direct: bool


def parse(file: str, text: str) -> list[Repository]:
    """Read the enabled repositories of a file in /etc/yum.repos.d.

    Raises:
        ValueError: dnf could not read it either; says the file.
    """
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(f"{file} is no repository file: {error}") from error
    return [
        _repository(file, parser[name])
        for name in parser.sections()
        if name != "main" and parser.get(name, "enabled", fallback="1").strip().lower() not in _OFF
    ]


def _repository(file: str, section: configparser.SectionProxy) -> Repository:
    return Repository(
        id=section.name,
        file=file,
        addresses=tuple(section.get("baseurl", "").replace(",", " ").split()),
        server_list=next((key for key in _SERVER_LISTS if section.get(key)), ""),
        # dnf.conf(5): an empty text or _none_ in the place of the main section's.
        direct=section.get("proxy", "unset").strip() in {"", "_none_"},
    )


def past_the_head(repositories: Iterable[Repository]) -> list[str]:
    """Say of each repository whose packages the head could not keep why that is, and the fix."""
    return [
        f"{repository.id} ({repository.file}) {problem}"
        for repository in repositories
        if (problem := _problem(repository))
    ]


def _problem(repository: Repository) -> str:
    if repository.server_list:
        # The list is fetched by https, and most of the servers that it names are asked so too.
        chosen = f"chooses a server by its {repository.server_list}"
        return f"{chosen}: write baseurl=http://… of one server in its place"
    for address in repository.addresses:
        parts = urlsplit(address)
        if parts.scheme == "file":
            continue
        if parts.hostname in _HERE:
            if not repository.direct:
                return f"is on this machine ({address}): add proxy= with nothing behind it"
        elif repository.direct:
            return "asks no proxy: remove its line proxy="
        elif parts.scheme != "http":
            return f"is fetched by {parts.scheme} ({address}): write http:// in its baseurl"
    return ""
