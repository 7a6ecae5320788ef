"""Read what ``nft`` lists: whether two rulesets are the same, and how one is put back. Pure."""

from __future__ import annotations

#: The only table that is ours.
FAMILY, TABLE = "inet", "gpulab"
#: Removes our table, whether it is there or not: `delete` alone fails where it is not.
REMOVE = f"table {FAMILY} {TABLE} {{}}\ndelete table {FAMILY} {TABLE}\n"
#: Sets with such flags are filled by packets. JSON does not show all of them before nft 1.0.8, so
#: the text is what is read.
_FILLED_BY_PACKETS = ("dynamic", "timeout")


def static(listed: str) -> str:
    """Leave out of a listing what packets have put into sets.

    It comes again by itself, and not every release of nft reads its own listing of it.

    Args:
        listed: what ``nft --stateless list table`` says: no counter's value, no handle.
    """
    kept: list[str] = []
    block: list[str] = []
    for line in listed.splitlines(keepends=True):
        if not block and not line.lstrip().startswith(("set ", "map ")):
            kept.append(line)
            continue
        block.append(line)
        # The end of the set, which nft indents as its beginning.
        if line.strip() == "}" and _indent(line) == _indent(block[0]):
            kept += _without_elements(block) if _is_filled_by_packets(block) else block
            block = []
    return "".join(kept + block)


def restorable(listed: str) -> str:
    """Turn a listing into a ruleset that puts the table back.

    Args:
        listed: what ``nft --stateless list table`` says; empty where there is no table.
    """
    return REMOVE + static(listed)


def difference(wanted: str, found: str) -> str:
    """Name the first line by which two listings differ, or "".

    Args:
        wanted: the listing of what was compiled, loaded apart.
        found: the listing of what is loaded.
    """
    lines = [static(text).splitlines() for text in (wanted, found)]
    longest = max(map(len, lines))
    for asked, there in zip(*(each + [""] * (longest - len(each)) for each in lines)):
        if asked != there:
            return (
                f"it has {there.strip() or 'nothing'!r} where {asked.strip() or 'nothing'!r} is due"
            )
    return ""


def _is_filled_by_packets(block: list[str]) -> bool:
    flags = [line for line in block if line.strip().startswith("flags ")]
    return any(word in line for line in flags for word in _FILLED_BY_PACKETS)


def _without_elements(block: list[str]) -> list[str]:
    kept, inside = [], False
    for line in block:
        inside = inside or line.strip().startswith("elements = {")
        if not inside:
            kept.append(line)
        elif line.rstrip().endswith("}"):
            inside = False
    return kept


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
