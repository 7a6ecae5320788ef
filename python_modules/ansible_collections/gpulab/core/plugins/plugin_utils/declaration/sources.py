"""Know in which file, and on which line, a variable of the inventory stands."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from ansible.errors import AnsibleError

from .host_names import host_name_problem
from .model import Host, Key
from .model import Path as KeyPath

VAULT_HEADER = "$ANSIBLE_VAULT;"
YAML_ENDINGS = frozenset({".yml", ".yaml", ".json", ""})
EVERYBODY = ("group", "all")

#: From the path of a vaulted file to its text.
Decrypt = Callable[[str], str]


@dataclass(frozen=True)
class Place:
    """A line of a file.

    Attributes:
        file: the file, relative to the working directory where it lies below it.
        line: the line, from 1; 0 for the file as a whole.
    """

    file: str = ""
    line: int = 0


@dataclass(frozen=True)
class Entry:
    """A variable in a file: where its name stands, and its value as a YAML node."""

    place: Place
    value: yaml.Node


@dataclass
class Sources:
    """All variables of an inventory's YAML files.

    Attributes:
        entries: by scope (``("group", "all")``, ``("host", "node01")``) and name, in the order
            in which Ansible reads them: the last one counts.
        repeated: keys that stand twice in one mapping, of which YAML keeps the last.
        folders: the scopes that have a file or folder in group_vars or host_vars.
        encrypted: files that are vaulted as a whole.
        machines: where each node is first named under ``hosts:``.
    """

    entries: dict[tuple[tuple[str, str], str], list[Entry]] = field(default_factory=dict)
    repeated: list[tuple[Place, str]] = field(default_factory=list)
    folders: dict[tuple[str, str], Place] = field(default_factory=dict)
    encrypted: list[str] = field(default_factory=list)
    machines: dict[str, Place] = field(default_factory=dict)

    def find(self, host: Host | None, name: str) -> Entry | None:
        """Find the definition of a variable that counts for a node, or for the lab."""
        scopes = [EVERYBODY]
        if host is not None:
            scopes = [("host", host.name), *(("group", group) for group in host.groups), EVERYBODY]
        for scope in scopes:
            if found := self.entries.get((scope, name)):
                return found[-1]
        return None

    def locate(self, host: Host | None, path: KeyPath) -> Place | None:
        """Find the line of a key, or of the closest key above it; of a node without one."""
        if not path:
            return self.machines.get(host.name) if host else None
        entry = self.find(host, str(path[0]))
        return _descend(entry, path[1:]) if entry else None

    def add_variables(self, scope: tuple[str, str], node: yaml.Node | None, file: str) -> None:
        """Take in a mapping of variables."""
        for name, entry in _items(node, file):
            self.entries.setdefault((scope, name), []).append(entry)

    def is_encrypted(self, entry: Entry) -> bool:
        """Whether a variable is in a vault: alone, or with its whole file."""
        return entry.value.tag == "!vault" or entry.place.file in self.encrypted

    def add_text(
        self,
        content: str,
        file: str,
        scope: tuple[str, str] | None,
        decrypt: Callable[[], str] | None = None,
    ) -> None:
        """Take in a file.

        Args:
            content: its text.
            file: its name, for messages.
            scope: whose variables it holds; None for an inventory file with groups and hosts.
            decrypt: gives the text of one that is vaulted as a whole; raises AnsibleError where no
                password fits.
        """
        if content.startswith(VAULT_HEADER):
            self.encrypted.append(file)
            if decrypt is None:
                return
            content = decrypt()
        try:
            node = yaml.compose(content, Loader=yaml.SafeLoader)
        except yaml.YAMLError:
            return  # Ansible has refused or skipped the file itself.
        self.repeated += _repeated(node, file)
        if scope is not None:
            self.add_variables(scope, node, file)
            return
        for group, entry in _items(node, file):
            self._add_group(group, entry.value, file)

    def _add_group(self, group: str, node: yaml.Node, file: str) -> None:
        parts = dict(_items(node, file))
        for part, entry in parts.items():
            if part == "vars":
                self.add_variables(("group", group), entry.value, file)
            elif part == "children":
                for child, inner in _items(entry.value, file):
                    self._add_group(child, inner.value, file)
            elif part == "hosts":
                for host, inner in _items(entry.value, file):
                    self.machines.setdefault(host, inner.place)
                    self.add_variables(("host", host), inner.value, file)


def read_sources(
    inventories: Iterable[str], working_directory: Path, decrypt: Decrypt | None = None
) -> Sources:
    """Read every YAML file of the given inventories.

    Args:
        inventories: files or folders.
        working_directory: what the files' names are relative to.
        decrypt: gives the text of a file that is vaulted as a whole; raises AnsibleError where no
            password fits.
    """
    sources = Sources()
    for inventory in map(Path, inventories):
        if inventory.is_dir():
            folder = inventory
            files = [file for file in sorted(folder.iterdir()) if _is_yaml(file)]
        elif inventory.is_file():
            folder, files = inventory.parent, [inventory]
        else:
            continue  # A list of host names, "node01,": nothing to read.
        for file in files:
            _read(sources, file, working_directory, None, decrypt)
        for kind in ("group", "host"):
            for scope, file in _scoped_files(folder / f"{kind}_vars", kind):
                if _is_yaml(file):
                    sources.folders.setdefault(scope, Place(_name(file, working_directory)))
                _read(sources, file, working_directory, scope, decrypt)
    return sources


def line_of(content: str, file: str, path: KeyPath) -> int:
    """Find the line of a key, or of the closest key above it, in the text of a YAML file.

    Returns:
        The line, from 1; 0 when the text is not YAML.
    """
    try:
        node = yaml.compose(content, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return 0
    return _descend(Entry(Place(file, 1), node), path).line if node is not None else 0


def _scoped_files(folder: Path, kind: str) -> Iterator[tuple[tuple[str, str], Path]]:
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        if entry.is_dir():
            for file in sorted(entry.rglob("*")):
                if _is_yaml(file):
                    yield (kind, entry.name), file
        elif _is_yaml(entry):
            yield (kind, entry.stem if entry.suffix else entry.name), entry
        elif kind == "host" and "." in entry.name and not host_name_problem(entry.name):
            # A node's full name without an ending; or any other file, which nobody reads.
            yield (kind, entry.name), entry


def _is_yaml(file: Path) -> bool:
    return file.is_file() and file.suffix in YAML_ENDINGS and not file.name.startswith(".")


def _read(
    sources: Sources,
    file: Path,
    working_directory: Path,
    scope: tuple[str, str] | None,
    decrypt: Decrypt | None,
) -> None:
    decrypted = functools.partial(decrypt, str(file)) if decrypt else None
    name = _name(file, working_directory)
    # What cannot be read or decrypted, Ansible cannot read either, and says so.
    with contextlib.suppress(OSError, UnicodeDecodeError, AnsibleError):
        sources.add_text(file.read_text(encoding="utf-8"), name, scope, decrypted)


def _name(file: Path, working_directory: Path) -> str:
    # Path.resolve() would follow links, and name a file that nobody knows by that name;
    # Path.absolute() would leave a ".." in the way of the comparison below.
    below = Path(os.path.abspath(file))  # noqa: PTH100
    return str(
        below.relative_to(working_directory) if below.is_relative_to(working_directory) else below
    )


def _items(node: yaml.Node | None, file: str) -> Iterator[tuple[str, Entry]]:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            yield key.value, Entry(Place(file, key.start_mark.line + 1), value)


def _descend(entry: Entry, path: tuple[Key, ...]) -> Place:
    place, node = entry.place, entry.value
    for key in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            place = Place(place.file, node.start_mark.line + 1)
            continue
        inner = dict(_items(node, place.file)).get(str(key))
        if inner is None:
            break
        place, node = inner.place, inner.value
    return place


def _repeated(node: yaml.Node | None, file: str) -> Iterator[tuple[Place, str]]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated(item, file)
    seen = set()
    for key, entry in _items(node, file):
        if key in seen:
            yield entry.place, key
        seen.add(key)
        yield from _repeated(entry.value, file)
