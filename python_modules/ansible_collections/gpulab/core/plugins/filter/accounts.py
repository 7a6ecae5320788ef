# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""Filters of users and their keys: ``accounts``, ``ageing``, ``user_changes`` and others.

A task per user and node costs 0.4 s even when there is nothing to do; one look at all accounts
costs that once.
"""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

SHELL = "/bin/bash"
#: As many days as login.defs(5) of every distribution has for "never": 273 years.
NEVER_DAYS = 99999


def accounts(lines: list[str]) -> dict[str, dict[str, Any]]:
    """Parse what ``getent`` says of users, groups and locks.

    Args:
        lines: any lines; used are ``passwd <passwd entry>``, ``group <group entry>``,
            ``locked <name>`` (the password is locked) and ``ageing <name>:<last>:<most>``: the day
            of the last change of the password and the days that it lasts (shadow(5)).

    Returns:
        Name to ``{"uid", "home", "gid", "shell", "comment", "locked", "ages", "groups"}``, the
        primary group included; ``uid`` and ``gid`` are numbers, as text, ``ages`` says whether the
        password has to be changed.
    """
    found: dict[str, dict[str, Any]] = {}
    rows = [line.partition(" ")[::2] for line in lines]
    for kind, rest in rows:
        fields = rest.split(":")
        if kind == "passwd" and len(fields) == 7:
            name, _, uid, gid, comment, home, shell = fields
            found[name] = {
                "uid": uid,
                "home": home,
                "gid": gid,
                "shell": shell,
                "comment": comment,
                "locked": False,
                "ages": False,
                "groups": [],
            }
    for kind, rest in rows:
        fields = rest.split(":")
        if kind == "group" and len(fields) == 4:
            members = set(fields[3].split(","))
            for name, account in found.items():
                if name in members or account["gid"] == fields[2]:
                    account["groups"].append(fields[0])
        elif kind == "locked" and rest in found:
            found[rest]["locked"] = True
        elif kind == "ageing" and len(fields) == 3 and fields[0] in found:
            found[fields[0]]["ages"] = _ages(*fields[1:])
    return found


def _ages(last: str, most: str) -> bool:
    """Say whether a password has to be changed some day, or at the next login (day 0)."""
    return last == "0" or (last != "" and most.isdecimal() and int(most) < NEVER_DAYS)


def ageing(
    users: list[dict[str, Any]], present: dict[str, dict[str, Any]], connecting: str
) -> list[str]:
    """Name the accounts that come in by key alone, and whose password will have to be changed.

    Then a login by key is refused, too ("You are required to change your password immediately", of
    pam_unix), and whoever has no password can't change it.

    Args:
        users: those of ``lab_users`` that are to be there; their passwords are locked.
        present: what `accounts` returns.
        connecting: the user that Ansible connects as; concerned where its password is locked.
    """
    locked = {user["name"] for user in users} - {connecting}
    if present.get(connecting, {}).get("locked"):
        locked.add(connecting)
    return sorted(name for name in locked & present.keys() if present[name]["ages"])


def user_changes(
    users: list[dict[str, Any]], present: dict[str, dict[str, Any]], connecting: str
) -> list[dict[str, Any]]:
    """Pick the declared users whose account differs from what is declared.

    Args:
        users: ``lab_users``.
        present: what `accounts` returns.
        connecting: the user that Ansible connects as, whose password is left alone.

    Returns:
        The entries of ``users`` that something has to be done for.
    """

    def differs(user: dict[str, Any]) -> bool:
        account = present.get(user["name"])
        if user.get("state", "present") == "absent":
            return account is not None
        return (
            account is None
            or account["shell"] != user.get("shell", SHELL)
            or account["comment"] != user.get("comment", account["comment"])
            or not set(user.get("groups", [])) <= set(account["groups"])
            or (user["name"] != connecting and not account["locked"])
        )

    return [user for user in users if differs(user)]


def uid_problems(users: list[dict[str, Any]], present: dict[str, dict[str, Any]]) -> list[str]:
    """List the declared numbers that a node has given otherwise.

    A changed number would leave the user's files to whoever gets the old one.

    Args:
        users: those of ``lab_users`` that are to be there.
        present: what `accounts` returns.
    """
    owners = {account["uid"]: name for name, account in present.items()}
    problems = []
    for user in users:
        name, uid = user["name"], str(user.get("uid") or "")
        if uid and name in present and present[name]["uid"] != uid:
            problems.append(
                f"the account {name} has the uid {present[name]['uid']} here, and lab_users says "
                f"{uid}: declare that one, or change it by hand (usermod --uid, chown)"
            )
        elif uid and owners.get(uid, name) != name:
            problems.append(
                f"the uid {uid} of {name} is {owners[uid]}'s here: declare a free one for {name}"
            )
    return problems


def key_files(
    users: list[dict[str, Any]], present: dict[str, dict[str, Any]], connecting: str
) -> list[dict[str, Any]]:
    """List the users' authorized_keys as the module ``gpulab.core.files`` takes them.

    Args:
        users: those of ``lab_users`` that are to be there.
        present: what `accounts` returns; a user that is made in this run is not in it yet.
        connecting: the user that Ansible connects as.

    Returns:
        One entry for each user. A file has the declared keys and no other, but the connecting
        user's, which has them among others: one of those holds the connection.
    """

    def entry(user: dict[str, Any]) -> dict[str, Any]:
        name, keys = user["name"], [key.strip() for key in user["ssh_keys"]]
        account = present.get(name, {"home": f"/home/{name}"})
        file = {
            "path": f"{account['home']}/.ssh/authorized_keys",
            "owner": name,
            "mode": "0600",
            "directory_mode": "0700",
        }
        if name == connecting:
            return {**file, "group": account.get("gid"), "public_keys": keys}
        return {**file, "content": "".join(f"{key}\n" for key in keys)}

    return [entry(user) for user in users]


def sudoers(users: list[dict[str, Any]]) -> list[str]:
    """List the names of the users that may become root.

    Args:
        users: those of ``lab_users`` that are to be there; ``sudo`` may be a text, ``"false"`` too.

    Raises:
        TypeError: ``sudo`` says neither true nor false.
    """
    return [user["name"] for user in users if boolean(user.get("sudo", False))]


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {
            "accounts": accounts,
            "ageing": ageing,
            "user_changes": user_changes,
            "uid_problems": uid_problems,
            "key_files": key_files,
            "sudoers": sudoers,
        }
