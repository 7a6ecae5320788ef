"""Find what a node's own Debian sources leave out. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_DEBIAN = re.compile(r"/debian(-security)?/?$")


def debian_components(
    targets: Sequence[str], release: str, components: Sequence[str], own_file: str
) -> dict[str, Any]:
    """Compare the components that apt knows with the wanted ones.

    Args:
        targets: lines ``<entry> <URI> <suite> <component> <key>`` of ``apt-get indextargets``; an
            entry is ``<file>:<number>``, and the key may be missing.
        release: Debian's code name.
        components: the wanted ones.
        own_file: the file that has what was found to be left out; it does not count.

    Returns:
        ``found``, whether a Debian mirror of this release is among the sources, and ``lacking``:
        ``uri``, ``suite``, ``key`` and ``components`` of each that leaves some out.
    """
    suites = re.compile(rf"{re.escape(release)}(-updates|-security)?$")
    there: dict[tuple[str, str, str], list[str]] = {}
    for target in targets:
        entry, uri, suite, component, key = [*target.split(" "), ""][:5]
        if not entry.startswith(f"{own_file}:") and _DEBIAN.search(uri) and suites.match(suite):
            there.setdefault((uri, suite, key), []).append(component)
    left_out = {
        source: [name for name in components if name not in found]
        for source, found in there.items()
    }
    return {
        "found": bool(there),
        "lacking": [
            {"uri": uri, "suite": suite, "key": key, "components": names}
            for (uri, suite, key), names in left_out.items()
            if names
        ],
    }
