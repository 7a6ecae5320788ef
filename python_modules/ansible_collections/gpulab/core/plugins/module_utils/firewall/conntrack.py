"""Read whether the kernel's table of connections was ever full. Pure."""

from __future__ import annotations

#: The column of /proc/net/stat/nf_conntrack that counts connections that were forgotten to make
#: room for new ones (early_drop() of net/netfilter/nf_conntrack_core.c, Linux 6.12). The column
#: ``drop`` counts races, too, which are harmless.
_LOST = "early_drop"


def parse_lost(stat: str) -> int | None:
    """Count the connections that had to make room since boot, over all processors.

    Args:
        stat: ``/proc/net/stat/nf_conntrack``: a line of names, and a line of hexadecimal numbers
            for each processor.

    Returns:
        None where it does not say.
    """
    names, *rows = [line.split() for line in stat.splitlines()] or [[]]
    try:
        column = names.index(_LOST)
        return sum(int(row[column], 16) for row in rows)
    except (ValueError, IndexError):
        return None
