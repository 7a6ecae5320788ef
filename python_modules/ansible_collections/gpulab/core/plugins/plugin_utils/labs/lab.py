"""Which lab a playbook is about: its name and its inventory.

Both tell two labs apart. The name alone does not: a copied inventory has the same, and the sandbox
and a real lab may both have a ``head01``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ansible.vars.hostvars import HostVars

from ..records import paths

_UNSAFE = re.compile(r"[^a-z0-9-]+")
# 24 bits: among the labs of one name that one controller has, none meet by chance.
_MARK = 6


class Lab(NamedTuple):
    """A lab.

    Attributes:
        name: ``lab_name``, or "".
        inventory: Where its nodes are declared: folders and files with their full paths, or lists
            of names (``node01,``).
        nodes: All of its nodes, whatever ``--limit`` says.
    """

    name: str
    inventory: tuple[str, ...]
    nodes: frozenset[str]

    @property
    def folder(self) -> str:
        """The name of its folders in ``reports/`` and ``state/``: ``mylab-1a2b3c``."""
        return f"{self._readable}-{self._mark}"

    @property
    def told_inventory(self) -> tuple[str, ...]:
        """Its inventory as seen from the folder that ``state/`` lies in.

        So a checkout that is moved keeps its state, and two checkouts that share one ``state/``
        (``GPULAB_STATE_DIR``) do not share what is in it.
        """
        base = paths.state_root().absolute().parent.resolve()
        return tuple(
            source if "," in source else os.path.relpath(source, base) for source in self.inventory
        )

    @property
    def _readable(self) -> str:
        name = _UNSAFE.sub("-", self.name.lower()).strip("-")
        return name[:31] or "lab"

    @property
    def _mark(self) -> str:
        told = json.dumps([self.name, *self.told_inventory])
        return hashlib.sha256(told.encode()).hexdigest()[:_MARK]


def of(hostvars: HostVars) -> Lab:
    """Return the lab that Ansible has read.

    Args:
        hostvars: A task's ``hostvars``.
    """
    inventory = hostvars._inventory
    hosts = inventory.hosts
    name = hostvars[next(iter(hosts))].get("lab_name", "") if hosts else ""
    files = {str(host.vars.get("inventory_file") or "") for host in hosts.values()}
    return Lab(str(name), declared_in(inventory._sources, files), frozenset(map(str, hosts)))


def declared_in(sources: Iterable[str], files: Iterable[str]) -> tuple[str, ...]:
    """Return the inventories that declare nodes, each by one name.

    An inventory that only adds variables makes no other lab. Neither does naming the file ``hosts``
    in place of its folder: it is how Ansible's own documentation calls the file of a folder.

    Args:
        sources: What ``-i`` or ansible.cfg names.
        files: The files in which nodes are first named; "" for nodes of a list of names.
    """
    found = set()
    for source in map(str, sources):
        if "," in source:
            found |= {source} if "" in files else set()
            continue
        path = Path(source).resolve()
        if any(file and Path(file).resolve().is_relative_to(path) for file in files):
            found.add(str(path.parent if path.is_file() and path.stem == "hosts" else path))
    return tuple(sorted(found))
