"""Whether packets of a zone's MTU reach the next node whole: the ping, and what it said.

Read on iputils 20210202 to 20240905.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Callable

#: Headers before what ping sends: IPv4 20 bytes (RFC 791) or IPv6 40 (RFC 8200), and 8 of ICMP.
_HEADERS = {4: 20 + 8, 6: 40 + 8}
COUNT = 3
INTERVAL_S = 0.2
#: For all packets; a node that answers does so in milliseconds.
DEADLINE_S = 5

_SUMMARY = re.compile(r"^(\d+) packets transmitted, (\d+) received", re.MULTILINE)
#: A router on the way, and the node's own kernel.
_TOO_BIG = re.compile(r"(?:mtu ?= ?|too long, mtu[:=] ?)(\d+)", re.IGNORECASE)


def command(address: str, interface: str, mtu: int) -> list[str]:
    """Give the ping that sends packets of exactly the MTU, and forbids to cut them.

    Args:
        address: where to.
        interface: out of which.
        mtu: size of the whole IP packet, bytes.
    """
    payload = mtu - _HEADERS[ipaddress.ip_address(address).version]
    pace = ["-c", str(COUNT), "-i", str(INTERVAL_S), "-w", str(DEADLINE_S)]
    return ["ping", "-n", *pace, "-M", "do", "-s", str(payload), "-I", interface, address]


def received(said: str) -> int:
    """Give how many answers came back.

    Args:
        said: what ping printed, in the C locale; 0 where it printed no summary.
    """
    summary = _SUMMARY.search(said)
    return int(summary[2]) if summary else 0


def judge(ask: Callable[[int], str], mtu: int) -> str:
    """Say what is wrong with a link; "" where packets of the MTU cross it.

    Args:
        ask: pings with packets of so many bytes, and gives what ping printed.
        mtu: bytes.
    """
    said = ask(mtu)
    small = "" if received(said) else ask(SMALL)
    if received(small):
        # Where the peer's card has just been replaced, the first pings went to the former one.
        said = ask(mtu)
    return "" if received(said) else why(said, small)


def why(said: str, small: str) -> str:
    """Say what is wrong with a link that packets of the MTU do not cross.

    Args:
        said: what ping printed for packets of the MTU.
        small: what it printed for packets of `SMALL` bytes.
    """
    told = _TOO_BIG.search(said)
    if told:
        return f"something says that packets of {told[1]} bytes are the largest that pass"
    if received(small):
        return f"packets of {SMALL} bytes pass: a switch or a card between them drops larger ones"
    return (
        "smaller packets do not come back either: the link is down, the peer does not answer, or "
        "no flow lets machines of the zone ping each other"
    )


#: What IPv6 lets every link pass (RFC 8200, section 5).
SMALL = 1280
