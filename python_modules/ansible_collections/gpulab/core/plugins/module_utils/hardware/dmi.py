"""Records of the firmware's SMBIOS tables, as dmidecode prints them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .sysfs import ProbeError
from .system import stated
from .tools import RunTool

_HANDLE = re.compile(r"Handle 0x[0-9A-Fa-f]+, DMI type (\d{1,3})(?:,|$)")
# What an enumerated field says where firmware says nothing; dmidecode's last is for a number that
# the standard does not have.
_UNTOLD = ("Other", "Unknown", "<OUT OF SPEC>")


@dataclass(frozen=True)
class Record:
    """One structure: its type number (DMTF DSP0134, chapter 7) and its fields by name."""

    type: int
    fields: dict[str, str] = field(default_factory=dict)

    def get(self, *names: str) -> str | None:
        """Return the first of these fields that says something, or None.

        What firmware writes into a field that nobody filled in says nothing.
        """
        for name in names:
            value = stated(self.fields.get(name))
            if value is not None:
                return value
        return None

    def choice(self, name: str) -> str | None:
        """Return what an enumerated field says, or None where firmware left it open.

        Its words are the standard's own, so none of them is a blank that nobody filled in: an error
        correction of ``None`` says that there is none.
        """
        value = self.fields.get(name, "")
        return None if not value or value in _UNTOLD else value


def read_records(run: RunTool, *types: int) -> list[Record]:
    """Return the records of these types, in the firmware's order.

    Raises:
        ProbeError: dmidecode is missing, may not read the tables, or finds none.
    """
    answer = run(("dmidecode", "-t", ",".join(str(number) for number in types)))
    if answer.missing:
        raise ProbeError("dmidecode is not installed: install the package dmidecode")
    # A node with tables but without such records is told from one whose tables can't be read.
    if answer.rc != 0 or "present." not in answer.stdout:
        raise ProbeError(f"dmidecode: {answer.complaint}")
    return [record for record in parse_records(answer.stdout) if record.type in types]


def parse_records(text: str) -> list[Record]:
    """Return every record in dmidecode's output; lists inside a record are left out."""
    records: list[Record] = []
    for line in text.splitlines():
        handle = _HANDLE.match(line)
        if handle:
            records.append(Record(int(handle.group(1))))
        elif records and line.startswith("\t") and not line.startswith("\t\t"):
            name, colon, value = line.strip().partition(":")
            if colon:
                records[-1].fields[name] = value.strip()
    return records
