"""Send one packet as its maker likes, past the node's own firewall. Runs alone, on Python 3.9.

    forge.py INTERFACE MAC SOURCE TARGET PORT TEXT [fragments]

A UDP datagram goes out of a packet socket, which no netfilter hook sees: so acts somebody who is
root on a node of the lab, or who is no node of it. With ``fragments`` only the pieces after
the first are sent: what a filter that looks at ports cannot judge.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys


def checksum(message: bytes) -> int:
    """Give the Internet checksum (RFC 1071)."""
    message += b"\0" * (len(message) % 2)
    total = sum(struct.unpack(f"!{len(message) // 2}H", message))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def udp(source: bytes, target: bytes, port: int, text: bytes) -> bytes:
    """Give a UDP datagram from port 7, with the checksum that IPv6 insists on."""
    length = 8 + len(text)
    body = struct.pack("!HHHH", 7, port, length, 0) + text
    pseudo = source + target + struct.pack("!HBBH", 0, 0, 17, length)
    if len(source) == 16:
        pseudo = source + target + struct.pack("!IHBB", length, 0, 0, 17)
    value = checksum(pseudo + body) or 0xFFFF
    return body[:6] + struct.pack("!H", value) + body[8:]


def packet4(source: bytes, target: bytes, body: bytes, offset: int, more: int) -> bytes:
    """Give an IPv4 packet, or a piece of one; the offset is in bytes."""
    flags = more << 13 | offset // 8
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 4711, flags, 64, 17, 0)
    head += source + target
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def packet6(source: bytes, target: bytes, body: bytes, offset: int | None, more: int) -> bytes:
    """Give an IPv6 packet, or a piece of one; the offset is in bytes."""
    following = 17
    if offset is not None:
        body = struct.pack("!BBHI", 17, 0, offset | more, 4711) + body
        following = 44
    return struct.pack("!IHBB", 6 << 28, len(body), following, 64) + source + target + body


def main() -> None:
    """Send what the arguments say."""
    interface, mac, source, target, port, text = sys.argv[1:7]
    sender, receiver = ipaddress.ip_address(source), ipaddress.ip_address(target)
    six = sender.version == 6
    datagram = udp(sender.packed, receiver.packed, int(port), text.encode())
    if sys.argv[7:] == ["fragments"]:
        piece = b"x" * 64
        packets = [
            packet6(sender.packed, receiver.packed, piece, offset, more)
            if six
            else packet4(sender.packed, receiver.packed, piece, offset, more)
            for offset, more in ((1024, 1), (1088, 0))
        ]
    elif six:
        packets = [packet6(sender.packed, receiver.packed, datagram, None, 0)]
    else:
        packets = [packet4(sender.packed, receiver.packed, datagram, 0, 0)]
    kind = 0x86DD if six else 0x0800
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as line:
        for packet in packets:
            line.sendto(packet, (interface, kind, 0, 0, bytes.fromhex(mac.replace(":", ""))))


if __name__ == "__main__":
    main()
