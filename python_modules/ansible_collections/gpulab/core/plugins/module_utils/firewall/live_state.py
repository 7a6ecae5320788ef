"""Read what a node's firewall is now: tools, our table, others, and who is connected."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..commit import session
from ..process import Outcome, run_group
from . import conntrack, foreign, interfaces, listing

RULESET = Path("/etc/gpulab/firewall.nft")
UNIT = "gpulab-firewall.service"
#: What else rules over packets on some platform, by its unit. nftables.service is one of them
#: because it flushes *all* tables whenever it starts or stops. The last three load what
#: iptables-save has written: on Debian (iptables-persistent), on EL (iptables-services).
OTHERS = ("firewalld", "ufw", "nftables", "netfilter-persistent", "iptables", "ip6tables")
#: The kernel's names of the tables of the legacy iptables, which nft does not list.
LEGACY = {"ip": "ip_tables_names", "ip6": "ip6_tables_names"}
_SAVE = {"ip": "iptables", "ip6": "ip6tables"}
UFW_CONFIG = Path("/etc/ufw/ufw.conf")
#: Forwarding, by the name that sysctl has for it.
FORWARDING = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
_CALL_S = 30.0
_TABLE = (listing.FAMILY, listing.TABLE)
_APART = f'nft --file "$1" && nft --stateless list table {listing.FAMILY} {listing.TABLE}'
_MASKED = ("masked", "masked-runtime")


def read(ruleset: str) -> dict[str, Any]:
    """Read everything that decides what has to be done.

    Args:
        ruleset: the compiled ruleset, as text for ``nft --file``.

    Returns:
        ``nft`` (whether it is installed), ``live``, ``persisted``, ``enabled``, ``others``,
        ``forwarding``, ``connection``, ``connections`` (how many the kernel follows, at most, and
        how many had to make room since boot; None where it follows none), ``interfaces`` (of
        `interfaces.parse`; None where nothing could be read) and ``foreign``. ``others`` says of
        each other firewall that rules now or will after a reboot whether it does so now.
        ``foreign`` has ``chains``, the base chains of other tables that drop packets, and
        ``unread``, why some are not known.
    """
    installed = shutil.which("nft") is not None
    return {
        "nft": installed,
        "live": _live(ruleset) if installed else _nothing("nft is not installed"),
        "persisted": _text(RULESET) == ruleset,
        "enabled": _said("systemctl", "is-enabled", UNIT) == "enabled",
        "others": {name: rules == "now" for name in OTHERS if (rules := _rules(name))},
        "forwarding": {name: _sysctl(name) for name in FORWARDING},
        "connection": _connection(),
        "interfaces": _interfaces(),
        "foreign": read_foreign(),
        "connections": _connections(),
    }


def read_foreign() -> dict[str, Any]:
    """Read the base chains of others that drop packets, of nftables and of the legacy iptables."""
    chains: list[dict[str, Any]] = []
    unread: list[str] = []
    # Whether iptables itself has to tell what its tables of nftables have.
    ask = shutil.which("nft") is None
    if not ask:
        listed = _run("nft", "--json", "list", "ruleset")
        try:
            chains = foreign.of_nft(listed.stdout)
        except ValueError as error:
            said = listed.start_error or listed.stderr_tail.strip()[-300:] or str(error)
            unread.append(f"nft --json list ruleset: {said}")
        ask = foreign.has_untranslated(listed.stdout)
        chains = foreign.without_iptables(chains) if ask else chains
    for family, names in LEGACY.items():
        legacy = bool(_text(Path("/proc/net", names)).strip())
        if legacy:
            chains += _saved(family, f"{_SAVE[family]}-legacy", unread)
        if ask and shutil.which(f"{_SAVE[family]}-save"):
            chains += _saved(family, _SAVE[family], unread)
    return {"chains": chains, "unread": "; ".join(unread)}


def _saved(family: str, flavour: str, unread: list[str]) -> list[dict[str, Any]]:
    program = f"{flavour}-save"
    # EL 9's legacy iptables is called as it always was.
    if shutil.which(program) is None:
        program = f"{_SAVE[family]}-save"
    saved = _run(program)
    if saved.returncode != 0:
        unread.append(f"{program}: {saved.start_error or saved.stderr_tail.strip()[-300:]}")
        return []
    return foreign.of_iptables(saved.stdout, family, flavour)


def _connections() -> dict[str, int | None] | None:
    folder = Path("/proc/sys/net/netfilter")
    now, most = (_text(folder / f"nf_conntrack_{what}").strip() for what in ("count", "max"))
    if not (now.isdecimal() and most.isdecimal()):
        return None
    lost = conntrack.parse_lost(_text(Path("/proc/net/stat/nf_conntrack")))
    return {"now": int(now), "max": int(most), "lost": lost}


def _interfaces() -> list[dict[str, Any]] | None:
    shown = _run("ip", "-json", "-details", "address", "show")
    try:
        return interfaces.parse([entry for entry in json.loads(shown.stdout) if entry])
    except ValueError:
        return None


def _live(ruleset: str) -> dict[str, Any]:
    """Compare our table with what the ruleset would make of it.

    The kernel's listing of a rule is not how it was written, so the ruleset is loaded too: in a
    network namespace of its own, which ends with the command and touches no packet.
    """
    there = _run("nft", "--stateless", "list", "table", *_TABLE)
    if there.returncode != 0:
        return _nothing("it is not loaded")
    with tempfile.NamedTemporaryFile("w", suffix=".nft") as file:
        file.write(ruleset)
        file.flush()
        wanted = _run("unshare", "--net", "sh", "-c", _APART, "sh", file.name)
    if wanted.returncode == 0:
        different = listing.difference(wanted.stdout, there.stdout)
    else:
        said = wanted.start_error or wanted.stderr_tail[-300:]
        different = f"what is compiled cannot be loaded to compare: {said}"
    former = listing.restorable(there.stdout)
    return {"same": not different, "different": different, "former": former}


def _nothing(why: str) -> dict[str, Any]:
    return {"same": False, "different": why, "former": listing.restorable("")}


def _rules(name: str) -> str:
    """Say whether another firewall rules: ``now``, ``later`` after a reboot, or "" for never."""
    enabled = _said("systemctl", "is-enabled", f"{name}.service")
    if enabled in _MASKED:
        return ""
    if name == "ufw":
        # Its unit is enabled wherever the package is installed; what counts is its own switch.
        return "now" if "ENABLED=yes" in _text(UFW_CONFIG).splitlines() else ""
    if _said("systemctl", "is-active", f"{name}.service") == "active":
        return "now"
    return "later" if enabled == "enabled" else ""


def _connection() -> dict[str, Any] | None:
    found = session.find(os.getpid())
    if found is None or not found.client:
        return None
    return {"client": found.client, "server": found.server, "port": found.port}


def _sysctl(name: str) -> bool:
    return _text(Path("/proc/sys", *name.split("."))).strip() == "1"


def _said(*argv: str) -> str:
    return _run(*argv).stdout.strip()


def _run(*argv: str) -> Outcome:
    return run_group(argv, {**os.environ, "LC_ALL": "C"}, _CALL_S)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
