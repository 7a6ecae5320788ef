# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.sshd_lockouts``: why the connecting user could not come back."""

from __future__ import annotations

from typing import Any


def sshd_lockouts(
    state: dict[str, Any],
    allow_users: list[str],
    allow_groups: list[str],
    require_key: bool = True,
) -> list[str]:
    """List why the user could not log in once the server takes keys only.

    Args:
        state: what ``gpulab.core.sshd_info`` returns as ``sshd`` for the connecting user.
        allow_users: ``ssh_allow_users``; empty allows all.
        allow_groups: ``ssh_allow_groups``; empty allows all.
        require_key: whether a key must lie in the user's authorized_keys; not so where keys
            come from certificates or an AuthorizedKeysCommand.

    Returns:
        One sentence per reason, with the key to change; empty when the user stays in.
    """
    user = state["user"]
    name = user["name"]
    reasons = []
    if name == "root":
        reasons.append(
            "Ansible connects as root, and root's login is about to be refused: connect as a user "
            "with sudo (ansible_user), declared in lab_users with sudo: true"
        )
    if require_key and name != "root" and not user["authorized_keys"]:
        reasons.append(
            f"{name} has no key in ~{name}/.ssh/authorized_keys, and passwords are about to be "
            f"refused: declare {name} in lab_users with ssh_keys and run the role base first"
        )
    if allow_users and name not in allow_users:
        reasons.append(f"{name} is not in ssh_allow_users: add it")
    if allow_groups and not set(allow_groups) & set(user["groups"]):
        reasons.append(
            f"{name} is in none of ssh_allow_groups ({', '.join(allow_groups)}): add one of its "
            f"groups ({', '.join(user['groups'])})"
        )
    return reasons


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"sshd_lockouts": sshd_lockouts}
