# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.user_problems``: what is wrong with a list of declared users."""

from __future__ import annotations

import re
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

# What useradd takes on every supported platform (Debian's NAME_REGEX, shadow's 32 characters).
NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
KEY = re.compile(
    r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)"
    r"|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com) +AAAA[0-9A-Za-z+/]+={0,3}"
)


def _key_problems(label: str, keys: list[Any]) -> list[str]:
    problems = []
    for index, key in enumerate(keys):
        if "\n" in str(key).strip():
            problems.append(f"{label}.ssh_keys[{index}] has several lines: one key each")
        elif not KEY.search(str(key)):
            problems.append(
                f"{label}.ssh_keys[{index}] is not a public key (ssh-ed25519 AAAA…): "
                "paste the line of the .pub file"
            )
    return problems


def user_problems(users: list[dict[str, Any]], connecting: str) -> list[str]:
    """List what is wrong with the declared users, all at once.

    Args:
        users: ``lab_users``.
        connecting: the user that Ansible connects as; it may lose neither account nor sudo.

    Returns:
        One sentence per problem, each with the key and the fix; empty when all is well.
    """
    problems: list[str] = []
    seen: set[str] = set()
    for index, user in enumerate(users):
        name = str(user.get("name", ""))
        label = f"lab_users[{index}] ({name or 'no name'})"
        present = user.get("state", "present") == "present"
        keys = user.get("ssh_keys") or []
        if not NAME.fullmatch(name):
            problems.append(f"{label}.name must match [a-z_][a-z0-9_-]*, at most 32 characters")
        if name == "root":
            problems.append(f"{label}: root is not a declared user: take it out")
        if name in seen:
            problems.append(f"{label}.name is declared twice: keep one")
        seen.add(name)
        if not present:
            if name == connecting:
                problems.append(
                    f"{label}.state is absent, but Ansible connects as {name}: "
                    "connect as another user first"
                )
            continue
        if not keys:
            problems.append(
                f"{label}.ssh_keys is empty: passwords are locked, so the user could never log "
                "in; give a public key, or state: absent"
            )
        problems.extend(_key_problems(label, keys))
        if name == connecting and not boolean(user.get("sudo", False)):
            problems.append(
                f"{label}.sudo is false, but Ansible connects as {name} and needs sudo: set it "
                "to true"
            )
    return problems


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"user_problems": user_problems}
