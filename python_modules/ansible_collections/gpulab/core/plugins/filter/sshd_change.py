# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filters ``sshd_change`` and ``sshd_port_problems``: what is done to an SSH server."""

from __future__ import annotations

import re
from typing import Any

CONFIG = "/etc/ssh/sshd_config"
INCLUDE = "Include /etc/ssh/sshd_config.d/*.conf\n"
#: What says where sshd listens. Of other options the first value counts; these add up.
_WHERE = re.compile(r"^\s*(?:port|listenaddress|addressfamily)\b.*$", re.IGNORECASE | re.MULTILINE)
#: sshd reads its files again after the signal that a reload sends, and not before it returns. An
#: emulated node took half a second.
_REREAD_S = "2"


def sshd_change(
    state: dict[str, Any], service: str, drop_in: str, content: str
) -> dict[str, dict[str, Any] | list[list[str]]]:
    """Plan the change of a server's configuration, as options of ``gpulab.core.commit``.

    Args:
        state: what ``gpulab.core.sshd_info`` returns as ``sshd``, with the files ``drop_in`` and
            ``/etc/ssh/sshd_config``.
        service: the server's unit, without its suffix.
        drop_in: the file that is read before all others.
        content: what it has to say.

    Returns:
        ``files`` (empty where there is nothing to do), ``check``, ``apply``, ``undo``, ``boot``.
    """
    files: dict[str, Any] = {}
    wanted = {"content": content, "mode": "0600"}
    before = state["files"].get(drop_in, {"content": ""})
    if before != wanted:
        files[drop_in] = wanted
    main = state["files"].get(CONFIG)
    if not state["reads_drop_ins"]:
        files[CONFIG] = {
            "content": INCLUDE + (main["content"] if main else ""),
            "mode": main["mode"] if main else "0644",
        }
    moves = state["socket"]["active"] and _WHERE.findall(before["content"]) != _WHERE.findall(
        content
    )
    unit = f"{service}.service"
    if moves:
        # systemd listens for it, where a generator says. What is connected stays: the unit ends its
        # main process alone.
        again = [
            ["systemctl", "daemon-reload"],
            ["systemctl", "stop", unit],
            ["systemctl", "restart", f"{service}.socket"],
        ]
        undo = again
    else:
        # Where a socket starts a server for each connection there is no service to reload.
        again = [["systemctl", "try-reload-or-restart", unit]]
        # One that a wrong file has ended is started again.
        undo = [["systemctl", "reload-or-restart", unit]] if state["serves"] else again
    return {
        "files": files,
        "check": [["sshd", "-t", "-f", f"{{stage}}{path}"] for path in files],
        # All files together: EL's unit sends the signal without asking, and sshd would end.
        "apply": [["sshd", "-t"], *again, ["sleep", _REREAD_S]],
        "undo": undo,
        # The generator ran before the former file was back.
        "boot": [["systemctl", "daemon-reload"]] if moves else [],
    }


def sshd_port_problems(
    state: dict[str, Any], service: str, ports: list[int], extra: dict[str, Any]
) -> list[str]:
    """List why the server would not listen where it is declared to, and only there.

    Args:
        state: what ``gpulab.core.sshd_info`` returns as ``sshd``.
        service: the server's unit, without its suffix.
        ports: ``ssh_ports``.
        extra: ``ssh_extra_options``.

    Returns:
        One sentence per reason, with what to change.
    """
    problems = []
    named = [option for option in extra if option.lower() == "port"]
    if named:
        problems.append(
            f"ssh_extra_options.{named[0]}: the firewall's flows would not follow it: set "
            "ssh_ports instead, in group_vars/all"
        )
    if not ports or not all(1 <= int(port) <= 65535 for port in ports):
        problems.append(f"ssh_ports {ports} is no list of ports, such as [22]")
        return problems
    declared = set(map(int, ports))
    # Of several files the ports add up; 22 is also what counts where none says anything.
    written = " ".join(file["content"] for path, file in state["files"].items() if path != CONFIG)
    ours = set(re.findall(r"^Port (\d+)$", written, re.MULTILINE))
    others = set(map(int, {*state["effective"].get("port", [])} - ours)) - declared - {22}
    if others:
        problems.append(
            f"sshd listens on port {', '.join(map(str, sorted(others)))} too, by another file than "
            f"gpulab's, and the firewall's flows follow ssh_ports ({ports}): add it there, or take "
            "Port out of that file"
        )
    socket = state["socket"]
    if socket["active"] and not socket["follows"]:
        listens = {int(where.rpartition(":")[2]) for where in socket["listens"]}
        if listens != declared:
            problems.append(
                f"{service}.socket listens on {', '.join(socket['listens'])}, whatever sshd_config "
                f"says, and ssh_ports is {ports}: disable {service}.socket and enable "
                f"{service}.service, or set ListenStream in a drop-in of the socket"
            )
    return problems


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"sshd_change": sshd_change, "sshd_port_problems": sshd_port_problems}
