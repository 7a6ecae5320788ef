"""What the name of a memory slot says of its place: processor, memory controller, channel.

SMBIOS has no field for these, and every board maker has names of its own. Those below were seen on
boards of AMI, ASRock, Dell, Gigabyte, HPE, Huawei, Inspur, Intel, NVIDIA (DGX) and Supermicro; what
is not among them tells nothing.
"""

from __future__ import annotations

import re

_PROCESSOR = re.compile(
    r"(?<![A-Z])(?:CPU|PROC(?:ESSOR)?|SOCKET|SKT|P)[ _#]?(\d{1,2})(?!\d)", re.IGNORECASE
)
_NODE = re.compile(r"(?<![A-Z])NODE[ _#]?(\d{1,2})", re.IGNORECASE)
_CONTROLLER = re.compile(
    r"(?<![A-Z])(?:I?MC|(?:MEMORY[ _]?)?CONTROLLER|NODE)[ _#-]?(\d{1,2})", re.IGNORECASE
)
# "Channel0", "CHANNEL A", "CH_1"; "DIMMA1", "DIMM_A1", and with the processor between "DIMM_P0_A0";
# "C0D1". The P of "DIMM_P1" is a channel: no letter follows its number.
_CHANNEL = re.compile(
    r"CH(?:AN(?:NEL)?)?[ _#-]?(?P<word>[A-Z]|\d{1,2})(?![A-Z])"
    r"|DIMM[ _-]?(?:(?:CPU|PROC|SOCKET|P)[ _]?(?P<processor>\d{1,2})[ _-]?)?(?P<letter>[A-Z])"
    r"[ _-]?\d"
    r"|(?<![A-Z])C(?P<number>\d{1,2})D\d",
    re.IGNORECASE,
)
# Huawei's three digits are processor, channel and place; Dell's letter is the processor.
_THREE_DIGITS = re.compile(r"DIMM(\d)(\d)(\d)", re.IGNORECASE)
_LETTER_FIRST = re.compile(r"([A-H])(\d{1,2})")


def channel_of(locator: str, bank: str) -> str | None:
    """Return processor and channel that a slot hangs off (``0/A``), as far as its names tell.

    Where a processor has several memory controllers that count their channels anew, the channels of
    the first are named as if it were alone, and the others bear its number: ``0/1.A``.
    """
    for text in (bank, locator):
        channel = _CHANNEL.search(text)
        if channel:
            name = channel.group("word") or channel.group("letter") or channel.group("number")
            # What names the channel names no processor besides.
            around = (text[: channel.start()], text[channel.end() :])
            others = [other for other in (locator, bank) if other != text]
            processor = channel.group("processor") or _first(_PROCESSOR, *around, *others)
            controller = _first(_CONTROLLER, text)
            if processor is None:
                # Its node is then the processor, and no part of it.
                processor = _first(_NODE, *around, *others)
                controller = None if processor else controller
            prefix = "" if controller in (None, "0") else f"{controller}."
            return f"{processor or '0'}/{prefix}{name.upper()}"
    digits = _THREE_DIGITS.fullmatch(locator)
    return f"{digits.group(1)}/{digits.group(2)}" if digits else None


def place_on_processor(locator: str) -> tuple[str, str] | None:
    """Return the processor that a slot's name begins with or has in it, and the rest of the name.

    The rest is alike for the same place on each processor. None where no processor is named.
    """
    digits = _THREE_DIGITS.fullmatch(locator)
    if digits:
        return digits.group(1), digits.group(2) + digits.group(3)
    letter = _LETTER_FIRST.fullmatch(locator)
    if letter:
        return letter.group(1), letter.group(2)
    channel = _CHANNEL.search(locator)
    if channel and channel.group("processor"):
        start, end = channel.span("processor")
        return channel.group("processor"), locator[:start] + locator[end:]
    for processor in _PROCESSOR.finditer(locator):
        # The P of "DIMM_P1" is a channel.
        if not (channel and channel.start() <= processor.start() < channel.end()):
            return processor.group(1), locator[: processor.start()] + locator[processor.end() :]
    return None


def _first(pattern: re.Pattern[str], *texts: str) -> str | None:
    found = (pattern.search(text) for text in texts)
    return next((match.group(1) for match in found if match), None)
