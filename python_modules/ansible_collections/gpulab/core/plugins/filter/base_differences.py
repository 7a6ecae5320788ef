# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.base_differences``: where a node is not as role base declares it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_UTC = frozenset({"UTC", "Etc/UTC"})


def base_differences(
    said: Sequence[str],
    *,
    hostname: str,
    timezone: str,
    locale: str,
    present: Sequence[str],
    absent: Sequence[str],
    sysctl: Mapping[str, Any],
    upgrades: str,
    upgrade_timer: str,
) -> list[str]:
    """Compare what a node says of itself with what is declared.

    Args:
        said: lines ``<key>=<value>``, one of each of ``hostname``, ``addresses`` (of that name),
            ``timezone`` (the file that /etc/localtime is), ``locales``, ``users``, ``sudoers``
            (``valid`` or ``broken``), ``timer`` (whether it is ``enabled``) and ``sysctl``
            (``<key> = <value>;`` of the settings that this kernel has).
        hostname: ``base_hostname``, and so on.
        timezone: a zone's name.
        locale: a locale's name.
        present: users that are to be there.
        absent: users that are not.
        sysctl: settings; of a container none, since they are its host's.
        upgrades: ``none`` where the node installs nothing overnight.
        upgrade_timer: the unit that starts what does.

    Returns:
        One sentence per difference, each with what was declared and where to look.
    """
    found = dict(line.split("=", 1) for line in said)
    addresses, users = found["addresses"].split(), set(found["users"].split())
    other_settings = _other_settings(found["sysctl"], sysctl)
    is_zone = found["timezone"] == f"/usr/share/zoneinfo/{timezone}" or timezone in _UTC
    reachable = addresses and not any(map(_is_loopback, addresses))
    checks = (
        (
            found["hostname"] == hostname,
            f"the hostname is {found['hostname']}, base_hostname says {hostname}",
        ),
        (
            reachable,
            (
                f"the hostname resolves to {' '.join(addresses) or 'nothing'}, declare "
                "node_interfaces so that /etc/hosts has an address that others can reach"
            ),
        ),
        (is_zone, f"the time zone is {found['timezone']}, base_timezone says {timezone}"),
        (
            _plain(locale) in _plain(found["locales"]).split(),
            f"the locale {locale} (base_locale) was not generated, look at locale -a",
        ),
        (
            users.issuperset(present),
            "users are missing that base_users declares, look at /etc/passwd",
        ),
        (
            users.isdisjoint(absent),
            "users are there that base_users declares absent, look at /etc/passwd",
        ),
        (
            found["sudoers"] == "valid",
            "the sudo rules are broken, run visudo -c and mend the file that it names",
        ),
        (
            upgrades == "none" or found["timer"] == "enabled",
            f"{upgrade_timer} is {found['timer']}, base_upgrades says {upgrades}",
        ),
        (
            not other_settings,
            (
                f"kernel settings differ from base_sysctl ({', '.join(other_settings)}), look at "
                "sysctl --system"
            ),
        ),
    )
    return [sentence for holds, sentence in checks if not holds]


def _other_settings(said: str, wanted: Mapping[str, Any]) -> list[str]:
    """The settings with another value; one that this kernel lacks is not printed, nor missed."""
    found = dict(part.split(" = ", 1) for part in said.split(";") if part)
    return [key for key, value in wanted.items() if found.get(key, str(value)) != str(value)]


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _plain(locale: str) -> str:
    """Write a locale as both its names are: C.UTF-8 is C.utf8."""
    return locale.lower().replace("-", "")


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"base_differences": base_differences}
