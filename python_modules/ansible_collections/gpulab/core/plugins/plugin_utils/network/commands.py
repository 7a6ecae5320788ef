"""The commands that put a node's network into effect, and those that put the former one back.

In the words of the module ``gpulab.core.commit``: ``check`` before anything is touched, ``apply``
once the files are in place, ``undo`` once the former files are back, ``boot`` in its place where
the node rebooted in between and the network has not started yet.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from ...module_utils.network.programs import MANAGER, NETPLAN, NETWORKD
from .machine import Present, Way
from .model import Model
from .networkmanager import profile

Command = list[str]
#: How long NetworkManager may take for one profile. It waits for the link, and not for a lease.
_MANAGER_WAIT_S = 10
#: How long a back end may take to set its addresses after it was told to (our proposal). It is
#: waited for only while one is missing.
_BACKEND_S = 5.0
#: Soft RoCE goes with the interface that it is on. The role's unit waits for that.
_RDMA_AGAIN = ["sh", "-c", "systemctl --no-block try-restart gpulab-rdma.service || true"]


def check(backend: str) -> list[Command]:
    """Give what refuses files that are wrong; netplan alone has such a command."""
    if backend == NETPLAN:
        return [["netplan", "generate", "--root-dir", "{stage}"]]
    return []


def apply(
    backend: str, model: Model, there: Mapping[str, Present], stale: list[str]
) -> list[Command]:
    """Give what puts the new files into effect.

    Args:
        backend: which one the files are for.
        model: as declared.
        there: as is.
        stale: interfaces that must go first.
    """
    commands = [_delete(name) for name in stale]
    kept = [link.name for link in model.links if link.name in there and link.name not in stale]
    if backend == NETPLAN:
        commands += _netplan(stale)
    elif backend == NETWORKD:
        commands += [_networkd(stale), *([["networkctl", "reconfigure", *kept]] if kept else [])]
    elif backend == MANAGER:
        commands.append(["nmcli", "connection", "reload"])
        commands += [_up(link.name) for link in model.links]
    else:
        # What another program or a lease has set would stay beside ours.
        commands += [_release(name) for name in kept if there[name].leased]
        commands += [["ip", "address", "flush", "dev", name, "scope", "global"] for name in kept]
        names = [link.name for link in model.links]
        commands += [["ifup", "--force", *names]] if names else []
    return [*commands, *([_RDMA_AGAIN] if stale else [])]


def undo(
    backend: str,
    model: Model,
    there: Mapping[str, Present],
    ways: list[Way],
    former: set[str],
    stale: list[str],
) -> list[Command]:
    """Give what puts the former network into effect.

    The addresses and routes of what stayed are set besides: a node whose addresses came from no
    file that its back end reads has them again, too.

    Args:
        backend: which one the new files are for.
        model: what is taken back.
        there: the interfaces before the change.
        ways: the routes before the change.
        former: words of the back end's files before the change.
        stale: interfaces that went, or were made again; what is on top comes first.
    """
    kept = [there[link.name] for link in model.links if link.name in there.keys() - {*stale}]
    made = [_delete(link.name) for link in reversed(model.links) if link.name not in there]
    # The back end would keep them as the change has made them.
    gone = [_delete(name) for name in stale]
    mtus = [
        ["ip", "link", "set", "dev", link.name, "mtu", str(link.mtu)]
        for link in kept
        if link.physical and link.mtu
    ]
    names = [link.name for link in kept]
    # What was below comes back before what was on top of it.
    again = stale[::-1]
    if backend == NETPLAN:
        commands = [["netplan", "generate"], *gone, *made, *mtus, *_netplan(stale)]
    elif backend == NETWORKD:
        commands = [*gone, _networkd(stale), *made, *mtus]
        commands += [["networkctl", "reconfigure", *names]] if names else []
    elif backend == MANAGER:
        commands = [["nmcli", "connection", "reload"], *gone, *made, *mtus]
        commands += [_connect(name) for name in names]
        commands += [_if_it_can(_up(name)) for name in again]
    else:
        commands = [*gone, *made, *mtus]
        commands += [["ip", "address", "flush", "dev", name, "scope", "global"] for name in names]
        known = [name for name in [*names, *again] if name.lower() in former]
        if known:
            commands.append(["ifup", "--force", *known])
    return [*commands, *([_RDMA_AGAIN] if stale else []), *_as_it_was(kept, ways)]


def boot(backend: str) -> list[Command]:
    """Give what a boot needs besides: netplan had generated before the former files were back."""
    return [["netplan", "generate"]] if backend == NETPLAN else []


def _delete(name: str) -> Command:
    return ["sh", "-c", f"test ! -e /sys/class/net/{name} || ip link delete dev {name}"]


def _release(name: str) -> Command:
    """Stop dhclient, which ifupdown starts for a lease, without giving the lease back."""
    pid = f"/run/dhclient.{name}.pid"
    return ["sh", "-c", f"test ! -s {pid} || dhclient -x -pf {pid} {name}"]


def _networkd(stale: list[str]) -> Command:
    """Let networkd read its files.

    After a reload, the files of a bond's members still mean the bond that was there before, so that
    they wait for ever where it is made again (systemd 252): only a restart lets it forget.
    """
    return (
        ["systemctl", "restart", "systemd-networkd.service"] if stale else ["networkctl", "reload"]
    )


def _netplan(stale: list[str]) -> list[Command]:
    """Let netplan write networkd's files, and reload it."""
    return [["netplan", "apply"], *([_networkd(stale)] if stale else [])]


def _up(name: str) -> Command:
    """Let NetworkManager put our profile of an interface into effect."""
    return ["nmcli", "--wait", str(_MANAGER_WAIT_S), "connection", "up", profile(name)]


def _connect(name: str) -> Command:
    """Let NetworkManager choose the interface's profile, where it has one."""
    return _if_it_can(["nmcli", "--wait", str(_MANAGER_WAIT_S), "device", "connect", name])


def _if_it_can(command: Command) -> Command:
    return ["sh", "-c", f"{' '.join(command)} || true"]


def _as_it_was(links: list[Present], ways: list[Way]) -> Iterator[Command]:
    """Give what sets addresses and routes that the back end does not.

    networkd takes the former addresses away and sets them again after its reload has returned. One
    that is set by hand in between stays as it is, and is not the back end's own.
    """
    wanted: list[tuple[str, str]] = []
    for link in links:
        if link.addresses:
            yield ["ip", "link", "set", "dev", link.name, "up"]
        for address in link.addresses:
            # Replaced, it would lose what the back end says of it, such as whose its route is.
            there = f"ip -oneline address show dev {link.name} | grep -qF ' {address} '"
            wanted.append((there, f"ip address add {address} dev {link.name}"))
    names = [link.name for link in links if link.addresses]
    for way in ways:
        if way.link in names:
            version = ipaddress.ip_network(way.to).version
            ip, what = f"ip -{version} route", f"{way.to} via {way.via} dev {way.link}"
            # Replaced, it would no longer be the back end's own.
            wanted.append((f'test -n "$({ip} show exact {what})"', f"{ip} add {what}"))
    if wanted:
        yield _wait_for([there for there, _ in wanted])
    for there, add in wanted:
        yield ["sh", "-c", f"{there} || {add}"]


def _wait_for(conditions: list[str]) -> Command:
    """Wait until all of them are so, as long as a back end may take; true in any case."""
    turns = int(_BACKEND_S / 0.1)
    met = " && ".join(conditions)
    return ["sh", "-c", f"for turn in $(seq {turns}); do {met} && break; sleep 0.1; done; true"]
