"""What can be declared and has no effect yet: said in preflight and in the documentation.

tests/unit/declaration/test_unenforced.py holds the table against the code: what something reads is
taken out of it, and what nothing reads is put in.
"""

from __future__ import annotations

from dataclasses import dataclass

from .model import Declaration


@dataclass(frozen=True)
class Unenforced:
    """What belongs together and has no effect.

    Attributes:
        variables: names of variables.
        groups: names of groups.
        today: what it means today, a clause.
    """

    variables: tuple[str, ...]
    groups: tuple[str, ...]
    today: str

    def shown(self) -> list[str]:
        """The names, as a message shows them."""
        return [*self.variables, *(f"group {name}" for name in self.groups)]


UNENFORCED = (
    Unenforced(
        ("lab_upses", "node_power_feeds"),
        ("ups_attached",),
        "no UPS is watched, and no node is shut down in a power cut",
    ),
    Unenforced(
        ("lab_cooling",), (), "nobody is told of heat, and nothing is slowed down or stopped for it"
    ),
    Unenforced((), ("monitored",), "no monitoring is installed, and nobody is alerted"),
    Unenforced(
        ("node_root_disk", "node_protected_disks"),
        (),
        "gpulab installs no operating system: it erases no disk, and guards none against others",
    ),
    Unenforced(
        ("node_bmc",),
        (),
        "no BMC is asked or switched over the network; its node reads it from inside",
    ),
)


def not_enforced(declaration: Declaration) -> list[str]:
    """Say what a lab declares that has no effect yet.

    Returns:
        A line for each entry of `UNENFORCED` of which the lab has something, such as
        ``lab_cooling: nobody is told of heat, …``; none where all that is declared is enforced.
    """
    variables = set(declaration.lab).union(*(host.variables for host in declaration.hosts))
    groups = {group for host in declaration.hosts for group in host.groups}
    lines = []
    for entry in UNENFORCED:
        declared = Unenforced(
            tuple(name for name in entry.variables if name in variables),
            tuple(name for name in entry.groups if name in groups),
            entry.today,
        ).shown()
        if declared:
            lines.append(f"{', '.join(declared)}: {entry.today}")
    return lines
