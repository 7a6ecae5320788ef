"""Check the lab's users, and its time zone."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from .claims import Claim, conflicts
from .model import Declaration, Path, Problem, Value, mapping, sequence, show, text, whole
from .placeholders import looks_like_placeholder
from .time_zones import time_zone_mistake

# What sshd(8) accepts without weak algorithms being switched on.
KEY_TYPES = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
ROOT_GROUPS = frozenset({"sudo", "wheel", "admin", "root"})
NEW_KEY = "the one line in ~/.ssh/id_ed25519.pub (ssh-keygen -t ed25519 makes it)"


def people_problems(declaration: Declaration) -> list[Problem]:
    """Check users one by one and against each other."""
    problems: list[Problem] = []
    names, keys, numbers = [], [], []
    by_number = next((host.name for host in declaration.by_name() if "slurm" in host.groups), "")
    connects_as = {
        text(host.variables.get("ansible_user")): host.name
        for host in reversed(declaration.by_name())
    }
    for number, user in enumerate(map(mapping, sequence(declaration.lab.get("lab_users")))):
        at: Path = ("lab_users", number)
        problems += _user(at, user, connects_as)
        if text(user.get("name")):
            names.append(Claim(user["name"], "", (*at, "name"), f"the name '{user['name']}'"))
        uid = whole(user.get("uid"))
        if uid is not None:
            numbers.append(Claim(uid, "", (*at, "uid"), f"the number {uid}"))
            problems += _number((*at, "uid"), uid)
        elif by_number and user.get("state") != "absent" and "uid" not in user:
            wrong = f"Slurm ({by_number}) runs a job by its user's number, and none is declared"
            problems.append(
                Problem(
                    "",
                    (*at, "uid"),
                    wrong,
                    "the number that `id -u` prints, or a free one from 2000 on",
                )
            )
        own: set[str] = set()
        for place, key in enumerate(sequence(user.get("ssh_keys"))):
            path = (*at, "ssh_keys", place)
            problems += _ssh_key(path, key)
            words = text(key).split()
            # A user's repetition of his own key is for the schema to report.
            if len(words) > 1 and not looks_like_placeholder(key) and words[1] not in own:
                keys.append(Claim(words[1], "", path, "this key"))
                own.add(words[1])
    problems += conflicts(names, "one entry per user")
    problems += conflicts(numbers, "a number of its own for each user")
    problems += conflicts(keys, "a key pair per person: with a shared one nobody knows who it was")
    return problems


def time_zone_problems(declaration: Declaration) -> Iterator[Problem]:
    """Check the time zone against the tz database, and what every release has of it."""
    given = declaration.lab.get("lab_timezone")
    if isinstance(given, str):
        wrong, right = time_zone_mistake(given)
        if wrong:
            yield Problem("", ("lab_timezone",), wrong, right)


def _user(at: Path, user: dict[Any, Any], connects_as: dict[str, str]) -> Iterator[Problem]:
    name, absent = text(user.get("name")), user.get("state") == "absent"
    if name == "root":
        right = "name people; with 'sudo: true' they become root"
        yield Problem("", (*at, "name"), "root is not a user of the lab", right)
    if absent and user.get("sudo") is True:
        right = "leave 'sudo' out, or set 'state: present'"
        yield Problem("", (*at, "sudo"), "a user who is absent cannot have sudo", right)
    if absent and name in connects_as:
        wrong = f"Ansible itself logs in as '{name}' ({connects_as[name]})"
        yield Problem("", (*at, "state"), wrong, "keep it, or change ansible_user first")
    if not absent and user.get("ssh_keys") in (None, []):
        wrong = f"the user '{name}' has no key and could never log in"
        yield Problem("", (*at, "ssh_keys"), wrong, NEW_KEY)
    for place, group in enumerate(sequence(user.get("groups"))):
        if isinstance(group, str) and group in ROOT_GROUPS:
            wrong = f"the group '{group}' gives root on some platforms and not on others"
            yield Problem("", (*at, "groups", place), wrong, "leave it out and set 'sudo: true'")


def _number(path: Path, uid: int) -> Iterator[Problem]:
    # systemd's dynamic users, then nobody, then what 16 bits take for "none" (systemd's UIDS-GIDS).
    if 61184 <= uid <= 65535:
        wrong = f"{uid} is among the numbers that the system gives away itself (61184 to 65535)"
        yield Problem("", path, wrong, "a number from 2000 to 60000")


def _ssh_key(path: Path, key: Value) -> Iterator[Problem]:
    if not isinstance(key, str):
        return
    if looks_like_placeholder(key):
        yield Problem("", path, "this is the example's placeholder", f"your own: {NEW_KEY}")
        return
    if "PRIVATE KEY" in key:
        wrong = "this is a private key, and is no secret any more"
        yield Problem("", path, wrong, f"make a new pair; then {NEW_KEY}")
        return
    kind, _, rest = key.strip().partition(" ")
    if kind not in KEY_TYPES:
        wrong = f"{show(kind)} is not a kind of key that sshd accepts"
        yield Problem("", path, wrong, NEW_KEY)
    elif not _holds(kind, rest.strip().partition(" ")[0]):
        wrong = f"the text after {kind} is not such a key (cut off when it was copied?)"
        yield Problem("", path, wrong, NEW_KEY)


def _holds(kind: str, encoded: str) -> bool:
    """Whether the base64 text is a key of this kind: RFC 4253, 6.6: it starts with the kind."""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
    start = len(kind).to_bytes(4, "big") + kind.encode()
    return blob.startswith(start) and len(blob) >= len(start) + 32  # the shortest: an Ed25519 point
