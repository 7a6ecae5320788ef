"""Addresses that no stranger can truthfully send from: bogons.

From IANA's registries of special-purpose addresses (RFC 6890), those that are not globally
reachable, and multicast, which is never a source. 6to4 and Teredo are left out: strangers do use
them.
"""

from __future__ import annotations

#: IPv4 network → where it is set aside.
BOGONS_4 = {
    "0.0.0.0/8": "RFC 1122, this network",
    "10.0.0.0/8": "RFC 1918, private",
    "100.64.0.0/10": "RFC 6598, carrier-grade NAT",
    "127.0.0.0/8": "RFC 1122, loopback",
    "169.254.0.0/16": "RFC 3927, link-local",
    "172.16.0.0/12": "RFC 1918, private",
    "192.0.0.0/24": "RFC 6890, protocol assignments",
    "192.0.2.0/24": "RFC 5737, documentation",
    "192.168.0.0/16": "RFC 1918, private",
    "198.18.0.0/15": "RFC 2544, benchmarks",
    "198.51.100.0/24": "RFC 5737, documentation",
    "203.0.113.0/24": "RFC 5737, documentation",
    "224.0.0.0/4": "RFC 5771, multicast",
    "240.0.0.0/4": "RFC 1112, reserved, and limited broadcast",
}

#: IPv6 network → where it is set aside.
BOGONS_6 = {
    "::/96": "RFC 4291, unspecified, loopback and IPv4-compatible",
    "::ffff:0:0/96": "RFC 4291, IPv4-mapped",
    "64:ff9b:1::/48": "RFC 8215, translation inside one network",
    "100::/64": "RFC 6666, discard",
    "2001:2::/48": "RFC 5180, benchmarks",
    "2001:10::/28": "RFC 4843, former ORCHID",
    "2001:db8::/32": "RFC 3849, documentation",
    "3fff::/20": "RFC 9637, documentation",
    "5f00::/16": "RFC 9602, segment routing",
    "fc00::/7": "RFC 4193, unique local",
    "fe80::/10": "RFC 4291, link-local",
    "fec0::/10": "RFC 3879, former site-local",
    "ff00::/8": "RFC 4291, multicast",
}
