"""An element of the XML of ``nvidia-smi -q -x``, and what its words mean.

The driver says of a value it has none of ("N/A"), that it could not read it ("ERR!", "GPU is lost",
"GPU requires reset"), or the value. Whatever it says of an element holds for all that would stand
in it: ``<remapped_rows>GPU is lost</remapped_rows>`` is an error of every counter of it.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping

_ABSENT = ("", "n/a", "not supported", "function not found")
_DEPRECATED = "deprecated"
# As nvidia-smi and NVML say that a value could not be read. Words that are not here are values: of
# a number or a switch they are an error all the same.
_UNREAD = re.compile(
    r"\[?(ERR!|Unknown( Error)?\]?$|GPU is lost|GPU requires reset|GPU access blocked|"
    r"Insufficient Permissions|No data)"
)
_SWITCH = {"enabled": True, "yes": True, "disabled": False, "no": False}
_ACTIVITY = {"active": True, "not active": False}


class Element:
    """An element; remembers what it was asked, and what it did not tell, by the fact's name."""

    def __init__(self, element: ET.Element) -> None:
        """Remember the element."""
        self.element = element
        self.asked: set[str] = set()
        self.unsupported: set[str] = set()
        self.unread: dict[str, str] = {}

    def said(self, path: str) -> str:
        """Return the text at a path; where it is missing, that of the nearest element above it."""
        self.asked.add(path)
        steps = path.split("/")
        for length in range(len(steps), -1, -1):
            found = self.element.find("/".join(steps[:length])) if length else self.element
            if found is not None:
                # Blanks around children are no words.
                return (found.text or "").strip()
        return ""

    def text(self, field: str, *paths: str) -> str | None:
        """Return the text at the first path that tells one, else None."""
        said = [self.said(path) for path in paths]
        for text in said:
            if not is_absent(text) and not _UNREAD.match(text):
                return text
        self._note(field, said)
        return None

    def _note(self, field: str, said: list[str]) -> None:
        """Note why a field has no value: an error, or nothing to tell."""
        complaint = next((text for text in said if not is_absent(text)), None)
        if complaint:
            self.unread[field] = complaint.strip("[]")
        else:
            self.unsupported.add(field)

    def quantity(self, field: str, unit: str, *paths: str) -> float | None:
        """Return a number with this unit."""
        pattern = rf"(-?\d{{1,12}}(?:\.\d{{1,6}})?) {re.escape(unit)}"
        found = self._fitting(field, pattern, *paths)
        return None if found is None else float(found)

    def integer(self, field: str, *paths: str) -> int | None:
        """Return a whole number."""
        found = self._fitting(field, r"(\d{1,18})", *paths)
        return None if found is None else int(found)

    def width(self, field: str, path: str) -> int | None:
        """Return the width of a PCIe link ("16x")."""
        found = self._fitting(field, r"(\d{1,2})x", path)
        return None if found is None else int(found)

    def _fitting(self, field: str, pattern: str, *paths: str) -> str | None:
        text = self.text(field, *paths)
        match = re.fullmatch(pattern, text or "", re.ASCII)
        if text is not None and match is None:
            self.unread[field] = text
        return match.group(1) if match else None

    def switch(self, field: str, *paths: str) -> bool | None:
        """Return whether something is on."""
        return self._word(field, _SWITCH, *paths)

    def activity(self, field: str, path: str) -> bool | None:
        """Return whether something is active."""
        return self._word(field, _ACTIVITY, path)

    def _word(self, field: str, words: Mapping[str, bool], *paths: str) -> bool | None:
        text = self.text(field, *paths)
        if text is not None and text.lower() not in words:
            self.unread[field] = text
        return words.get((text or "").lower())

    def counts(self, field: str, *paths: str) -> list[int | None]:
        """Return the counters at those of the paths that exist; None for one that is not told.

        Formats differ in which counters there are.
        """
        self.asked.update(paths)
        there = [path for path in paths if self.element.find(path) is not None]
        return [self.integer(field, path) for path in there or paths[:1]]

    def unlisted(self, ignored: Mapping[str, str]) -> dict[str, str]:
        """Return the texts of the elements that nobody asked for or ignores, by path."""
        known = [f"{path}/" for path in (*self.asked, *ignored)]
        return {
            path: text
            for path, text in _leaves(self.element)
            # What stands instead of asked elements was read as theirs.
            if not any(f"{path}/".startswith(one) or one.startswith(f"{path}/") for one in known)
        }


def is_absent(text: str) -> bool:
    """Return whether a text says that there is no such thing."""
    return text.strip("[]").lower() in _ABSENT or _DEPRECATED in text


def _leaves(element: ET.Element, above: str = "") -> Iterator[tuple[str, str]]:
    for child in element:
        path = f"{above}/{child.tag}" if above else str(child.tag)
        text = (child.text or "").strip()
        if not len(child):
            yield path, text
        yield from _leaves(child, path)
